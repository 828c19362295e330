"""Progress as a person sees it: on terminals of any width, in log files, in notebooks."""

from __future__ import annotations

import io
import os
import re
import sys
from types import SimpleNamespace

import pytest

from seqlab.base.progress import NotebookLine, Progress, columns, in_notebook

pty = pytest.importorskip("pty")


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")


class FakeTerminal(io.StringIO):
    """A terminal that reports no size, as some do."""

    def isatty(self) -> bool:
        return True


def lines_of(terminal: FakeTerminal) -> list[str]:
    return re.split(r"\r\x1b\[2K|\n", terminal.getvalue())


def worked(terminal: FakeTerminal) -> str:
    """The line of a training that is half done."""
    with Progress("training", 1_000_000, "tokens", stream=terminal) as progress:
        progress.last -= 60
        progress.update(500_000, loss=4.25, perplexity=70.1, learning_rate=0.001)
    return max(lines_of(terminal), key=len)


def test_a_terminal_without_a_size_is_eighty_columns_wide() -> None:
    line = worked(FakeTerminal())
    assert 21 < len(line) <= 79
    assert "50%" in line
    assert "ETA" in line


def test_columns_of_the_environment_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "loss 4.25  perplexity 70.1  learning rate 0.001  ETA" in worked(FakeTerminal())
    monkeypatch.setenv("COLUMNS", "60")
    line = worked(FakeTerminal())
    assert len(line) < 60
    assert "learning rate" not in line  # the last figures give way, the time left does not
    assert "ETA" in line
    monkeypatch.setenv("COLUMNS", "many")
    assert columns(FakeTerminal()) == 80


def test_a_real_terminal_reports_its_size_or_none() -> None:
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    try:
        with os.fdopen(slave, "w") as terminal:
            assert columns(terminal) == 80
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 132, 0, 0))
            assert columns(terminal) == 132
    finally:
        os.close(master)


def test_a_failure_takes_the_moving_line_away_and_a_success_leaves_it() -> None:
    terminal = FakeTerminal()
    with pytest.raises(RuntimeError), Progress("reading", 10, "files", stream=terminal) as progress:
        progress.last -= 60
        progress.update(5)
        raise RuntimeError
    assert terminal.getvalue().endswith("\r\x1b[2K")
    terminal = FakeTerminal()
    with Progress("reading", 10, "files", stream=terminal) as progress:
        progress.last -= 60
        progress.update(10)
    assert terminal.getvalue().endswith("\n")
    assert "100%" in lines_of(terminal)[-2]


class Shell:
    """What a notebook's IPython offers: displays that can be updated."""

    kernel = object()

    def __init__(self) -> None:
        self.displays: list[list[dict[str, str]]] = []

    def display(self, data: dict[str, str], raw: bool, display_id: bool) -> SimpleNamespace:
        assert raw
        assert display_id
        shown = [data]
        self.displays.append(shown)
        return SimpleNamespace(update=lambda data, raw: shown.append(data))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    shell = Shell()
    display = SimpleNamespace(display=shell.display)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shell


def test_a_notebook_shows_one_moving_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(NotebookLine, "interval", 0.0)
    with Progress("training", 100, "steps") as progress:
        for done in range(1, 101):
            progress.update(done, loss=1 / done)
        progress.note("the learning rate was halved")
    (line,) = shell.displays
    assert len(line) == 101
    texts = [data["text/plain"] for data in line]
    assert texts[0].startswith("training    1%  1/100 steps")
    assert texts[-1].startswith("training  100%  100/100 steps")
    assert not any("\n" in text or "\x1b" in text for text in texts)
    assert capsys.readouterr() == ("the learning rate was halved\n", "")


def test_a_notebook_sees_nothing_of_short_or_quiet_work_and_no_rest_of_failed_work(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Progress("quick", 3) as progress:
        progress.update(3)
    monkeypatch.setattr(NotebookLine, "interval", 0.0)
    with Progress("silent", 3, quiet=True) as progress:
        progress.update(3)
    assert shell.displays == []
    with pytest.raises(RuntimeError), Progress("failing", 3) as progress:
        progress.update(1)
        raise RuntimeError
    assert shell.displays[0][-1] == {"text/plain": ""}


def test_a_python_program_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_notebook()
    terminal_shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: terminal_shell))
    assert not in_notebook()


def test_a_real_kernel_replaces_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    code = (
        "import time\nfrom seqlab.base.progress import Progress\n"
        "with Progress('counting', 5, 'things') as progress:\n"
        "    for i in range(5):\n        time.sleep(0.3)\n        progress.update(i + 1)\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data["text/plain"].startswith("counting  100%  5/5 things")
