"""The demo tells its whole story and leaves everything it names."""

from __future__ import annotations

import pytest
from seqlab_cli.main import run


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
