from __future__ import annotations

import threading

import pytest

from tasks.jobs.store import JobStore
from tasks.worker.breakdown import EXIT_BROKEN, Breakdown
from tests.fakes import FakeClock
from tests.waiting import wait_until

from .harness import Worker


class Process:
    """A worker, and with which codes its process would have ended."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.codes: list[int] = []
        self.clock = FakeClock()
        self.breakdown = Breakdown(
            gate=worker.gate, writer=worker.writer, leave=self.codes.append, clock=self.clock
        )

    def replace(self, *, exchanges: bool) -> None:
        """As another thread does it, while the writer works or does not."""
        thread = threading.Thread(target=self.breakdown.replace, args=("for a test",))
        thread.start()
        wait_until(lambda: self.worker.gate.closed, "it claims no more")
        if exchanges:
            wait_until(lambda: self.worker.writer.exchange() and self.codes, "it leaves")
        else:
            self.clock.advance(60)
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def worker(store: JobStore) -> Worker:
    return Worker(store, num_slots=1)


def test_what_never_began_goes_back_and_what_began_waits_for_its_lease(
    worker: Worker, store: JobStore
) -> None:
    process = Process(worker)
    for name in ("running", "waiting"):
        worker.submit(name)
        worker.ring()
        wait_until(lambda name=name: worker.held(name), f"{name} is held")
    running = worker.held("running")
    assert running is not None
    wait_until(lambda: running.started, "the engine, which hangs in its first step, has begun")
    process.replace(exchanges=True)
    assert process.codes == [EXIT_BROKEN]
    waiting = store.get("waiting")
    assert (waiting.status, waiting.losses) == ("queued", 0)
    assert [held.job.id for held in worker.writer.held] == ["running"]
    worker.close()


def test_it_leaves_also_when_the_record_does_not_answer(worker: Worker) -> None:
    process = Process(worker)
    worker.submit("j")
    worker.faulty.away = True
    process.replace(exchanges=False)
    assert process.codes == [EXIT_BROKEN]
    worker.close()


def test_it_leaves_once(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    process = Process(worker)
    for _ in range(3):
        process.breakdown.replace("the reason")
    assert process.codes == [EXIT_BROKEN]
    assert caplog.text.count("the reason") == 1
    worker.close()


@pytest.mark.parametrize(
    ("name", "codes"),
    [("engine", [EXIT_BROKEN]), ("writer", [EXIT_BROKEN]), ("watch", [EXIT_BROKEN]), ("x", [])],
)
def test_without_a_vital_thread_the_process_ends(
    name: str,
    codes: list[int],
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    process = Process(worker)
    monkeypatch.setattr(threading, "excepthook", process.breakdown.thread_died)

    def die() -> None:
        raise ZeroDivisionError

    thread = threading.Thread(target=die, name=name)
    thread.start()
    thread.join()
    assert process.codes == codes
    assert "ZeroDivisionError" in caplog.text
    worker.close()
