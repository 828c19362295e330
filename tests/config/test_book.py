"""The book of settings answers to any word a person may try."""

from __future__ import annotations

import json

import pytest
from seqlab_cli.main import run

from seqlab.base.errors import InputError
from seqlab.config import NAMES, LanguageModelConfig
from seqlab.config.book import SECTIONS, Book, settings


def keys(found: Book) -> list[str]:
    return [one.key for one in found]


def test_the_book_holds_every_setting_once():
    found = keys(settings())
    assert len(found) == len(set(found))
    assert {key for key in found if key.partition(".")[0] in ("text", "model", "training")} == set(
        LanguageModelConfig.keys()
    )
    for section, kind in SECTIONS.items():
        assert [key.partition(".")[2] for key in keys(settings(section)) if key.startswith(f"{section}.")] == [
            name for name in kind.model_fields if f"{section}.{name}" in found
        ]


@pytest.mark.parametrize(
    "word", [None, *SECTIONS, *NAMES, "--batch-size", "training.clip", "LSTM", "momentum", "awd-lstm"]
)
def test_everything_found_can_be_shown(word):
    found = settings(word)
    assert found.settings or found.names
    assert "\n" not in repr(found)
    assert found.text()
    assert "<table>" in found._repr_html_()
    told = json.loads(json.dumps(found.to_json()))
    assert [one["key"] for one in told["settings"]] == keys(found)
    assert len(found.table().rows) == len(found.settings) + len(found.names)


def test_a_name_of_two_sections_finds_both_and_what_is_like_it():
    assert keys(settings("lr")) == ["training.lr", "embeddings.lr"]
    assert settings("lr").also == ("training.final_lr",)
    found = settings("training.lr")
    assert keys(found) == ["training.lr"]
    for fact in ("number, above 0", "0.004", "0.001 to 0.01", "diverges", "essential", "--lr 0.004"):
        assert fact in found.text()


def test_a_cell_finds_the_settings_that_concern_it():
    found = settings("lstm")
    assert [(one.name, one.table, one.settings) for one in found.names] == [("lstm", "cells", ["model.cell"])]
    assert {"model.cell", "model.weight_drop", "model.zoneout", "model.forget_bias"} <= set(keys(found))
    assert "model.momentum" not in keys(found)
    assert "2000" in found.text()


def test_types_are_written_in_words():
    book = settings()
    assert book["training.steps"].type == "whole number or none, 1 to 1,000,000,000,000"
    assert book["dropout"].type == "number, 0 or more, below 1"
    assert book["generation.stop"].type == "text or list of text"
    assert book["softmax"].type == "one of full, sampled, nce, adaptive, mixture"
    assert book["batch_schedule"].type == "list of pair of number, whole number"


@pytest.mark.parametrize(("word", "hint"), [("dropuot", "'dropout'"), ("lsmt", "'lstm'"), ("zzz", ""), (" ", "")])
def test_a_word_that_occurs_nowhere_is_refused_with_the_nearest(word, hint):
    with pytest.raises(InputError, match="settings") as caught:
        settings(word)
    assert hint in str(caught.value)


@pytest.mark.parametrize("word", ["learning_rate", "learning-rate", "learning rate"])
def test_a_word_of_two_is_found_however_it_is_joined(word):
    assert settings(word)["training.lr"]


def test_the_command_prints_the_same_object(capsys):
    assert run(["settings", "clip"]) == 0
    assert capsys.readouterr().out == settings("clip").text() + "\n"
    assert run(["settings", "clip", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(settings("clip").to_json()))
    assert run(["settings", "clpi"]) == 2
    assert "Did you mean 'clip'?" in capsys.readouterr().err
