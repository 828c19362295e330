"""Tokenizers: round trips, incremental decoding, control tokens, vocabularies, files; for every kind."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqlab.base.errors import InputError
from seqlab.text import TOKENIZERS, Tokenizer, Vocab, load_tokenizer
from seqlab.text.preparation.jobs import count_words
from seqlab.text.tokenizers.bpe import BpeTokenizer, byte_alphabet, train_bpe
from seqlab.text.tokenizers.cuts import LIMIT, last_cut, next_cut, pieces
from seqlab.text.tokenizers.table import choose_tokenizer
from seqlab.text.tokenizers.vocab import EOS, UNK
from seqlab.text.tokenizers.words import WordTokenizer

KINDS = sorted(TOKENIZERS)
EXACT = ["byte", "bpe", "char"]

STORY = """The old man's boat wasn't new; it was well-kept, though.

"Where are you going?" she asked (not for the first time).
"Out," he said... "and back!" It cost $3.50, or 1,000 yen: 10% more.
"""
STRANGE = [
    "",
    "a",
    "\r\n\r a\rb\n",
    "\0\0 nul\0",
    "e\u0301 \u0301 lone mark",
    "\U0001f600\U0001f468\u200d\U0001f469 \U0001d54f",
    " \t  leading, trailing \n\n\n\n",
    "<unk> <eos> <pad> </s>",
    "\u2028x\u2029\x85y\x1cz\u3000w\u00a0",
    "日本語テキスト。中文，测试！",
    "हिन्दी में",
    "x" * 10_000,
    "\ufeffbom",
]

# Text that dwells on what the rules are about: spaces of many kinds, marks, control tokens, long runs.
texts = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "the",
                    "don't",
                    "<unk>",
                    "<eos>",
                    "\\<eos>",
                    "1,000.5",
                    "--",
                    '"',
                    "'",
                    "…",
                    "中文",
                    "e\u0301",
                ]
            ),
            st.sampled_from([" ", "\n", "\r\n", "\t", "\u3000", "\x1c", "\x85", " \n \n", "\u00a0 "]),
            st.text(max_size=3),
        ),
        max_size=40,
    ).map("".join),
    st.tuples(st.sampled_from(["a", " ", "中", "\n", "!\x1c"]), st.integers(LIMIT - 2, LIMIT + 2)).map(
        lambda pair: pair[0] * pair[1]
    ),
)


def fit(kind: str, text: str, documents: bool = False, **options: object) -> Tokenizer:
    """A tokenizer whose vocabulary is that of `text`, built here without `prepare`."""
    blank = train_bpe([text], 300) if kind == "bpe" else TOKENIZERS[kind](**options)
    types, indices = blank.segment(text)
    counts = np.bincount(indices, minlength=len(types))
    controls = ([UNK] if blank.has_unk else []) + ([EOS] if documents or EOS in types else [])
    return blank.with_vocab(Vocab.build(types, counts, controls, blank.required))


@pytest.mark.parametrize("kind", EXACT)
@settings(max_examples=80, deadline=None)
@given(text=texts)
def test_decoding_gives_back_any_text(kind: str, text: str) -> None:
    tokenizer = fit(kind, text) if kind == "char" else FITTED[kind]
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("text", STRANGE)
def test_decoding_gives_back_strange_text(kind: str, text: str) -> None:
    tokenizer = fit(kind, text or "x")
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int64
    assert ids.shape == (len(text.encode()),) if kind == "byte" else ids.ndim == 1
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(text=texts, seed=st.integers(0, 100))
def test_incremental_decoding_equals_decoding(kind: str, text: str, seed: int) -> None:
    """Of a text's ids, and of ids at random, which no text has: half characters among them."""
    tokenizer = FITTED[kind]
    for ids in (tokenizer.encode(text), np.random.default_rng(seed).integers(0, len(tokenizer.vocab), 30)):
        decoder = tokenizer.decoder()
        parts = [decoder.push(id) for id in ids.tolist()]
        parts.append(decoder.flush())
        assert "".join(parts) == tokenizer.decode(ids)


