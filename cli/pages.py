"""Help pages in plain text, a section for each panel, and what is wrong with a command line, in words: neither waits
for rich, which costs more than all the rest."""

from __future__ import annotations

import copy
import inspect
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from seqlab.base.errors import close, did_you_mean
from seqlab.base.printing import quoted

WIDEST = 100
NAMES = 30
"""Columns of a page at most, and of its names; a longer name has a line to itself."""
KINDS = {"integer": "whole number", "number": "number"}
"""What typer calls the values of an option, in words."""
FEW = 6
"""Commands or options that a sentence has room for."""
LIKE = 0.65
"""How alike the name of an option is to what was typed, by difflib's ratio, from which it may be what was meant."""
OPTIONS = "Options"
"""The panel of options that name none; it comes last."""
OUTPUTS = ("out", "output", "tokens")
"""Arguments of verbs that name a file to write."""
TYPES = {"str": "TEXT", "int": "N", "float": "NUMBER", "path": "PATH", "Path": "PATH"}
"""What a page calls the types of Python."""


class Command(TyperCommand):
    """A verb whose help is a page of this module."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse -out before it is read as -o with the value "ut"."""
        takes = {flag for param in self.get_params(ctx) if not getattr(param, "is_flag", True) for flag in param.opts}
        for before, word in zip(["", *args], args, strict=False):
            if word == "--":
                break
            if before not in takes and (flag := _with_one_dash(word, _flags(self, ctx))):
                ctx.fail(f"{word}: write {flag}, with two dashes")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Refuse to write over a file that is read, before either."""
        from seqlab.base.storage.outputs import check_not_read

        given = {name: one if isinstance(one, list | tuple) else [one] for name, one in ctx.params.items()}
        read = [one for name, several in given.items() if name not in OUTPUTS for one in several]
        for written in (one for name in OUTPUTS for one in given.get(name, ()) if one is not None):
            check_not_read(written, read)
        return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(page(self, ctx))


class Group(TyperGroup):
    """A group of verbs whose help is a page of this module."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(page(self, ctx))


class Program(typer.Typer):
    """Typer without rich: its verbs and groups have the pages of this module unless they bring a class.

    Typer makes the options of every verb before it runs one, which takes longer than most verbs do. This program makes
    those of the verb that the command line begins with, once in a process, and all only where it begins with none.
    """

    def __init__(self, *, cls: type[TyperGroup] = Group, **options: Any) -> None:
        super().__init__(cls=cls, rich_markup_mode=None, **options)
        self._made: dict[str, Any] = {}

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **options: Any
    ) -> Callable[[Any], Any]:
        return super().command(name, cls=cls or Command, **options)

    def __call__(self, arguments: Sequence[str] | None = None, **options: Any) -> Any:
        words = sys.argv[1:] if arguments is None else arguments
        return self._verb(next((word for word in words if word != "--debug"), ""))(arguments, **options)

    def _verb(self, name: str) -> Any:
        """The program with this verb or group alone, or with all where there is none of that name."""
        commands = [one for one in self.registered_commands if _name(one) == name]
        groups = [one for one in self.registered_groups if one.name == name]
        some = copy.copy(self)
        if commands or groups:
            some.registered_commands, some.registered_groups = commands, groups
        else:
            name = ""
        if name not in self._made:
            self._made[name] = typer.main.get_command(some)
        return self._made[name]


def _name(verb: Any) -> str:
    """What a verb is called that was registered with a name or without."""
    return verb.name or typer.main.get_command_name(verb.callback.__name__)


