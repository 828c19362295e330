"""The demo tells its whole story and leaves everything it names."""

from __future__ import annotations

import pytest
from seqlab_cli.main import run


def test_an_output_that_cannot_be_written_is_noticed_before_the_work(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run(["demo", "-o", str(tmp_path / "file" / "demo")]) == 2
    assert "is a file and no folder" in capsys.readouterr().err
    (tmp_path / "demo" / "model").mkdir(parents=True)
    (tmp_path / "demo" / "model" / "thesis.txt").touch()
    assert run(["demo", "-o", str(tmp_path / "demo")]) == 2
    assert "not a language-model run; choose another output folder" in capsys.readouterr().err


@pytest.mark.slow
def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "--minutes", "0.3"]) == 0
    out = capsys.readouterr().out
    assert "perplexity on held-out text" in out
    assert "min is to max as minimum is to: maximum" in out
    for name in ("corpus", "vectors", "model", "map.html", "map.png", "curves.png"):
        assert (tmp_path / "seqlab-demo" / name).exists()
    assert run(["demo", "--minutes", "0.1"]) == 0
