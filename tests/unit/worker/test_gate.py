from __future__ import annotations

import threading
from collections.abc import Callable

from tasks.worker.gate import Gate


def in_thread(target: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def test_many_enter_at_once() -> None:
    gate = Gate()
    assert all(gate.enter() for _ in range(16))


def test_one_that_wants_to_be_alone_waits_until_the_others_have_left() -> None:
    gate, alone = Gate(), threading.Event()
    gate.enter()
    gate.enter()

    def run_alone() -> None:
        if gate.become_alone(lambda: True):
            alone.set()

    thread = in_thread(run_alone)
    assert not alone.wait(0.05)
    gate.leave()
    assert alone.wait(5)
    thread.join(5)


def test_nobody_enters_while_one_is_alone_or_wants_to_be() -> None:
    gate, entered = Gate(), threading.Event()
    gate.enter()
    assert gate.become_alone(lambda: True)
    thread = in_thread(lambda: gate.enter() and entered.set())
    assert not entered.wait(0.05)
    gate.leave()
    assert entered.wait(5)
    thread.join(5)


def test_several_that_want_to_be_alone_take_turns() -> None:
    gate = Gate()
    running, most, finished = [0], [0], [0]
    lock = threading.Lock()

    def run_alone() -> None:
        gate.enter()
        assert gate.become_alone(lambda: True)
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
            finished[0] += 1
        gate.leave()

    for thread in [in_thread(run_alone) for _ in range(4)]:
        thread.join(10)
    assert (finished[0], most[0]) == (4, 1)
    assert gate.enter()


def test_giving_up_being_alone_does_not_open_the_gate_for_others() -> None:
    gate, mine, entered = Gate(), threading.Event(), threading.Event()
    gate.enter()
    gate.enter()
    gives_up = in_thread(lambda: gate.become_alone(lambda: not mine.is_set()) or gate.leave())
    mine.set()
    assert gate.become_alone(lambda: True)
    gives_up.join(5)
    assert not gives_up.is_alive()
    in_thread(lambda: gate.enter() and entered.set())
    assert not entered.wait(0.05)
    gate.leave()
    assert entered.wait(5)


def test_a_closed_gate_lets_nobody_in_and_nobody_wait() -> None:
    gate, answers = Gate(), []
    gate.enter()
    gate.become_alone(lambda: True)
    waiting = in_thread(lambda: answers.append(gate.enter()))
    gate.close()
    waiting.join(5)
    assert answers == [False]
    assert not gate.enter()
    assert gate.wait_closed(0)


def test_it_tells_when_everybody_has_left() -> None:
    gate = Gate()
    gate.enter()
    assert not gate.wait_empty(0)
    gate.leave()
    assert gate.wait_empty(0)
