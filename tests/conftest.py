"""Shared fixtures. Real corpora are sought in $SEQLAB_TEST_DATA, else in ../shared/data; tests skip without them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("SEQLAB_QUIET", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; spinning threads would starve each other
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell, whose programs inherit this
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(os.environ.get("SEQLAB_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture
def shared_data() -> Path:
    """The folder of real corpora, or a skip with a reason."""
    if not SHARED.is_dir():
        pytest.skip("the shared corpora are not on this machine")
    return SHARED
