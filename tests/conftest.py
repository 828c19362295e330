"""Shared fixtures. Real corpora under ../shared/data are used where present; tests that need them skip elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("SEQLAB_QUIET", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; spinning threads would starve each other

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real corpora, or a skip with a reason."""
    if not SHARED.is_dir():
        pytest.skip("the shared corpora are not on this machine")
    return SHARED
