"""Going through the rows of a matrix block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ...base.progress import Progress
from ...embeddings.packed.matrix import Rows

BLOCK_ROWS = 1 << 13
Made = TypeVar("Made")


def by_blocks(
    matrix: Rows, within: slice, run: Callable[[np.ndarray, slice], Made], doing: str, quiet: bool
) -> list[Made]:
    """What `run` makes of every block of some rows (float32, and which they are) of a matrix that may be larger
    than memory."""
    made = []
    with Progress(doing, within.stop - within.start, "vectors", quiet) as progress:
        for start in range(within.start, max(within.start + 1, within.stop), BLOCK_ROWS):
            rows = slice(start, min(within.stop, start + BLOCK_ROWS))
            made.append(run(np.asarray(matrix[rows], np.float32), rows))
            progress.update(rows.stop - within.start)
    return made
