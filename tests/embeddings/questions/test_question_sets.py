"""Question and similarity files, the question sets that come with seqlab, and `seqlab evaluate` on them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from seqlab_cli.main import run

from seqlab.base.errors import InputError
from seqlab.embeddings import WordVectors, evaluate_analogies
from seqlab.embeddings.evaluation.questions import expand_pairs, read_questions, read_similarity, shipped_sets

gensim = pytest.importorskip("gensim", reason="no gensim for this Python")
KeyedVectors = gensim.models.KeyedVectors
NAMES = ["english", "python-docs"]


def shipped_pairs(name: str) -> dict[str, list[list[str]]]:
    """Section -> pairs of a shipped set, read without seqlab's reader."""
    sections: dict[str, list[list[str]]] = {}
    for line in shipped_sets()[name].read_text("utf-8").splitlines():
        if line.startswith(": "):
            pairs = sections.setdefault(line[2:], [])
        elif line and not line.startswith("#"):
            pairs.append(line.split(" "))
    return sections


def vectors_of(words: list[str], seed: int = 1) -> WordVectors:
    """Vectors in which words that stand in pairs, one after the other, differ by a common offset and noise."""
    random = np.random.default_rng(seed)
    base = random.normal(size=(len(words) // 2, 16))
    second = base + random.normal(size=16) + random.normal(scale=0.4, size=base.shape)
    return WordVectors(words, np.stack([base, second], axis=1).reshape(len(words), 16))


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """A .vec file that holds the words of two sections of the set `english`."""
    sections = shipped_pairs("english")
    found = vectors_of([word for name in ("capitals", "gram-plural") for pair in sections[name] for word in pair])
    path = tmp_path / "my.vec"
    rows = [f"{w} {' '.join(f'{x:.5f}' for x in row)}" for w, row in zip(found.words, found.matrix, strict=True)]
    path.write_text(f"{len(found)} {found.dim}\n" + "\n".join(rows) + "\n", "utf-8")
    return path


def test_the_shipped_sets_have_names() -> None:
    assert list(shipped_sets()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_shipped_pairs_are_well_formed(name: str) -> None:
    for section, pairs in shipped_pairs(name).items():
        assert len(pairs) >= 10, section
        assert all(len(pair) == 2 for pair in pairs), section
        twice = [word for word, count in Counter(w.upper() for pair in pairs for w in pair).items() if count > 1]
        assert not twice, section
    kinds = {section.kind for section in read_questions(name)}
    assert kinds == {"semantic", "syntactic"}


@pytest.mark.parametrize("name", NAMES)
def test_every_two_shipped_pairs_make_two_questions(name: str) -> None:
    sections = read_questions(name)
    pairs = shipped_pairs(name)
    assert [section.name for section in sections] == list(pairs)
    for section in sections:
        expected = [(a, b, c, d) for (a, b), (c, d) in itertools.permutations(pairs[section.name], 2)]
        assert section.questions == expected


def test_pairs_with_a_common_word_make_no_question() -> None:
    pairs = [("he", "him"), ("she", "her"), ("He", "his"), ("she", "her")]
    assert expand_pairs(pairs) == [
        (*pairs[i], *pairs[j]) for i, j in [(0, 1), (0, 3), (1, 0), (1, 2), (2, 1), (2, 3), (3, 0), (3, 2)]
    ]


def test_pairs_answer_as_gensim_does_on_the_questions_written_out(tmp_path: Path) -> None:
    pairs = shipped_pairs("english")["gram-plural"] + [["Mouse", "Mice"]]
    vectors = vectors_of([word for pair in pairs for word in pair])
    (tmp_path / "pairs.txt").write_text(": gram-plural\n" + "".join(f"{a} {b}\n" for a, b in pairs))
    lines = [f"{a} {b} {c} {d}\n" for a, b, c, d in read_questions(tmp_path / "pairs.txt")[0].questions]
    (tmp_path / "questions.txt").write_text(": gram-plural\n" + "".join(lines))
    ours = evaluate_analogies(vectors, tmp_path / "pairs.txt")
    keyed = KeyedVectors(vectors.dim)
    keyed.add_vectors(vectors.words, vectors.matrix)
    accuracy, sections = keyed.evaluate_word_analogies(str(tmp_path / "questions.txt"))
    assert 0 < accuracy < 1
    assert ours["accuracy"] == pytest.approx(100 * accuracy)
    assert ours["correct"] == len(sections[0]["correct"])
    assert ours["sections"] == evaluate_analogies(vectors, tmp_path / "questions.txt")["sections"]


def test_comments_byte_order_mark_and_carriage_returns(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_bytes(b"\xef\xbb\xbf# made by hand\r\n: s \r\na b\r\n\r\n#c d\r\nc d\r\n")
    [section] = read_questions(tmp_path / "q.txt")
    assert section == ("s", [("a", "b", "c", "d"), ("c", "d", "a", "b")])


def test_a_file_goes_before_a_set_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(read_questions("english")) == 9
    (tmp_path / "english").write_text(": own\na b c d\n")
    assert [section.name for section in read_questions("english")] == ["own"]
    assert [section.name for section in read_questions(Path("english"))] == ["own"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pythondocs", "^pythondocs: no such file, nor a question set of that name. Did you mean 'python-docs'"),
        ("klingon", "of that name. Sets: english, python-docs.$"),
        ("folder/english", "^folder/english: no such file.$"),
        (Path("/english"), "^/english: no such file.$"),
    ],
)
def test_unknown_sets(name: str | Path, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_questions(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (": s\na b c d\na b c\n", ":3: 3 words; a question has four, as the lines above"),
        (": s\na b\n: t\na b c d\n", ":4: 4 words; a pair has two, as the lines above"),
        (": s\n\na b c\n", ":3: 3 words; a question has four, a pair two"),
        ("a b c d\n", ":1: words before the first section"),
        (": s\n\n", "holds no questions"),
        (": s\na b\n", "holds no questions"),
        ("", "holds no questions"),
    ],
)
def test_malformed_questions(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "q.txt").write_text(content)
    with pytest.raises(InputError, match=message):
        read_questions(tmp_path / "q.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\t1\na\tb\n", ":2: not 'word TAB word TAB score'"),
        ("a\tb\t1\na\tb\tmuch\n", ":2: not 'word"),
        ("a\tb\t1\na\tb\tnan\n", ":2: the score is not a finite"),
        ("", "holds no pairs"),
    ],
)
def test_malformed_similarity(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "p.txt").write_text(content)
    with pytest.raises(InputError, match=message):
        read_similarity(tmp_path / "p.txt")


@pytest.mark.parametrize("reader", [read_questions, read_similarity])
def test_files_that_cannot_be_read(tmp_path: Path, reader) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9\tb\t1\n")
    for name, message in [("nowhere.txt", "no such file"), (".", "no such file"), ("latin", "not UTF-8 at byte 3")]:
        with pytest.raises(InputError, match=message):
            reader(tmp_path / name)


def test_real_sets_are_read_whole(shared_data: Path) -> None:
    sections = read_questions(shared_data / "questions" / "questions-words.txt")
    assert len(sections) == 14
    assert sum(len(section.questions) for section in sections) == 19_544
    sizes = [len(read_similarity(path)) for path in sorted((shared_data / "similarity").iterdir())]
    assert sizes == [65, 999, 353]


def test_evaluate_prints_protocol_and_sections(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(vectors), "--questions", "english", "--method", "mul", "--top", "110"]) == 0
    headline, protocol, *table = capsys.readouterr().out.splitlines()
    assert headline.startswith("analogies: ")
    assert "95 % interval" in headline
    assert "semantic" in headline
    assert "english; 3CosMul among the 110 most frequent words, case folded" in protocol
    assert "questions have all their words there" in protocol
    assert table[0].split()[:3] == ["section", "kind", "questions"]
    assert [line.split()[:2] for line in table[1:3]] == [["capitals", "semantic"], ["family", "semantic"]]
    assert len(table) == 10


