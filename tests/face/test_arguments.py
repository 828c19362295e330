"""Arguments of the public functions and methods: a wrong one is refused in a sentence, before any work."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

import seqlab
from seqlab.api.given import language_model_layers
from seqlab.config.arguments import ALIASES, FORMS, form_of
from seqlab.text import resolve_sources

LEFT = {"Tokenizer", "TokenFile", "Run", "TextVectorizer", "LineVectorizer", "WordVectors"}
"""Classes with checks of their own, or called too often to look at each argument."""


def public():
    """Every public function, and every method of the objects that people hold, by name."""
    for name in seqlab.__all__:
        thing = getattr(seqlab, name)
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing) and name not in LEFT:
            for key in dir(thing):
                member = getattr(thing, key)
                if not key.startswith("_") and inspect.isroutine(member) and hasattr(member, "__wrapped__"):
                    yield f"{name}.{key}", member
    for key in ("save", "load", "map", "evaluate"):
        yield f"WordVectors.{key}", getattr(seqlab.WordVectors, key)


PUBLIC = dict(public())
WRONG = 3 + 4j
"""What nothing takes."""


def written(name):
    """A function as it is written, without what was put around it."""
    return inspect.unwrap(getattr(PUBLIC[name], "__func__", PUBLIC[name]))


def arguments(name):
    """The arguments of a function whose annotations exclude WRONG."""
    kinds = {key: kind for key, kind in written(name).__annotations__.items() if key not in ("return", "options")}
    return [key for key, kind in kinds.items() if not form_of(kind).fits(WRONG)]


@pytest.mark.parametrize("name", PUBLIC)
def test_an_argument_of_a_wrong_type_is_refused_in_a_sentence(name):
    """They ended in a TypeError from somewhere inside, after seconds of work, or were taken for something else."""
    function, inner = PUBLIC[name], written(name)
    bound = ["self"] if "." in name and not inspect.ismethod(function) else []
    several = inspect.getfullargspec(inner).varargs
    for key in arguments(name):
        given = ([WRONG], {}) if key == several else ([], {key: WRONG})
        with pytest.raises(seqlab.InputError, match=rf"^{inner.__name__}: {key}: must be .*, not \(3\+4j\)\.$"):
            function(*bound, *given[0], **given[1])


def test_the_functions_that_everybody_calls_are_looked_at():
    looked_at = {name for name in PUBLIC if arguments(name)}
    assert {name for name in seqlab.__all__ if inspect.isfunction(getattr(seqlab, name))} <= looked_at | {"corpora"}
    methods = {"TrainedLanguageModel.evaluate", "TrainedAutoencoder.encode", "Picture.save", "Corpus.open"}
    assert methods <= looked_at


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_of_an_annotation_is_a_class_or_known(name):
    """A name that is neither would have right arguments refused."""
    function = written(name)
    for kind in (text for key, text in function.__annotations__.items() if key != "return"):
        nodes = list(ast.walk(ast.parse(kind)))
        modules = {node.value for node in nodes if isinstance(node, ast.Attribute)}
        containers = {node.value for node in nodes if isinstance(node, ast.Subscript)}
        for node in nodes:
            if isinstance(node, ast.Name) and node not in modules | containers and node.id not in {*ALIASES, *FORMS}:
                assert inspect.isclass(meaning_of(node.id, sys.modules[function.__module__])), f"{name}: {node.id}"


def meaning_of(name, module):
    """What a name of a module means, be it imported for type checkers alone."""
    if hasattr(module, name):
        return getattr(module, name)
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            package = module.__package__ if node.level else None
            return getattr(importlib.import_module("." * node.level + (node.module or ""), package), name)
    return None


def test_a_column_of_a_table_is_a_list():
    pandas = pytest.importorskip("pandas")
    assert form_of("str | Path | Sequence[str | Path]").fits(pandas.Series(["a", "b"]))


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("str | Path", ["a", Path("a")], ["", None, 3, b"a", ["a"]]),
        ("Sources | None", ["a", Path("a"), ["a", Path("b")], ("a",), None], [3, "", ["a", None], {"a": "b"}]),
        ("int", [3, True, np.int64(3)], [3.0, "3", None]),
        ("float | None", [3, 3.5, np.float32(3), None], ["3", [3.0]]),
        ("bool", [True, 0, np.bool_(True)], ["yes", None, 0.5]),
        ("Literal['add', 'mul']", ["add", "mul"], ["dot", None, 3]),
        ("Sequence[str] | None", [["a"], ("a", "b"), np.array(["a"]), None], ["a", [3], 3, {"a": 1}]),
        ("Callable[[int], None] | None", [print, None], [3, "print"]),
        ("str | Path | Mapping[str, Any] | None", ["a", {"a": 1}, None], [3, ["a"]]),
        ("WordVectors | str", ["a", object()], [3, None, ["a"]]),
        ("np.ndarray", [np.zeros(2), [1.0, 2.0]], []),
    ],
)
def test_annotations_say_what_is_right(kind, right, wrong):
    form = form_of(kind)
    assert [value for value in right if not form.fits(value)] == []
    assert [value for value in wrong if form.fits(value)] == []


def test_what_may_be_given_is_said_in_words():
    assert form_of("Sources | Corpus").words == "a path, a list of paths or a Corpus"
    assert form_of("str | Sequence[str]").words == "text or a list of texts"
    assert form_of("bool | Literal['once'] | None").words == "True or False or 'once'"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: seqlab.compare("a", "b", encodin="cp1252"),
            "compare: has no argument 'encodin'. Did you mean 'encoding'?",
        ),
        (lambda: seqlab.load(pth="a"), "load: has no argument 'pth'. Did you mean 'path'?"),
        (lambda: seqlab.prepare(""), "prepare: source: must be a path, a list of paths or a Corpus, not ''."),
        (lambda: resolve_sources(""), "source: the name is empty; give the path of a text."),
        (lambda: seqlab.tune("a", "b", minutes="10"), "tune: minutes: must be a number, not '10'."),
    ],
)
def test_what_was_mistyped_is_named(call, sentence):
    with pytest.raises(seqlab.InputError) as caught:
        call()
    assert str(caught.value) == sentence


def test_a_name_that_the_package_lacks_comes_with_the_one_that_was_meant():
    with pytest.raises(AttributeError, match=r"no attribute 'load_vector'\. Did you mean 'load_vectors'\?"):
        seqlab.load_vector  # noqa: B018
    assert not hasattr(seqlab, "__wrapped__")


def test_a_number_in_quotes_is_that_number():
    """It was valid as a setting, and ended in a TypeError where a preset was chosen by it."""
    given, options = language_model_layers({"training": {"lr": "1e-3"}}, {"minutes": "5", "tokenizer": "char"})
    assert given.values == {"training": {"lr": 1e-3}}
    assert options.values == {"training": {"minutes": 5.0}, "text": {"tokenizer": "char"}}
