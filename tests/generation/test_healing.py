"""Prompts that end in a space or inside a word: held back, written again, exactly as probable as the model says."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch

from seqlab.base.errors import InputError
from seqlab.config import ModelConfig
from seqlab.generation import TextGenerator
from seqlab.models import LanguageModel
from seqlab.text import TOKENIZERS, Vocab
from seqlab.text.tokenizers.bpe import train_bpe
from seqlab.text.tokenizers.unfinished import Beginnings

TEXT = (
    "The king kindly killed a kitten, thinking there is nothing. The kite, the  kin!\n\nÉté à Kiew: 東京 naïve.\n" * 3
)
MADE = {"word": TOKENIZERS["word"], "whitespace": TOKENIZERS["whitespace"], "bpe": lambda: train_bpe([TEXT], 300)}
ENDS = ["The ", "the ki", "The king", "The kin", "the  ", "T", "a kitten,", "a kitten, ", "The k", "Ét", "naï"]


def generator_of(kind, seed=0):
    """A random model that knows TEXT in tokens of `kind`, and TEXT's own frequencies."""
    blank = MADE[kind]()
    types, indices = blank.segment(TEXT)
    controls = (["<unk>"] if blank.has_unk else []) + ["<eos>"]
    vocab = Vocab.build(types, np.bincount(indices, minlength=len(types)), controls=controls, required=blank.required)
    tokenizer = blank.with_vocab(vocab)
    torch.manual_seed(seed)
    model = LanguageModel(ModelConfig(embed_dim=6, hidden_dim=8, layers=1, tie=False), len(vocab))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return TextGenerator(model.double().eval(), tokenizer)


def distribution(generator, ids):
    """The model's log-probabilities of the token after some."""
    model, start = generator.model, generator.tokenizer.start_id
    with torch.inference_mode():
        logits_1V, _ = model.prefill(torch.tensor([[start, *ids]]), model.init_state(1))
    return logits_1V[0].log_softmax(-1)


def ways_to_write(generator, unfinished):
    """Brute force: every sequence of tokens that the ways allow for the end of the prompt, with its log-probability."""
    found = {}
    for way in unfinished.ways:
        log_prob = sum(
            float(distribution(generator, [*unfinished.ids, *way.before[:place]])[token])
            for place, token in enumerate(way.before)
        )
        last_V = distribution(generator, [*unfinished.ids, *way.before])
        found |= {(*way.before, int(token)): log_prob + float(last_V[token]) for token in way.completing}
    return found


def test_tokens_are_found_by_how_they_begin():
    texts = ["", "a", "ab", "abc", "abd", "b", "é", "éa", "\U0010ffff", "\U0010ffffa"]
    beginnings = Beginnings((text, id) for id, text in enumerate(texts))
    for beginning in (*texts, "ac", "c"):
        expected = [id for id, text in enumerate(texts) if text.startswith(beginning)]
        assert sorted(beginnings.ids_with(beginning).tolist()) == expected


@pytest.mark.parametrize("prompt", [*ENDS, "The\n", "thinking there", "kiki", "x" * 200])
def test_ways_write_the_end_and_no_other_do(prompt):
    """Of bpe: each way is the text's own spelling of a beginning, with every token that can go on from there."""
    tokenizer = generator_of("bpe").tokenizer
    unfinished = tokenizer.unfinished(prompt)
    own = tokenizer.encode(prompt).tolist()
    if unfinished is None:
        assert prompt in ("a kitten,", "The\n"), "no token begins with this mark"
        return
    assert own[: len(unfinished.ids)] == unfinished.ids
    pieces = [tokenizer._pieces[id] if id != tokenizer.eos_id else b"<eos>" for id in range(len(tokenizer.vocab))]
    end = b"".join(pieces[id] for id in own[len(unfinished.ids) :])
    seen = set()
    for before, completing, exact in unfinished.ways:
        written = b"".join(pieces[id] for id in before)
        assert end.startswith(written)
        assert written != end
        rest = end[len(written) :]
        assert sorted(completing) == [id for id, piece in enumerate(pieces) if piece.startswith(rest)]
        assert exact == next((id for id, piece in enumerate(pieces) if piece == rest), None)
        seen.add((*before, exact))
    assert tuple(own[len(unfinished.ids) :]) in seen, "the prompt's own tokens are one way"
    assert len(end) <= 48
    kept, whole = tokenizer.decoder(), tokenizer.decoder()
    characters = [sum(len(one.push(id)) for id in ids) for one, ids in ((kept, unfinished.ids), (whole, own))]
    assert unfinished.skip == characters[1] - characters[0]


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("prompt", ENDS)
def test_what_is_drawn_has_exactly_the_probability_of_its_text(kind, prompt):
    """Frequencies of the first tokens, against brute force over all ways to write the end."""
    generator = generator_of(kind)
    unfinished = generator.tokenizer.unfinished(prompt)
    if unfinished is None:
        return
    weights = ways_to_write(generator, unfinished)
    whole = torch.tensor(list(weights.values())).logsumexp(0).item()
    drawn = generator.generate(prompt, num=400, length=2, seed=5, ban_unknown=False)
    first = [
        next(ids for ids in itertools.accumulate((token.id,) for token in one.tokens) if ids in weights)
        for one in drawn
    ]
    for ids, log_prob in weights.items():
        share = min(1.0, float(np.exp(log_prob - whole)))
        assert abs(first.count(ids) / 400 - share) < 5 * (share * (1 - share) / 400) ** 0.5 + 0.01
    for one in drawn[:20]:
        ids = [token.id for token in one.tokens]
        for place, token in enumerate(one.tokens):
            expected = distribution(generator, [*unfinished.ids, *ids[:place]])[token.id]
            assert token.log_prob == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("kind", MADE)