def test_evaluate_as_json(vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = tmp_path / "people.txt"
    names = [pair[0] for pair in shipped_pairs("english")["capitals"]]
    people.write_text("".join(f"{a}\t{b}\t{n}\n" for n, (a, b) in enumerate(zip(names, names[1:], strict=False))))
    command = ["evaluate", str(vectors), "--questions", "english", "--similarity", str(people)]
    assert run([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    analogies, [similarity] = result["analogies"], result["similarity"]
    assert (analogies["sets"], analogies["case"]) == (["english"], "folded")
    low, high = analogies["interval"]
    assert low < analogies["accuracy"] < high
    low, high = similarity["interval"]
    assert low < similarity["spearman"] < high
    assert run(command) == 0
    text = capsys.readouterr().out
    assert f"{similarity['interval'][0]:.3f} to {similarity['interval'][1]:.3f}" in text
    assert "2,000 draws of the pairs, seed 1" in text


def test_nothing_covered_is_a_sentence_and_nulls(
    vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions, people = tmp_path / "q.txt", tmp_path / "p.txt"
    questions.write_text(": s\nxx yy\nzz ww\n")
    people.write_text("xx yy 1\nFrance zz 2\n")
    command = ["evaluate", str(vectors), "--questions", str(questions), "--similarity", str(people)]
    assert run(command) == 0
    text = capsys.readouterr().out
    assert "none of the 2 questions has its four words among the 196 most frequent words." in text
    assert "p: 0 of 2 pairs have both words here, and no correlation can be computed" in text
    assert run([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {result["analogies"][key] for key in ("accuracy", "interval", "semantic", "syntactic")} == {None}
    assert {result["similarity"][0][key] for key in ("spearman", "interval")} == {None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --text F for a language model, or --questions F"),
        (["--text", "a.txt", "--questions", "english"], "give --text F for a language model, or --questions F"),
        (["--questions", "englisch"], "Did you mean 'english'?"),
        (["--questions", "english", "--method", "max"], "--method: 'max' is not one of 'add', 'mul'"),
    ],
)
def test_bad_commands_are_one_sentence(
    options: list[str], message: str, vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(vectors), *options]) == 2
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert message in stderr
    assert stderr.count("\n") == 1
