"""Ctrl-C and SIGTERM at any moment, the imports included: one line, exit code 130, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

START = """
import signal, sys
from seqlab_cli import start
plain = signal.signal
def set_handler(number, handler):
    plain(number, handler)
    if number == signal.SIGTERM:  # the last of the first two, before any other module is imported
        signal.signal = plain
        sys.stderr.write("here\\n")
        sys.stderr.flush()
signal.signal = set_handler
start()
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no process can send another Ctrl-C there")


def stopped(number: int, seconds: float, words: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and standard error of a command that gets a signal so many seconds after it can answer one."""
    environment = {**os.environ, "SEQLAB_CACHE": str(folder / "cache")}
    program = subprocess.Popen(
        [sys.executable, "-c", START, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert program.stderr is not None
    assert program.stderr.readline() == b"here\n"
    time.sleep(seconds)
    program.send_signal(number)
    said = program.communicate()[1].decode()
    return program.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_modules_are_imported_is_one_line(number: int, tmp_path: Path) -> None:
    for seconds in (0.01, 0.03, 0.06, 0.1, 0.15):
        code, said = stopped(number, seconds, ["data", "prepare", "-", "-o", "out"], tmp_path)
        assert (code, said) == (130, "seqlab: interrupted.\n"), seconds


def test_a_stop_of_work_that_is_no_training_leaves_nothing(tmp_path: Path) -> None:
    """It waits for standard input."""
    code, said = stopped(signal.SIGTERM, 1.5, ["data", "prepare", "-", "-o", "out"], tmp_path)
    assert code == 130
    assert said.splitlines()[-1] == "seqlab: interrupted."
    assert "Traceback" not in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not list((tmp_path / "cache").glob(".*"))


def test_what_was_told_to_ignore_a_stop_does(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code += "from seqlab_cli import start; import sys; sys.argv = ['seqlab', '--version']\n"
    code += "import seqlab_cli.main as program; plain = program.run\n"
    code += "program.run = lambda **options: (signal.raise_signal(signal.SIGINT), plain(**options))[1]\n"
    done = subprocess.run([sys.executable, "-c", code + "start()"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