@pytest.mark.parametrize("kind", ["byte", "bpe"])
def test_incremental_decoding_never_emits_half_a_character(kind: str) -> None:
    text = "naïve 日本 \U0001f600!"
    tokenizer = fit("byte", text) if kind == "byte" else fit("bpe", "unrelated")
    decoder = tokenizer.decoder()
    parts = [decoder.push(id) for id in tokenizer.encode(text).tolist()]
    assert "\ufffd" not in "".join(parts)
    assert "".join(parts) + decoder.flush() == text
    assert any(not part for part in parts)  # something was held back


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    tokenizer = FITTED["byte"]
    ids = [tokenizer.vocab.stoi[f"<0x{byte:02X}>"] for byte in (0xE6, 0x97)]
    assert tokenizer.decode(ids) == b"\xe6\x97".decode("utf-8", "replace")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_no_token_crosses_a_cut(kind: str, text: str) -> None:
    """Encoding the stretches between cuts one by one gives the ids of the whole."""
    tokenizer = FITTED[kind]
    cuts, position = [0], 0
    while (position := next_cut(text, cuts[-1]) or len(text)) < len(text):
        cuts.append(position)
    stretches = [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    assert all(len(stretch) <= LIMIT for stretch in stretches)
    parts = [tokenizer.encode(stretch) for stretch in stretches]
    np.testing.assert_array_equal(np.concatenate(parts), tokenizer.encode(text))


@settings(max_examples=200, deadline=None)
@given(text=texts, size=st.integers(1, 50))
def test_cuts_do_not_depend_on_the_window(text: str, size: int) -> None:
    every, position = [], 0
    while (found := next_cut(text, position)) is not None:
        every.append(found)
        position = found
    assert "".join(pieces(text)) == text
    start = 0
    while (cut := last_cut(text, start, start + size)) > start:
        assert cut in every
        assert not [other for other in every if cut < other <= start + size and other in every[: every.index(cut)]]
        start = cut


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_in_descending_frequency(kind: str) -> None:
    tokenizer = fit(kind, STORY * 3)
    counted = np.bincount(tokenizer.encode(STORY * 3), minlength=len(tokenizer.vocab))
    np.testing.assert_array_equal(counted, tokenizer.vocab.counts)
    assert (np.diff(counted) <= 0).all()
    assert tokenizer.vocab.stoi == {token: id for id, token in enumerate(tokenizer.vocab.itos)}


@pytest.mark.parametrize("kind", KINDS)
def test_file_keeps_everything(kind: str, tmp_path: Path) -> None:
    tokenizer = fit(kind, STORY + "<unk> \ud7ff\U0001f600", documents=True)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert type(loaded) is type(tokenizer)
    assert loaded.digest == tokenizer.digest
    assert loaded.options == tokenizer.options
    assert (loaded.unk_id, loaded.eos_id, loaded.newline_id, loaded.start_id) == (
        tokenizer.unk_id,
        tokenizer.eos_id,
        tokenizer.newline_id,
        tokenizer.start_id,
    )
    np.testing.assert_array_equal(loaded.encode(STORY), tokenizer.encode(STORY))
    assert loaded.decode(loaded.encode(STORY)) == tokenizer.decode(tokenizer.encode(STORY))


@pytest.mark.parametrize("damage", ["count", "kind", "options", "cut", "list", "swap", "format"])
def test_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    fit("word", STORY).save(path)
    values = json.loads(path.read_text())
    if damage == "count":
        values["counts"][0] += 1
    elif damage == "kind":
        values["kind"] = "words"
    elif damage == "options":
        values["options"] = {"upper": True}
    elif damage == "swap":
        values["vocab"][:2] = values["vocab"][1::-1]
    elif damage == "format":
        values["seqlab"] = 99
    text = json.dumps([1] if damage == "list" else values)
    path.write_text(text[:-40] if damage == "cut" else text)
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        load_tokenizer(path)


@pytest.mark.parametrize("kind", ["char", "word", "bpe", "byte"])
def test_control_tokens_in_text_stay_text(kind: str) -> None:
    text = "a <unk> b <eos> c <unk><eos> \\<eos> " * 30
    tokenizer = fit(kind, text, documents=True)
    ids = tokenizer.encode(text)
    assert tokenizer.unk_id not in ids
    assert tokenizer.eos_id not in ids
    squeezed = tokenizer.decode(ids).replace(" ", "")
    assert squeezed == text.replace(" ", "")


def test_whitespace_maps_literal_unknown_but_not_literal_end() -> None:
    tokenizer = fit("whitespace", "a <unk> b <eos>\n\nc \\<eos>\n")
    ids = tokenizer.encode("<unk> <eos>\n\\<eos>").tolist()
    assert ids[0] == tokenizer.unk_id
    assert ids.count(tokenizer.eos_id) == 1
    assert ids[2] == tokenizer.eos_id
    assert tokenizer.decode(ids) == "<unk> <eos>\n\\<eos>"
    assert tokenizer.unknown("<unk> <eos>") == []


@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_whitespace_equals_split_on_each_line(text: str) -> None:
    lines = [line.split() for line in text.split("\n")]
    assume(all(len(word) <= LIMIT for line in lines for word in line))
    types, indices = FITTED["whitespace"].segment(text)
    tokens = [types[index] for index in indices]
    literal = re.compile(r"\\*<eos>")
    escaped = [["\\" + word if literal.fullmatch(word) else word for word in line] for line in lines]
    assert tokens == [token for line in escaped for token in (*line, EOS)][:-1]
    tokenizer = fit("whitespace", text + "\n")
    assert tokenizer.decode(tokenizer.encode(text)) == "\n".join(" ".join(line) for line in lines)


def words_of(text: str, **options: bool) -> list[str]:
    types, indices = WordTokenizer(**options).segment(text)
    return [types[index] for index in indices]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop!", ["Don't", "stop", "!"]),
        ("the dog's mother-in-law’s cat", ["the", "dog's", "mother-in-law’s", "cat"]),
        ("pi is 3.14, or 1,000.50.", ["pi", "is", "3.14", ",", "or", "1,000.50", "."]),
        ("wait...what?!", ["wait", ".", ".", ".", "what", "?", "!"]),
        ("a\nb\n\nc\n\n\n\nd", ["a", "\n", "b", "\n", "\n", "c", "\n", "\n", "d"]),
        ("a \n \t\n \n\n b", ["a", "\n", "\n", "b"]),
        ("<unk> <eos>", ["<", "unk", ">", "<", "eos", ">"]),
        ("snake_case x2 1st", ["snake_case", "x2", "1st"]),
        ("naïve e\u0301te\u0301 हिन्दी", ["naïve", "e\u0301te\u0301", "हिन्दी"]),
        ("日本語 ok", ["日", "本", "語", "ok"]),
        ("\0\x1b[0m", ["\0", "\x1b", "[", "0m"]),
        ("-- - 'tis", ["-", "-", "-", "'", "tis"]),
        ("\ufeffthe", ["\ufeff", "the"]),
        ("", []),
    ],
)
def test_words(text: str, tokens: list[str]) -> None:
    assert words_of(text) == tokens


