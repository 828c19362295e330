"""One vector times packed matrices of 67,889 rows of 100 numbers, against float32 by numpy's BLAS; prints JSON.

    python -m benchmarks.vectors.packed [--rows vectors/packed-queries]

Numbers are drawn by chance, which makes no difference to time. One thread, processor time, contestants in turn,
medians.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from seqlab.compression.vectors.pack import packed as pack_matrix
from seqlab.embeddings.packed import matrix as packing
from seqlab.embeddings.packed.matrix import ScalarMatrix

from .. import rows

SIZE, DIM, ROUNDS = 67_889, 100, 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    rows.add_option(parser)
    arguments = parser.parse_args()
    packing.PATIENCE = -1  # compiled from the first query
    rng = np.random.default_rng(0)
    whole, query = (rng.normal(size=(size, DIM)).astype(np.float32) for size in (SIZE, 1))
    scales = np.ones(SIZE, np.float32)

    def codes(width: int) -> np.ndarray:
        return rng.integers(0, 256, (SIZE, width), dtype=np.uint8)

    packed = [ScalarMatrix(codes(-(-DIM * bits // 8)), scales, DIM, bits) for bits in packing.BITS]
    matrices = {one.method: one for one in (*packed, pack_matrix(whole, "pq"))}
    contestants: dict[str, Callable[[], object]] = {"float32": lambda: whole @ query[0]}
    contestants |= {name: (lambda one=one: one.products(query)) for name, one in matrices.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(ROUNDS + 1):
        for name, run in contestants.items():
            began = time.process_time()
            run()
            if number:
                seconds[name].append(time.process_time() - began)
    sizes = {"float32": whole.nbytes, **{name: one.nbytes for name, one in matrices.items()}}
    lines = {
        name: {"query [ms]": 1000 * median(found), "matrix [MB]": sizes[name] / 1e6} for name, found in seconds.items()
    }
    print(json.dumps(lines, indent=1))
    rows.record(arguments.rows, lines, "float32", where="one thread, busy")


if __name__ == "__main__":
    main()
