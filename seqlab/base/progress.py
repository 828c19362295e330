"""Progress of long work with rate and time left: one moving line in a terminal or a notebook, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, Protocol, TextIO

from .printing import printable_lines

PLAIN_INTERVAL = 10.0
"""Seconds between the lines of a log file or a pipe."""


class Progress:
    """Report long work while it runs: `with Progress("training", total, "tokens") as progress: progress.update(done)`.

    A terminal shows one moving line on stderr, a notebook one moving line in the output of its cell, and a log file or
    a pipe gets a plain line every ten seconds. Work of less than a second shows nothing. `update` is cheap to call
    often.

    Args:
        title: what is being done, in a word or three.
        total: amount of work in `unit`, or None when it is not known.
        unit: plural noun of what is counted; also the unit of the rate.
        quiet: show nothing; also switched on by the environment variable SEQLAB_QUIET.
        stream: where to write instead of stderr or the notebook.
    """

    def __init__(
        self,
        title: str,
        total: float | None = None,
        unit: str = "steps",
        quiet: bool = False,
        stream: TextIO | None = None,
    ):
        self.title, self.total, self.unit = title, total, unit
        self.quiet = quiet or bool(os.environ.get("SEQLAB_QUIET"))
        self.sink = _sink(stream)
        self.done = 0.0
        self.fields: dict[str, Any] = {}
        self.drawn: float | None = None

    def __enter__(self) -> Progress:
        self.started = self.last = time.monotonic()
        self.offset = 0.0
        return self

    def start_at(self, done: float) -> None:
        """Count from `done` (resumed work), so that the rate and the time left stay true."""
        self.offset = self.done = done

    def update(self, done: float, **fields: Any) -> None:
        """Report `done` units in total so far and any named figures (floats are shown with 4 digits), in the order in
        which they come here."""
        self.done = done
        if fields:
            self.fields = {**fields, **{name: value for name, value in self.fields.items() if name not in fields}}
        now = time.monotonic()
        if not self.quiet and now - self.last >= self.sink.interval:
            self.last = now
            self._draw(now)

    def note(self, text: str) -> None:
        """Print one line that stays, above the moving line."""
        if not self.quiet:
            self.sink.note(printable_lines(text))

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.quiet:
            return
        if self.sink.live and exception_type is not None:
            self.sink.clear()
            return
        now = time.monotonic()
        if self.drawn is not None or now - self.started > 1.0:
            if self.sink.live or self.drawn != self.done:
                self._draw(now)
            self.sink.end()

    def line(self, now: float, width: int | None = None) -> str:
        """The progress as text.

        Args:
            now: the time, by `time.monotonic`.
            width: most characters, or None for any number. The named figures give way first, the last of them first.
        """
        elapsed = max(now - self.started, 1e-9)
        rate = (self.done - self.offset) / elapsed
        parts = [self.title]
        if self.total:
            parts.append(f"{min(1.0, self.done / self.total):4.0%}")
            parts.append(f"{_short(self.done)}/{_short(self.total)} {self.unit}")
        else:
            parts.append(f"{_short(self.done)} {self.unit}")
        if self.unit != "seconds":
            parts.append(f"{_short(rate)} {self.unit}/s")
        figures = [f"{name.replace('_', ' ')} {_figure(value)}" for name, value in self.fields.items()]
        left = self.total and rate > 0 and self.done < self.total
        clock = f"ETA {_clock((self.total - self.done) / rate)}" if left and self.total else _clock(elapsed)
        text = "  ".join([*parts, *figures, clock])
        while width is not None and figures and len(text) > width:
            figures.pop()
            text = "  ".join([*parts, *figures, clock])
        return text if width is None else text[:width]

    def _draw(self, now: float) -> None:
        self.drawn = self.done
        self.sink.show(self.line(now, self.sink.width()))


class Sink(Protocol):
    """Where a line of progress appears."""

    interval: float
    """Least seconds between two lines."""
    live: bool
    """Whether a line replaces the one before."""

    def width(self) -> int | None:
        """Most characters of a line, or None for any number."""

    def show(self, line: str) -> None:
        """Show a line."""

    def clear(self) -> None:
        """Take the moving line away."""

    def end(self) -> None:
        """Leave the last line where it is; what follows appears below it."""

    def note(self, text: str) -> None:
        """Print a line that stays."""


class TerminalLine:
    """One moving line on a terminal."""

    interval = 0.1
    live = True

    def __init__(self, stream: TextIO):
        self.stream = stream

    def width(self) -> int:
        return max(20, columns(self.stream) - 1)

    def show(self, line: str) -> None:
        self.clear()
        self.stream.write(line)
        self.stream.flush()

    def clear(self) -> None:
        self.stream.write("\r\x1b[2K")
        self.stream.flush()

    def end(self) -> None:
        self.stream.write("\n")
        self.stream.flush()

    def note(self, text: str) -> None:
        self.clear()
        print(text, file=self.stream, flush=True)


class LogLines:
    """Plain lines, one after the other, in a file or a pipe."""

    live = False

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.interval = PLAIN_INTERVAL

    def width(self) -> None:
        return None

    def show(self, line: str) -> None:
        print(line, file=self.stream, flush=True)

    def clear(self) -> None:
        pass

    def end(self) -> None:
        pass

    def note(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class NotebookLine:
    """One moving line in the output of a notebook's cell: a display that every update replaces."""

    interval = 0.25
    live = True

    def __init__(self) -> None:
        self.handle: Any = None

    def width(self) -> None:
        return None

    def show(self, line: str) -> None:
        data = {"text/plain": line}
        if self.handle is not None:
            self.handle.update(data, raw=True)
            return
        from IPython.display import display

        self.handle = display(data, raw=True, display_id=True)

    def clear(self) -> None:
        if self.handle is not None:
            self.handle.update({"text/plain": ""}, raw=True)

    def end(self) -> None:
        pass

    def note(self, text: str) -> None:
        print(text, flush=True)  # notebooks show stderr as if something had failed


def in_notebook() -> bool:
    """Whether a notebook runs this program: IPython is there, and its shell belongs to a kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


def notify(*sentences: str) -> None:
    """Tell the person watching, a line a sentence: on stderr, or in a notebook on stdout, whose stderr looks like an
    error."""
    stream = sys.stdout if in_notebook() else sys.stderr
    for sentence in sentences:
        print(f"seqlab: {printable_lines(sentence)}", file=stream, flush=True)


def columns(stream: TextIO) -> int:
    """Width of a terminal: $COLUMNS, else what the terminal reports, else 80 (some report no size)."""
    variable = os.environ.get("COLUMNS", "")
    if variable.isdecimal() and int(variable) > 0:
        return int(variable)
    try:
        reported = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        reported = 0
    return reported or 80


def _sink(stream: TextIO | None) -> Sink:
    if stream is None and in_notebook():
        return NotebookLine()
    stream = stream or sys.stderr
    return TerminalLine(stream) if stream.isatty() and os.environ.get("TERM") != "dumb" else LogLines(stream)


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _short(value: float) -> str:
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if suffix == 'k' else limit):.3g}{suffix}"
    return f"{value:.0f}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
