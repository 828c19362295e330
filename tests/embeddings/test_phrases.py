"""Phrases: equal to a plain count of everything, whatever the blocks, shards and sketch; found again in the cache."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from seqlab.config import EmbeddingsConfig
from seqlab.embeddings.material import phrase_pairs, phrases
from seqlab.embeddings.material.phrases import Phrase, join_phrases
from seqlab.embeddings.material.words import TrainingText
from seqlab.text import TokenFile, Vocab, prepare
from seqlab.text.ids import token_file

CONTROLS = {"<unk>", "<eos>", "\n"}
Documents = list[list[str]]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "phrases"


def split_of(documents: Documents, vocab: Vocab, shard: int | None = None) -> TokenFile:
    ids = np.array([vocab.stoi[token] for document in documents for token in document], np.uint16)
    starts = np.cumsum([0, *map(len, documents)])[:-1].astype(np.int64)
    parts = [ids[start : start + (shard or len(ids))] for start in range(0, len(ids), shard or len(ids))]
    return TokenFile(parts, starts, replace(TokenFile.of(ids).counts, documents=len(starts)))


def text_of(train: Documents, valid: Documents | None = None, shard: int | None = None) -> TrainingText:
    """A training text; words that only `valid` holds have no count."""
    counts = Counter(token for document in train for token in document)
    counts.update({token: 0 for document in valid or [] for token in document})
    ranked = counts.most_common()
    vocab = Vocab([token for token, _ in ranked], [count for _, count in ranked])
    is_word = np.array([token not in CONTROLS for token in vocab.itos])
    splits = split_of(train, vocab, shard), split_of(valid, vocab, shard) if valid else None
    return TrainingText(vocab, is_word, *splits, hashlib.sha256(repr((train, valid)).encode()).hexdigest())


def documents_of(split: TokenFile, vocab: Vocab) -> Documents:
    borders = [*split.documents.tolist(), len(split)]
    return [[vocab.itos[id] for id in split[start:stop].tolist()] for start, stop in pairwise(borders)]


def joinable(first: str, second: str) -> bool:
    words = all(token not in CONTROLS and re.search(r"[^\W_]", token) for token in (first, second))
    return bool(words and re.search(r"\w\Z", first) and re.match(r"\w", second))


def reference(
    train: Documents, valid: Documents, passes: int, threshold: float, min_count: int
) -> tuple[Documents, Documents, dict[str, float]]:
    """The definition: count every pair, score it, join from left to right; on words instead of ids."""
    scores: dict[str, float] = {}
    for number in reversed(range(passes)):
        words = Counter(token for document in train for token in document)
        pairs = Counter(pair for document in train for pair in pairwise(document) if joinable(*pair))
        size = sum(count for token, count in words.items() if token not in CONTROLS)
        chosen = {}
        for (first, second), count in pairs.items():
            score = (count - min_count) / words[first] / words[second] * size
            if score > threshold * 2**number:
                chosen[first, second] = score
        for pair, score in chosen.items():
            scores.setdefault("_".join(pair), 0.0)
            scores["_".join(pair)] = max(scores["_".join(pair)], score)

        def join(document: list[str], chosen: dict = chosen) -> list[str]:
            joined, position = [], 0
            while position < len(document):
                pair = tuple(document[position : position + 2])
                joined.append("_".join(pair) if pair in chosen else document[position])
                position += 2 if pair in chosen else 1
            return joined

        train, valid = [join(document) for document in train], [join(document) for document in valid]
    return train, valid, scores


def random_documents(seed: int) -> tuple[Documents, Documents]:
    """Words of a small vocabulary that likes some sequences, with punctuation, control tokens and line ends."""
    choose = random.Random(seed)
    words = ["a", "b", "c", "d", "e", "a_b", "b_c", "f", "g", "h", "x.", "(y", ".", ",", "_", "<unk>", "<eos>", "\n"]
    sequences = [choose.choices(words[:10], k=choose.randint(2, 4)) for _ in range(4)]

    def document() -> list[str]:
        pieces = [choose.choice([*sequences, choose.sample(words, 1)]) for _ in range(choose.randint(1, 40))]
        return [word for piece in pieces for word in piece]

    return [document() for _ in range(choose.randint(1, 8))], [document() for _ in range(2)]


@pytest.mark.parametrize("seed", range(40))
def test_equal_to_counting_everything(seed: int) -> None:
    train, valid = random_documents(seed)
    choose = random.Random(seed)
    passes, min_count = choose.randint(1, 4), choose.randint(0, 3)
    threshold = choose.choice([0.5, 1.0, 2.0, 4.0])
    text = text_of(train, valid, shard=choose.choice([None, 3, 50]))
    joined, found = join_phrases(text, passes, threshold, min_count, block_tokens=choose.choice([1, 2, 7, 1000]))
    expected_train, expected_valid, scores = reference(train, valid, passes, threshold, min_count)
    assert joined.valid is not None
    assert documents_of(joined.train, joined.vocab) == expected_train
    assert documents_of(joined.valid, joined.vocab) == expected_valid
    counts = Counter(token for document in expected_train for token in document)
    assert dict(zip(joined.vocab.itos, joined.vocab.counts.tolist(), strict=True)) == {
        **dict.fromkeys([*text.vocab.itos, *(spelled for spelled in scores if spelled in joined.vocab)], 0),
        **counts,
    }
    assert {phrase.text: phrase.count for phrase in found} == {s: counts[s] for s in scores if counts[s]}
    for phrase in found:
        assert phrase.score == pytest.approx(scores[phrase.text], rel=1e-12)
    assert set(np.array(joined.vocab.itos)[~joined.is_word]) == CONTROLS & set(text.vocab.itos)
    assert (np.diff(joined.vocab.counts) <= 0).all()
    assert [phrase.count for phrase in found] == sorted((phrase.count for phrase in found), reverse=True)


def contents(joined: TrainingText, found: list[Phrase]) -> tuple:
    splits = [split for split in (joined.train, joined.valid) if split]
    return (
        joined.vocab.itos,
        joined.vocab.counts.tolist(),
        joined.is_word.tolist(),
        [(split[:].tolist(), split.documents.tolist(), split.counts) for split in splits],
        joined.digest,
        found,
    )


def zipf_documents(tokens: int, types: int, seed: int = 1) -> Documents:
    """A larger text: words as frequent as real ones, every tenth of them followed by a partner."""
    draw = np.random.default_rng(seed)
    words = np.minimum(draw.zipf(1.2, tokens), types)
    partner = (draw.random(tokens) < 0.5) & (words % 10 == 3)
    sequence = [
        f for word, two in zip(words, partner, strict=True) for f in ([f"w{word}", "p"] if two else [f"w{word}"])
    ]
    return [sequence[start : start + 997] for start in range(0, len(sequence), 997)]


def test_blocks_shards_and_sketch_do_not_change_the_result(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = zipf_documents(30_000, 2_000)
    results = []
    for block, shard, bits in (
        (1 << 18, None, (16, 30)),
        (13, 1_000, (16, 30)),
        (999, 7_001, (0, 0)),
        (500, None, (3, 8)),
    ):
        monkeypatch.setattr(phrase_pairs, "SKETCH_BITS", bits)
        for file in own_cache.glob("*/*"):
            file.unlink()
        results.append(contents(*join_phrases(text_of(train, shard=shard), 2, 2.0, 3, block_tokens=block)))
    assert len(results[0][-1]) > 20
    assert all(result == results[0] for result in results[1:])


def test_output_is_sharded_and_memory_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    train = zipf_documents(20_000, 500)
    monkeypatch.setattr(token_file, "SHARD_TOKENS", 4_096)
    joined, _ = join_phrases(text_of(train), 1, 2.0, 3, block_tokens=1_000)
    assert [len(shard) for shard in joined.train.shards[:-1]] == [4_096] * (len(joined.train.shards) - 1)
    assert len(joined.train.shards) > 3
    assert all(isinstance(shard, np.memmap) for shard in joined.train.shards)
    assert documents_of(joined.train, joined.vocab) == reference(train, [], 1, 2.0, 3)[0]
    assert joined.train.counts.types == len(np.unique(joined.train[:]))
    assert joined.train.dtype == np.uint16


def test_nothing_is_joined_across_borders() -> None:
    near = [["new", "york"]] * 20
    for border in ("<unk>", "<eos>", "\n", ".", ",", "_", "-"):
        _, found = join_phrases(text_of([["new", border, "york"] * 20]), 1, 1e-6, 0)
        assert not [phrase for phrase in found if phrase.text == "new_york"], border
    _, found = join_phrases(text_of([["new"], ["york"]] * 20), 1, 1e-6, 0, block_tokens=3)
    assert found == []
    joined, found = join_phrases(text_of(near), 1, 1e-6, 0)
    assert [(phrase.text, phrase.count) for phrase in found] == [("new_york", 20)]
    assert joined.train.documents.tolist() == list(range(20))


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("york.", "the", False),  # of a text cut at white space only
        ("(new", "york", True),
        ("new", "(york", False),
        ("new", "york)", True),
        ("_new", "york_", True),
        ("हिन्दी", "भाषा", True),  # ends in a combining mark
        ("日", "本", True),
        ("§", "5", False),
        ("o'neill's", "book", True),
    ],
)
def test_what_may_stand_at_the_joint(first: str, second: str, together: bool) -> None:
    _, found = join_phrases(text_of([[first, second, "<eos>"] * 20]), 1, 1e-6, 0)
    assert [phrase.text for phrase in found] == [f"{first}_{second}"] * together


def test_a_word_with_the_same_spelling_takes_the_phrase_in() -> None:
    train = [["new", "york", "<eos>"]] * 30 + [["new_york", "<eos>"]] * 5 + [["new", "<eos>"]] * 3
    joined, found = join_phrases(text_of(train), 1, 1.0, 1)
    assert [(phrase.text, phrase.count) for phrase in found] == [("new_york", 35)]
    assert joined.vocab.counts[joined.vocab.stoi["new_york"]] == 35
    assert len(set(joined.vocab.itos)) == len(joined.vocab) == 4


@pytest.mark.parametrize(("min_count", "best"), [(1, (20 - 1) / 20 / 20), (15, (30 - 15) / 30 / 30)])
def test_two_ways_to_spell_a_phrase_are_one(min_count: int, best: float) -> None:
    train = [["a_b", "c", "<eos>"]] * 30 + [["a", "b_c", "<eos>"]] * 20
    joined, found = join_phrases(text_of(train), 1, 1.0, min_count)
    assert [(phrase.text, phrase.count) for phrase in found] == [("a_b_c", 50)]
    assert found[0].score == pytest.approx(best * 100)
    assert documents_of(joined.train, joined.vocab) == [["a_b_c", "<eos>"]] * 50
    assert joined.vocab.itos[:2] == ["a_b_c", "<eos>"]  # control tokens come last among equals


@pytest.mark.parametrize(("together", "alone"), [(30, 0), (20, 30)])
def test_a_phrase_found_in_two_passes_keeps_its_best_score(together: int, alone: int) -> None:
    """First as a_b + c, then as a + b_c, which scores lower or higher."""
    train = [[f"w{number}"] for number in range(1_000)] + [["a_b", "c"]] * together + [["a_b"]] * alone
    train += [["a", "b", "c"]] * 20 + [["b"]] * 30 + [["a"]] * 40
    _, found = join_phrases(text_of(train), 2, 4.0, 2)
    later = (20 - 2) / 60 / 20 * (sum(map(len, train)) - together - 20)
    first = (together - 2) / (together + alone) / (together + 20) * sum(map(len, train))
    assert [(phrase.text, phrase.count) for phrase in found] == [("a_b_c", together + 20)]
    assert found[0].score == pytest.approx(max(first, later))
    assert (first > later) == (not alone)


def test_what_is_no_word_is_never_joined() -> None:
    text = text_of([["new", "york"]] * 20)
    text = text._replace(is_word=np.array([token != "york" for token in text.vocab.itos]))
    assert join_phrases(text, 1, 1e-6, 0)[1] == []


def test_passes_build_longer_phrases() -> None:
    filler = [[f"w{number}", "the"] for number in range(300)]
    train = [*filler, *[["the", "new", "york", "stock", "exchange", "rose"]] * 12]
    for passes, longest in ((1, 2), (2, 4), (3, 4)):
        _, found = join_phrases(text_of(train), passes, 10.0, 2)
        assert max(phrase.text.count("_") + 1 for phrase in found) >= longest
    joined, _ = join_phrases(text_of(train), 2, 10.0, 2)
    assert "new_york_stock_exchange" in joined.vocab
    three = [*filler, *[["new", "york", "city"]] * 12]
    assert [phrase.text for phrase in join_phrases(text_of(three), 2, 10.0, 2)[1]] == ["new_york_city"]


def test_earlier_passes_ask_for_twice_the_score() -> None:
    train = [[f"w{number}"] for number in range(100)] + [["a", "b"]] * 10 + [["a"], ["b"]] * 10
    score = (10 - 2) / 20 / 20 * 140
    found = {
        t: [p.text for p in join_phrases(text_of(train), 2, t, 2)[1]] for t in (score / 2, score * 0.9, score * 1.1)
    }
    assert list(found.values()) == [["a_b"], ["a_b"], []]
    joined, _ = join_phrases(text_of([*train, *[["a", "b", "c"]] * 5]), 1, 2 * score, 2)
    assert "a_b" not in joined.vocab


def test_held_out_words_are_kept_and_joined_with_the_phrases_of_train() -> None:
    train = [["san", "francisco"]] * 20 + [["the", "<eos>"]] * 100
    valid = [["francisco", "san", "francisco", "unseen", "the"]]
    joined, _ = join_phrases(text_of(train, valid), 1, 1.0, 2)
    assert joined.valid is not None
    assert documents_of(joined.valid, joined.vocab) == [["francisco", "san_francisco", "unseen", "the"]]
    assert joined.vocab.counts[joined.vocab.stoi["francisco"]] == 0
    assert joined.valid.counts.types == 4
    assert joined.valid.counts.tokens == len(joined.valid) == 4


def test_no_pass_is_the_text_itself_and_writes_nothing(own_cache: Path) -> None:
    text = text_of([["a", "b"]] * 9)
    joined, found = join_phrases(text, 0, 1.0, 1)
    assert joined is text
    assert found == []
    assert not own_cache.exists()


def test_agrees_with_gensim() -> None:
    """gensim multiplies by the number of different words and pairs, word2phrase and this by that of running words."""
    gensim = pytest.importorskip("gensim.models.phrases")
    train = zipf_documents(40_000, 1_000)
    threshold, min_count = 3.0, 4
    peer = gensim.Phrases(train, min_count=min_count, threshold=1.0, scoring="default", delimiter="_")
    words = sum(map(len, train))
    peer.threshold = threshold * len(peer.vocab) / words
    joined, found = join_phrases(text_of(train), 1, threshold, min_count)
    expected = {text: points * words / len(peer.vocab) for text, points in peer.export_phrases().items()}
    assert len(expected) > 20
    assert {phrase.text for phrase in found} == set(expected)
    for phrase in found:
        assert phrase.score == pytest.approx(expected[phrase.text], rel=1e-12)
    assert documents_of(joined.train, joined.vocab) == [peer[document] for document in train]


def test_the_second_time_nothing_is_computed(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(*random_documents(3))
    first = contents(*join_phrases(text, 2, 1.0, 1))
    (folder,) = own_cache.iterdir()
    names = {file.name for file in folder.iterdir()}
    splits = {f"{split}{end}" for split in ("train", "valid") for end in ("-00000.bin", ".documents.npy")}
    assert names == splits | {"phrases.json", "vocab.json", "manifest.json"}
    with monkeypatch.context() as patched:
        patched.setattr(phrases, "_make", None)
        assert contents(*join_phrases(text, 2, 1.0, 1, block_tokens=5)) == first
    for arguments in ((1, 1.0, 1), (2, 1.5, 1), (2, 1.0, 2)):
        assert join_phrases(text, *arguments)[0].digest != first[4]
    join_phrases(text_of(*random_documents(4)), 2, 1.0, 1)
    assert len(list(own_cache.iterdir())) == 5


@pytest.mark.parametrize("name", ["train-00000.bin", "train.documents.npy", "phrases.json", "vocab.json"])
def test_a_damaged_cache_is_made_again(own_cache: Path, name: str) -> None:
    text = text_of(*random_documents(5))
    first = contents(*join_phrases(text, 1, 1.0, 1))
    (folder,) = own_cache.iterdir()
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    assert contents(*join_phrases(text, 1, 1.0, 1)) == first


def test_a_failure_leaves_nothing_behind(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases, "write_manifest", None)
    with pytest.raises(TypeError):
        join_phrases(text_of(*random_documents(6)), 2, 1.0, 1)
    assert list(own_cache.iterdir()) == []


def test_does_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    here = Path(__file__)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from test_phrases import *;"
        "print(join_phrases(text_of(*random_documents(7)), 2, 1.0, 1)[0].train.counts.sha256)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "SEQLAB_CACHE": str(tmp_path / "other")}
    done = subprocess.run(
        [sys.executable, "-c", code, here.parent], env=environment, capture_output=True, text=True, check=True
    )
    joined, _ = join_phrases(text_of(*random_documents(7)), 2, 1.0, 1)
    assert done.stdout.strip() == joined.train.counts.sha256


def test_says_what_was_found(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    text = text_of([["new", "york", "<eos>"]] * 20)
    for _ in range(2):  # the cache says it too
        join_phrases(text, 1, 1.0, 1)
        assert capsys.readouterr() == ("", "1 phrase joined, such as new_york.\n")
    join_phrases(text, 1, 1.0, 1, quiet=True)
    join_phrases(text, 1, 1e9, 1, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_from_a_file_to_phrases(tmp_path: Path) -> None:
    """Through the `word` tokenizer: line ends, full stops and other documents separate."""
    filler = " ".join(f"w{number}" for number in range(200))
    (tmp_path / "a.txt").write_text(f"{filler}\n" + "She left New York. City life is dear, New York!\n" * 30)
    (tmp_path / "b.txt").write_text("It was New\nYork.\n" * 3)
    config = EmbeddingsConfig().text.updated({"tokenizer": "word", "lowercase": True})
    text = TrainingText.of(prepare([tmp_path / "a.txt", tmp_path / "b.txt"], None, config, for_words=True))
    joined, found = join_phrases(text, 1, 5.0, 5)
    assert {phrase.text: phrase.count for phrase in found}["new_york"] == 60
    assert not {"york_city", "new_york_city"} & set(joined.vocab.itos)
    assert joined.train.counts.characters == text.train.counts.characters


def test_names_are_found_in_wikitext2(shared_data: Path) -> None:
    source = shared_data / "wikitext-2" / "valid.txt"
    config = EmbeddingsConfig()
    text = TrainingText.of(prepare(source, None, config.text, for_words=True))
    _, found = join_phrases(text, 2, config.phrase_threshold, config.min_count)
    names = {"United_States", "New_York", "World_War", "Los_Angeles", "at_least"}
    assert len(names & {phrase.text for phrase in found}) >= 3
