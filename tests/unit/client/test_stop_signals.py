"""Signals are counted, not obeyed."""

from __future__ import annotations

import os
import signal

import pytest

from client.stop_signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_the_second_hurries(number: signal.Signals) -> None:
    with StopSignals() as signals:
        assert not signals.asked
        os.kill(os.getpid(), number)
        assert (signals.asked, signals.hurried) == (True, False)
        os.kill(os.getpid(), number)
        assert signals.hurried


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
