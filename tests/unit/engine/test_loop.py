"""The thread that owns the model. Every wait has a deadline; nothing sleeps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tasks.engine.errors import EngineStopped, RequestTooLong
from tasks.engine.loop import EngineThread
from tasks.engine.types import StepStats
from tests.fakes import ScriptedRunner, make_engine, make_request

DEADLINE = 10.0


@contextmanager
def running(runner: ScriptedRunner, **options: object) -> Iterator[EngineThread]:
    thread = EngineThread(make_engine(runner), **options)  # type: ignore[arg-type]
    thread.start()
    try:
        yield thread
    finally:
        thread.stop(DEADLINE)
        assert not thread.alive


def test_requests_of_many_threads_are_all_finished() -> None:
    with running(ScriptedRunner()) as thread:
        generations = []

        def submit() -> None:
            for _ in range(20):
                generations.append(thread.submit(make_request()))

        threads = [threading.Thread(target=submit) for _ in range(5)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(DEADLINE)
        assert len(generations) == 100
        assert all(each.wait(DEADLINE) for each in generations)
        assert {each.finish_reason for each in generations} == {"length"}


def test_it_wakes_up_for_a_request_after_it_was_idle() -> None:
    with running(ScriptedRunner()) as thread:
        for _ in range(3):
            assert thread.submit(make_request()).wait(DEADLINE)
        assert thread.drain(DEADLINE)


def test_it_rests_while_there_is_no_work() -> None:
    steps: list[StepStats] = []
    runner = ScriptedRunner()
    with running(runner, on_step=steps.append) as thread:
        assert thread.submit(make_request(max_new_tokens=5)).wait(DEADLINE)
        assert thread.drain(DEADLINE)
        assert len(steps) == runner.num_steps == 5


def test_it_survives_a_step_that_fails() -> None:
    error = RuntimeError("this step")
    with running(ScriptedRunner(step_errors={0: error})) as thread:
        failed = thread.submit(make_request())
        assert failed.wait(DEADLINE)
        assert failed.error is error
        assert thread.alive
        healthy = thread.submit(make_request())
        assert healthy.wait(DEADLINE)
        assert healthy.finish_reason == "length"


def test_a_request_is_refused_in_the_thread_that_submits_it() -> None:
    with running(ScriptedRunner(max_positions=4)) as thread, pytest.raises(RequestTooLong):
        thread.submit(make_request())


def test_draining_finishes_what_was_taken_and_takes_no_more() -> None:
    gate = threading.Event()
    with running(ScriptedRunner(num_slots=1, before_step=lambda: gate.wait(DEADLINE))) as thread:
        generations = [thread.submit(make_request()) for _ in range(3)]
        assert not thread.drain(0)
        with pytest.raises(EngineStopped):
            thread.submit(make_request())
        gate.set()
        assert thread.drain(DEADLINE)
        assert [each.finish_reason for each in generations] == ["length"] * 3


def test_stopping_ends_what_is_not_done() -> None:
    gate, entered = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        gate.wait(DEADLINE)

    thread = EngineThread(make_engine(ScriptedRunner(num_slots=1, before_step=block)))
    thread.start()
    in_step, waiting = thread.submit(make_request()), thread.submit(make_request())
    assert entered.wait(DEADLINE)
    thread.stop(0)  # cannot end yet: the step is running
    assert thread.alive
    gate.set()
    thread.stop(DEADLINE)
    assert not thread.alive
    assert isinstance(in_step.error, EngineStopped)
    assert in_step.num_tokens == 1
    assert isinstance(waiting.error, EngineStopped)
    with pytest.raises(EngineStopped):
        thread.submit(make_request())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_ever_when_the_thread_itself_breaks() -> None:
    def broken(_stats: StepStats) -> None:
        raise ZeroDivisionError

    thread = EngineThread(make_engine(ScriptedRunner()), on_step=broken)
    thread.start()
    generation = thread.submit(make_request())
    assert generation.wait(DEADLINE)
    assert isinstance(generation.error, EngineStopped)
    thread.stop(DEADLINE)
    assert not thread.alive
    assert thread.drain(0)


def test_a_cancel_from_another_thread_ends_a_request_early() -> None:
    gate = threading.Semaphore(0)
    with running(ScriptedRunner(before_step=lambda: gate.acquire(timeout=DEADLINE))) as thread:
        generation = thread.submit(make_request(max_new_tokens=1000))
        generation.cancel()
        gate.release(2)
        assert generation.wait(DEADLINE)
        assert generation.finish_reason == "canceled"
        assert generation.num_tokens <= 1
