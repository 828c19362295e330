"""The worker pool: order, errors, and pipes that never wait for each other."""

from __future__ import annotations

import pytest

from seqlab.base.errors import InputError, SeqlabError
from seqlab.text.workers import Workers


def echo():
    return lambda item: item * 2


def picky():
    def job(item: int) -> int:
        if item == 3:
            raise InputError("item 3: is not wanted.")
        return 1 // (item - 5)

    return job


def test_results_come_in_order_and_large_items_and_results_do_not_deadlock():
    items = [bytes([n]) * 3_000_000 for n in range(9)]
    with Workers(2, echo) as workers:
        assert list(workers.map(items)) == [item * 2 for item in items]


def test_errors_of_a_job_reach_the_caller():
    with Workers(2, picky) as workers, pytest.raises(InputError, match="item 3"):
        list(workers.map(range(5)))
    with Workers(1, picky) as workers, pytest.raises(SeqlabError, match="ZeroDivisionError"):
        list(workers.map([5]))


def test_a_killed_worker_is_reported():
    with Workers(1, echo) as workers:
        assert list(workers.map([1])) == [2]
        workers.processes[0].kill()
        with pytest.raises(SeqlabError, match="a worker process ended unexpectedly"):
            list(workers.map([b"x" * 1_000_000]))


def test_without_processes_the_work_is_done_here():
    with Workers(0, echo) as workers:
        assert list(workers.map([1, 2])) == [2, 4]
