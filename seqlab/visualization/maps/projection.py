"""From high-dimensional vectors to points in the plane. Shapes: N words, D dimensions."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

import numpy as np

from ...base.progress import Progress
from ...config.names import MapMethodName

Projection = Callable[[np.ndarray, int, float, bool], np.ndarray]
"""(unit_ND float32 with rows of length one, seed, perplexity, quiet) -> position_N2 float32."""

INITIAL_STD = 1e-4  # Kobak & Berens 2019, https://www.nature.com/articles/s41467-019-13056-x
ITERATIONS = 1000


def usable_perplexity(perplexity: float, count: int) -> float:
    """`perplexity`, or the largest that `count` points support: each looks at three times as many others."""
    return max(1.0, min(perplexity, (count - 1) / 3))


def pca(unit_ND: np.ndarray, seed: int = 1, perplexity: float = 30.0, quiet: bool = True) -> np.ndarray:
    """The two directions of largest variance. Use it for a quick look; it shows less of the neighbourhoods than t-SNE.

    The sign of each axis is fixed: it points to its word of largest deviation, so the same vectors give the same
    picture on every machine. Only `unit_ND` matters.
    """
    centred_ND = unit_ND.astype(np.float64) - unit_ND.mean(axis=0, dtype=np.float64)
    left, scale, _ = np.linalg.svd(centred_ND, full_matrices=False)
    position_N2 = np.zeros((len(unit_ND), 2))
    kept = min(2, len(scale))
    position_N2[:, :kept] = left[:, :kept] * scale[:kept]
    for axis in position_N2.T:
        if axis[np.abs(axis).argmax()] < 0:
            axis *= -1
    return position_N2.astype(np.float32)


def tsne(
    unit_ND: np.ndarray, seed: int = 1, perplexity: float = 30.0, quiet: bool = True, jobs: int = -1
) -> np.ndarray:
    """t-SNE (van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html) from a PCA start.

    The start keeps the large-scale arrangement that random starts lose (Kobak & Berens 2019). scikit-learn's
    learning rate "auto" is max(N/48, 50) in units four times those of the literature: the N/12 of Belkina et
    al. 2019 (https://www.nature.com/articles/s41467-019-13055-y).

    Args:
        unit_ND: float32, rows of length one.
        seed: of the remaining random choices.
        perplexity: about how many neighbours stay together; lowered to `usable_perplexity` for few words.
        quiet: show no progress.
        jobs: CPU cores of the neighbour search, -1 for all.

    Returns:
        position_N2, float32.
    """
    from sklearn.manifold import TSNE

    start_N2 = pca(unit_ND)
    spread = float(start_N2[:, 0].std())
    if spread > 0:
        start_N2 *= INITIAL_STD / spread
    else:  # all vectors equal: any arrangement is as good as another
        start_N2 = np.random.default_rng(seed).normal(0.0, INITIAL_STD, start_N2.shape).astype(np.float32)
    model = TSNE(
        init=start_N2,
        perplexity=usable_perplexity(perplexity, len(unit_ND)),
        learning_rate="auto",
        random_state=seed,
        n_jobs=jobs,
        max_iter=ITERATIONS,
        verbose=0 if quiet else 2,
    )
    vectors_ND = np.ascontiguousarray(unit_ND, dtype=np.float32)
    if quiet:
        return model.fit_transform(vectors_ND)
    with Progress(f"laying out {len(unit_ND):,} points", ITERATIONS, "iterations") as progress, _reported(progress):
        return model.fit_transform(vectors_ND)


@contextmanager
def _reported(progress: Progress) -> Iterator[None]:
    """Turn the iterations that scikit-learn prints, its only report while it works, into progress."""

    class Iterations(io.TextIOBase):
        def write(self, text: str) -> int:
            found = re.search(r"Iteration (\d+)", text)
            progress.update(int(found[1]) if found else progress.done)
            return len(text)

    with redirect_stdout(Iterations()):
        yield
    progress.update(ITERATIONS)


PROJECTIONS: dict[MapMethodName, Projection] = {"tsne": tsne, "pca": pca}
