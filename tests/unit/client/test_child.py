"""One run of a child: its lines, its readiness, its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from client.child import Child, ChildSpec
from tests.unit.client.conftest import PATIENT, python_child
from tests.waiting import wait_until

Start = Callable[[ChildSpec], Child]


@pytest.fixture
def lines() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def start(lines: list[tuple[str, str]]) -> Iterator[Start]:
    started: list[Child] = []

    def start(spec: ChildSpec) -> Child:
        started.append(Child(spec, lambda name, line: lines.append((name, line))))
        return started[-1]

    yield start
    for child in started:
        child.kill()


def test_the_line_that_says_ready_makes_a_child_ready(start: Start, lines: list[tuple[str, str]]) -> None:
    child = start(python_child("api", f"print('starting'); {PATIENT}"))
    assert child.ready.wait(10)
    assert lines == [("api", "starting"), ("api", "ready")]


def test_lines_of_a_quiet_child_are_kept_but_not_passed_on(
    start: Start, lines: list[tuple[str, str]]
) -> None:
    child = start(python_child("server", "print('cannot open the file.'); raise SystemExit(3)", quiet=True))
    wait_until(lambda: not child.alive, "the child ended")
    assert child.how_it_ended() == "exited with code 3: cannot open the file"
    assert lines == []


def test_what_a_child_says_on_stderr_is_its_last_line_too(start: Start) -> None:
    child = start(python_child("worker", "raise ValueError('no such model')"))
    wait_until(lambda: not child.alive, "the child ended")
    assert child.how_it_ended() == "exited with code 1: ValueError: no such model"


def test_a_killed_child_is_reported_with_the_signal(start: Start) -> None:
    child = start(python_child("worker", PATIENT))
    assert child.ready.wait(10)
    os.kill(child.process.pid, signal.SIGKILL)
    wait_until(lambda: not child.alive, "the child ended")
    assert child.how_it_ended() == "was ended by SIGKILL"


def test_a_child_that_cannot_have_its_metrics_port_has_none(start: Start) -> None:
    taken = start(
        python_child("api", f"print('no metrics on 127.0.0.1:9100: in use'); {PATIENT}", metrics_port=9100)
    )
    free = start(python_child("api", PATIENT, metrics_port=9100))
    assert taken.ready.wait(10)
    assert free.ready.wait(10)
    assert (taken.metrics_port, free.metrics_port) == (0, 9100)


def test_a_line_that_is_not_utf8_is_read_all_the_same(start: Start, lines: list[tuple[str, str]]) -> None:
    child = start(python_child("api", f"import os; os.write(1, b'\\xff!\\n'); {PATIENT}"))
    assert child.ready.wait(10)
    assert lines[0] == ("api", "\N{REPLACEMENT CHARACTER}!")


def test_killing_a_child_kills_what_it_started(start: Start, lines: list[tuple[str, str]]) -> None:
    code = (
        "import os, signal\n"
        "if os.fork() == 0: signal.pause()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"  # as a server whose own worker outlives it
    )
    child = start(python_child("api", code))
    wait_until(lambda: not child.alive, "the child ended")
    child.kill()
    # The grandchild held the pipe: the reader ends only when it is gone.
    child._reader.join(10)
    assert not child._reader.is_alive()


def test_a_child_runs_in_a_session_of_its_own(start: Start, lines: list[tuple[str, str]]) -> None:
    child = start(python_child("api", f"import os; print(os.getsid(0)); {PATIENT}"))
    assert child.ready.wait(10)
    assert int(lines[0][1]) == child.process.pid != os.getsid(0)
