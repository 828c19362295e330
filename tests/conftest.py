"""Shared fixtures. Real corpora are sought in $SEQLAB_TEST_DATA, else in ../shared/data; tests skip without them."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("SEQLAB_QUIET", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; spinning threads would starve each other
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell, whose programs inherit this
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.dont_write_bytecode = False  # hundreds of files are imported by several workers, and by many programs of tests
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from costs import ProcessorTime  # noqa: E402

gc.disable()  # until all tests are collected: little of what collecting makes is ever garbage

SHARED = Path(os.environ.get("SEQLAB_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture
def shared_data() -> Path:
    """The folder of real corpora, or a skip with a reason."""
    if not SHARED.is_dir():
        pytest.skip("the shared corpora are not on this machine")
    return SHARED


@pytest.fixture(autouse=True, scope="session")
def brief_trials() -> Iterator[None]:
    """How fast this machine is matters to no test, so what times steps takes as few as it may."""
    with pytest.MonkeyPatch.context() as patch:
        if "torch" in sys.modules:
            patch.setattr("seqlab.training.machine.trial.SECONDS", 0.0)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--processor-time", action="store_true", help="print the files that take most, and all together")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--processor-time"):
        config.pluginmanager.register(ProcessorTime(), "processor-time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take long come first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """What is there now stays, and need not be looked through again and again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module")
def short_searches():
    """For rate and decay of dynamic evaluation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqlab.evaluation.additions.dynamic.SEARCH_TOKENS", 500)
        patch.setattr("seqlab.evaluation.additions.dynamic.STATISTICS_TOKENS", 2000)
        yield
