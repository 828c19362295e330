"""The tutorials run from their first cell to their last, each in a folder of its own, with training cut short.

Two of the three do so among the slow tests only; tests/face/test_face.py lets a type checker look for what their cells
call.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
NOTEBOOKS = sorted(TUTORIALS.glob("*.ipynb"))
QUICK = "awd-lstm"
"""The one whose settings stand in tables, where no type checker sees them."""


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == ["awd-lstm", "word-vectors", "your-text"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_results(notebook):
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


@pytest.mark.long
@pytest.mark.parametrize(
    "notebook",
    [path if path.stem == QUICK else pytest.param(path, marks=pytest.mark.slow) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_it_runs(notebook, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    shutil.copy(TUTORIALS / "harbour.py", tmp_path)
    monkeypatch.setenv("SEQLAB_TUTORIAL_SHARE", "0.001")
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    book = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(book, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [cell for cell in book.cells if cell.cell_type == "code" and cell.outputs]
    assert len(shown) >= sum(cell.cell_type == "code" for cell in book.cells) / 2
    assert not [out for cell in shown for out in cell.outputs if out.output_type == "error"]
