"""Points and lines: encoding, writing by every method of generation, formats, the command line, scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from seqlab_cli.main import run as cli
from sklearn.base import clone
from sklearn.utils import estimator_checks

import seqlab
from seqlab.autoencoders.decoding import PointDecoder
from seqlab.base.errors import InputError
from seqlab.generation.decoding import sample

LINES = ["the cat sat on the mat", "the dog sat on the rug", "a cat saw a dog", "the dog ran", "a bird ran on a mat"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "lines.txt"
    path.write_text("\n".join(f"{line} {number}" for number in range(8) for line in LINES) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(text):
    return seqlab.train_autoencoder(
        text, tokenizer="word", min_count=1, hidden_dim=24, embed_dim=12, latent_dim=6, steps=60, lr=1e-2,
        dropout=0.0, batch_size=8, threads=1, device="cpu", quiet=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    return trained.save(tmp_path_factory.mktemp("runs") / "lines")


def test_encoding_does_not_depend_on_company_and_decoding_not_either(trained):
    together = trained.encode(LINES)
    assert together.shape == (5, 6)
    for row, line in enumerate(LINES):
        np.testing.assert_allclose(trained.encode(line), together[row : row + 1], atol=1e-5)
    written = trained.decode(together)
    assert written == [trained.decode(point)[0] for point in together]
    assert written == trained.reconstruct(LINES)
    drawn = trained.decode(together, temperature=1.0, seed=3)
    assert drawn == trained.decode(together, temperature=1.0, seed=3)
    assert drawn != trained.decode(together, temperature=1.0, seed=4)


def test_a_text_begins_at_its_own_point(trained):
    import torch

    points = torch.from_numpy(trained.encode(LINES))
    model = PointDecoder(trained.model, points)
    rule = lambda logits, history: logits * 1e4  # noqa: E731 - the likeliest token
    together = sample(model, [0], 6, count=10, rules=[rule])
    for number in range(10):
        [alone] = sample(PointDecoder(trained.model, points[number % 5 : number % 5 + 1]), [0], 6, rules=[rule])
        assert together[number].ids == alone.ids


def test_beam_search_and_rules_apply_to_the_decoder(trained):
    points = trained.encode(LINES)
    greedy, searched = trained.samples(points), trained.samples(points, beam=4)
    assert all(one.log_prob >= other.log_prob - 1e-4 for one, other in zip(searched, greedy, strict=True))
    assert all("cat" not in line for line in trained.decode(points, rules=[("ban", "cat")]))
    assert all(line.startswith("the dog") for line in trained.decode(points, "the dog"))
    assert all(len(one.tokens) <= 3 for one in trained.samples(points, length=3))
    with pytest.raises(InputError, match="num"):
        trained.decode(points, num=2)


def test_lines_of_the_prior_say_whether_they_are_new(trained):
    items = trained.sample(20, seed=1)
    assert len(items) == 20
    assert [one.text for one in items] == [one.text for one in trained.sample(20, seed=1)]
    training = {f"{line} {number}" for number in range(8) for line in LINES}
    assert all((one.text in training) == one.seen for one in items)
    assert len({one.text for one in trained.sample(20, seed=1, spread=1e-6)}) == 1


def test_interpolation_begins_and_ends_with_its_lines(trained):
    found = trained.interpolate(LINES[0], LINES[3], 5)
    assert found.shares == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert (found.texts[0], found.texts[-1]) == tuple(trained.reconstruct([LINES[0], LINES[3]]))
    assert trained.analogy([LINES[1], LINES[3]], [LINES[1]]) == trained.reconstruct(LINES[3])[0]
    with pytest.raises(InputError, match="steps"):
        trained.interpolate(LINES[0], LINES[3], 1)


def test_lines_become_word_vectors(trained, tmp_path):
    vectors = trained.vectors([*LINES, LINES[0]])
    assert len(vectors) == 5
    assert vectors.counts[0] == 2
    best = vectors.neighbors(LINES[0], 2)
    assert best[0][0] in LINES


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda ae: ae.encode(" "), "no token"),
        (lambda ae: ae.decode(np.zeros((2, 5))), r"\(n, 6\)"),
        (lambda ae: ae.decode(np.full(6, np.nan)), "finite"),
        (lambda ae: ae.sample(0), "num"),
        (lambda ae: ae.analogy([], ["a"]), "begin from"),
        (lambda ae: seqlab.load_language_model(ae.run.path), "autoencoder"),
        (lambda ae: ae.decode(np.zeros(6), beam=2, temperature=1.0), "beam"),
    ],
)
def test_bad_questions_are_answered_in_a_sentence(call, words, trained):
    with pytest.raises(InputError, match=words):
        call(trained)


def test_scores_of_a_text_and_of_the_run(trained, folder, text):
    own, other = trained.evaluate(split="valid", seconds=0), seqlab.load(folder).evaluate(text, seconds=0)
    assert own.lines == trained.summary["valid"]["lines"]
    assert own.reconstruction == pytest.approx(trained.summary["valid"]["reconstruction"])
    assert other.lines == 40
    assert "units active" in repr(own)
    assert trained.run.scores.reconstruction == pytest.approx(own.reconstruction, rel=1e-5)


def test_a_step_of_a_pipeline(trained, folder):
    vectorizer = seqlab.LineVectorizer(folder).fit(LINES)
    np.testing.assert_allclose(vectorizer.transform(LINES), trained.encode(LINES), atol=1e-6)
    assert len(vectorizer.get_feature_names_out()) == 6
    assert vectorizer.inverse_transform(vectorizer.transform(LINES[:1])) == trained.reconstruct(LINES[:1])
    assert clone(vectorizer).autoencoder == folder
    with pytest.raises(InputError, match="autoencoder: give"):
        seqlab.LineVectorizer().fit(LINES)


def test_check_estimator_has_nothing_against_it(trained):
    with pytest.warns(estimator_checks.SkipTestWarning):
        estimator_checks.check_estimator(seqlab.LineVectorizer(trained))


def test_a_word_that_is_read_by_its_characters_has_a_place_of_its_own(text, tmp_path):
    lines = [*text.read_text("utf-8").splitlines(), "the cot sat", "the cut ran", "the dig sat", "a bard ran"]
    own = tmp_path / "own.txt"
    own.write_text("\n".join(lines) + "\n", encoding="utf-8")
    small = {"hidden_dim": 8, "embed_dim": 8, "latent_dim": 3, "steps": 8, "batch_size": 8, "threads": 1, "quiet": True}
    known, new = ["the cat sat", "the bird sat"], ["the zebra sat", "the yak sat"]
    for kind, alike in (("embedding", True), ("characters", False)):
        ae = seqlab.train_autoencoder(own, tmp_path / kind, tokenizer="word", min_count=2, input=kind, **small)
        points = ae.encode([*known, *new])
        assert np.allclose(points[2], points[3], atol=1e-6) == alike
        assert not np.allclose(points[0], points[1], atol=1e-6)
        assert bool(ae.unknown(new)) == alike
        again = seqlab.load(tmp_path / kind)
        np.testing.assert_allclose(again.encode([*new, *known]), points[[2, 3, 0, 1]], atol=1e-6)
        np.testing.assert_allclose(ae.encode(new[1]), ae.encode(new)[1:], atol=1e-6)
        if alike:
            continue
        one, other = (again.evaluate(path, seconds=0) for path in texts_of(tmp_path, new))
        assert one.tokens == other.tokens
        assert one.kl != other.kl, "evaluation reads it by its characters too"
        assert again.decode(points) == ae.reconstruct([*known, *new])


def texts_of(folder, lines):
    """A file for each line, which stands in it twice."""
    for number, line in enumerate(lines):
        path = folder / f"text-{number}.txt"
        path.write_text(f"{line}\n{line}\n", encoding="utf-8")
        yield path


def output(capsys, *arguments):
    code = cli(list(map(str, arguments)))
    found = capsys.readouterr()
    assert code == 0, found.err
    return found.out


def test_the_verbs(folder, text, tmp_path, capsys):
    assert len(output(capsys, "generate", folder, "--from-prior", "--num", 4, "--seed", 1).splitlines()) == 4
    found = json.loads(output(capsys, "interpolate", folder, *LINES[:2], "--steps", 3, "--json"))
    assert [step["share"] for step in found["steps"]] == [0.0, 0.5, 1.0]
    assert len(output(capsys, "reconstruct", folder, *LINES[:2], "--beam", 2).splitlines()) == 2
    assert cli(["reconstruct", str(folder), LINES[0]]) == 0
    assert "<unk>" not in capsys.readouterr().err
    assert output(capsys, "analogy", folder, *LINES[:3]).strip()
    for way in (("--temperature", 0.7), ("--best-of", 3), ("--beam", 3), ("--top-k", 2)):
        lines = output(capsys, "generate", folder, "--from-prior", "--num", 3, "--seed", 1, *way).splitlines()
        assert len(lines) == 3, way
    assert "40 different lines" in output(capsys, "encode", folder, text, "-o", tmp_path / "points")
    near = json.loads(output(capsys, "neighbors", tmp_path / "points", f"{LINES[0]} 1", "-k", 3, "--json"))
    assert len(near["results"]) == 3
    own = output(capsys, "encode", folder, text, "--line", "a dog sat on the cat", "-o", tmp_path / "more", "--json")
    assert json.loads(own)["lines"] == 41
    assert output(capsys, "neighbors", tmp_path / "more", "a dog sat on the cat", "-k", 1)
    assert cli(["neighbors", str(tmp_path / "points"), "nothing like it"]) == 2
    assert "--line 'nothing like it' to seqlab encode" in capsys.readouterr().err
    facts = json.loads(output(capsys, "info", folder, "--json"))
    assert facts["kind"] == "autoencoder"
    assert facts["valid"]["units"] == 6
    scores = json.loads(output(capsys, "evaluate", folder, "--text", text, "--json"))
    assert scores["lines"] == 40
    assert output(capsys, "curves", folder, "-o", tmp_path / "curves.png").strip().endswith("curves.png")


def test_a_record_is_one_item_whatever_its_lines(folder, tmp_path, capsys):
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("the dog\nran", " ", LINES[0])))
    report = json.loads(output(capsys, "encode", folder, path, "-o", tmp_path / "points", "--json"))
    assert report["lines"] == 2
    near = json.loads(output(capsys, "neighbors", tmp_path / "points", "the dog ran", "--json"))
    assert near["results"][0]["word"] == LINES[0]


def test_lines_that_are_stored_otherwise_are_read_by_their_encoding(folder, text, tmp_path, capsys):
    """The refusal of such lines names this option, which these verbs did not have."""
    old = tmp_path / "old.txt"
    old.write_bytes(f"{text.read_text('utf-8')}a dog sät\n".encode("cp1252"))
    assert cli(["evaluate", str(folder), "--text", str(old)]) == 2
    assert "such as --encoding cp1252" in capsys.readouterr().err
    scores = json.loads(output(capsys, "evaluate", folder, "--text", old, "--encoding", "cp1252", "--json"))
    assert scores["lines"] == 41
    output(capsys, "encode", folder, old, "--encoding", "cp1252", "-o", tmp_path / "points")
    assert "a dog sät" in seqlab.load_vectors(tmp_path / "points")


@pytest.mark.parametrize("verb", ["reconstruct", "interpolate", "analogy", "encode"])
def test_words_that_it_has_never_seen_are_said(verb, folder, tmp_path, capsys):
    """They are read as <unk>; before, in silence."""
    lines = ["the zebra sat", "the dog ran", "a zebra ran"]
    path = tmp_path / "new.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    given = {"interpolate": lines[:2], "encode": [path, "-o", tmp_path / "points"]}.get(verb, lines)
    assert cli([str(one) for one in (verb, folder, *given)]) == 0
    assert "read as <unk>, as this autoencoder has never seen them: zebra\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "RUN"], "--from-prior draws some"),
        (["generate", "RUN", "--from-prior", "--items", "3"], "leave the other options out"),
        (["generate", "TEXT", "--from-prior"], "not an autoencoder's run"),
        (["encode", "RUN", "TEXT", "-o", "x.docx"], "x.docx"),
        (["encode", "RUN", "-o", "x"], "one item a line"),
        (["encode", "RUN", "a line of mine", "-o", "x"], 'as --line "a line of mine"'),
        (["encode", "RUN", "--line", "a cat", "--encoding", "cp1252", "-o", "x"], "name the text too"),
        (["evaluate", "RUN", "--text", "TEXT", "--dynamic"], "--dynamic: means nothing for an autoencoder"),
        (["interpolate", "nowhere", "a", "b"], "no such run folder"),
        (["train", "autoencoder", "TEXT", "-o", "RUN", "--kind", "fancy"], "plain, denoising, variational"),
        (["train", "autoencoder", "TEXT"], "name the run folder"),
        (["train", "autoencoder", "TEXT", "-o", "x", "--preset", "word-large"], "words"),
        (["train", "lm", "TEXT", "-o", "RUN"], "autoencoder's run"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(arguments, words, folder, text, capsys):
    places = {"RUN": str(folder), "TEXT": str(text)}
    assert cli([places.get(one, one) for one in arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_published_protocol_reads_a_file_of_its_format(tmp_path, capsys):
    """Of the guide, on made-up lines as those of the Penn Treebank are written."""
    rng, places = np.random.default_rng(0), {}
    words = ["the", "<unk>", "N", "company", "said", "rose", "to", "million", "$", "'s"]
    for name, count in (("train", 60), ("valid", 20), ("test", 20)):
        places[name] = tmp_path / f"ptb.{name}.txt"
        places[name].write_text("".join(f" {' '.join(rng.choice(words, rng.integers(3, 9)))} \n" for _ in range(count)))
    small = ["--embed-dim", 8, "--hidden-dim", 8, "--latent-dim", 4, "--steps", 6, "--set", "threads=1", "-q"]
    files = [places["train"], "--valid", places["valid"], "--test", places["test"]]
    out = ["-o", tmp_path / "vae", "--baseline", tmp_path / "lstm"]
    found = output(capsys, "train", "autoencoder", *files, *out, "--preset", "penn-treebank", *small)
    summary = json.loads(found.splitlines()[-1])
    assert summary["test"]["lines"] == 20
    assert summary["test"]["iw_nll"] > 0
    assert summary["baseline"]["test"]["tokens"] == summary["test"]["tokens"]


def test_training_by_the_command_line_prints_a_summary(text, tmp_path, capsys):
    small = ["--hidden-dim", 8, "--embed-dim", 8, "--latent-dim", 3, "--set", "threads=1", "--tokenizer", "word"]
    dry = json.loads(output(capsys, "train", "autoencoder", text, *small, "--dry-run", "--json"))
    assert dry["autoencoder"]["kind"] == "variational"
    assert (dry["training"]["epochs"], dry["training"]["minutes"]) == (40, None), "a short list is soon known by heart"
    longer = tmp_path / "longer.txt"
    longer.write_text("".join(f"{line} {number}\n" for number in range(1_500) for line in LINES), encoding="utf-8")
    dry = json.loads(output(capsys, "train", "autoencoder", longer, *small, "--dry-run", "--json"))
    assert (dry["training"]["epochs"], dry["training"]["minutes"]) == (None, 3.0)
    out = output(capsys, "train", "autoencoder", text, "-o", tmp_path / "run", *small, "--steps", 5, "-q")
    summary = json.loads(out.splitlines()[-1])
    assert summary["steps"] == 5
    assert {"reconstruction", "kl", "elbo", "iw_nll", "mutual_information", "active_units"} <= set(summary["valid"])
