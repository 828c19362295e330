"""Progress of long work on stderr: a live line with rate and ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, TextIO

PLAIN_INTERVAL = 10.0


class Progress:
    """Context manager: `with Progress("training", total, "tokens") as progress: progress.update(done, loss=2.3)`.

    Args:
        title: what is being done, a word or three.
        total: amount of work in `unit`, or None when it is not known.
        unit: plural noun of what is counted; also the rate's unit.
        quiet: say nothing (also switched on by the environment variable SEQLAB_QUIET).

    `update` is cheap to call often: it draws at most ten times a second on a terminal, every ten seconds elsewhere.
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
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.interval = 0.1 if self.live else PLAIN_INTERVAL
        self.done = 0.0
        self.fields: dict[str, Any] = {}
        self.drawn: float | None = None

    def __enter__(self) -> Progress:
        self.started = self.last = time.monotonic()
        self.offset = 0.0
        return self

    def start_at(self, done: float) -> None:
        """Count from `done` (resumed work), so that the rate and the ETA stay true."""
        self.offset = self.done = done

    def update(self, done: float, **fields: Any) -> None:
        """Report `done` units in total so far and any named figures (floats are shown with 4 digits)."""
        self.done = done
        self.fields.update(fields)
        now = time.monotonic()
        if not self.quiet and now - self.last >= self.interval:
            self.last = now
            self._draw(now)

    def note(self, text: str) -> None:
        """Print one line that stays, above the live line."""
        if not self.quiet:
            self._clear()
            print(text, file=self.stream, flush=True)

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.quiet:
            return
        if self.live and exception_type is not None:
            self._clear()
        elif self.drawn is not None or time.monotonic() - self.started > 1.0:
            if self.live or self.drawn != self.done:
                self._draw(time.monotonic())
            if self.live:
                self.stream.write("\n")
        self.stream.flush()

    def line(self, now: float) -> str:
        """The progress as text."""
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
        parts += [f"{name.replace('_', ' ')} {_figure(value)}" for name, value in self.fields.items()]
        if self.total and rate > 0 and self.done < self.total:
            parts.append(f"ETA {_clock((self.total - self.done) / rate)}")
        else:
            parts.append(_clock(elapsed))
        return "  ".join(parts)

    def _draw(self, now: float) -> None:
        self.drawn = self.done
        line = self.line(now)
        if self.live:
            width = os.get_terminal_size(self.stream.fileno()).columns if self.stream.isatty() else 120
            self.stream.write("\r\x1b[2K" + line[: max(20, width - 1)])
        else:
            self.stream.write(line + "\n")
        self.stream.flush()

    def _clear(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[2K")


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
