"""Flags that are settings: their help, panel and order come from the configuration, when somebody asks for them.

A flag is an argument of the verb's function that has the name of a setting, and no help of its own. `seqlab --help`
and a running verb never wait for the texts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypedDict, TypeVar

import typer
from typer.core import TyperArgument, TyperOption

from .pages import Command, Group

FILES, SEARCH, VECTORS, PROGRAM = "Input and output", "Search", "Word vectors", "Program"
PANELS = {"essential": "Essential settings", "recipe": "Recipe settings", "internal": "Internal settings"}
"""Panel of a help page by the tier of a setting."""
Function = TypeVar("Function", bound=Callable[..., Any])
ORDER = (FILES, SEARCH, *PANELS.values(), VECTORS, PROGRAM)
OTHER_NAMES = {"rule": "rules"}
"""Flags that are called otherwise than their setting."""


class SettingsCommand(Command):
    """A verb with flags of settings. sections: groups of settings its flags may be of, the first that has one wins."""

    sections: ClassVar[tuple[str, ...]] = ()
    documented = False

    def document(self) -> None:
        """Give every flag that is a setting its help and panel, and put the panels in order."""
        if self.documented:
            return
        self.documented = True
        from seqlab.config.book import settings

        book = settings()
        for param in self.params:
            if not isinstance(param, TyperArgument | TyperOption):
                continue
            name = OTHER_NAMES.get(param.name or "", param.name)
            found = next((one for key in self.sections for one in book if one.key == f"{key}.{name}"), None)
            if found is not None:
                param.rich_help_panel = param.rich_help_panel or PANELS[found.tier]
                param.help = param.help or sentence(found, param.default is None)
            elif isinstance(param, TyperOption):
                param.rich_help_panel = param.rich_help_panel or PROGRAM
        self.params.sort(key=_place)

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = PROGRAM
        return option

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.document()
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self.document()
        return super().shell_complete(ctx, incomplete)


class Verbs(Group):
    """The verbs of the program, those of a panel together, in the order of `panels`."""

    panels: ClassVar[tuple[str, ...]] = (
        "Start here",
        "Train",
        "Use a language model",
        "Use an autoencoder",
        "Use word vectors",
        "Look inside",
    )

    def list_commands(self, ctx: Any) -> list[str]:
        panel = {name: getattr(command, "rich_help_panel", None) for name, command in self.commands.items()}
        return sorted(super().list_commands(ctx), key=lambda name: self.panels.index(panel[name]))


def settings_of(*sections: str) -> type[SettingsCommand]:
    """The class of a verb whose flags are settings of these sections."""
    return type("SettingsCommand", (SettingsCommand,), {"sections": sections})


def with_flags_of(other: Callable[..., Any], *without: str) -> Callable[[Function], Function]:
    """Give a verb that takes `**flags` the arguments of another one, so that both take the same.

    Args:
        other: the verb with the arguments.
        without: names of those that make no sense here.
    """

    def decorate(function: Function) -> Function:
        wanted = inspect.signature(other, eval_str=True).parameters
        taken = [parameter for name, parameter in wanted.items() if name not in without]
        function.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
        function.__annotations__ = {parameter.name: parameter.annotation for parameter in taken}
        return function

    return decorate


def sentence(setting: Any, default: bool = True) -> str:
    """What a help page says of a setting: meaning, names or usual range, and the default where no preset decides."""
    from seqlab.config.book import shown

    facts = [setting.meaning]
    if setting.names and setting.name != "rules":
        facts.append(f"One of {', '.join(setting.names)}.")
    elif setting.usual not in ("auto", "any whole number", "the default") and "true or false" not in setting.type:
        facts.append(f"Usual: {setting.usual}.")
    if default and setting.default not in (None, [], False) and setting.section not in ("text", "model", "training"):
        facts.append(f"Default: {shown(setting.default)}.")
    return " ".join(facts)


def _place(param: Any) -> int:
    """Arguments first, then options by their panel."""
    panel = getattr(param, "rich_help_panel", None)
    return -1 if isinstance(param, TyperArgument) else ORDER.index(panel) if panel in ORDER else len(ORDER)


NetworkOnlyFlag = Annotated[
    bool, typer.Option("--network-only", help="Use the network without the counts.", rich_help_panel=PANELS["recipe"])
]
CountsOnlyFlag = Annotated[
    bool, typer.Option("--counts-only", help="Use the counts without the network.", rich_help_panel=PANELS["recipe"])
]
CacheFlag = Annotated[
    bool,
    typer.Option(
        "--cache",
        help="Words that came lately in the text become likelier: better predictions; in generation more repetition.",
        rich_help_panel=PANELS["recipe"],
    ),
]

FieldOption = Annotated[
    str | None,
    typer.Option(
        help="Field of the texts' records, or column of their table; default: the training text's.",
        rich_help_panel=FILES,
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        help="Encoding of texts that are not UTF-8, such as cp1252; default: the training text's.",
        rich_help_panel=FILES,
    ),
]
ErrorsOption = Annotated[
    Literal["strict", "replace"] | None,
    typer.Option(
        help="Invalid bytes: strict refuses them, replace puts U+FFFD; default: as in the training text.",
        rich_help_panel=FILES,
    ),
]


class StoredAs(TypedDict):
    """How a verb that uses a model reads the texts that are named."""

    field: str | None
    encoding: str | None
    errors: str | None


QuestionsOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Analogies: 'english', 'python-docs', or a file of questions or word pairs; repeatable.",
        rich_help_panel=VECTORS,
    ),
]
SimilarityOption = Annotated[
    list[Path] | None, typer.Option(help="Human similarity scores; repeatable.", rich_help_panel=VECTORS)
]
TopOption = Annotated[
    int, typer.Option(min=0, help="Analogies: search the N most frequent words; 0: all.", rich_help_panel=VECTORS)
]
MethodOption = Annotated[
    Literal["add", "mul"], typer.Option(help="Analogies: add (3CosAdd) or mul (3CosMul).", rich_help_panel=VECTORS)
]


def member_of(network_only: bool, counts_only: bool, cache: bool) -> Literal["network", "counts"] | None:
    """The member that is to be used by itself. Raises InputError for both, or one with a cache."""
    from seqlab.base.errors import InputError

    if cache and (network_only or counts_only):
        raise InputError("--cache goes with the whole model; leave out --network-only and --counts-only, or --cache.")
    if network_only and counts_only:
        raise InputError("--network-only and --counts-only exclude each other; without them both are used together.")
    return "network" if network_only else "counts" if counts_only else None
