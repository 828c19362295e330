"""Files of settings that people get wrong, or that are something else: one sentence that names file and place."""

from __future__ import annotations

import pytest
from seqlab_cli.main import run

from seqlab.base.errors import InputError
from seqlab.config import LanguageModelConfig, parse_set, read_config

BAD = {
    "a broken line.toml": (b"[model]\nlayers = = 2\n", "not valid TOML .*line 2"),
    "latin.toml": ("# gr\xf6\xdfe\n[model]\nlayers = 2\n".encode("latin-1"), "not UTF-8 at byte 4; save"),
    "a list.json": (b"[1, 2]", "must hold one JSON object"),
    "a word.json": (b'"model"', "must hold one JSON object"),
    "cut.json": (b'{"model": {', "line 1: not valid JSON"),
    "twice.json": (b'{"model": {"layers": 1, "cell": "gru", "layers": 2}}', "the key 'layers' stands twice"),
    "twice.toml": (b"[model]\nlayers = 1\nlayers = 2\n", "not valid TOML .*line 3"),
    "latin.json": (b'{"model": "\xe4"}', "not UTF-8 at byte 11"),
    "digits.toml": (b"[model]\nlayers = " + b"9" * 6000, "holds a number or a nesting that is too long"),
    "digits.json": (b'{"layers": ' + b"9" * 6000 + b"}", "holds a number or a nesting that is too long"),
    "brackets.toml": (b"x = " + b"[" * 5000 + b"]" * 5000, "nesting that is too long"),
    "brackets.json": (b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nesting that is too long"),
    "tables.toml": (b"a" + b".a" * 200 + b" = 1\n", "more than 8 tables within one another"),
    "tables.json": (b'{"a": ' * 100 + b"1" + b"}" * 100, "more than 8 tables within one another"),
    "large.toml": (b"# a line that says nothing\n" * 400_000, "larger than 1,048,576 bytes"),
    "large.json": (b" " * (10 << 20) + b"{}", "larger than 1,048,576 bytes"),
    "binary.toml": (bytes(range(256)), "not UTF-8 at byte 128|not valid TOML"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence(name, tmp_path, capsys):
    content, sentence = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "damaged" not in str(caught.value)
    (tmp_path / "text.txt").write_text("some text\n" * 50)
    assert run(["train", "lm", str(tmp_path / "text.txt"), "-o", str(tmp_path / "run"), "--config", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"model": 3}, "model: must be a table of settings, not 3"),
        ({"model": {"layers": "three" * 1000}}, r"model.layers: must be a whole number, not 'threethree\w+\.\.\.\.$"),
        ({"model": {"cell": "lstmm" * 1000}}, r"model.cell: 'lstmmlstmm\w+\.\.\. is not one of"),
        ({"model": {"layers": 10**5000}}, "model.layers: must be .*a number of thousands of digits"),
        ({"m" * 5000: 1}, r"unknown key 'm+\.\.\."),
        ({"model": {"layers": [1]}}, r"model.layers: must be a whole number, not \[1\]"),
        ({"model": {"layers": True}}, "model.layers: must be a whole number, not True"),
        ({"training": {"minutes": False}}, "training.minutes: must be a number, not False"),
        ({"trainig": {"lr": 0.1}}, r"unknown key 'trainig'\. Did you mean 'training'\?"),
    ],
)
def test_values_of_any_length_make_short_sentences(values, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        LanguageModelConfig.build(values, "settings.toml")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "assignment",
    [
        "layers=" + "9" * 6000,
        "x=" + "[" * 5000,
        "a." * 3000 + "b=1",
        "layers" + "y" * 3000,
        "=3",
        "model=" + "[" * 50 + "]" * 50,
    ],
)
def test_assignments_that_are_none_make_short_sentences(assignment):
    with pytest.raises(InputError, match="^--set ") as caught:
        parse_set([assignment])
    assert len(str(caught.value)) < 200


def test_a_mark_of_byte_order_is_no_part_of_a_file(tmp_path):
    (tmp_path / "settings.toml").write_text("[model]\nlayers = 3\n", "utf-8-sig")
    assert read_config(tmp_path / "settings.toml") == {"model": {"layers": 3}}


def test_a_folder_or_nothing_is_no_file_of_settings(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_config(tmp_path)
    with pytest.raises(InputError, match="no such configuration file"):
        read_config(tmp_path / "none.toml")