def page(command: Any, ctx: Any) -> str:
    """The help page of a verb or a group: usage, what it does, then its panels.

    Args:
        command: the verb or group.
        ctx: its context, which knows the words that lead to it.
    """
    width = min(shutil.get_terminal_size().columns, WIDEST)
    usage = " ".join([ctx.command_path, *(_plain(piece) for piece in command.collect_usage_pieces(ctx))])
    parts = [_wrapped(usage, width, "Usage: ", " " * 7), *_paragraphs(command.help or "", width)]
    panels: dict[str, list[tuple[str, str]]] = {}
    for name in command.list_commands(ctx) if isinstance(command, TyperGroup) else ():
        verb: Any = command.get_command(ctx, name)
        if not verb.hidden:
            panel = getattr(verb, "rich_help_panel", None) or "Commands"
            panels.setdefault(panel, []).append((name, _first_paragraph(verb.help or "")))
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is not None:
            default = "Arguments" if param.param_type_name == "argument" else OPTIONS
            panel = getattr(param, "rich_help_panel", None) or default
            panels.setdefault(panel, []).append(_row_of(param.param_type_name, *record))
    panels |= {OPTIONS: panels.pop(OPTIONS)} if OPTIONS in panels else {}
    widest = max((len(name) for rows in panels.values() for name, _ in rows if len(name) <= NAMES), default=0)
    for title, rows in panels.items():
        parts.append("\n".join([_bold(f"{title}:"), *(_row(name, text, widest, width) for name, text in rows)]))
    return "\n\n".join(parts) + "\n"


def _row_of(kind: str, name: str, text: str) -> tuple[str, str]:
    """Name and explanation of an argument or option, without the types of Python and limits that nobody reaches."""
    if kind == "argument":
        name = _plain(name.partition(" <")[0])
    name = re.sub(r"<(?:list\[)?([\w|-]+)(?: range)?\]?>", lambda match: TYPES.get(match[1], match[1]), name)
    text = re.sub(r"  \[default: \(?([^;()\]]*)\)?(; [^\]]*)?\]$", r" Default: \1.", text)
    return name, re.sub(r"  \[[\dx<>=.]+\]$", "", text)


def _plain(name: str) -> str:
    """An argument as a page names it: SOURCE... for {source}..., [NAME] for [[NAME]]."""
    inner = name.replace("[[", "[").replace("]]", "]")
    inner = re.sub(r"\{(.*)\}", r"\1", inner)
    if match := re.fullmatch(r"(\w+)(\.\.\.)?", inner):
        return f"{match[1].upper()}{match[2] or ''}"
    return inner.replace(" ......", " ...").replace(" ...", "...")


def _paragraphs(text: str, width: int) -> list[str]:
    """The paragraphs of a docstring; a line that ends a sentence or leads to a command stays a line."""
    paragraphs = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = [""]
        for line in paragraph.splitlines():
            lines[-1] = f"{lines[-1]} {line}".strip()
            if line.endswith((".", ":")):
                lines.append("")
        paragraphs.append("\n".join(_command(line, width) or _wrapped(line, width) for line in lines if line))
    return [paragraph for paragraph in paragraphs if paragraph]


def _command(line: str, width: int) -> str:
    """A line such as "Example: seqlab ..." that is too long, in parts that a shell reads as one command; else ""."""
    about, colon, command = line.partition(": seqlab ")
    if not colon or len(line) <= width:
        return ""
    words = re.findall(r'(?:--?[a-z][\w-]* )?(?:"[^"]*"|[^\s"-]\S*)|\S+', f"seqlab {command}")
    lines = [f"{about}:"]
    for word in words:
        if len(lines[-1]) + len(word) + 3 > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {word}"
    return "\n".join(lines)


