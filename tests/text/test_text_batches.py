"""Batches for truncated back-propagation: every token once, in order, each after the one before it in the file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.base.errors import InputError
from seqlab.text import Batches, EvaluationBatches, TokenFile
from seqlab.text.ids.batches import IGNORE, StreamReader

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


@settings(max_examples=150, deadline=None)
@given(count=st.integers(8, 300), batch_size=st.integers(1, 8), widths=st.lists(st.integers(1, 30), min_size=1))
def test_a_reader_of_any_widths_reads_what_batches_read(count: int, batch_size: int, widths: list[int]) -> None:
    reader = StreamReader(positions(count), batch_size, START)
    inputs, targets = joined(Batches(positions(count), batch_size, 7, START))
    length, place = count // batch_size, 0
    for step in range(200):
        if reader.passes == 2:
            break
        width = min(widths[step % len(widths)], reader.remaining)
        batch = reader.read(width)
        np.testing.assert_array_equal(batch.inputs_BT, inputs[:, place : place + width])
        np.testing.assert_array_equal(batch.targets_BT, targets[:, place : place + width])
        np.testing.assert_array_equal(
            reader.read(width, slice(1, batch_size)).targets_BT, targets[1:, place : place + width]
        )
        place = (place + width) % length
        assert reader.advance(width) == (place == 0)
    assert reader.consumed == reader.passes * count + (count - batch_size * (length - place))


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(30, 400),
    sizes=st.sampled_from([(1, 2, 4), (2, 6), (3, 3, 12), (4, 8, 16)]),
    width=st.integers(1, 9),
    when=st.integers(0, 12),
)
def test_growing_streams_read_nothing_twice_and_skip_next_to_nothing(
    count: int, sizes: tuple[int, ...], width: int, when: int
) -> None:
    reader = StreamReader(positions(count), sizes[0], START)
    seen: list[int] = []
    skipped, growth = count % sizes[0], list(sizes[1:])
    step = 0
    while not reader.passes:
        if growth and step == when:
            factor = growth[0] // reader.batch_size
            skipped += reader.batch_size * (reader.remaining % factor)
            before = (reader.starts + reader.offset).tolist()
            if reader.grow(growth.pop(0)):
                break
            assert reader.starts.tolist()[::factor] == before  # the first stretch of each stream goes on
            step = 0
            continue
        take = min(width, reader.remaining)
        batch = reader.read(take)
        assert ((batch.inputs_BT == batch.targets_BT - 1) | (batch.targets_BT == 0)).all()
        seen += batch.targets_BT.ravel().tolist()
        reader.advance(take)
        step += 1
    assert len(seen) == len(set(seen))
    assert count - len(seen) <= skipped + (reader.batch_size if not growth else 0) * sizes[-1]
    assert reader.consumed <= 2 * count


def test_a_reader_goes_on_exactly_and_knows_where_documents_begin() -> None:
    ids = np.arange(60, dtype=np.uint16)
    tokens = TokenFile([ids], np.array([0, 7, 8, 30, 59]), TokenFile.of(ids).counts)
    reader = StreamReader(tokens, 2, START)
    reader.advance(5)
    assert np.argwhere(reader.document_starts(10)).tolist() == [[0, 2], [0, 3]]
    assert np.argwhere(reader.document_starts(25, slice(1, 2))).tolist() == [[0, 24]]
    reader.grow(6)
    again = StreamReader(tokens, 2, START)
    again.load_arrays(reader.arrays())
    for _ in range(9):
        width = min(3, reader.remaining)
        np.testing.assert_array_equal(again.read(width).targets_BT, reader.read(width).targets_BT)
        assert again.advance(width) == reader.advance(width)
        assert again.consumed == reader.consumed
