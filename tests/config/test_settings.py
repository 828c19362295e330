"""Every setting is documented, and the names it can take are those of the tables that hold the classes."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from seqlab.base.errors import InputError
from seqlab.config import (
    NAMES,
    EmbeddingsConfig,
    EvaluationConfig,
    GenerationConfig,
    Knob,
    LanguageModelConfig,
    MapConfig,
    ModelConfig,
    Settings,
    TextConfig,
    TrainingConfig,
)
from seqlab.config.names import RESTRAINTS as RESTRAINT_NAMES
from seqlab.config.names import TYPES, Tier
from seqlab.embeddings.engines.losses import LOSSES as VECTOR_LOSSES
from seqlab.embeddings.material.noise import WORD_NOISE
from seqlab.evaluation.additions.dynamic import RULES as DYNAMIC_RULES
from seqlab.evaluation.runs import Adaptation
from seqlab.generation.rules import RESTRAINTS, RULES
from seqlab.nn import CELLS, NOISE, SOFTMAXES
from seqlab.nn.characters import CHARACTER_SIZES
from seqlab.schedules import BATCH_SCALING, SCHEDULES
from seqlab.text.tokenizers.table import TOKENIZERS
from seqlab.training import AVERAGES, OPTIMIZERS
from seqlab.visualization.maps.colors import COLORS
from seqlab.visualization.maps.projection import PROJECTIONS

GROUPS = (TextConfig, ModelConfig, TrainingConfig, EmbeddingsConfig, GenerationConfig, EvaluationConfig, MapConfig)
FIELDS = [
    (group, name)
    for group in GROUPS
    for name, field in group.model_fields.items()
    if not (isinstance(field.annotation, type) and issubclass(field.annotation, Settings))
]


@pytest.mark.parametrize(("group", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_setting_is_documented(group, name):
    field = group.model_fields[name]
    knob = (field.json_schema_extra or {}).get("knob")
    assert isinstance(knob, Knob), "made by knob()"
    assert knob.tier in get_args(Tier)
    assert field.description[0].isupper()
    assert field.description.endswith(".")
    assert knob.effect.endswith(".")
    assert knob.usual
    assert knob.source


@pytest.mark.parametrize(
    ("table", "classes"),
    [
        ("tokenizers", {"auto", *TOKENIZERS}),
        ("cells", CELLS),
        ("softmaxes", SOFTMAXES),
        ("char_sizes", CHARACTER_SIZES),
        ("noise", NOISE),
        ("noise", WORD_NOISE),
        ("optimizers", OPTIMIZERS),
        ("schedules", SCHEDULES),
        ("averages", AVERAGES),
        ("scalings", BATCH_SCALING),
        ("vector_losses", VECTOR_LOSSES),
        ("rules", RULES),
        ("dynamic_rules", DYNAMIC_RULES),
        ("map_methods", PROJECTIONS),
        ("map_colors", COLORS),
    ],
)
def test_names_are_those_of_the_tables(table, classes):
    assert set(NAMES[table]) == set(classes)


def test_the_rules_of_a_search_are_the_restraints():
    assert set(RESTRAINT_NAMES) == set(RESTRAINTS)


def test_names_and_their_types_agree():
    for table, kind in TYPES.items():
        assert get_args(kind) == tuple(NAMES[table]), table
    assert all(meaning and not meaning.endswith(".") for names in NAMES.values() for meaning in names.values())


def test_the_settings_of_an_evaluation_are_those_it_takes():
    assert EvaluationConfig().model_dump() == {**vars(Adaptation()), "ensemble": []}


def test_no_setting_of_a_language_model_has_the_name_of_another():
    leaves = [key.rpartition(".")[2] for key in LanguageModelConfig.keys()]  # noqa: SIM118
    assert len(leaves) == len(set(leaves))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"model": {"cell": "lstn"}}, r"given: model\.cell: 'lstn' is not one of lstm, gru, .* Did you mean 'lstm'\?"),
        ({"model": {"layers": 0}}, r"given: model\.layers: must be 1 or more, not 0\."),
        ({"model": {"dropout": 1.0}}, r"given: model\.dropout: must be below 1(\.0)?, not 1\.0\."),
        ({"training": {"lr": 0}}, r"given: training\.lr: must be above 0(\.0)?, not 0\."),
        ({"training": {"final_lr": 2}}, r"given: training\.final_lr: must be 1(\.0)? or less, not 2\."),
        ({"training": {"lr": "fast"}}, r"given: training\.lr: must be a number, not 'fast'\."),
        ({"training": {"lr": float("nan")}}, r"given: training\.lr: must be a finite number, not nan\."),
        ({"training": {"steps": 1.5}}, r"given: training\.steps: must be a whole number, not 1\.5\."),
        ({"model": {"tie": "perhaps"}}, r"given: model\.tie: must be true or false, not 'perhaps'\."),
        ({"text": {"field": 3}}, r"given: text\.field: must be text, not 3\."),
        ({"model": 3}, r"given: model: must be a table of settings, not 3\."),
    ],
)
def test_a_bad_value_is_answered_in_one_plain_sentence(values, sentence):
    with pytest.raises(InputError, match=f"^{sentence}$"):
        LanguageModelConfig.build(values, "given")


def record(**changed):
    """The settings of a language model as version 0.1 wrote them."""
    values = LanguageModelConfig().model_dump()
    for key, value in (LanguageModelConfig.REMOVED | LanguageModelConfig.FORGOTTEN | changed).items():
        section, _, name = key.partition(".")
        values[section][name] = value
    return values


def test_settings_that_became_constants_are_read_from_old_folders():
    values = record()
    kept = json.dumps(values)
    assert LanguageModelConfig.of_record(values, "config.json") == LanguageModelConfig()
    assert json.dumps(values) == kept, "nothing is changed in place"
    free = {"training.log_lines": 40, "training.save_every": 1.0, "training.validation_share": 0.2}
    assert LanguageModelConfig.of_record(record(**free), "config.json") == LanguageModelConfig()
    assert EmbeddingsConfig.of_record(EmbeddingsConfig().model_dump(), "config.json") == EmbeddingsConfig()


@pytest.mark.parametrize("key", LanguageModelConfig.REMOVED)
def test_another_value_of_a_constant_needs_the_version_that_had_it(key):
    with pytest.raises(
        InputError, match=rf"run/config\.json: {key} = 3 is a setting that only seqlab 0\.1 has; open it"
    ):
        LanguageModelConfig.of_record(record(**{key: 3}), "run/config.json")


@pytest.mark.parametrize("kind", [LanguageModelConfig, EmbeddingsConfig])
def test_setting_a_constant_says_what_it_is(kind):
    for key, value in (kind.REMOVED | kind.FORGOTTEN).items():
        for name in (key, key.rpartition(".")[2]):
            with pytest.raises(InputError) as caught:
                kind().updated({name: 3})
            assert str(caught.value) == f"configuration: {key}: is no longer a setting; it is always {value!r}."


def numbers_of(group):
    """Settings of a group that are numbers, with a whole value that is absurd for each."""
    for name, field in group.model_fields.items():
        kinds = {field.annotation, *get_args(field.annotation)}
        if kinds & {int, float} and not isinstance(field.default, bool):
            yield name


@pytest.mark.parametrize(
    ("group", "name"),
    [(group, name) for group in GROUPS for name in numbers_of(group)],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.parametrize("absurd", [10**20, -(10**20)])
def test_every_number_has_a_limit_on_both_sides_and_the_sentence_names_it(group, name, absurd):
    with pytest.raises(InputError, match=rf"^here: {name}: must be (above |below )?-?[\d,.]+( or (more|less))?, not "):
        group.build({name: absurd}, "here")