def _first_paragraph(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _row(name: str, text: str, names: int, width: int) -> str:
    """One name and its explanation, in two columns."""
    column = " " * (names + 4)
    if len(name) > names:
        return f"  {name}\n{_wrapped(text, width, column, column)}"
    return _wrapped(text, width, f"  {name:<{names}}  ", column) if text else f"  {name}"


def _wrapped(text: str, width: int, first: str = "", others: str = "") -> str:
    return textwrap.fill(
        text,
        max(width, len(others) + 20),
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _bold(text: str) -> str:
    """`text` in bold; typer drops the codes where the page does not go to a terminal."""
    return text if os.environ.get("NO_COLOR") else typer.style(text, bold=True)


def usage_sentence(error: Any) -> str:
    """What is wrong with a command line, and what to type instead.

    Args:
        error: as typer raised it.
    """
    context, name = getattr(error, "ctx", None), type(error).__name__
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    param, see = getattr(error, "param", None), f" See '{context.command_path} --help'." if context else ""
    if found := re.match(r"Option '(.*?)' requires (an argument|\d+ arguments)", text):
        values = "a value" if found[2] == "an argument" else found[2].replace("argument", "value")
        return f"{found[1]} needs {values}.{see}"
    if found := re.match("Option '(.*?)' does not take a value", text):
        return f"{found[1]} takes no value.{see}"
    if context is None:
        return f"{text.rstrip('.')}."
    command = context.command
    if name == "MissingParameter" and param is not None:
        example = _example(command, param)
        return f"{_named(param, context)} is missing.{f' For example: {example}' if example else see}"
    if name == "NoSuchOption":
        flags = _flags(command, context)
        if error.option_name in ("--resume", "--continue") and "--more" in flags:
            return f"there is no option {error.option_name}: the same command resumes, --more N goes on after the end."
        return f"there is no option {error.option_name}.{_option_meant(error.option_name, flags)}{see}"
    if found := re.match(r"No such command ['\"](.*?)['\"]", text):
        verbs = command.list_commands(context)
        suggestion = _longer_command(command, context, found[1]) or did_you_mean(found[1], verbs)
        if len(verbs) <= FEW and not suggestion:
            suggestion = f" Choose one of: {', '.join(verbs)}."
        return f"there is no command '{context.command_path} {found[1]}'.{suggestion}{see}"
    if found := re.match(r"Got unexpected extra argument\(s\) \((.*)\)", text):
        return f"{found[1]!r} is more than this command takes; put words that belong together in quotes.{see}"
    if name == "BadParameter" and param is not None:
        return f"{_flag(param)}{_wrong_value(error.message)}.{see}"
    return f"{text.rstrip('.')}.{see}"


def _flags(command: Any, context: Any) -> list[str]:
    """The options of a command by their long names."""
    return [flag for one in command.get_params(context) for flag in one.opts if flag.startswith("--")]


def _with_one_dash(word: str, flags: Sequence[str]) -> str | None:
    """The option that a word such as -out or -steps=5 lacks a dash for."""
    name = f"-{word.partition('=')[0]}"
    return name if len(name) > 3 and name in flags else None


def _option_meant(typed: str, flags: Sequence[str]) -> str:
    """Suggest the options that begin as the one that was typed does, else the closest one."""
    name = typed.lstrip("-").replace("_", "-")
    short = [flag for flag in flags if typed.startswith("--") and flag[2:].startswith(name)]
    if 0 < len(short) <= FEW:
        return f" Did you mean {' or '.join(map(quoted, sorted(short, key=len)))}?"
    found = close(name, [flag[2:] for flag in flags], 1, LIKE)
    return f" Did you mean {quoted(f'--{found[0]}')}?" if found else ""


def _longer_command(command: Any, context: Any, typed: str) -> str:
    """Suggest the command of a group where a person left the group out: 'seqlab data inspect' for 'seqlab inspect'."""
    for name in command.list_commands(context):
        group = command.get_command(context, name)
        if isinstance(group, TyperGroup) and typed in group.commands:
            return f" Did you mean {quoted(f'{context.command_path} {name} {typed}')}?"
    return ""


def _wrong_value(message: str) -> str:
    """What is wrong with a value, as it follows the name of the option."""
    text = re.sub("Input should be (?:a valid )?", "must be ", message.replace("Value error, ", "").rstrip("."))
    text = re.sub("must be (integer|number), unable to parse .*", lambda found: f"must be a {KINDS[found[1]]}", text)
    text = text.replace("must be greater than or equal to", "must be at least")
    text = text.replace("must be less than or equal to", "must be at most")
    return f" {text}" if text.startswith("must be") else f": {text}"


def _named(param: Any, context: Any) -> str:
    """An option with what follows it, or an argument, as help pages name them."""
    if param.param_type_name != "option":
        return _flag(param)
    _, _, metavar = _row_of("option", *param.get_help_record(context))[0].rpartition(" ")
    return f"{_flag(param)} {metavar}"


def _flag(param: Any) -> str:
    """An option by its short name where there is one; an argument by its own."""
    if param.param_type_name != "option":
        return str(param.metavar or param.name).upper().removesuffix(" ...")
    return str(min(param.opts, key=len))


def _example(command: Any, param: Any) -> str:
    """The first example of a verb's help that shows the option, or any where an argument is missing."""
    found = re.findall(r": (seqlab .*)", " \n".join(line.strip() for line in (command.help or "").split("\n")))
    fitting = [one.strip() for one in found if param.param_type_name != "option" or set(param.opts) & set(one.split())]
    return fitting[0] if fitting else ""
