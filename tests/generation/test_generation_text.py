"""From prompt to text: streaming, stop strings, unknown words, options."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.base.errors import InputError
from seqlab.config import ModelConfig
from seqlab.generation import TextGenerator
from seqlab.generation.streaming import StopFilter, TextReader
from seqlab.models import LanguageModel
from seqlab.models.tokens import Token, shaded
from seqlab.text import TOKENIZERS, Vocab

TEXT = 'The cat sat on the mat, didn\'t it?\n"Yes", said the dog; 東京 é 🙂 naïve.\n' * 3


def tokenizer_of(kind, text=TEXT):
    """A tokenizer of `kind` that knows `text`."""
    blank = TOKENIZERS[kind]()
    types, indices = blank.segment(text)
    counts = np.bincount(indices, minlength=len(types))
    controls = (["<unk>"] if blank.has_unk else []) + ["<eos>"]
    return blank.with_vocab(Vocab.build(types, counts, controls=controls, required=blank.required))


def random_model(tokenizer, seed=0):
    torch.manual_seed(seed)
    model = LanguageModel(ModelConfig(embed_dim=4, hidden_dim=6, layers=1, tie=False), len(tokenizer.vocab))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=1.0)
    return model.double().eval()


class Scripted:
    """A model that is sure of one text: it says `ids`, whatever it reads."""

    def __init__(self, vocab_size, ids):
        self.vocab_size, self.ids = vocab_size, [*ids]

    def init_state(self, batch):
        return [(torch.zeros(batch, dtype=torch.int64),)]

    def select(self, state, index_B):
        return [(state[0][0][index_B],)]

    def step(self, token_B, state):
        place_B = state[0][0]
        logits_BV = torch.full((len(token_B), self.vocab_size), -60.0)
        for row, place in enumerate(place_B.tolist()):
            logits_BV[row, self.ids[place % len(self.ids)]] = 0
        return logits_BV, [(place_B + 1,)]

    def prefill(self, tokens_BT, state):
        return self.step(tokens_BT[:, 0], state)


def scripted(kind, text, **more):
    tokenizer = tokenizer_of(kind, text + "\n")
    return TextGenerator(Scripted(len(tokenizer.vocab), tokenizer.encode(text).tolist()), tokenizer)


def generator_of(kind, seed=0, text=TEXT):
    tokenizer = tokenizer_of(kind, text)
    return TextGenerator(random_model(tokenizer, seed), tokenizer)


# Stop strings and streaming

short_texts = st.text("abé", max_size=12)


@settings(max_examples=200, deadline=None)
@given(short_texts, st.lists(st.text("abé", min_size=1, max_size=4), max_size=3), st.lists(st.integers(0, 12)))
def test_a_stop_filter_does_not_depend_on_the_pieces(text, stops, cuts):
    ends = (
        end - max(len(stop) for stop in stops if text[:end].endswith(stop))
        for end in range(len(text) + 1)
        if any(text[:end].endswith(stop) for stop in stops)
    )
    expected = text[: next(ends, None)]
    filter, shown, borders = StopFilter(stops), [], sorted({0, len(text), *(c for c in cuts if c < len(text))})
    for start, end in zip(borders, borders[1:], strict=False):
        shown.append(filter.push(text[start:end]))
        assert expected.startswith("".join(shown)), "nothing of a stop string is shown"
    assert "".join(shown) + filter.flush() == expected


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("prompt", ["", "The cat", "The cat\n"])
def test_what_is_streamed_is_the_text(kind, prompt):
    generator = generator_of(kind)
    for seed in range(4):
        pieces = []
        options = {"length": 60, "seed": seed, "stop": ["at", " t", "\ufffd\ufffd"]}
        (one,) = generator.generate(prompt, stream=pieces.append, **options)
        assert "".join(pieces) == one.text
        assert "".join(token.text for token in one.tokens) == one.text
        assert generator.generate(prompt, **options) == [one]
        assert not any(stop in one.text for stop in options["stop"])
        (free,) = generator.generate(prompt, length=60, seed=seed, stop_at_eos=False)
        assert free.text.startswith(one.text)
        decoder = generator.tokenizer.decoder()
        ids = [*generator.read_prompt(prompt).ids, *(token.id for token in free.tokens)]
        assert "".join(map(decoder.push, ids)) == str(free)


def test_half_characters_are_never_streamed():
    text, pieces = "é東🙂x", []
    generator = scripted("byte", text)
    generator.generate(length=len(text.encode()), stream=pieces.append, seed=0)
    assert pieces == list(text)
    tokens = generator.generate(length=len(text.encode()) - 2, seed=0)[0].tokens
    assert [token.text for token in tokens] == ["", "é", "", "", "東", "", "", ""]


@pytest.mark.parametrize("kind", ["byte", "char"])
def test_a_stop_string_may_lie_across_tokens(kind):
    pieces = []
    generator = scripted(kind, "x東東京y")
    (one,) = generator.generate(length=40, stop=["東京", "never"], stream=pieces.append, seed=0)
    assert (one.text, one.finish, pieces) == ("x東", "stop", ["x", "東"])
    assert len(one.tokens) == len(generator.tokenizer.encode("x東東京"))
    (searched,) = generator.generate(length=40, stop="東京", beam=2)
    assert searched.text == "x東"


def test_the_end_of_text_ends_it_without_a_trace():
    tokenizer = tokenizer_of("char", "ab")
    script = [*tokenizer.encode("ab"), tokenizer.eos_id, *tokenizer.encode("b")]
    generator = TextGenerator(Scripted(len(tokenizer.vocab), script), tokenizer)
    (one,) = generator.generate(length=9, seed=0)
    assert (one.text, one.finish, [token.text for token in one.tokens]) == ("ab", "stop", ["a", "b", ""])
    assert generator.generate(length=9, seed=0, stop_at_eos=False)[0].text == "ab\nbab\nba"
    assert generator.generate(length=9, beam=2)[0].text == "ab"


def test_a_line_end_does_not_end_the_text_of_a_pretokenised_corpus():
    assert scripted("whitespace", "a b\nc").generate(length=4, seed=0)[0].text == "a b\nc"


@pytest.mark.parametrize(
    ("kind", "prompt", "shown", "text"),
    [
        ("word", "the ", "the ", "cat, x"),
        ("word", "the", "the", " cat, x"),
        ("word", "", "", "cat, x"),
        ("whitespace", "the ", "the ", "cat , x"),
        ("char", "the ", "the ", "cat, x"),
        ("bpe", "the ", "the ", "cat, x"),
    ],
)
def test_prompt_and_text_read_as_one(kind, prompt, shown, text):
    source = "cat , x" if kind == "whitespace" else "cat, x"
    tokenizer = tokenizer_of(kind, "the " + source)
    ids = tokenizer.encode(source).tolist()
    model = Scripted(len(tokenizer.vocab), ids)
    (one,) = TextGenerator(model, tokenizer).generate(prompt, length=len(ids), seed=0)
    assert (one.prompt, one.text, str(one)) == (shown, text, shown + text)


# Prompts


@pytest.mark.parametrize(
    ("kind", "prompt", "message"),
    [
        ("char", "The Ж cat ß", r"has 'Ж', 'ß'.*allow_unknown"),
        ("word", "the catt sat zebra", r"has 'catt', 'zebra'.*Did you mean 'cat'"),
        ("whitespace", "the zebra", r"has 'zebra'"),
    ],
)
def test_an_unknown_prompt_is_refused_or_read_as_unk(kind, prompt, message):
    generator = generator_of(kind)
    with pytest.raises(InputError, match=message):
        generator.generate(prompt)
    assert generator.tokenizer.unk_id in generator.read_prompt(prompt, allow_unknown=True).ids
    (one,) = generator.generate(prompt, length=3, allow_unknown=True)
    assert one.prompt == prompt


@pytest.mark.parametrize("prompt", [None, ["The cat", "The dog"], 5])
def test_a_prompt_that_is_no_text_is_one_sentence(prompt):
    with pytest.raises(InputError, match=rf"prompt: must be one text, not {type(prompt).__name__}\."):
        generator_of("char").generate(prompt)


@pytest.mark.parametrize("kind", ["byte", "bpe"])
def test_tokenizers_of_bytes_take_any_prompt(kind):
    assert str(generator_of(kind).generate("Жß\x00", length=1)[0]).startswith("Жß\x00")


@pytest.mark.parametrize("kind", ["char", "word", "whitespace"])
def test_the_unknown_token_is_not_generated_unless_wanted(kind):
    generator = generator_of(kind)
    unk = generator.tokenizer.unk_id
    with torch.no_grad():
        generator.model.output.bias[unk] += 8
    assert unk not in {token.id for token in generator.generate(length=200, seed=0)[0].tokens}
    assert unk not in {token.id for token in generator.generate(length=5, beam=3)[0].tokens}
    assert unk in {token.id for token in generator.generate(length=50, seed=0, ban_unknown=False)[0].tokens}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_default_length_suits_the_tokens(kind):
    generator = generator_of(kind)
    characters = len(TEXT) / len(generator.tokenizer.encode(TEXT))
    assert 200 <= generator.default_length() * characters <= 800


# Options


def test_best_of_keeps_the_most_probable():
    generator = generator_of("char")
    everyone = generator.generate("The", length=30, num=12, seed=4)
    best = generator.generate("The", length=30, num=3, best_of=12, seed=4)
    assert best == sorted(everyone, key=lambda one: -one.log_prob)[:3]
    assert [everyone[one.index] for one in best] == best


def test_the_seed_repeats_a_result_and_chance_gives_another():
    generator = generator_of("char")
    one, other = generator.generate(length=40)[0], generator.generate(length=40)[0]
    assert one.text != other.text
    assert generator.generate(length=40, seed=one.seed) == [one]
    many = generator.generate(length=40, seed=7, num=5)
    assert [sample.text for sample in generator.generate(length=40, seed=7, num=2)] == [s.text for s in many[:2]]


def test_rules_are_applied_as_listed_and_before_the_flags():
    generator = generator_of("char")
    seen = []

    def spy(logits_BV, history_BT):
        seen.append(int((logits_BV > -np.inf).sum()))
        return logits_BV

    generator.generate(length=1, rules=[spy, "top_k=3", spy, ("top-k", 2), spy], temperature=0.5)
    assert seen == [len(generator.tokenizer.vocab) - 1, 3, 2]


def test_tokens_are_banned_by_their_text():
    generator = generator_of("word")
    ids = {generator.tokenizer.vocab.stoi[word] for word in ("cat", "the")}
    tokens = generator.generate(length=200, rules=["ban=cat", ("ban", [*ids])], seed=0)[0].tokens
    assert not ids & {token.id for token in tokens}
    with pytest.raises(InputError, match="ban=catt is not one token.*'cat'"):
        generator.generate(rules=["ban=catt"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 3, "temperature": 0.5}, "beam searches .* temperature"),
        ({"beam": 3, "rules": ["top_p=0.5"]}, "beam searches .* top_p"),
        ({"beam": 3, "best_of": 2}, "beam searches .* best_of"),
        ({"beam": 2, "num": 3}, "raise beam to 3"),
        ({"best_of": 2, "num": 3}, "raise best_of to 3"),
        ({"temperature": 0, "num": 2}, "the same text every time"),
        ({"length_penalty": 1.0}, "needs best_of or beam"),
        ({"stop": [""]}, "stop: an empty text"),
        ({"rules": ["top_k"]}, "write name=value"),
        ({"rules": ["topk=3"]}, "Did you mean 'top_k'"),
        ({"rules": ["top_k=0"]}, "top_k=0 is not a number at least 1"),
        ({"temperature": -1}, "temperature: must be 0.* or more"),
        ({"top_p": 1.5}, "top_p: must be 1.* or less"),
        ({"tempreature": 1}, "Did you mean 'temperature'"),
        ({"num": 2, "stream": print}, "only a single drawn text"),
    ],
)
def test_contradictions_and_nonsense_are_one_sentence(options, message):
    with pytest.raises(InputError, match=message):
        generator_of("char").generate("The", **options)


def test_a_training_model_generates_without_dropout_and_goes_on_training():
    tokenizer = tokenizer_of("char")
    model = LanguageModel(ModelConfig(embed_dim=4, hidden_dim=4, dropout=0.5), len(tokenizer.vocab)).train()
    one, other = (TextGenerator(model, tokenizer).generate(length=30, seed=1) for _ in range(2))
    assert one == other
    assert model.training


def test_small_models_work_on_one_thread_and_leave_the_setting_alone():
    generator, before, during = generator_of("char"), torch.get_num_threads(), []
    torch.set_num_threads(2)

    def spy(logits_BV, history_BT):
        during.append(torch.get_num_threads())
        return logits_BV

    generator.generate(length=1, rules=[spy])
    assert (during, torch.get_num_threads()) == ([1], 2)
    torch.set_num_threads(before)


def test_json_holds_text_and_tokens():
    (one,) = generator_of("bpe").generate("The", length=5, seed=0)
    value = json.loads(json.dumps(one.to_json()))
    assert value["text"] == one.text == "".join(token["text"] for token in value["tokens"])
    assert sum(token["log_prob"] for token in value["tokens"]) == pytest.approx(value["log_prob"])
    assert set(value["tokens"][0]) == {"text", "id", "log_prob", "rank", "entropy"}


def test_a_reader_without_tokens_is_empty():
    assert TextReader(tokenizer_of("byte"), [3, 4]).close() == ("", [])


# Results


def test_a_request_is_checked_and_encoded_before_anything_is_generated():
    generator = generator_of("char")
    with pytest.raises(InputError, match="temperature 0 gives the same text"):
        generator.request("The", temperature=0, num=2)
    request = generator.request("The", length=4)
    assert (request.prompt.shown, len(request.prompt.ids)) == ("The", 3)
    (one,) = generator.write(request)
    (again,) = generator.generate("The", length=4, seed=request.seed)
    assert (one.seed, one.text) == (request.seed, again.text)
    assert generator.request("The", beam=2).seed is None


def test_samples_show_themselves():
    generator = generator_of("char")
    samples = generator.generate("The <b>"[:4], num=2, length=6, seed=1)
    assert repr(samples) == "Samples(2 texts · 12 tokens)"
    assert repr(samples[0]).startswith("Sample('The ")
    assert repr(samples[0]).endswith(f"6 tokens · {samples[0].nats_per_token:.2f} nats per token)")
    assert samples.to_json() == [one.to_json() for one in samples]
    page = samples._repr_html_()
    assert "1 of 2" in page
    assert page.count("rank") == 12
    frame = pytest.importorskip("pandas") and samples.to_frame()
    assert frame["text"].tolist() == [one.text for one in samples]
    assert samples[0].to_frame()["log_prob"].sum() == pytest.approx(samples[0].log_prob)


def test_shaded_text_is_escaped_and_darker_where_less_expected():
    tokens = [Token("<i>", 1, -0.1, 1, 0.5), Token("&", 2, -6.0, 40, 2.0)]
    page = shaded(tokens, before="<script>")
    assert "&lt;script&gt;" in page
    assert "&lt;i&gt;" in page
    assert "<i>" not in page
    shades = [float(part.split(")")[0]) for part in page.split("rgba(230,120,30,")[1:]]
    assert shades == [0.01, 0.56]


@pytest.mark.parametrize(("prompt", "meant"), [("Whale", "whale"), ("Natasha", "Natásha"), ("teh", "the")])
def test_words_of_a_prompt_that_are_unknown_get_the_near_spelling(prompt, meant):
    generator = generator_of("word", text=f"the whale saw Natásha and the captain . {meant} {meant}\n" * 20)
    with pytest.raises(InputError, match=f"'{prompt}', which .* Did you mean '{meant}'"):
        generator.read_prompt(prompt)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_prompts_are_read_in_the_form_of_unicode_that_the_text_has(form):
    generator = generator_of("word", text=unicodedata.normalize(form, "café résumé\n" * 20))
    prompts = [generator.read_prompt(unicodedata.normalize(other, "café")).ids for other in ("NFC", "NFD")]
    assert prompts[0] == prompts[1] == generator.tokenizer.ids_of([unicodedata.normalize(form, "café")]).tolist()


# Texts without a prompt


@torch.no_grad()
def behind(generator, lead_in, ids):
    """Total log-probability of ids behind a lead-in, read token by token."""
    model, total = generator.model, 0.0
    state = model.init_state(1)
    for token in lead_in:
        logits_1V, state = model.step(torch.tensor([token]), state)
    for token in ids:
        total += float(logits_1V.log_softmax(-1)[0, token])
        logits_1V, state = model.step(torch.tensor([token]), state)
    return total


def test_texts_without_a_prompt_follow_lead_ins_in_turn():
    tokenizer = tokenizer_of("char")
    lead_ins = [tokenizer.encode(text).tolist() for text in ("the cat", "? Yes, ", "mat.\n\n\n")]
    generator = TextGenerator(random_model(tokenizer), tokenizer, lead_ins)
    samples = generator.generate(num=7, length=12, seed=4, stop_at_eos=False)
    for index, sample in enumerate(samples):
        ids = [token.id for token in sample.tokens]
        assert sample.prompt == ""
        assert sample.log_prob == pytest.approx(behind(generator, lead_ins[(4 + index) % 3], ids))
    alone = generator.generate(num=2, length=12, seed=4, stop_at_eos=False)
    assert [one.text for one in alone] == [one.text for one in samples[:2]], "however many are drawn beside it"
    plain = TextGenerator(generator.model, tokenizer)
    assert generator.generate("the", length=12, seed=4) == plain.generate("the", length=12, seed=4)
    assert generator.generate(length=12, seed=4) != plain.generate(length=12, seed=4)


def test_a_search_and_the_likeliest_text_always_follow_the_first_lead_in():
    tokenizer = tokenizer_of("char")
    lead_ins = [tokenizer.encode(text).tolist() for text in ("the cat", "? Yes, ")]
    generator = TextGenerator(random_model(tokenizer), tokenizer, lead_ins)
    greedy = [generator.generate(temperature=0, length=9, seed=seed, stop_at_eos=False)[0] for seed in (1, 2)]
    (found,) = generator.generate(beam=1, length=9, stop_at_eos=False)
    assert found.text == greedy[0].text == greedy[1].text
    assert found.log_prob == pytest.approx(behind(generator, lead_ins[0], [token.id for token in found.tokens]))