def test_words_can_be_lower_cased() -> None:
    assert words_of("The ΟΔΟΣ İs", lowercase=True) == ["the", "οδος", "is"]


def test_files_without_rules_keep_the_words_they_were_made_with(tmp_path: Path) -> None:
    text = "می\u200cخواهم İ col·laborar"
    old = fit("word", text, lowercase=True, rules=1)
    old.save(tmp_path / "old.json")
    assert json.loads((tmp_path / "old.json").read_text("utf-8"))["options"] == {"lowercase": True}
    loaded = load_tokenizer(tmp_path / "old.json")
    assert loaded.segment(text)[0] == ["می", "\u200c", "خواهم", "i̇", "col", "·", "laborar"]
    new = fit("word", text, lowercase=True)
    new.save(tmp_path / "new.json")
    assert load_tokenizer(tmp_path / "new.json").segment(text)[0] == ["می\u200cخواهم", "i", "col·laborar"]


def test_rules_of_a_later_version_are_refused() -> None:
    with pytest.raises(InputError, match="update seqlab"):
        WordTokenizer(rules=99)


@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_words_lose_nothing_but_white_space(text: str) -> None:
    assert "".join(words_of(text)).replace("\n", "") == re.sub(r"\s", "", text)


def test_words_are_put_together_as_print_does() -> None:
    tokenizer = fit("word", STORY)
    assert tokenizer.decode(tokenizer.encode(STORY)) == STORY


