"""The `seqlab` program: one small file per verb; a command is a plain function that calls the library."""

import os
import signal
from types import FrameType


def start() -> None:
    """Run the program; until it can do better, Ctrl-C and SIGTERM end it with one line instead of a traceback."""
    for name, default in (("SIGINT", signal.default_int_handler), ("SIGTERM", signal.SIG_DFL)):
        number = getattr(signal, name)
        if signal.getsignal(number) is default:  # nobody told it to ignore that
            signal.signal(number, end_at_once)

    from .main import main

    main()


def end_at_once(number: int, frame: FrameType | None) -> None:
    """Answer a signal while modules are being imported: nothing has been begun that could be left half-done."""
    try:
        os.write(2, b"seqlab: interrupted.\n")
    finally:
        os._exit(130)
