"""Entry point: the table of verbs, and how an error becomes one sentence and an exit code."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from seqlab.base.printing import printable_lines

from . import end_at_once
from .flags import Verbs, settings_of
from .pages import Program, usage_sentence

if TYPE_CHECKING:
    from threading import Event

app = Program(
    name="seqlab",
    cls=Verbs,
    help="Word vectors, recurrent language models, generated text and pictures from your own text.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130
LAST_STREAM = 2
"""Descriptor of stderr."""
WINDOWS = os.name == "nt"
_debug = False


def _version(wanted: bool) -> None:
    if wanted:
        import seqlab

        print(f"seqlab {seqlab.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    global _debug
    _debug = debug


def main() -> None:
    """Run the program. Exit codes: 0 ok, 1 failure while running, 2 bad usage or input, 130 interrupted."""
    from seqlab.base.interrupts import insistent

    _prepare_streams()
    try:
        with insistent(end_at_once) as pressed:
            code = run(interrupted=pressed)
    except KeyboardInterrupt:  # just before or after `run` answers for it
        code = _fail("interrupted.", INTERRUPTED)
    gc.freeze()  # or Python looks through every object of torch twice more before it ends
    sys.exit(code)


def _prepare_streams() -> None:
    """Never fail on a character that a terminal lacks, and speak UTF-8 in Windows' pipes and files.

    There Python would use the code page, in which one command's output is not the next one's input. What goes to a
    closed stream goes nowhere, and no file gets its descriptor, to which libraries may print.
    """
    closed = [name for name in ("stdout", "stderr") if getattr(sys, name) is None]
    if closed:
        while (number := os.open(os.devnull, os.O_RDWR)) <= LAST_STREAM:
            pass
        os.close(number)
    for name in closed:
        setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if WINDOWS and not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
                stream.reconfigure(encoding="utf-8")
            if stream is not sys.stdin:
                stream.reconfigure(errors="backslashreplace")


def run(arguments: list[str] | None = None, interrupted: Event | None = None) -> int:
    """Run one command, and turn what goes wrong into a sentence.

    Args:
        arguments: of the command; None takes the process's own.
        interrupted: set where Ctrl-C was pressed, so that whatever fails after that is no error.

    Returns:
        The exit code.
    """
    from typer.exceptions import TyperException

    from seqlab.base.errors import SeqlabError, in_words_of_the_shell
    from seqlab.base.storage.streams import read_once

    try:
        with in_words_of_the_shell(), read_once():
            code = app(arguments, standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:
            return _fail("interrupted.", INTERRUPTED)
        return code if isinstance(code, int) else 0
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(str(error), nl=False)  # the help page
            return 2
        return _fail(usage_sentence(error), getattr(error, "exit_code", 2))
    except SeqlabError as error:
        if _debug:
            raise
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        if _debug:
            raise
        return _fail("interrupted.", INTERRUPTED)
    except MemoryError:
        return _fail("not enough memory; use a smaller vocabulary, batch or model.", 1)
    except SystemExit as end:  # what typer makes of a broken pipe
        if isinstance(end.__context__, BrokenPipeError):
            return _without_reader()
        raise
    except OSError as error:
        if isinstance(error, BrokenPipeError) or (WINDOWS and error.errno == errno.EINVAL and not error.filename):
            return _without_reader()
        if _debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{(error.strerror or str(error)).lower()}.", 1)
    except Exception:
        if _debug or interrupted is None or not interrupted.is_set():
            raise
        return _fail("interrupted.", INTERRUPTED)


def _without_reader() -> int:
    """Whoever read the output has gone, as `head` does: that is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"seqlab: {printable_lines(message)}", file=sys.stderr)
    return code


# The verbs, in the order the help page lists them. A verb's module imports nothing heavy at its top.
from . import data, demo, evaluate, generate, info, settings, train  # noqa: E402
from .autoencoders import encode, interpolate, reconstruct  # noqa: E402
from .autoencoders import train as train_autoencoder  # noqa: E402, F401 - a command of `train`
from .compression import compress, export  # noqa: E402
from .pictures import curves, visualize  # noqa: E402
from .studies import check, compare, tune  # noqa: E402
from .vectors import analogy, convert, doesnt_match, neighbors  # noqa: E402

START, TRAIN, MODEL, LINES, VECTORS, LOOK = Verbs.panels
app.command(rich_help_panel=START)(demo.demo)
app.add_typer(data.app, name="data", rich_help_panel=START)
app.add_typer(train.app, name="train", rich_help_panel=TRAIN)
app.command(rich_help_panel=TRAIN, cls=settings_of("text", "model", "training"))(check.check)
app.command(rich_help_panel=TRAIN, cls=settings_of("text", "model", "training"))(tune.tune)
app.command(rich_help_panel=MODEL, cls=settings_of("generation"))(generate.generate)
app.command(rich_help_panel=MODEL, cls=settings_of("evaluation"))(evaluate.evaluate)
app.command(rich_help_panel=MODEL)(curves.curves)
app.command(rich_help_panel=MODEL, cls=compare.CompareCommand)(compare.compare)
app.command(rich_help_panel=MODEL)(compress.compress)
app.command(rich_help_panel=MODEL)(export.export)
app.command(rich_help_panel=LINES)(encode.encode)
app.command(rich_help_panel=LINES, cls=settings_of("generation"))(reconstruct.reconstruct)
app.command(rich_help_panel=LINES, cls=settings_of("generation"))(interpolate.interpolate)
app.command(rich_help_panel=VECTORS)(neighbors.neighbors)
app.command(rich_help_panel=VECTORS)(analogy.analogy)
app.command("doesnt-match", rich_help_panel=VECTORS)(doesnt_match.doesnt_match)
app.command(rich_help_panel=VECTORS, cls=settings_of("map"))(visualize.visualize)
app.command(rich_help_panel=VECTORS)(convert.convert)
app.command(rich_help_panel=LOOK)(info.info)
app.command(rich_help_panel=LOOK)(settings.settings)

if __name__ == "__main__":
    main()
