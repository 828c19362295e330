"""Ctrl-C and SIGTERM: answered within a second, by work that saves its state and by work that has none."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

Result = TypeVar("Result")

REQUESTS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)  # SIGBREAK is Windows' Ctrl-Break, the one signal that another process can send there
LOOK = 0.1
"""Seconds between two looks at signals where the system does not wake a waiting thread for them (Windows)."""


AGAIN = 0.6
"""Seconds after which a KeyboardInterrupt that nobody let through is raised again."""


class Abandoned(Exception):
    """A stop was requested, and the work under way can be done again: raised at a safe point inside `interruptible`."""


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into an event that a loop looks at; the second stops at once.

    Use it around work that can save its state and stop between two steps. In any thread but the main one, where
    Python delivers no signals, the event is never set.

    Yields:
        The event: set once a stop was requested.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    previous = {number: signal.signal(number, handle) for number in REQUESTS}
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: set outside Python


@contextmanager
def insistent(earlier: Callable[[int, FrameType | None], object] | None = None) -> Iterator[threading.Event]:
    """Inside, Ctrl-C and SIGTERM cannot get lost: KeyboardInterrupt is raised until the block ends.

    Libraries swallow one that comes while they are being imported, and may fail later for what they lack then. Use it
    around a whole program. Windows has no timer to raise it again with. A signal that somebody else handles, or that
    the program was told to ignore, stays as it is.

    Args:
        earlier: the program's own handler until now.

    Yields:
        The event: set once a stop was requested; whatever fails after that was interrupted.
    """
    pressed = threading.Event()
    free = (signal.default_int_handler, signal.SIG_DFL, earlier)
    main = threading.current_thread() is threading.main_thread()
    numbers = [number for number in REQUESTS if main and signal.getsignal(number) in free]
    if not numbers:
        yield pressed
        return
    repeats, owner = hasattr(signal, "setitimer"), os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked process, to be ended by its parent
            os._exit(128 + number)
        pressed.set()
        if repeats:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise KeyboardInterrupt

    numbers += [signal.SIGALRM] if repeats else []
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield pressed
    finally:
        if repeats:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in previous.items():
            signal.signal(number, handler)


def in_background(call: Callable[..., Result], *arguments: object) -> Result:
    """Make a long call in a thread of its own, so that Ctrl-C is answered while it lasts.

    Python answers signals between two of its own instructions, in the main thread only: a sort in numpy or a training
    in another library's code would keep it waiting for seconds. An interrupted call goes on unseen until it ends; use
    this for calls that change nothing anybody else looks at.

    Args:
        call: what to call.
        arguments: of the call.

    Returns:
        What the call returns.

    Raises:
        BaseException: what the call raises; KeyboardInterrupt at once.
    """
    if threading.current_thread() is not threading.main_thread():
        return call(*arguments)
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call(*arguments))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(LOOK)
    if errors:
        raise errors[0]
    return results[0]