def test_all_methods_write_the_prompt_once(kind):
    """Drawn, the best of several, searched and streamed: the text goes on where the prompt ends, and reads as one."""
    generator = generator_of(kind)
    tokenizer = generator.tokenizer
    for prompt in ENDS:
        for options in ({"num": 4, "seed": 1}, {"best_of": 5, "seed": 1}, {"beam": 3, "num": 2}, {"temperature": 0}):
            for one in generator.generate(prompt, length=6, **options):
                assert str(one).startswith(prompt.rstrip() if kind != "bpe" else prompt)
                decoder = tokenizer.decoder()
                made = [token.id for token in one.tokens if token.text or token.id != tokenizer.eos_id]
                ids = [*generator.read_prompt(prompt).ids, *made]
                written = "".join(map(decoder.push, ids))
                assert written.endswith(one.text)
                if kind == "bpe":
                    assert written == str(one)
                assert "".join(token.text for token in one.tokens) == one.text
                if one.finish == "length":
                    beyond = [token for token in one.tokens if token.text or kind == "bpe"]
                    assert len(beyond) >= 6
                assert "  " not in one.text or kind == "bpe"
        pieces = []
        (one,) = generator.generate(prompt, length=9, seed=3, stream=pieces.append)
        assert "".join(pieces) == one.text
        assert json.dumps(one.to_json())


@pytest.mark.parametrize("kind", MADE)
def test_a_beam_that_holds_everything_finds_the_most_probable_text(kind):
    generator = generator_of(kind)
    for prompt in ("The ki", "The ", "the kin"):
        unfinished = generator.tokenizer.unfinished(prompt)
        weights = ways_to_write(generator, unfinished)
        best = {}
        for ids, log_prob in weights.items():
            exact = any(way.before == ids[:-1] and way.exact == ids[-1] for way in unfinished.ways)
            if not exact:
                best[ids] = log_prob
                continue
            next_V = distribution(generator, [*unfinished.ids, *ids])
            best |= {(*ids, token): log_prob + float(next_V[token]) for token in range(len(next_V))}
        (one,) = generator.generate(prompt, length=1, beam=len(generator.tokenizer.vocab), ban_unknown=False)
        expected = max(best, key=best.get)
        assert tuple(token.id for token in one.tokens) == expected
        assert one.log_prob == pytest.approx(best[expected], abs=1e-6)


@pytest.mark.parametrize("kind", MADE)
def test_the_length_counts_what_goes_beyond_the_prompt(kind):
    generator = generator_of(kind)
    for prompt in ENDS:
        unfinished = generator.read_prompt(prompt).unfinished
        ways = {way.before: way for way in unfinished.ways} if unfinished else {}
        options = {"stop_at_eos": False}
        samples = [*generator.generate(prompt, length=3, num=30, seed=2, **options)]
        for one in [*samples, *generator.generate(prompt, length=3, beam=4, num=4, **options)]:
            ids, written = [token.id for token in one.tokens], 0
            if ways:
                while tuple(ids[: written + 1]) in ways:
                    written += 1
                written += ids[written] == ways[tuple(ids[:written])].exact
            assert len(ids) - written == 3
        assert [one.text for one in generator.generate(prompt, length=3, num=2, seed=2, **options)] == [
            one.text for one in samples[:2]
        ]


@pytest.mark.parametrize("kind", ["word", "whitespace"])
def test_the_beginning_of_a_known_word_is_no_unknown_word(kind):
    generator = generator_of(kind)
    for seed in range(8):
        (one,) = generator.generate("the kit", length=1, seed=seed)
        assert str(one).split()[1].strip(",.") in ("kitten", "kite", "kitten,")
    with pytest.raises(InputError, match="'zeb', which this model"):
        generator.generate("the zeb")
    with pytest.raises(InputError, match="has 'kit', which"):
        generator.generate("kit the kit")
    assert generator.read_prompt("the kit", allow_unknown=True).unfinished is None


@pytest.mark.parametrize("kind", ["char", "byte"])
def test_tokens_of_characters_and_bytes_end_where_a_prompt_ends(kind):
    assert TOKENIZERS[kind]().unfinished("the ki") is None


@pytest.mark.parametrize("prompt", ["", "\n", "The king\n", "kite, \n  "])
def test_nothing_is_held_back_at_the_start_of_a_line(prompt):
    for kind in ("word", "whitespace"):
        generator = generator_of(kind)
        assert generator.read_prompt(prompt).unfinished is None
        assert str(generator.generate(prompt, length=4, seed=1)[0]).startswith(prompt.rstrip(" "))


def test_rules_come_after_it():
    """A banned way to go on is not taken, and the penalty of repetition sees the tokens before the end."""
    generator = generator_of("word")
    stoi = generator.tokenizer.vocab.stoi
    found = {
        str(one)
        for one in generator.generate("the ki", rules=[("ban", [stoi["king"], stoi["kite"]])], num=60, length=1, seed=0)
    }
    assert found <= {"the kin", "the kindly", "the killed", "the kitten"}
    assert len(found) > 1
    seen = []

    def spy(logits_BV, history_BT):
        seen.append((int((logits_BV > -np.inf).sum()), history_BT.shape[1]))
        return logits_BV

    generator.generate("the ki", rules=[spy], length=2, seed=0)
    assert seen[0] == (6, 1)
    assert seen[1][0] > 6
