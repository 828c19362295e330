"""Whatever a file holds behind valid digests, opening it works or ends in one sentence that names it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mutants import mutant, write_mutant
from seqlab_cli.main import run as command

import seqlab
from seqlab.base.errors import InputError, SeqlabError
from seqlab.base.files import load_tensors, save_tensors, write_manifest
from seqlab.run import CONFIG, MODEL, STATE, TOKENIZER, Run

TEXT = "a heron stood in the reeds . the reeds stood in the pond , and a heron saw the pond . " * 50
SIZES = ["--hidden-dim", "8", "--embed-dim", "8", "--batch-size", "4", "--bptt", "8", "--threads", "1", "-q"]
QUICK, ALL = range(20), range(20, 120)
"""Seeds of the changes that are always tried, and of those that are slow."""
SEEDS = pytest.mark.parametrize("seeds", [QUICK, pytest.param(ALL, marks=pytest.mark.slow)], ids=["few", "many"])
pytestmark = pytest.mark.xdist_group("mutants")  # one process trains what they change


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutants")
    (folder / "text.txt").write_text(TEXT)
    for tokenizer in ("char", "word", "bpe"):
        arguments = ["train", "lm", str(folder / "text.txt"), "-o", str(folder / tokenizer), "--steps", "4", *SIZES]
        assert command([*arguments, "--tokenizer", tokenizer, "--average", "ema"]) == 0
    seqlab.train_embeddings(folder / "text.txt", folder / "vectors", quiet=True, epochs=1, min_count=1, dim=8)
    seqlab.prepare(folder / "text.txt", folder / "corpus", quiet=True, tokenizer="word")
    return folder


def use_run(folder: Path) -> None:
    run = Run.open(folder)
    assert repr(run)
    assert repr(run.history)
    assert run.parameters
    assert run.text_settings
    _ = run.items, run.finished
    seqlab.load_language_model(folder).generate("heron ", length=3, seed=1, allow_unknown=True)
    about(folder)


def use_vectors(folder: Path) -> None:
    for mapped in (False, True):
        vectors = seqlab.load_vectors(folder, mapped=mapped)
        assert repr(vectors)
        vectors.neighbors("herons", k=2)
    about(folder)


def use_corpus(folder: Path) -> None:
    corpus = seqlab.load(folder)
    assert repr(corpus)
    assert corpus.table()
    assert corpus.summary
    corpus.decode(0, 5)
    about(folder)


def about(folder: Path) -> None:
    assert command(["info", str(folder)]) in (0, 2)


@SEEDS
@pytest.mark.parametrize(
    ("kind", "name", "use"),
    [
        ("char", CONFIG, use_run),
        ("char", TOKENIZER, use_run),
        ("word", TOKENIZER, use_run),
        ("bpe", TOKENIZER, use_run),
        ("char", "manifest.json", use_run),
        ("vectors", "vocab.json", use_vectors),
        ("vectors", "config.json", use_vectors),
        ("vectors", "manifest.json", use_vectors),
        ("corpus", "corpus.json", use_corpus),
    ],
)
def test_a_changed_file_is_opened_or_named(
    kind: str,
    name: str,
    use: Callable[[Path], None],
    seeds: range,
    home: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(home / kind, tmp_path / kind))
    original, manifest = json.loads((folder / name).read_bytes()), (folder / "manifest.json").read_bytes()
    sentences = dict[str, str]()
    for seed in seeds:
        (folder / "manifest.json").write_bytes(manifest)
        what = write_mutant(folder, name, original, seed)
        try:
            use(folder)
        except SeqlabError as error:
            sentences[what] = str(error)
        except Exception as error:
            raise AssertionError(what) from error
    assert sentences, "no change mattered"
    assert {what: said for what, said in sentences.items() if str(folder) not in said or "\n" in said} == {}


@SEEDS
@pytest.mark.parametrize("kind", ["char", "vectors"])
def test_a_changed_state_is_resumed_or_named(
    kind: str, seeds: range, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = str(home / "text.txt")
    commands = {
        "char": ["train", "lm", text, "--tokenizer", "char", "--average", "ema", "--steps", "6", *SIZES],
        "vectors": ["train", "embeddings", text, "--epochs", "1", "--min-count", "1", "--dim", "8", "-q"],
    }
    codes = []
    for seed in seeds[:14]:
        folder = Path(shutil.copytree(home / kind, tmp_path / f"{kind}{seed}"))
        arrays, texts = load_tensors(folder / STATE)
        values = json.loads(texts["values"])
        if seed % 2:
            values["position"] |= {"finished": False} if kind == "char" else {"jobs": 0}
        content, what = mutant(values, seed)
        save_tensors(folder / STATE, arrays, {**texts, "values": content.decode()})
        if kind == "char":
            (folder / "manifest.json").unlink()
            write_manifest(folder, [CONFIG, TOKENIZER])
        else:
            for name in ("vectors.safetensors", "ngrams.safetensors", "vocab.json", "manifest.json"):
                (folder / name).unlink(missing_ok=True)
        try:
            codes.append(command([*commands[kind], "-o", str(folder)]))
        except Exception as error:
            raise AssertionError(what) from error
    assert set(codes) <= {0, 2}
    assert 2 in codes


@pytest.mark.parametrize(
    "sizes", [{"hidden_dim": 60_000, "layers": 3}, {"layers": 1000}, {"embed_dim": 65_536, "hidden_dim": 65_536}]
)
def test_sizes_are_compared_with_the_stored_tensors_before_anything_is_built(
    sizes: dict[str, int], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(home / "char", tmp_path / "run"))
    record = json.loads((folder / CONFIG).read_bytes())
    record["config"]["model"] |= sizes
    (folder / CONFIG).write_text(json.dumps(record))
    write_manifest(folder, list(json.loads((folder / "manifest.json").read_bytes())["files"]))
    monkeypatch.setattr("seqlab.run.folder.nothing_drawn", lambda: pytest.fail("a model was built"))
    monkeypatch.setattr("seqlab.run.folder.load_tensors", lambda path: pytest.fail("the weights were read"))
    with pytest.raises(InputError, match=rf"{MODEL}: its tensors do not fit {CONFIG}"):
        Run.open(folder).load_members()


def test_tensors_of_other_shapes_or_names_are_refused_by_their_header(home: Path, tmp_path: Path) -> None:
    for change in ("shape", "name", "more"):
        folder = Path(shutil.copytree(home / "char", tmp_path / change))
        arrays, texts = load_tensors(folder / MODEL)
        name = next(name for name in arrays if name.startswith("cells.0"))
        if change == "shape":
            arrays[name] = arrays[name][:-1]
        elif change == "name":
            arrays[name + "x"] = arrays.pop(name)
        else:
            arrays["extra"] = np.zeros(3, np.float32)
        save_tensors(folder / MODEL, arrays, texts)
        (folder / "manifest.json").unlink()
        write_manifest(folder, [CONFIG, TOKENIZER])
        with pytest.raises(InputError, match="its tensors do not fit"):
            Run.open(folder).load_members()
