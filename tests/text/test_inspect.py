"""`inspect`: its figures against brute force and against `prepare`, whatever the chunks; and what it finds."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqlab.base.errors import InputError
from seqlab.config import TextConfig
from seqlab.text import prepare
from seqlab.text.ids.token_file import TokenFile
from seqlab.text.inspection import repeats
from seqlab.text.inspection.inspect import inspect
from seqlab.text.inspection.look import Look, looker
from seqlab.text.preparation.spool import Spool
from seqlab.text.tokenizers.table import TOKENIZERS

WORDS = ["the", "cat", "sat", "on", "it's", "naïve", "<unk>", "<eos>", "42", "mat,", "end.", "猫", "\uffff", "x" * 90]


def some_text(seed: int, lines: int = 300) -> str:
    rng = random.Random(seed)
    return "\n".join(" ".join(rng.choices(WORDS, k=rng.choice([0, 1, 3, 8, 20]))) for _ in range(lines))


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8", newline="")
    return str(path)


def documents(tmp_path: Path) -> str:
    """A JSON Lines file: documents with and without a last line end, one empty line, one very long line."""
    texts = ["a b c\n", "no line end", "\n\n", " long " * 3000, "b c d\n\ne", some_text(1), some_text(2) + "\n"]
    return write(tmp_path / "docs.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))


def findings_of(text: str | bytes, tmp_path: Path, **more: Any) -> str:
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return "\n".join(inspect(str(path), quiet=True, **more).findings)


def report_on(source: str | list[str], valid: str | None = None, **more: Any) -> dict[str, Any]:
    return inspect(source, valid=valid, quiet=True, **more).to_json()


def test_figures_equal_brute_force(tmp_path: Path) -> None:
    text = some_text(3) + "\n"
    report = report_on(write(tmp_path / "a.txt", text))
    lines = text.split("\n")[:-1]
    filled = [line.strip() for line in lines if line.strip()]
    assert report["chars"] == len(text)
    assert report["bytes"] == len(text.encode())
    assert report["words"] == len(text.split())
    assert report["documents"] == 1
    assert report["lines"] == len(lines)
    assert report["blank_lines"] == len(lines) - len(filled)
    longest = max(range(len(lines)), key=lambda number: len(lines[number]))
    assert report["longest_line"] == {"chars": len(lines[longest]), "line": longest + 1}
    assert report["duplicate_lines"]["share"] == pytest.approx(1 - len(set(filled)) / len(filled))
    most = Counter(filled).most_common(1)[0]
    assert report["duplicate_lines"]["most_repeated"][0]["count"] == most[1]
    spaced = Counter(text.split())
    assert report["hapax_share"] == pytest.approx(np.mean([count == 1 for count in spaced.values()] + [False]))
    words = {word: count for word, count in spaced.items() if any(map(str.isalnum, word))}
    assert {item["word"]: item["count"] for item in report["frequent"]} == dict(Counter(words).most_common(10))
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize("kind", [kind for kind in TOKENIZERS if kind != "bpe"])
@pytest.mark.parametrize("several", [True, False])
def test_counts_are_those_of_prepare(tmp_path: Path, kind: str, several: bool) -> None:
    source = documents(tmp_path) if several else write(tmp_path / "one.txt", some_text(4))
    report = report_on(source)
    min_count = None if kind == "byte" else 1
    config = TextConfig.build({"tokenizer": kind, "valid_fraction": 0, "min_count": min_count})
    counts = prepare(source, tmp_path / "corpus", config, quiet=True, workers=0).train.counts
    assert report["tokenizers"][kind]["tokens"] == counts.tokens
    closed = several and kind != "whitespace"  # inspect counts the types of the text, prepare <eos> too
    assert report["tokenizers"][kind]["types"] == counts.types - closed
    assert report["chars"] == counts.characters
    assert report["bytes"] == counts.bytes
    assert report["words"] == counts.words
    assert report["documents"] == counts.documents


def look_of(blocks: list[tuple[bool, str]], size: int, path: Path) -> Look:
    spool, look, job = Spool(path, size), Look(), looker()
    list(spool.fill(blocks))
    for chunk in spool.chunks:
        look.add(job(chunk))
    return look


@pytest.mark.parametrize("size", [40, 1000, 50_000])
def test_a_sample_is_as_long_and_as_evenly_spread_however_large_the_chunks(tmp_path: Path, size: int) -> None:
    """The tokenizer of a text is chosen by it: words that occur once are a larger share of a shorter sample."""
    text = "".join(f"{number} " for number in range(8000))
    spool = Spool(tmp_path / "spool", size)
    list(spool.fill([(True, text[:100]), (False, text[100:])]))
    begins = [part * len(text) // 8 for part in range(8)]
    assert spool.sample(characters=300) == "\n".join(text[begin : begin + 300] for begin in begins)
    assert spool.sample(characters=len(text) // 8 + 1) == text


@pytest.mark.parametrize("size", [7, 64, 1000, 5000])
def test_figures_do_not_depend_on_the_chunks(tmp_path: Path, size: int) -> None:
    texts = ["a b\n", "no line end", "word " * 2000 + "\n\nlast", "y" * 3000, some_text(5, 60), "\n", "end\n"]
    blocks = [(True, text) for text in texts]
    blocks[4:5] = [(True, texts[4][:777]), (False, texts[4][777:])]  # a document in two blocks
    parts = vars(look_of(blocks, size, tmp_path / "parts"))
    assert parts == vars(look_of(blocks, 1 << 20, tmp_path / "whole"))
    lines = [line for text in texts for line in text.removesuffix("\n").split("\n")]
    assert parts["lines"] == len(lines)
    assert parts["longest"] == (10_000, 3)
    assert parts["codes"] == Counter(ord(character) for text in texts for character in text)


def test_processes_give_the_same_report(tmp_path: Path) -> None:
    source, other = documents(tmp_path), write(tmp_path / "other.txt", some_text(6))
    assert report_on(source, other, workers=2) == report_on(source, other, workers=0)


def test_compressed_several_files_and_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = some_text(7)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    first = report_on([str(tmp_path / "a.txt.gz"), write(tmp_path / "b.txt", "b\r\n" * 9)])
    assert first["documents"] == 2
    assert first["files"][0]["compression"] == "gzip"
    assert first["files"][1]["line_ends"] == "CR LF"
    assert first["chars"] == len(text) + 18
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert report_on("-")["chars"] == len(text)


def test_the_first_line_names_line_ends_and_encoding_as_they_are(tmp_path: Path) -> None:
    """Lone CRs were called CR LF, and what is no UTF-8 was called UTF-8."""
    ends = {"unix": b"\n", "dos": b"\r\n", "mac": b"\r", "both": b"\r\n \r"}
    for name, end in ends.items():
        (tmp_path / name).write_bytes(end.join([b"some text"] * 9) + b"\r" * (name == "mac"))
    (tmp_path / "old").write_bytes("Käse und Brot\n".encode("cp1252") * 9)
    found = inspect([str(tmp_path / name) for name in (*ends, "old")], quiet=True).text()
    first = {Path(line.partition(":")[0]).name: line.partition("bytes, ")[2] for line in found.splitlines()[:5]}
    assert first == {
        "unix": "UTF-8",
        "dos": "UTF-8, CR LF line ends",
        "mac": "UTF-8, CR line ends",
        "both": "UTF-8, CR LF and CR line ends",
        "old": "not valid UTF-8",
    }


@pytest.mark.parametrize("window", [1 << 20, 1000, 64])
def test_repeats_are_exact_then_estimates(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of ids against brute force: distinct lines, their counts, where they begin; then a share of them only."""
    monkeypatch.setattr(repeats, "WINDOW", window)
    rng = np.random.default_rng(1)
    lines = [tuple(row) for row in rng.zipf(1.3, (20_000, 3)) % 40 + 1]
    lines[100:100] = [(), (5,), ()]
    ids = [id for line in lines for id in (*line, 0)]
    tokens, counted = TokenFile.of(ids), Counter(line for line in lines if line)
    found = repeats.Repeats(41, 0).lines(tokens, len(lines))
    assert (found.share, found.total, len(found.values)) == (1.0, len(lines) - 2, len(counted))
    first = {
        tuple(ids[place : ids.index(0, place)]): count for place, count in zip(found.places, found.counts, strict=True)
    }
    assert first == counted
    assert all(place == 0 or ids[place - 1] == 0 for place in found.places)
    monkeypatch.setattr(repeats, "MOST", len(lines) // 4)
    few = repeats.Repeats(41, 0).lines(tokens, len(lines))
    assert few.share < 0.26
    assert set(few.values) < set(found.values)
    assert len(few.values) / few.share == pytest.approx(len(counted), rel=0.1)
    once = np.mean([count == 1 for count in counted.values()])
    assert np.mean(few.counts == 1) == pytest.approx(once, abs=0.05)


def runs_of(text: str, length: int = 8) -> list[tuple[str, ...]]:
    words = text.split()
    return [tuple(words[i : i + length]) for i in range(len(words) - length + 1)]


def test_unknown_words_and_overlap_equal_brute_force(tmp_path: Path) -> None:
    rng = random.Random(8)
    vocabulary = [f"word{n}" for n in range(400)]

    def lines(count: int, words: list[str]) -> list[str]:
        return [" ".join(rng.choices(words, k=12)) for _ in range(count)]

    train_lines = lines(300, vocabulary[:300])
    valid_lines = train_lines[20:50] + lines(60, vocabulary) + ["Übermaß"]
    train, valid = "\n".join(train_lines) + "\n", "\n".join(valid_lines) + "\n"
    report = report_on(write(tmp_path / "t.txt", train), write(tmp_path / "v.txt", valid))
    split = report["splits"]["valid"]
    known = set(train_lines)
    assert split["overlap"]["lines"] == pytest.approx(sum(line in known for line in valid_lines) / len(valid_lines))
    train_runs, valid_runs = set(runs_of(train)), runs_of(valid)
    share = sum(run in train_runs for run in valid_runs) / len(valid_runs)
    assert split["overlap"]["runs"] == pytest.approx(share, abs=1e-12)
    counts = Counter(train.split())
    tokens = valid.split()
    unknown = sum(counts[word] < 1 for word in tokens) / (len(tokens) + len(valid_lines))  # and an <eos> a line
    assert split["unknown"]["whitespace"] == pytest.approx(unknown)
    rare = sum(counts[word] < 2 for word in tokens) / (len(tokens) + len(valid_lines))  # min_count is 2 for words
    assert split["unknown"]["word"] == pytest.approx(rare)
    assert set(split["unknown_characters"]) == set(valid) - set(train) > {"Ü", "ß"}
    assert "valid: " in "\n".join(report["findings"])
    assert "runs of 8 words occur in the training text too" in "\n".join(report["findings"])


def test_invalid_bytes_are_located(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"fine\nLatin caf\xe9 and\xff more\n" * 3)
    report = report_on(str(tmp_path / "text.txt"))
    assert report["files"][0]["invalid"] == 6
    assert report["files"][0]["first_invalid"].startswith("line 2: invalid UTF-8 at byte offset 14")
    assert "6 invalid byte sequences, the first: line 2" in report["findings"][0]
    assert "name its encoding, such as encoding='cp1252', or use errors='replace'" in report["findings"][0]
    assert inspect(str(tmp_path / "text.txt"), encoding="cp1252", quiet=True).to_json()["files"][0]["invalid"] == 0


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("猫が静かに歩いた。\n", "cp932"), ("Тихая ночь над рекой\n", "cp1251"), ("那条河\n", "gb18030")],
)
def test_bytes_of_other_scripts_are_not_called_western(text: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes((text * 50).encode(encoding))
    found = report_on(str(tmp_path / "text.txt"))["findings"][0]
    assert "such as encoding='gb18030' (Chinese), shift_jis (Japanese), euc_kr (Korean) or cp1251 (Cyrillic)" in found


def test_records_are_called_a_list_where_training_takes_them_for_one(tmp_path: Path) -> None:
    rows = "".join(f'{number},"The otter, number {number}, is fine."\n' for number in range(60))
    (tmp_path / "notes.csv").write_text(f"id,comment\n{rows}")
    assert inspect(str(tmp_path / "notes.csv"), field="comment", quiet=True).to_json()["list"]


def test_a_chat_is_neither_markup_nor_wrapped(tmp_path: Path) -> None:
    said = ["ok", "where are you?", "<Media omitted>", "dinner at eight tonight?", "sorry, I cannot come today"]
    lines = [
        f"[{1 + i % 28:02}/11/26, 09:{i % 60:02}:02] {'Ana' if i % 3 else 'Bo'}: {said[i % 5]}" for i in range(300)
    ]
    found = findings_of("\n".join(lines), tmp_path)
    assert "tags" not in found
    assert "wrapped" not in found


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("here\x00there\n" * 10, "10 NUL characters"),
        ("some text\n".encode("utf-16-le") * 9, "UTF-16 without a byte order mark"),
        ("some text\n".encode("utf-16") * 1, "is UTF-16-LE by its byte order mark"),
        ("\x1b[31mred\x1b[0m\n", "2 escape characters"),
        ("bell\x07\n", r"control characters: U+0007 (once)"),
        ("zero\u200bwidth\u200b\n", "invisible characters: U+200B (2 times)"),
        ("a\u2028b\n", "line breaks other than LF and CR: U+2028 (once)"),
        ("was \ufffd before\n", "1 replacement character (U+FFFD)"),
        ("cafe\u0301\n", "not Unicode NFC"),
        ("<p>one</p> &amp; <b>two</b>\n" * 5, "HTML or XML tags"),
        (
            "the same line\n" * 10,
            "90% of the lines that are not blank repeat an earlier line, most often 'the same line'",
        ),
        ("an <eos> b\n", "1 literal <eos>"),
        ("吾輩は猫である。名前はまだ無い。\n" * 5, "script without spaces"),
        ("QUJD" * 500 + "\n", "is this text, or something encoded?"),
        ("he said , no . \n" * 30, "tokenizer='whitespace' suits the text"),
        ("short\n", "very little"),
        ("[12/11/26, 09:15:02] Ana: on my way\n" * 9, "100% of the lines begin with a date or a time"),
    ],
)
def test_findings(tmp_path: Path, text: str | bytes, finding: str) -> None:
    found = findings_of(text, tmp_path)
    assert finding in found
    assert all(line.isprintable() for line in found.split("\n"))


