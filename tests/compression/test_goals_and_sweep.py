"""As small as asked for, at a price that was allowed; and all methods side by side."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from seqlab.base.errors import InputError, SeqlabError
from seqlab.compression.models import compress_model, compress_to, sweep_model
from seqlab.compression.models.goals import LADDER, expected_bytes
from seqlab.compression.models.methods import METHODS, choices_of
from seqlab.compression.models.result import CompressionStudy, Point
from seqlab.run import Run


@pytest.mark.parametrize("method", ["int8", "int4", "share", "low-rank=0.5,int8", "prune=0.9,int8", "binary"])
def test_sizes_are_known_before_anything_is_done(trained, tmp_path, method):
    found = compress_model(trained, tmp_path / "out", method, retrain=0, quiet=True)
    assert expected_bytes(Run.open(trained).blueprint(), choices_of(method)) == pytest.approx(found.bytes, rel=0.02)


def test_the_ladder_names_methods():
    assert {name for one in LADDER for name in (choice.name for choice in choices_of(one))} <= set(METHODS)


def test_the_first_method_that_reaches_a_size_is_taken(trained, tmp_path):
    model = Run.open(trained).blueprint()
    size = expected_bytes(model, choices_of("int4")) + 1
    found = compress_to(trained, tmp_path / "out", ("int8", "int4", "binary"), target_size=size, retrain=0, quiet=True)
    assert (found.method, Run.open(found.out).compressed["method"]) == ("int4", "int4")
    with pytest.raises(InputError, match="no method makes these weights smaller"):
        compress_to(trained, tmp_path / "none", target_size=100, quiet=True)
    assert not (tmp_path / "none").exists()


def test_the_smallest_within_the_price_is_taken(trained, tmp_path):
    ladder = ("int8", "int4", "binary")
    found = compress_to(trained, tmp_path / "out", ladder, max_loss=5.0, retrain=0, quiet=True)
    assert found.method in ("int8", "int4")
    assert found.loss <= 5.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    with pytest.raises(SeqlabError, match=r"no method cost at most -90 %; the best was"):
        compress_to(trained, tmp_path / "none", ladder, max_loss=-90.0, retrain=0, quiet=True)
    assert not (tmp_path / "none").exists()


def test_a_sweep_is_a_table_a_picture_and_a_run_folder_for_each(trained, tmp_path):
    methods = ["int8", "int4", "low-rank=0.5,int8"]
    study = sweep_model(trained, tmp_path / "study", methods, retrain=0, quiet=True)
    assert [point.method for point in study.points] == ["float32", *methods]
    assert all(point.tokens_per_second["1"] > 0 < point.tokens_per_second["64"] for point in study.points)
    assert Run.open(tmp_path / "study" / "low-rank-0.5+int8").load_members().network.vocab_size
    made = (tmp_path / "study" / "int8" / "model.safetensors").stat().st_mtime_ns
    again = sweep_model(trained, tmp_path / "study", methods, retrain=0, quiet=True)
    assert (tmp_path / "study" / "int8" / "model.safetensors").stat().st_mtime_ns == made
    assert [point.perplexity for point in again.points] == [point.perplexity for point in study.points]
    study.picture().save(tmp_path / "study" / "sweep.png")
    assert "on the front" in study.table().headers
    with pytest.raises(InputError, match="is a study of another run"):
        sweep_model(trained, tmp_path / "study", methods, retrain=0.5, quiet=True)


def test_the_front_is_what_no_other_beats_in_both():
    rows = {"float32": (100, 10.0), "int8": (25, 10.1), "bad": (30, 12.0), "binary": (5, 15.0), "twin": (25, 10.1)}
    points = [Point(name, size, perplexity, 0.0, (0, 0), {"1": 1.0}) for name, (size, perplexity) in rows.items()]
    study = CompressionStudy(None, "run", points)
    assert [point.method for point in points if study.on_front(point)] == ["float32", "int8", "binary", "twin"]


def test_the_command(trained, tmp_path):
    from seqlab_cli.main import app

    done = CliRunner().invoke(app, ["compress", str(trained), "-o", str(tmp_path / "out"), "--quiet", "--json"])
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert (values["method"], values["bytes"] < values["bytes_before"]) == ("int8", True)
    for arguments, words in [
        (["--target-size", "huge"], "write a number of bytes"),
        (["--max-loss", "lots"], "write a percentage"),
        (["--sweep", "--method", "int8"], "leave out --method"),
    ]:
        failed = CliRunner().invoke(app, ["compress", str(trained), "-o", str(tmp_path / "no"), *arguments])
        assert isinstance(failed.exception, InputError), failed.output
        assert words in str(failed.exception)
    missing = CliRunner().invoke(app, ["compress", str(tmp_path / "gone"), "-o", str(tmp_path / "no")])
    assert "no such file or folder" in str(missing.exception)
