"""Spaces around marks, as a text has them: learned from one text of a convention, tried on another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seqlab.config import TextConfig
from seqlab.text import Vocab, load_tokenizer
from seqlab.text.preparation.prepare import prepare
from seqlab.text.tokenizers.spacing import Spacing
from seqlab.text.tokenizers.words import WordTokenizer

# Words, and lines that show the convention: every x stands for a word.
CONVENTIONS = {
    "English": (
        "the old house stood there",
        ['"X x," x x, "x x!"', "X x (x x); x x: x?", "‘X x,’ x x. 5% of $3."],
    ),
    "German": ("der alte Mann geht heim", ["„X x“, x x: „x x!“ X x; x – x x – x.", "X ‚x x‘ x: „X!“ X (x)."]),
    "French": ("la vieille maison dort ici", ["« X x ! » x x ; x x : x ?", "X x, « x x » x. X x – x."]),
    "Swiss": ("das kleine Haus steht dort", ["«X x!» x x; «x x?» X: x."]),
    "Danish": ("det gamle hus står her", ["»X x!« x x; »x x?« X: x."]),
    "Swedish": ("det lilla huset står där", ["”X x!” x x; ”x x?” X: x."]),
    "Spanish": ("la casa vieja duerme allí", ["—X x —x x—. ¿X x? ¡X x!", "—X x —x x—, x: «x x»."]),
    "Russian": ("старый дом стоит там", ["— X x, — x x. — X!", "X — x x: «x x»; x?"]),
    "Persian": ("خانه قدیمی کنار رود بود", ["x x، x؛ x «x x» x.", "x x؟ x! (x)"]),
    "Urdu": ("پرانا گھر وہاں ہے", ["x x، x x۔ x؟", "x ’x x‘ x۔"]),
    "Hindi": ("पुराना घर वहाँ है", ["x x, x x। x?", 'x "x x" x। x॥']),
    "Armenian": ("հին տուն կա այնտեղ", ["X x, x x։ X x։", "«X x»,- x x։ X՝ x։"]),
    "Amharic": ("ቤቱ ትልቅ ነው እዚያ", ["x x፣ x፤ x።", "x ፡ x «x x»። x፥ x።"]),
    "Chinese": ("我们今天去看老房子", ["xxx，xx。“xxx！”xx：《xx》（xx）。"]),
    "Japanese": ("古い家はそこに立つ", ["「xxx。」xx、xx！xx（xx）。"]),
    "tokenised": ("the old house stood there", ['" x x , " x x . x \'s x ( x ) ;']),
}


def written(words: str, lines: list[str], seed: int, count: int) -> str:
    """Lines of a convention with words in place of the letters x and X."""
    draw, known = np.random.default_rng(seed), words.split() if " " in words else list(words)

    def filled(mark: str) -> str:
        word = known[draw.integers(len(known))] if mark in "xX" else mark
        return word[0].upper() + word[1:] if mark == "X" else word

    return "".join("".join(map(filled, lines[draw.integers(len(lines))])) + "\n" for _ in range(count))


def fitted(tokenizer: WordTokenizer, text: str) -> WordTokenizer:
    types, indices = tokenizer.segment(text)
    return tokenizer.with_vocab(Vocab.build(types, np.bincount(indices)))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_spaces_are_those_of_the_training_text(convention: str) -> None:
    words, lines = CONVENTIONS[convention]
    unseen = written(words, lines, 2, 20)
    tokenizer = fitted(WordTokenizer().learn_spaces(written(words, lines, 1, 40)), unseen)
    assert tokenizer.decode(tokenizer.encode(unseen)) == unseen


def test_what_a_text_shows_too_rarely_follows_the_usual_rules() -> None:
    shown = 'He came (at last), "really". (x) '
    tokenizer = fitted(WordTokenizer().learn_spaces("no marks at all " * 50), shown)
    assert tokenizer.decode(tokenizer.encode(shown)) == shown.strip()


def test_spaces_are_kept_in_the_file_and_learned_from_the_training_part_only(tmp_path: Path) -> None:
    train, valid = tmp_path / "train.txt", tmp_path / "valid.txt"
    train.write_text("„Ja, gut“, sagte er; „nein“.\n" * 30, "utf-8")
    valid.write_text("» Ja , gut « , sagte er .\n" * 30, "utf-8")
    corpus = prepare(train, tmp_path / "c", TextConfig(tokenizer="word"), valid=valid, quiet=True)
    loaded = load_tokenizer(tmp_path / "c" / "tokenizer.json")
    assert loaded.decode(corpus.train[:14]) == "„Ja, gut“, sagte er; „nein“.\n"
    assert loaded.digest == corpus.tokenizer.digest
    again = Spacing(**json.loads(json.dumps(loaded.options["spaces"])))
    assert again.to_dict() == loaded.options["spaces"]
