"""The Python face: typed names, explicit options, objects that show themselves, mistakes answered in Python's words."""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from seqlab_cli.main import run

import seqlab
from seqlab.config import EmbeddingsConfig, LanguageModelConfig, TextConfig

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
MISSING = ("reportUndefinedVariable", "reportAttributeAccessIssue", "reportCallIssue")
"""Rules of pyright that are broken where something does not exist."""
SMALL = {"embed_dim": 12, "hidden_dim": 12, "layers": 1, "batch_size": 4, "bptt": 16, "quiet": True}


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    generator = random.Random(3)
    nouns = ["king", "queen", "castle", "river", "boat", "letter"]
    lines = [f"the {generator.choice(nouns)} saw a {generator.choice(nouns)} ." for _ in range(900)]
    path = tmp_path_factory.mktemp("face") / "book.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def corpus(text) -> seqlab.Corpus:
    return seqlab.prepare(text, text.parent / "corpus", tokenizer="whitespace", quiet=True)


@pytest.fixture(scope="module")
def lm(corpus) -> seqlab.TrainedLanguageModel:
    return seqlab.train_language_model(corpus, corpus.path.parent / "run", steps=30, **SMALL)


@pytest.fixture(scope="module")
def vectors(corpus) -> seqlab.WordVectors:
    folder = corpus.path.parent / "vectors"
    return seqlab.train_embeddings(corpus, folder, dim=8, min_count=1, epochs=1, workers=1, quiet=True)


# Types


