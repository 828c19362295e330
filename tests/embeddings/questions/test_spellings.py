"""Words that are typed in other ways than the vectors spell them, or that they lack."""

from __future__ import annotations

import html
import warnings
from pathlib import Path

import numpy as np
import pytest
from seqlab_cli.main import run

from seqlab.base.errors import InputError
from seqlab.embeddings import WordVectors
from seqlab.embeddings.material.subwords import Subwords


def composed() -> WordVectors:
    random = np.random.default_rng(5)
    words, buckets = ["walk", "walked", "größen"], random.normal(size=(50, 6)).astype(np.float32)
    return WordVectors(words, Subwords(buckets, 3, 5).vectors(words), subwords=Subwords(buckets, 3, 5))


@pytest.mark.parametrize(
    ("typed", "row"), [("Şehir", 0), ("İl", 1), ("I\u0307l", 1), ("ŞEHİR", 0), ("Cafe\u0301", 2), ("ﬁl", 3)]
)
def test_words_are_looked_up_as_their_text_was_read(typed: str, row: int) -> None:
    matrix = np.eye(4, dtype=np.float32)
    vectors = WordVectors(["şehir", "il", "café", "fil"], matrix, meta={"settings": {"text": {"lowercase": True}}})
    assert vectors.row(typed) == row
    assert vectors.similarity(typed, vectors.words[row]) == pytest.approx(1)
    assert vectors.neighbors(typed, 9) == vectors.neighbors(vectors.words[row], 9)
    with_case = WordVectors(vectors.words, matrix)
    if typed[0].isupper():
        with pytest.raises(InputError, match="not among"):
            with_case.row(typed)


def test_words_are_looked_up_in_either_form_of_unicode() -> None:
    vectors = WordVectors(["café", "re\u0301sume\u0301"], np.eye(2, dtype=np.float32))
    assert vectors.row("cafe\u0301") == 0
    assert vectors.row("résumé") == 1


def test_answers_for_words_never_seen_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = composed()
    known, unknown = vectors.words[0], vectors.words[0] + "x"
    sentence = f"'{unknown}' is not in the vocabulary; its vector is composed from its n-grams. Did you mean '{known}'"
    found = vectors.neighbors(unknown, 2)
    [note] = found.notes
    assert note.startswith(sentence)
    assert repr(found).endswith(f"]  # {note}")
    assert eval(repr(found)) == found
    assert sentence.partition(";")[0] in html.unescape(found._repr_html_())
    assert vectors.neighbors(known, 2).notes == []
    assert repr(vectors.neighbors(known, 2)) == repr(list(vectors.neighbors(known, 2)))
    assert vectors.neighbors_of_each([known, unknown], 2)[1].notes == [note]
    assert (
        vectors.analogy(known, unknown, known).notes == vectors.analogies([[known, unknown, known]])[0].notes == [note]
    )
    assert vectors.most_similar(unknown, topn=2).notes == [note]
    vectors.save(tmp_path / "v")
    assert run(["neighbors", str(tmp_path / "v"), unknown]) == 0
    assert note in capsys.readouterr().err


def test_how_far_an_answer_for_an_unknown_word_goes_is_said() -> None:
    words = ["the", "king", "kings", "walking", "thinking"]
    matrix = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    meta = {"settings": {"text": {"lowercase": True}}}
    vectors = WordVectors(words, matrix, meta=meta, subwords=Subwords(np.ones((50, 8), np.float32), 3, 5))
    [note] = vectors.neighbors("zzqqyy").notes
    assert (
        note
        == "'zzqqyy' is not in the vocabulary, and no word there has an n-gram of it: what is answered means nothing."
    )
    [note] = vectors.neighbors("Talking").notes
    assert (
        note == "'Talking' is not in the vocabulary; its vector is composed from its n-grams. Did you mean 'walking'?"
    )
    [note] = vectors.neighbors("the king").notes
    assert note.endswith("its vector is composed from its n-grams. Vectors are of single words: 'the', 'king'.")
    assert np.array_equal(vectors["TALKING"], vectors["talking"])
    with pytest.warns(UserWarning, match="'kign' is not in the vocabulary.*Did you mean 'king'"):
        vectors.similarity("kign", "the")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors.similarity("kign", "King")  # said once
        WordVectors(words, matrix).similarity("king", "the")


def test_words_with_joiners_are_found_and_shown_as_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["می\u200cخواهم", "ශ්\u200dරී", "כלב"]
    WordVectors(words, np.eye(3, dtype=np.float32)).save(tmp_path / "v")
    assert run(["neighbors", str(tmp_path / "v"), words[0]]) == 0
    out = capsys.readouterr().out
    assert words[0] in out
    assert words[1] in out
    assert run(["neighbors", str(tmp_path / "v"), "میخواهم"]) == 2
    assert f"Did you mean '{words[0]}'?" in capsys.readouterr().err