@pytest.mark.parametrize(
    "text",
    [
        "“Well,” said he (softly), “it’s true.”",
        "He said 'yes' and left; she didn't.",
        'a "quoted" word, and "another".\nThen "a third".',
        "x [1], {2}: 50% of $5/day — really…",
        "这是中文，不是英文。好！",
    ],
)
def test_detokenisation(text: str) -> None:
    tokenizer = fit("word", text)
    expected = text.replace(" — ", "—")
    assert tokenizer.decode(tokenizer.encode(text)) == expected


def test_unknown_names_what_the_vocabulary_lacks() -> None:
    assert fit("char", "abc").unknown("aXbYX") == ["X", "Y"]
    assert fit("word", "the cat").unknown("the dog, the <eos>") == ["dog", ",", "<", "eos", ">"]
    assert fit("whitespace", "the cat\n").unknown("the dog <eos>") == ["dog", "<eos>"]
    for kind in ("byte", "bpe"):
        assert fit(kind, "abc").unknown("日本 x") == []
    tokenizer = fit("word", "the cat")
    np.testing.assert_array_equal(tokenizer.encode("dog"), [tokenizer.unk_id])


def test_start_is_end_of_document_else_line_end_else_first() -> None:
    assert fit("char", "ab\n").start_id == fit("char", "ab\n").newline_id
    assert fit("char", "ab").start_id == 0
    tokenizer = fit("char", "ab\n", documents=True)
    assert tokenizer.start_id == tokenizer.eos_id
    assert fit("whitespace", "ab\n").start_id == fit("whitespace", "ab\n").eos_id
    byte = fit("byte", "ab\n")
    assert byte.decode([byte.start_id]) == "\n"
    assert FITTED["bpe"].decode([FITTED["bpe"].newline_id]) == "\n"


@pytest.mark.parametrize("kind", KINDS)
def test_words_mask_leaves_out_control_tokens_and_white_space(kind: str) -> None:
    tokenizer = fit(kind, STORY, documents=True)
    mask = tokenizer.words_mask()
    assert mask.shape == (len(tokenizer.vocab),)
    for id, is_word in enumerate(mask):
        control = id in (tokenizer.unk_id, tokenizer.eos_id)
        decoded = tokenizer.decode([id])
        assert is_word == (not control and bool(decoded.strip())), tokenizer.vocab.itos[id]


def test_byte_vocabulary_always_holds_all_bytes() -> None:
    tokenizer = fit("byte", "ab")
    assert len(tokenizer.vocab) == 256
    assert tokenizer.decode(tokenizer.encode("日\x00ÿ")) == "日\x00ÿ"


def test_lone_surrogate_is_refused_where_it_has_no_bytes() -> None:
    for kind in ("byte", "bpe"):
        with pytest.raises(InputError, match="lone surrogate"):
            FITTED[kind].encode("a\udc80b")
    char = FITTED["char"]
    assert char.encode("\udc80").tolist() == [char.unk_id]


def test_bpe_learns_the_merges_of_its_text() -> None:
    tokenizer = fit("bpe", "low lower lowest " * 50)
    assert tokenizer.encode(" low").size == 1
    assert tokenizer.vocab.itos[tokenizer.encode(" low")[0]] == "Ġlow"
    assert isinstance(tokenizer, BpeTokenizer)
    assert tokenizer.merges[0] == ("l", "o")


