"""Compiled kernels as functions of C: what is stored, what is loaded, and what their arguments may be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numba import njit

from seqlab.base import native
from seqlab.base.compiled.formulas import vector_loop
from seqlab.base.compiled.pointers import pointer
from seqlab.base.native import DOUBLE, FLOATS, INT, Native
from seqlab.nn.kernels.matrices import FLOAT32

KERNEL = """
def scaled(numbers, count, factor):
    for i in range(count):
        numbers[i] = {times} * numbers[i]
"""
USE = """
import sys
import numpy as np
from seqlab.base.native import DOUBLE, FLOATS, INT, Native

sys.path.insert(0, {folder!r})
numbers = np.arange(3, dtype=np.float32)
Native("kernels_of_a_test", "scaled", (FLOATS, INT, DOUBLE))(numbers, 3, 5.0)
print(*numbers, "numba" in sys.modules)
"""


def used(folder: Path, times: str = "factor", **variables: str) -> list[str]:
    """What a fresh process makes of 0, 1, 2, and whether it had to compile."""
    return used_by(1, folder, times, **variables)[0]


def used_by(count: int, folder: Path, times: str = "factor", **variables: str) -> list[list[str]]:
    """The same of several processes that start together."""
    file = folder / "kernels_of_a_test.py"
    text = KERNEL.format(times=times)
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
    command = [sys.executable, "-c", USE.format(folder=str(folder))]
    started = [
        subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    said = [one.communicate()[0].split() for one in started]
    assert not any(one.returncode for one in started)
    return said


@pytest.mark.parametrize(("level", "left"), [("NOTSET", "INFO"), ("DEBUG", "DEBUG")])
def test_a_program_that_logs_at_debug_hears_of_compilation_only_where_it_asked(level: str, left: str) -> None:
    ask = f"import logging; logging.basicConfig(level='DEBUG'); logging.getLogger('numba').setLevel('{level}'); "
    ask += "import seqlab.base.compiled; print(logging.getLevelName(logging.getLogger('numba').level))"
    assert subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout.split() == [left]


def test_a_kernel_is_compiled_once_and_again_when_its_source_or_its_file_changes(tmp_path: Path) -> None:
    variables = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    expected = ["0.0", "5.0", "10.0"]
    said = used_by(2, tmp_path, **variables)
    assert sorted(said) == [[*expected, "False"], [*expected, "True"]], "one compiles, and the other waits for it"
    (stored,) = (tmp_path / "kernels").glob("scaled-*.native")
    whole = stored.read_bytes()
    stamp = json.loads(whole.partition(b"\n")[0])["stamp"]
    for damage in (whole[:-1], whole[:-9] + b"?" + whole[-8:], b"", b"[]\n", b"{}\n"):
        stored.write_bytes(damage)
        assert native._read(stored, stamp) is None
    assert used(tmp_path, **variables) == [*expected, "True"]
    assert native._read(stored, stamp) is not None
    assert used(tmp_path, times="(factor + 1)", **variables) == ["0.0", "6.0", "12.0", "True"]


def test_kernels_are_stored_beside_their_source_or_in_the_cache_or_nowhere(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = {"SEQLAB_CACHE": str(tmp_path / "file"), "NUMBA_CACHE_DIR": ""}
    (tmp_path / "__pycache__").touch()
    assert used(tmp_path, **nowhere)[-1] == "True"
    assert used(tmp_path, SEQLAB_CACHE=str(tmp_path / "cache"), NUMBA_CACHE_DIR="")[-1] == "True"
    assert len(list((tmp_path / "cache" / "compiled").iterdir())) == 1
    assert used(tmp_path, SEQLAB_CACHE=str(tmp_path / "cache"), NUMBA_CACHE_DIR="")[-1] == "False"


def test_arguments_are_arrays_or_tensors_of_the_right_numbers_without_gaps() -> None:
    kernel = Native("unused", "unused", (FLOATS, INT, DOUBLE))
    for wrong in (np.zeros(3), torch.zeros(3, dtype=torch.float64)):
        with pytest.raises(TypeError, match="reads float32 numbers, these are"):
            kernel(wrong, 3, 1.0)
    for gaps in (np.zeros((4, 4), np.float32)[:, :2], torch.zeros(4, 4)[:, :2]):
        with pytest.raises(TypeError, match="without gaps"):
            kernel(gaps, 3, 1.0)
    with pytest.raises(ValueError, match="zip"):
        kernel(np.zeros(3, np.float32))


def test_rows_are_read_from_where_they_lie() -> None:
    weight, out = torch.randn(5, 3), torch.empty(2, 3)
    line = np.array([0, weight.data_ptr(), 0, 0, 5, 3, 0])
    FLOAT32.rows(line, torch.tensor([4, 1]), 2, out)
    assert torch.equal(out, weight[[4, 1]])


@vector_loop("sum", "max")
def written_and_folded(x, y, factor):
    return [x * factor, x * y, y]


@njit
def run_over(x, y, out, first, past):
    rows = pointer(x, "float32"), pointer(y, "float32"), np.float32(3)
    return written_and_folded(first, past, (pointer(out, "float32"),), rows)


@pytest.mark.parametrize("first", [0, 3])
def test_a_formula_runs_along_rows_of_every_length(first: int) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 80)).astype(np.float32)
    for past in range(first, 80):
        out = np.zeros(80, np.float32)
        total, most = run_over(x.ctypes.data, y.ctypes.data, out.ctypes.data, first, past)
        part = slice(first, past)
        assert total == pytest.approx(float((x[part].astype(np.float64) * y[part]).sum()), rel=1e-5, abs=1e-5)
        assert most == (y[part].max() if past > first else -np.inf)
        np.testing.assert_array_equal(out[part], 3 * x[part])
        assert not out[:first].any()
        assert not out[past:].any()
