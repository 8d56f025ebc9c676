"""Children are kept running, reported and ended; the clock is ours, the processes are real."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.console import Console
from client.errors import StartFailed
from client.restarts import MAX_DEATHS_AT_START
from client.supervisor import Kept, Supervisor
from tests.unit.client.conftest import PATIENT, STUBBORN, python_child
from tests.waiting import wait_until


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def supervisor(console: Console, clock: FakeClock) -> Iterator[Supervisor]:
    supervisor = Supervisor(console, clock)
    yield supervisor
    supervisor.kill_all()


def never() -> bool:
    return False


def wait_until_dead(kept: Kept) -> None:
    child = kept.child
    assert child is not None
    wait_until(lambda: not child.alive, "the child ended")


def wait_until_ready(kept: Kept) -> None:
    wait_until(lambda: kept.ready, "the child is ready")


def test_a_child_that_dies_is_reported_in_one_line_and_started_again(
    supervisor: Supervisor, clock: FakeClock, output: io.StringIO
) -> None:
    supervisor.starting = False
    kept = supervisor.add(python_child("worker", PATIENT))
    wait_until_ready(kept)
    assert kept.child is not None
    first = kept.child.process.pid
    kept.child.process.kill()
    wait_until_dead(kept)
    supervisor.tick()
    assert "worker was ended by SIGKILL; starting it again in 0.5 s" in output.getvalue()
    assert not kept.ready
    clock.now += 0.6
    supervisor.tick()
    wait_until_ready(kept)
    assert kept.child.process.pid != first


def test_a_death_is_reported_once_while_its_successor_is_not_yet_due(
    supervisor: Supervisor, output: io.StringIO
) -> None:
    supervisor.starting = False
    kept = supervisor.add(python_child("api", "raise SystemExit(1)"))
    wait_until_dead(kept)
    for _ in range(3):
        supervisor.tick()
    assert output.getvalue().count("api exited with code 1") == 1


def test_a_child_that_cannot_start_ends_the_start_up_with_its_last_line(
    supervisor: Supervisor, clock: FakeClock
) -> None:
    kept = supervisor.add(python_child("worker", "raise ValueError('out of luck')"))
    for _ in range(MAX_DEATHS_AT_START - 1):
        wait_until_dead(kept)
        supervisor.tick()
        clock.now += 60
        supervisor.tick()
    wait_until_dead(kept)
    with pytest.raises(StartFailed, match=r"it exited with code 1: ValueError: out of luck"):
        supervisor.tick()


def test_a_child_that_says_it_will_never_start_is_not_tried_again(supervisor: Supervisor) -> None:
    kept = supervisor.add(python_child("worker", "raise SystemExit('neoserve worker: there is no model')"))
    wait_until_dead(kept)
    with pytest.raises(StartFailed, match=r"^worker: there is no model$"):
        supervisor.tick()


def test_after_the_start_up_no_number_of_deaths_ends_the_others(
    supervisor: Supervisor, clock: FakeClock
) -> None:
    supervisor.starting = False
    kept = supervisor.add(python_child("worker", "raise SystemExit(1)"))
    for _ in range(MAX_DEATHS_AT_START + 2):
        wait_until_dead(kept)
        supervisor.tick()
        clock.now += 31
        supervisor.tick()
    assert kept.child is not None


def test_a_child_that_is_asked_to_end_ends(supervisor: Supervisor) -> None:
    kept = supervisor.add(python_child("api", PATIENT))
    wait_until_ready(kept)
    supervisor.stop([kept], 10, never)
    assert kept.child is not None
    assert not kept.child.alive


def test_a_child_that_does_not_end_in_time_is_killed_and_reported(
    console: Console, output: io.StringIO
) -> None:
    supervisor = Supervisor(console)
    kept = supervisor.add(python_child("worker", STUBBORN))
    wait_until_ready(kept)
    supervisor.stop([kept], 0.1, never)
    assert kept.child is not None
    assert not kept.child.alive
    assert "worker did not end within 0 s and was killed" in output.getvalue()


def test_whoever_hurries_does_not_wait_for_the_stubborn(supervisor: Supervisor, output: io.StringIO) -> None:
    kept = supervisor.add(python_child("worker", STUBBORN))
    wait_until_ready(kept)
    supervisor.stop([kept], 1000, lambda: True)
    assert kept.child is not None
    assert not kept.child.alive
    assert "killed" not in output.getvalue()


def test_a_child_that_was_stopped_is_not_started_again(supervisor: Supervisor, clock: FakeClock) -> None:
    kept = supervisor.add(python_child("api", PATIENT))
    wait_until_ready(kept)
    supervisor.stop([kept], 10, never)
    clock.now += 60
    supervisor.tick()
    assert kept.child is not None
    assert not kept.child.alive


def stop_writing(supervisor: Supervisor, clock: FakeClock, code: str, file: Path) -> Kept:
    """A child that was ready, whose health file became too old, and that was asked to end for it."""
    supervisor.starting = False
    file.touch()
    kept = supervisor.add(python_child("worker", code, health_file=file, stop_seconds=30))
    wait_until_ready(kept)
    for _ in range(20):  # Not on and on: one that has ended has a successor, which writes no file either.
        if kept.kill_at is not None:
            break
        clock.now += 1
        supervisor.tick()
    assert kept.kill_at is not None
    return kept


def test_a_child_that_makes_no_progress_is_replaced(
    supervisor: Supervisor, clock: FakeClock, output: io.StringIO, tmp_path: Path
) -> None:
    kept = stop_writing(supervisor, clock, PATIENT, tmp_path / "health")
    wait_until_dead(kept)
    supervisor.tick()
    clock.now += 1
    supervisor.tick()
    wait_until_ready(kept)
    said = output.getvalue()
    assert said.count("worker makes no progress; another takes its place") == 1
    assert "worker was ended by SIGTERM; starting it again in 0.5 s" in said


def test_a_child_that_makes_no_progress_and_does_not_end_is_killed(
    supervisor: Supervisor, clock: FakeClock, output: io.StringIO, tmp_path: Path
) -> None:
    kept = stop_writing(supervisor, clock, STUBBORN, tmp_path / "health")
    assert kept.child is not None
    assert kept.child.alive, "it has time to end"
    clock.now += 30
    supervisor.tick()
    supervisor.tick()
    assert "worker was ended by SIGKILL; starting it again" in output.getvalue()


def test_a_child_that_writes_its_health_file_anew_is_left_alone(
    supervisor: Supervisor, clock: FakeClock, output: io.StringIO, tmp_path: Path
) -> None:
    file = tmp_path / "health"
    file.touch()
    kept = supervisor.add(python_child("worker", PATIENT, health_file=file))
    wait_until_ready(kept)
    for number in range(60):
        clock.now += 1
        if number % 10 == 0:
            os.utime(file, (number, number))
        supervisor.tick()
    assert "no progress" not in output.getvalue()


def test_a_machine_that_slept_for_an_hour_has_no_stuck_children(
    supervisor: Supervisor, clock: FakeClock, output: io.StringIO, tmp_path: Path
) -> None:
    (tmp_path / "health").touch()
    kept = supervisor.add(python_child("worker", PATIENT, health_file=tmp_path / "health"))
    wait_until_ready(kept)
    for _ in range(3):
        clock.now += 3600
        supervisor.tick()
    assert "no progress" not in output.getvalue()


def test_a_child_without_a_health_file_is_not_judged_by_it(
    supervisor: Supervisor, clock: FakeClock, output: io.StringIO, tmp_path: Path
) -> None:
    kept = supervisor.add(python_child("worker", PATIENT, health_file=tmp_path / "never written"))
    wait_until_ready(kept)
    for _ in range(60):
        clock.now += 1
        supervisor.tick()
    assert "no progress" not in output.getvalue()
