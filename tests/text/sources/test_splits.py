"""A folder whose files are called train, valid and test is split so, and nothing else is."""

from __future__ import annotations

import pytest

import seqlab
from seqlab.text.sources.readers import text_files
from seqlab.text.sources.splits import splits_of


def folder_of(tmp_path, names):
    folder = tmp_path / "texts"
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"file {number} has words .\n" * (20 + number))
    return folder


def understood(folder, **given):
    """File names by split, and what is said."""
    sources, note = splits_of(folder, **given)
    names = {name: [path.name for path in paths] for name, paths in sources.items() if isinstance(paths, list)}
    return names or None, note


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train.txt", "val.txt", "test.txt"], {"train": ["train.txt"], "valid": ["val.txt"], "test": ["test.txt"]}),
        (["wiki.train.txt", "wiki.test.txt"], {"train": ["wiki.train.txt"], "test": ["wiki.test.txt"]}),
        (["Train.TXT", "dev.txt", "README.md"], {"train": ["Train.TXT"], "valid": ["dev.txt"]}),
        (
            ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl", "validation-00000-of-00001.jsonl"],
            {
                "train": ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"],
                "valid": ["validation-00000-of-00001.jsonl"],
            },
        ),
        (["train/a.txt", "train/b.txt", "test/a.txt"], {"train": ["a.txt", "b.txt"], "test": ["a.txt"]}),
    ],
)
def test_files_called_after_splits(tmp_path, names, expected):
    folder = folder_of(tmp_path, names)
    found, note = understood(folder)
    assert found == expected
    assert note.startswith(f"{folder}: split as its files are called: train: ")
    assert understood(str(folder)) == (found, note)


@pytest.mark.parametrize(
    "names",
    [
        ["train.txt"],
        ["valid.txt", "test.txt"],
        ["train.txt", "valid.txt", "more.txt"],
        ["train.txt", "dev-notes.txt"],
        ["train-test.txt", "valid.txt"],
        ["a train of thought.txt", "a test of courage.txt"],
        ["contest.txt", "training.txt"],
    ],
)
def test_other_folders_are_one_text(tmp_path, names):
    folder = folder_of(tmp_path, names)
    assert splits_of(folder) == ({"train": folder}, "")


def test_a_split_that_is_named_goes_before(tmp_path):
    folder = folder_of(tmp_path, ["train.txt", "valid.txt", "test.txt"])
    other = folder / "train.txt"
    sources, note = splits_of(folder, valid=other)
    assert sources["valid"] == other
    assert sources["train"] == [folder / "train.txt"]
    assert "valid.txt" not in note
    assert splits_of([folder / "train.txt", folder / "test.txt"]).note == ""


def test_prepare_and_inspect_say_so_and_split_so(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    folder = folder_of(tmp_path, ["train.txt", "valid.txt", "test.txt"])
    corpus = seqlab.prepare(folder, tmp_path / "corpus", tokenizer="whitespace", quiet=False)
    said = f"{folder}: split as its files are called: train: train.txt, valid: valid.txt, test: test.txt"
    assert said in capsys.readouterr().err
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 120, "valid": 126, "test": 132}
    report = seqlab.inspect(folder, quiet=False)
    assert said in capsys.readouterr().err
    assert [one["name"] for one in report.to_json()["files"]] == [str(folder / "train.txt")]


def test_what_a_folder_has_besides_its_texts_is_said(tmp_path):
    """Subtitles next to notes were left out without a word, and a run's metrics were read as a text."""
    names = ["a.md", "b.txt.gz", "film.srt", "sub/c.srt", "table.csv", "photo.jpg", "runs/x/metrics.jsonl"]
    folder = folder_of(tmp_path, names)
    (folder / "runs" / "x" / "manifest.json").write_text("{}")
    (folder / "runs" / "x" / "config.json").write_text('{"kind": "language-model"}')
    assert [path.name for path in text_files(folder)] == ["a.md", "b.txt.gz"]
    said = f"{folder}: only .md, .txt are read; left out: 1 .csv, 2 .srt, name these files to have them read too"
    assert splits_of([folder, folder / "a.md"]).note == said
    assert not splits_of(folder / "sub").note


@pytest.mark.parametrize("config", [None, '{"kind": "extension"}', "// no JSON"])
def test_a_manifest_of_another_program_hides_nothing(tmp_path, config):
    folder = folder_of(tmp_path, ["a.txt", "extension/help.txt"])
    (folder / "extension" / "manifest.json").write_text("{}")
    if config:
        (folder / "extension" / "config.json").write_text(config)
    assert [path.name for path in text_files(folder)] == ["a.txt", "help.txt"]
