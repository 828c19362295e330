"""Batches for truncated back-propagation: every token once, in order, each after the one before it in the file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.errors import InputError
from seqlab.text import Batches, EvaluationBatches, TokenFile
from seqlab.text.batches import IGNORE

START = 777

sizes = given(count=st.integers(1, 200), batch_size=st.integers(1, 12), bptt=st.integers(1, 40))


def positions(count: int) -> TokenFile:
    """A token file whose ids are their own positions, in three shards."""
    ids = np.arange(count, dtype=np.uint16)
    whole = TokenFile.of(ids)
    return TokenFile(
        [ids[: count // 3], ids[count // 3 : count // 2], ids[count // 2 :]], whole.documents, whole.counts
    )


def joined(batches: Batches | EvaluationBatches) -> tuple[np.ndarray, np.ndarray]:
    """inputs (B, all) and targets (B, all) of a whole pass."""
    windows = list(batches)
    assert len(windows) == len(batches)
    return (
        np.concatenate([window.inputs_BT for window in windows], axis=1),
        np.concatenate([window.targets_BT for window in windows], axis=1),
    )


@settings(max_examples=200, deadline=None)
@sizes
def test_training_streams(count: int, batch_size: int, bptt: int) -> None:
    if count < batch_size:
        with pytest.raises(InputError, match=f"only {count} tokens for batch_size = {batch_size}"):
            Batches(positions(count), batch_size, bptt, START)
        return
    batches = Batches(positions(count), batch_size, bptt, START)
    inputs, targets = joined(batches)
    length = count // batch_size
    np.testing.assert_array_equal(targets, np.arange(batch_size * length).reshape(batch_size, length))
    np.testing.assert_array_equal(inputs.ravel(), [START, *range(batch_size * length - 1)])
    assert inputs.dtype == targets.dtype == np.int64
    widths = [window.targets_BT.shape[1] for window in batches]
    assert set(widths[:-1]) <= {bptt}
    assert 0 < widths[-1] <= bptt


@settings(max_examples=200, deadline=None)
@sizes
def test_evaluation_sees_every_token_once(count: int, batch_size: int, bptt: int) -> None:
    inputs, targets = joined(EvaluationBatches(positions(count), batch_size, bptt, START))
    seen = targets != IGNORE
    assert sorted(targets[seen].tolist()) == list(range(count))
    before = np.where(targets == 0, START, targets - 1)
    np.testing.assert_array_equal(inputs[seen], before[seen])
    assert (np.diff(targets, axis=1)[seen[:, 1:]] == 1).all()  # a stream goes on from window to window
    assert (~seen).sum(axis=1).max() <= 1
    assert (~seen[:, :-1]).sum() == 0  # padding only at the very end


def test_any_window_can_be_asked_for() -> None:
    """What exact resume needs: window i without the ones before it."""
    batches = Batches(positions(100), 3, 7, START)
    for number, window in enumerate(batches):
        again = batches.window(number)
        np.testing.assert_array_equal(again.inputs_BT, window.inputs_BT)
        np.testing.assert_array_equal(again.targets_BT, window.targets_BT)
    with pytest.raises(IndexError):
        batches.window(len(batches))
    with pytest.raises(IndexError):
        batches.window(-1)


def test_nothing_to_evaluate() -> None:
    with pytest.raises(InputError, match="no tokens"):
        EvaluationBatches(TokenFile.of([]), 4, 8, START)