def test_a_clean_text_has_only_advice(tmp_path: Path) -> None:
    rng = random.Random(9)
    words = "one two three four five six seven eight nine ten".split()
    text = "\n".join(" ".join(rng.choices(words, k=9)).capitalize() + "." for _ in range(1000))
    assert findings_of(text, tmp_path) == (
        f"tokenizer='char' suits the text and is what seqlab chooses: {len(text):,} characters are too few to "
        "learn words from."
    )


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the text is empty"):
        inspect(write(tmp_path / "empty.txt", ""), quiet=True)
    with pytest.raises(InputError, match="no such file or folder"):
        inspect(str(tmp_path / "missing.txt"), quiet=True)
    prepare(write(tmp_path / "a.txt", "some text " * 50), tmp_path / "corpus", quiet=True, workers=0)
    with pytest.raises(InputError, match=r"is a prepared corpus, not a text; see it with 'seqlab info"):
        inspect(str(tmp_path / "corpus"), quiet=True)
    broken = write(tmp_path / "b.jsonl", '{"text": "fine"}\n{"text": \n')
    with pytest.raises(InputError, match=r"line 2: not valid JSON"):
        inspect(broken, quiet=True)


def test_hostile_texts(shared_data: Path) -> None:
    for path in sorted((shared_data / "nasty").iterdir()):
        report = report_on(str(path))
        assert report["chars"] > 0
        assert all(finding.isprintable() for finding in report["findings"]), path.name


def test_wikitext_2_validation_set(shared_data: Path) -> None:
    report = report_on(str(shared_data / "wikitext-2" / "valid.txt"))
    assert report["tokenizer"] == "whitespace"
    assert report["tokens"] == 217_646
    assert report["lines"] == 3760
    assert report["documents"] == 1


def test_an_inspection_shows_itself(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "a.txt", some_text(3)), valid=write(tmp_path / "b.txt", "a <b>\n"), quiet=True)
    assert repr(found).startswith("Inspection(")
    assert "a.txt · " in repr(found)
    assert found.tokenizer == found.to_json()["tokenizer"]
    assert found.to_frame()["tokenizer"].tolist() == list(TOKENIZERS)
    assert found.table().headers == ["tokenizer", "tokens", "types", "tokens valid", "types valid"]
    assert "&lt;" in found._repr_html_()
    assert found.text().endswith(f"- {found.findings[-1]}")


def test_a_text_of_white_space_alone_is_refused(tmp_path):
    (tmp_path / "blank.txt").write_text("\n" * 50)
    with pytest.raises(InputError, match="blank.txt: the text contains only white space"):
        inspect(tmp_path / "blank.txt", quiet=True)
