"""Commands of seqlab in processes of their own that start at once: copies of a process that has imported everything.

For tests of what happens to a process: kills, Ctrl-C, several at a time. Where processes cannot be copied, each is
started anew. Such tests are of one `xdist_group`, GROUP, so that one process is copied for all of them.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIES = sys.platform == "linux"
IMPORTED = ("optuna", "seqlab.models.counts.trie", "seqlab.studies.tune.search", "seqlab.training.train")
"""What commands import besides what the campaign against faults does."""
GROUP = "programs"
"""Of pytest-xdist: the worker that runs all of its tests starts one such process."""
ANEW = "import sys; from seqlab_cli import start; sys.argv[0] = 'seqlab'; exec(sys.argv.pop(1)); start()"
"""A program that starts anew: what it runs first, and its words."""


class Done(NamedTuple):
    """How a program ended: its exit code, negative after a signal, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Program:
    """A running `seqlab` with these words; `first` is code that it runs before."""

    def __init__(self, words: list[str], first: str = ""):
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._anew: subprocess.Popen[bytes] | None = None
        if COPIES:
            request = {"words": words, "first": first, "folder": os.getcwd(), "environment": dict(os.environ)}
            self.pid = _ask(request, [self._out.fileno(), self._err.fileno()])
        else:
            command = [sys.executable, "-c", ANEW, first, *words]
            self._anew = subprocess.Popen(command, stdout=self._out, stderr=self._err)
            self.pid = self._anew.pid

    def send_signal(self, number: int) -> None:
        if self._anew is None:
            os.kill(self.pid, number)
        else:
            self._anew.send_signal(number)

    def done(self) -> Done:
        """Wait for its end."""
        code = _ask({"wait": self.pid}) if self._anew is None else self._anew.wait()
        printed = []
        for stream in (self._out, self._err):
            stream.seek(0)
            printed.append(stream.read().decode())
            stream.close()
        return Done(code, *printed)


def run_program(words: list[str], first: str = "") -> Done:
    """Run `seqlab` with these words to its end."""
    return Program(words, first).done()


@functools.cache
def _server() -> socket.socket:
    """The process that is copied; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(theirs.fileno())]
    subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, pass_fds=[theirs.fileno()])
    theirs.close()
    return ours


def _ask(request: dict[str, Any], streams: list[int] | None = None) -> int:
    socket.send_fds(_server(), [json.dumps(request).encode()], streams or [])
    return int(_server().recv(64))


def _serve(channel: socket.socket) -> None:
    """Copy this process for every request, or wait for a copy."""
    from benchmarks.faults import commands

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal, which is for the tests
    commands.warm()
    for name in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    while True:
        message, streams, _, _ = socket.recv_fds(channel, 1 << 20, 2)
        if not message:
            return
        request = json.loads(message)
        if "wait" in request:
            code = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            channel.send(str(code).encode())
            continue
        pid = os.fork()
        if not pid:
            channel.close()
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update(request["environment"])
            nothing = os.open(os.devnull, os.O_RDONLY)
            commands.become(request["words"], [nothing, *streams], functools.partial(exec, request["first"], {}))
        for stream in streams:
            os.close(stream)
        channel.send(str(pid).encode())


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