def test_bpe_equals_the_library_on_the_whole_text() -> None:
    """Working unit by unit gives what `tokenizers` gives for the text in one piece."""
    tokenizer = fit("bpe", STORY * 5)
    assert isinstance(tokenizer, BpeTokenizer)
    for text in [STORY, *STRANGE[:-2]]:
        if len(text) > LIMIT:
            continue
        encoding = tokenizer._model.encode(text)
        tokens = [tokenizer.vocab.itos[id] for id in tokenizer.encode(text)]
        assert tokens == encoding.tokens


def test_byte_alphabet_is_that_of_the_library() -> None:
    from tokenizers import pre_tokenizers

    assert set(byte_alphabet()) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(byte_alphabet().values()) == list(range(256))
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("é")
    assert bytes(byte_alphabet()[symbol] for symbol in split[0][0]) == "é".encode()


def test_vocabulary_is_cut_by_count_and_size() -> None:
    types, counts = ["b", "a", "c", "d", "e"], np.array([2, 5, 2, 1, 1])
    assert Vocab.build(types, counts).itos == ["a", "b", "c", "d", "e"]
    small = Vocab.build(types, counts, [UNK], size=3)
    assert (small.itos, small.counts.tolist()) == (["a", UNK, "b"], [5, 4, 2])
    rare = Vocab.build(types, counts, [UNK], min_count=2)
    assert (rare.itos, rare.counts.tolist()) == (["a", "b", "c", UNK], [5, 2, 2, 2])
    unseen = Vocab.build([*types, "z"], np.array([2, 5, 2, 1, 1, 0]), [UNK])
    assert unseen.itos == ["a", "b", "c", "d", "e", UNK]
    literal = Vocab.build(["x", UNK], np.array([1, 3]), [UNK])
    assert (literal.itos, literal.counts.tolist()) == ([UNK, "x"], [3, 1])


@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_words_are_counted_as_split_counts_them(text: str) -> None:
    assert count_words(text) == len(text.split())


def test_choice_of_tokenizer(shared_data: Path) -> None:
    wikitext = (shared_data / "wikitext-2" / "valid.txt").read_text("utf-8")
    shakespeare = (shared_data / "tinyshakespeare" / "input.txt").read_text("utf-8")
    assert choose_tokenizer(wikitext, len(wikitext))[0] == "whitespace"
    assert choose_tokenizer(wikitext.replace("<unk>", "word"), 10**7)[0] == "whitespace"
    assert choose_tokenizer(shakespeare, len(shakespeare))[0] == "char"
    assert choose_tokenizer(shakespeare, 10**7)[0] == "bpe"
    assert choose_tokenizer(shakespeare, 3 * 10**6)[0] == "word"
    code = "".join(f"if (a[{i % 9}] != {i}) {{ b->c = f(x, y, &z); }}\n" for i in range(2000))
    assert choose_tokenizer(code, 3 * 10**6)[0] == "bpe"
    forms = " ".join(f"{stem}{end}" for end in "abcdefghij" for stem in sorted(set(shakespeare.split()))[:2000])
    assert choose_tokenizer(forms, 3 * 10**6)[0] == "bpe"
    assert choose_tokenizer(shakespeare, len(shakespeare), for_words=True)[0] == "word"
    assert choose_tokenizer(STORY, len(STORY))[0] == "char"


def test_counts_of_a_real_text(shared_data: Path) -> None:
    """Characters and bytes against a plain count."""
    text = (shared_data / "wikitext-2" / "test.txt").read_text("utf-8")
    char = fit("char", text)
    expected = Counter(text)
    assert {t: c for t, c in zip(char.vocab.itos, char.vocab.counts, strict=True) if t != UNK} == expected
    byte = fit("byte", text)
    assert byte.vocab.counts.sum() == len(text.encode())


FITTED = {kind: fit(kind, STORY * 2 + "".join(STRANGE[:4]) + "\n", documents=True) for kind in KINDS}
