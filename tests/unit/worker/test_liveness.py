from __future__ import annotations

import pytest
from redis import ResponseError

from tasks.jobs.errors import StoreUnavailable
from tasks.worker.liveness import LIMIT_SECONDS, Liveness


class FakeSigns:
    """By default everything moves except that no ring is heard, and no job waits."""

    def __init__(self) -> None:
        self.excused = False
        self.full = False
        self.waiting = False
        self.error: Exception | None = None
        self.moving = {"num_ticks", "num_exchanges"}
        self.num_ticks = self.num_exchanges = self.num_entered = 0

    def jobs_wait(self) -> bool:
        if self.error is not None:
            raise self.error
        return self.waiting

    def go_on(self) -> None:
        for name in self.moving:
            setattr(self, name, getattr(self, name) + 1)


class Watched:
    def __init__(self) -> None:
        self.signs = FakeSigns()
        self.said: list[str] = []
        self._liveness = Liveness(self.signs, self.said.append)

    def after(self, seconds: float) -> bool:
        for _ in range(round(seconds)):
            self.signs.go_on()
            alive = self._liveness.look(1)
        return alive


LONG = 5 * LIMIT_SECONDS


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_an_idle_worker_is_live(watched: Watched) -> None:
    assert watched.after(LONG)
    assert watched.said == []


def test_a_worker_that_hears_rings_is_live_however_many_jobs_wait(watched: Watched) -> None:
    watched.signs.waiting = True
    watched.signs.moving.add("num_entered")
    assert watched.after(LONG)


def test_a_full_worker_is_live(watched: Watched) -> None:
    watched.signs.waiting = watched.signs.full = True
    assert watched.after(LONG)


def test_jobs_that_wait_for_a_worker_with_free_slots_are_a_sign(watched: Watched) -> None:
    watched.signs.waiting = True
    assert watched.after(LIMIT_SECONDS - 1)
    assert not watched.after(2)
    watched.signs.num_entered += 1
    assert watched.after(1)
    assert watched.said == ["not live: jobs wait and no ring was heard for 60 s", "live again"]


@pytest.mark.parametrize(
    ("stopped", "reason"), [("num_ticks", "event loop"), ("num_exchanges", "lease"), ("num_entered", "")]
)
def test_each_standstill_is_named(watched: Watched, stopped: str, reason: str) -> None:
    watched.signs.moving.discard(stopped)
    assert watched.after(LONG) == (not reason)
    assert len(watched.said) == bool(reason)
    assert reason in "".join(watched.said)


def test_redis_being_away_or_a_drain_excuses_everything(watched: Watched) -> None:
    watched.signs.moving.clear()
    watched.signs.waiting = watched.signs.excused = True
    assert watched.after(LONG)
    watched.signs.excused = False
    assert watched.after(LIMIT_SECONDS - 1), "it has time to find its way back"
    assert not watched.after(2)


@pytest.mark.parametrize("error", [StoreUnavailable(), ResponseError("WRONGTYPE")])
def test_a_question_that_is_not_answered_is_no_sign(watched: Watched, error: Exception) -> None:
    watched.signs.error = error
    assert watched.after(LONG)
