"""Items of a list: different lines, those of the training text known, the same for the same seed."""

from __future__ import annotations

import json
import random

import pytest
from seqlab_cli.main import run

import seqlab
from seqlab.base.errors import InputError
from seqlab.generation.items import TEMPERATURE
from seqlab.text.preparation.lines import item_key

OPTIONS = {"embed_dim": 16, "hidden_dim": 32, "layers": 1, "batch_size": 4, "bptt": 16, "lr": 0.01, "threads": 1}


@pytest.fixture(scope="module")
def words() -> list[str]:
    draw = random.Random(0)
    return sorted(
        {"".join(draw.choice("Bbdgkmn") + draw.choice("aeo") for _ in range(draw.randint(1, 3))) for _ in range(300)}
    )


@pytest.fixture(scope="module")
def lm(words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("list")
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")
    corpus = seqlab.prepare(folder / "words.txt", folder / "corpus", quiet=True)
    return seqlab.train_language_model(corpus, folder / "run", epochs=12, quiet=True, seed=1, **OPTIONS)


@pytest.fixture(scope="module")
def prose(words, tmp_path_factory):
    """The same words as one text."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")
    corpus = seqlab.prepare(folder / "words.txt", folder / "corpus", lines="no", quiet=True)
    return seqlab.train_language_model(corpus, folder / "run", epochs=6, quiet=True, seed=1, **OPTIONS)


def test_items_are_different_whole_lines_and_known_ones_are_marked(lm, words) -> None:
    items = lm.items(25, seed=3)
    known = {word.casefold() for word in words}
    assert len({item.text.casefold() for item in items}) == len(items) == 25
    for item in items:
        assert item.text
        assert "\n" not in item.text
        assert item.seen == (item.text.casefold() in known)
    assert 0 < len(items.seen) < 25
    assert [item.text for item in lm.items(25, seed=3)] == [item.text for item in items]
    assert items.text().split("\n") == [str(item) for item in items]
    assert items.to_json()["items"][0].keys() == {"text", "seen", "log_prob"}
    assert "in the training text" in repr(items)


def test_new_items_are_new_and_begin_as_asked(lm, words) -> None:
    known = {word.casefold() for word in words}
    items = lm.items(10, new=True, seed=5)
    assert len(items) == 10
    assert not {item.text.casefold() for item in items} & known
    assert items.drawn > 10
    begun = lm.items(4, "ka", seed=1)
    assert all(item.text.startswith("ka") for item in begun)
    assert [item.text for item in lm.items(4, "nothing\nka", seed=1)] == [item.text for item in begun]


def test_items_are_drawn_at_a_low_temperature_unless_a_rule_is_named(lm) -> None:
    def texts(**options) -> list[str]:
        return [item.text for item in lm.items(30, seed=4, **options)]

    assert texts() == texts(temperature=TEMPERATURE) != texts(temperature=1.0)
    assert texts(top_p=1.0) == texts(temperature=1.0) == texts(rules=["temperature=1"])


def test_the_number_of_draws_has_a_bound(lm) -> None:
    with pytest.raises(InputError, match="temperature 0 gives the same text every time"):
        lm.items(5, temperature=0)
    few = lm.items(30, top_k=1, seed=1)
    assert (len(few), few.drawn) == (1, 600)
    rare = lm.items(30, "Bakame", seed=1, length=1)
    assert len(rare) <= 1
    assert rare.drawn <= 600


def test_a_model_of_running_text_writes_lines_and_knows_none(prose) -> None:
    items = prose.items(6, seed=2)
    assert len(items) == 6
    assert all(item.seen is None and "\n" not in item.text for item in items)
    with pytest.raises(InputError, match="new: the run does not know its training lines"):
        prose.items(6, new=True)


def test_options_that_items_decide_are_refused(lm) -> None:
    with pytest.raises(InputError, match="leave out beam"):
        lm.items(3, beam=4)
    with pytest.raises(InputError, match="must be 1 to"):
        lm.items(0)


def test_a_run_keeps_the_keys_of_its_lines(lm, words, tmp_path) -> None:
    assert lm.run.items.tolist() == sorted({item_key(word) for word in words})
    moved = lm.save(tmp_path / "copy")
    assert seqlab.load(moved).items(3, seed=1).to_json() == lm.items(3, seed=1).to_json()
    data = bytearray((moved / "items.npy").read_bytes())
    data[-1] ^= 1
    (moved / "items.npy").write_bytes(data)
    with pytest.raises(InputError, match=r"items\.npy"):
        seqlab.load(moved)


def test_the_command_prints_items_and_nothing_else(lm, capsys) -> None:
    path = str(lm.run.path)

    def printed(*arguments: str) -> tuple[str, str]:
        assert run(["generate", path, *arguments]) == 0
        return capsys.readouterr()

    out, err = printed("--items", "10", "--seed", "3")
    assert out.splitlines() == [item.text for item in lm.items(10, seed=3)]
    assert "are in the training text: " in err
    assert "--new" in err
    new, said = printed("--items", "5", "--new", "--seed", "3")
    assert len(new.splitlines()) == 5
    assert said == ""
    values = json.loads(printed("--items", "10", "--seed", "3", "--json")[0])
    assert [one["text"] for one in values["items"]] == out.splitlines()
    assert {one["seen"] for one in values["items"]} == {True, False}
    assert printed("--items", "10", "--seed", "3", "--prompt", r"\n")[0] == out
    assert printed("--prompt", r"\n", "--seed", "1")[0] == printed("--seed", "1")[0]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--new"], "such as --items 10"),
        (["--items", "3", "--num", "2"], "leave out num"),
        (["--items", "3", "--stop", "x"], "leave out stop"),
        (["--items", "3", "--interactive"], "leave out --interactive"),
    ],
)
def test_the_command_refuses_what_does_not_go_together(lm, capsys, flags, sentence) -> None:
    assert run(["generate", str(lm.run.path), *flags]) == 2
    assert sentence in capsys.readouterr().err
