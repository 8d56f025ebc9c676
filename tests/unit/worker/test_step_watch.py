from __future__ import annotations

import threading

from tasks.worker.step_watch import StepWatch, whereabouts


class FakeEngine:
    def __init__(self) -> None:
        self.busy = True
        self.num_steps = 0


def watch(engine: FakeEngine, limit_seconds: float = 10) -> tuple[StepWatch, list[str]]:
    reasons: list[str] = []
    return StepWatch(engine, limit_seconds, reasons.append), reasons


def test_an_engine_that_has_work_and_finishes_no_step_is_replaced() -> None:
    steps, reasons = watch(FakeEngine())
    for _ in range(10):
        steps.look(1)
    assert reasons == []
    steps.look(1)
    [reason] = reasons
    assert reason.startswith("the engine has finished no step for 10 s")


def test_an_engine_that_steps_now_and_then_is_not() -> None:
    engine = FakeEngine()
    steps, reasons = watch(engine)
    for _ in range(10):
        engine.num_steps += 1
        for _ in range(9):
            steps.look(1)
    assert reasons == []


def test_an_engine_without_work_is_not() -> None:
    engine = FakeEngine()
    engine.busy = False
    steps, reasons = watch(engine)
    for _ in range(100):
        steps.look(1)
    engine.busy = True
    steps.look(1)
    assert reasons == []


def test_the_watch_can_be_off() -> None:
    steps, reasons = watch(FakeEngine(), limit_seconds=0)
    for _ in range(1000):
        steps.look(1)
    assert reasons == []


def test_it_says_where_the_thread_is() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="stuck", daemon=True)
    thread.start()
    assert whereabouts("stuck").startswith("threading.py:")
    release.set()
    thread.join()
    assert "gone" in whereabouts("stuck")
