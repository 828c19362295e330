"""The typed options of the Python functions are those of the configuration. `SEQLAB_WRITE=1` writes the file anew."""

from __future__ import annotations

import os
import textwrap
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

import seqlab.options
from seqlab.config import (
    AutoencoderConfig,
    EmbeddingsConfig,
    EvaluationConfig,
    GenerationConfig,
    LanguageModelConfig,
    MapConfig,
    Settings,
    TextConfig,
)
from seqlab.config.names import TYPES
from seqlab.config.settings import PathText

FILE = Path(seqlab.options.__file__)
HEADER = '''"""Options of the Python functions by name, typed for editors and type checkers.

Made from `seqlab.config` by `SEQLAB_WRITE=1 python -m pytest tests/config/test_options.py`; do not edit by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypedDict

from .config.names import (
{imports}
)

'''
KINDS: dict[str, tuple[type[Settings], str]] = {
    "TextOptions": (TextConfig, "How text becomes ids."),
    "LanguageModelOptions": (LanguageModelConfig, "How a language model is built and trained, and its text read."),
    "AutoencoderOptions": (AutoencoderConfig, "How an autoencoder is built and trained, and its text read."),
    "EmbeddingsOptions": (EmbeddingsConfig, "How word vectors are trained, and their text read."),
    "GenerationOptions": (GenerationConfig, "How text is generated."),
    "MapOptions": (MapConfig, "How a map of word vectors is drawn."),
    "EvaluationOptions": (EvaluationConfig, "What is added to a language model while it is evaluated."),
}
NAMES = {get_args(kind): name for name, kind in vars(seqlab.config.names).items() if get_origin(kind) is Literal}


def fields(kind: type[Settings]) -> dict[str, tuple[str, str]]:
    """Type and docstring of every option by its bare name; a name of the group itself hides one of the text."""
    found: dict[str, tuple[str, str]] = {}
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            found |= fields(field.annotation)
            continue
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        knob: Any = extra["knob"]
        meaning = f"{field.description} Default: {shown(field.default)}. Usual: {knob.usual}. {knob.effect}"
        found[name] = (written(field.annotation), meaning)
    return found


def shown(default: object) -> str:
    return f'"{default}"' if isinstance(default, str) else repr(default)


def written(kind: Any) -> str:
    """A type as source text."""
    if kind is type(None):
        return "None"
    origin, values = get_origin(kind), get_args(kind)
    if kind == PathText:
        return "str | Path"
    if origin is Annotated:
        return written(values[0])
    if origin is Literal:
        return NAMES.get(values) or f"Literal[{', '.join(map(shown, values))}]"
    if origin in (Union, types.UnionType):
        return " | ".join(map(written, values))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(written, values))}]"
    return kind.__name__


def source() -> str:
    body, used = [], set()
    for name, (kind, about) in KINDS.items():
        lines = [f"class {name}(TypedDict, total=False):", f'    """{about}"""', ""]
        for key, (written_kind, meaning) in fields(kind).items():
            used |= {one for one in NAMES.values() if one in written_kind.replace("|", " ").split()}
            text = textwrap.fill(f'r"""{meaning}', 116, break_long_words=False, break_on_hyphens=False)
            text = text.replace('r"""', '"""', 1)
            end = '"""' if len(text.rpartition("\n")[2]) <= 112 else '\n"""'
            lines += [f"    {key}: {written_kind}", textwrap.indent(text + end, "    ")]
        body.append("\n".join(lines))
    imports = "\n".join(f"    {name}," for name in sorted(used))
    return HEADER.format(imports=imports) + "\n" + "\n\n\n".join(body) + "\n"


def test_the_file_is_what_the_configuration_makes():
    if os.environ.get("SEQLAB_WRITE"):
        FILE.write_text(source(), "utf-8")
    assert FILE.read_text("utf-8") == source(), "SEQLAB_WRITE=1 python -m pytest tests/config/test_options.py"


@pytest.mark.parametrize("name", KINDS)
def test_the_options_are_the_settings(name):
    kind = getattr(seqlab.options, name)
    kinds = get_type_hints(kind)
    assert set(kinds) == {key.rpartition(".")[2] for key in KINDS[name][0].keys()}  # noqa: SIM118
    assert not kind.__required_keys__
    for key, one in kinds.items():
        for table in TYPES.values():
            assert get_args(one) != get_args(table) or one == table, key