PACKAGES = [path for path in sorted((ROOT / "seqlab").rglob("__init__.py")) if "lazy_names" in path.read_text("utf-8")]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.parent.name)
def test_names_that_are_loaded_lazily_are_those_that_type_checkers_see(package):
    name = ".".join(package.parent.relative_to(ROOT).parts)
    module, tree = importlib.import_module(name), ast.parse(package.read_text("utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    typed = {
        alias.asname or alias.name: f"{name}.{node.module}"
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(typed) == sorted(set(module.__all__) - {"__version__"})
    for public, home in typed.items():
        assert getattr(module, public) is getattr(importlib.import_module(home), public)


@pytest.mark.long
def test_the_project_passes_mypy_and_so_does_a_client_program():
    """`make check` does the same, and both keep what they found for the next time."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--platform", "linux"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_client_program_passes_mypy_strict_with_no_settings_of_ours():
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "", HERE / "client.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    ours = [line for line in done.stdout.splitlines() if "client.py" in line]
    assert not ours, "\n".join(ours)
    assert done.returncode == 0 or "client.py" not in done.stdout, done.stdout


@pytest.fixture(scope="module")
def report():
    """What pyright says of the client's program, and of the cells of the tutorials."""
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--project", HERE / "pyrightconfig.json", "--outputjson"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.mark.long
@pytest.mark.xdist_group("pyright")
def test_a_client_program_passes_pyright(report):
    cells = [json.loads(path.read_text("utf-8"))["cells"] for path in TUTORIALS]
    code = [cell for cell in itertools.chain(*cells) if cell["cell_type"] == "code"]
    assert report["summary"]["filesAnalyzed"] == 1 + len(code)
    assert not [one for one in report["generalDiagnostics"] if one["file"].endswith("client.py")]


@pytest.mark.long
@pytest.mark.xdist_group("pyright")
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_what_a_tutorial_calls_and_how_is_there(report, tutorial):
    """Functions, attributes and names of arguments."""
    found = [one for one in report["generalDiagnostics"] if one["file"].endswith(tutorial.name)]
    assert not [one["message"] for one in found if one["rule"] in MISSING]


@pytest.mark.parametrize("name", seqlab.__all__)
def test_every_public_name_can_be_had_and_is_documented(name):
    value = getattr(seqlab, name)
    assert name == "__version__" or inspect.getdoc(value)


def test_dir_shows_public_names_only():
    assert dir(seqlab) == sorted(seqlab.__all__)


# Options


@pytest.mark.parametrize(
    ("function", "config"),
    [
        (seqlab.prepare, TextConfig),
        (seqlab.train_embeddings, EmbeddingsConfig),
        (seqlab.train_language_model, LanguageModelConfig),
    ],
)
def test_help_names_every_option_with_its_default_and_a_sentence(function, config):
    parameters = inspect.signature(function).parameters
    shown = inspect.getdoc(function)
    leaves = [key.rpartition(".")[2] for key in config.keys()]  # noqa: SIM118
    unique = [leaf for leaf in leaves if leaves.count(leaf) == 1]
    assert len(unique) > 5
    for leaf in unique:
        assert parameters[leaf].kind is inspect.Parameter.KEYWORD_ONLY
        assert f"    {leaf} = " in shown
    assert all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def test_a_setting_goes_where_it_belongs(corpus):
    trained = seqlab.train_language_model(corpus, config={"training": {"lr": 0.01}}, cell="gru", steps=2, **SMALL)
    assert trained.run.config.model.cell == "gru"
    assert trained.run.config.training.lr == 0.01


# One verb opens anything


def test_load_opens_whatever_there_is(lm, vectors, corpus, tmp_path):
    assert isinstance(seqlab.load(lm.run.path), seqlab.TrainedLanguageModel)
    assert isinstance(seqlab.load(str(corpus.path)), seqlab.Corpus)
    assert isinstance(seqlab.load(corpus.path.parent / "vectors"), seqlab.WordVectors)
    (tmp_path / "v.txt").write_text("2 2\na 1 2\nb 3 4\n")
    assert list(seqlab.load(tmp_path / "v.txt")) == ["a", "b"]
    with pytest.raises(seqlab.InputError, match="no file or folder"):
        seqlab.load(tmp_path / "nothing")
    with pytest.raises(seqlab.InputError, match="did not write"):
        seqlab.load(tmp_path)
    with pytest.raises(seqlab.InputError, match="not 3"):
        seqlab.load(3)  # type: ignore[arg-type]


def test_opening_vectors_does_not_wait_for_torch(corpus, vectors):
    folder = str(corpus.path.parent / "vectors")
    code = f"import sys, seqlab; seqlab.load({folder!r}); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Objects that show themselves


def test_every_result_is_one_line_a_table_a_frame_and_json(lm, vectors, corpus, text):
    pytest.importorskip("pandas")
    sample = lm.sample("the", length=5, seed=1)
    results = [
        lm,
        corpus,
        sample,
        seqlab.corpora(),
        seqlab.inspect(text, quiet=True),
        lm.history,
        lm.evaluate(),
        lm.score("the king saw"),
        vectors.neighbors("king", 3),
        vectors.evaluate("english"),
    ]
    for result in results:
        assert "\n" not in repr(result)
        assert "<" in result._repr_html_()
        json.dumps(result.to_json())
        assert len(result.to_frame()) > 0, repr(result)
    assert "\n" not in repr(vectors)
    assert "\n" not in repr(lm.run)
    assert "\n" not in repr(corpus.tokenizer)
    assert "\n" not in repr(corpus.train)
    assert "\n" not in repr(seqlab.settings("lstm"))


def test_pictures_show_themselves_and_save(lm, vectors, tmp_path):
    for picture, name in ((lm.curves(), "curves.html"), (vectors.map(words=6), "map.html")):
        assert picture._repr_html_()
        assert "\n" not in repr(picture)
        assert picture.save(tmp_path / name).stat().st_size > 1000


# A language model


def test_generate_gives_one_text_and_sample_several(lm):
    text = lm.generate("the king", length=8, seed=4)
    assert text.startswith("the king")
    samples = lm.sample("the king", n=3, length=8, seed=4)
    assert len(samples) == 3
    assert str(samples[0]) == text
    assert text.endswith(samples[0].text)
    with pytest.raises(seqlab.InputError, match=r"sample\(prompt, n="):
        lm.generate("the", num=3)


def test_score_adds_up_to_log_prob(lm):
    scored = lm.score("the king saw a queen .")
    assert sum(token.log_prob for token in scored.tokens) == pytest.approx(lm.log_prob("the king saw a queen ."))
    with pytest.raises(seqlab.InputError, match="empty"):
        lm.score("")


def test_evaluate_takes_the_test_split_or_says_that_there_is_none(text, corpus, lm):
    scores = lm.evaluate()
    assert "valid" in repr(scores)
    assert scores.to_json()["perplexity"] == pytest.approx(lm.summary["valid"]["perplexity"])
    tested = seqlab.prepare(text, tokenizer="whitespace", test=text, quiet=True)
    other = seqlab.train_language_model(tested, steps=2, **SMALL)
    assert "test" in repr(other.evaluate())


def test_a_model_is_saved_as_a_folder_of_its_own(lm, tmp_path):
    copy = lm.save(tmp_path / "deep" / "copy")
    assert seqlab.load_language_model(copy).log_prob("the king") == lm.log_prob("the king")
    assert lm.save(copy) == copy
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(seqlab.InputError, match="other things"):
        lm.save(tmp_path / "other")


def test_training_without_a_folder_leaves_nothing_behind(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lm = seqlab.train_language_model(corpus, steps=2, **SMALL)
    assert os.listdir(tmp_path)
    assert "temporary" in repr(lm)
    other = lm.reading_as(["a text"], encoding="cp1252")
    del lm
    gc.collect()
    assert os.listdir(tmp_path), "a copy still needs it"
    del other
    gc.collect()
    assert not os.listdir(tmp_path)


def test_torchs_seed_and_threads_are_left_alone(corpus):
    torch.manual_seed(11)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    lm = seqlab.train_language_model(corpus, steps=2, threads=1, **SMALL)
    lm.generate("the", length=3, seed=1)
    lm.evaluate()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    generator = np.random.get_state()[1].copy()
    lm.sample("the", length=3, seed=2)
    assert (np.random.get_state()[1] == generator).all()


# Mistakes, in the words of Python


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lm, v, c: seqlab.prepare(3), "not 3"),
        (lambda lm, v, c: seqlab.train_language_model(lm), "not TrainedLanguageModel"),
        (lambda lm, v, c: seqlab.train_embeddings(v), "not WordVectors"),
        (lambda lm, v, c: seqlab.train_language_model(c, hiden_dim=3), "hidden_dim"),
        (lambda lm, v, c: seqlab.train_language_model(c, config=7), "not 7"),
        (lambda lm, v, c: seqlab.evaluate(c), "not Corpus"),
        (lambda lm, v, c: seqlab.draw_map(c), "not Corpus"),
        (lambda lm, v, c: seqlab.draw_curves([c]), "not Corpus"),
        (lambda lm, v, c: seqlab.draw_curves([c.path]), "prepared corpus"),
        (lambda lm, v, c: seqlab.draw_map(c.path), "prepared corpus"),
        (lambda lm, v, c: seqlab.prepare(lm.run.path), "language-model run"),
        (lambda lm, v, c: lm.sample("the", num=2), r"takes n"),
        (lambda lm, v, c: lm.generate("the", temprature=1.0), "temperature"),
    ],
)
def test_mistakes_are_answered_in_one_sentence(lm, vectors, corpus, call, message):
    with pytest.raises(seqlab.InputError, match=message) as caught:
        call(lm, vectors, corpus)
    assert "--" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_do_wherever_objects_do(lm, vectors, corpus):
    folder = corpus.path.parent
    assert seqlab.evaluate(lm.run.path).to_json() == lm.evaluate().to_json()
    assert "6 words" in repr(seqlab.draw_map(folder / "vectors", words=6))
    assert seqlab.draw_curves(str(lm.run.path)).to_json()["runs"]


def test_sentences_name_options_in_the_words_of_the_face(text, tmp_path, capsys):
    (tmp_path / "bad.txt").write_bytes(b"good \xff bad\n" * 20)
    with pytest.raises(seqlab.InputError, match="errors='replace'"):
        seqlab.prepare(tmp_path / "bad.txt", quiet=True)
    assert run(["data", "prepare", str(tmp_path / "bad.txt"), "-o", str(tmp_path / "c"), "-q"]) == 2
    assert "--errors replace" in capsys.readouterr().err
    with pytest.raises(seqlab.InputError, match="errors='replace'"):
        seqlab.prepare(tmp_path / "bad.txt", quiet=True)
