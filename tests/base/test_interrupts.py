"""Ctrl-C is answered while a call of another library's code lasts."""

from __future__ import annotations

import signal
import threading

import pytest

from seqlab.base import interrupts
from seqlab.base.interrupts import in_background, insistent


def test_a_call_in_the_background_gives_its_result_or_its_error():
    assert in_background(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        in_background(divmod, 7, 0)


def test_ctrl_c_does_not_wait_for_it():
    begun, end = threading.Event(), threading.Event()

    def call():
        begun.set()
        end.wait()

    def press():
        begun.wait()
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        in_background(call)
    assert not end.is_set()
    end.set()


def test_in_another_thread_it_is_a_plain_call():
    threads = []
    thread = threading.Thread(target=lambda: threads.append(in_background(threading.current_thread)))
    thread.start()
    thread.join()
    assert threads == [thread]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer to raise it again with")
def test_ctrl_c_that_a_library_swallows_is_raised_again(monkeypatch):
    monkeypatch.setattr(interrupts, "AGAIN", 0.01)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with insistent() as pressed:
        assert not pressed.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            threading.Event().wait()
        assert pressed.is_set()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


def test_a_program_that_was_told_to_ignore_ctrl_c_does():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with insistent() as pressed:
            signal.raise_signal(signal.SIGINT)
        assert not pressed.is_set()
    finally:
        signal.signal(signal.SIGINT, before)
