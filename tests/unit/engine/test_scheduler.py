"""Slots and token budget: arithmetic."""

from __future__ import annotations

import pytest

from tasks.engine.generation import Generation
from tasks.engine.scheduler import Scheduler
from tasks.engine.scripted import ScriptedDetokenizer
from tasks.engine.sequence import Sequence, SequenceStatus
from tests.fakes import make_request


def make_sequence(num_prompt_tokens: int = 3, *, num_run: int = 0) -> Sequence:
    request = make_request(prompt_ids=tuple(range(1, num_prompt_tokens + 1)))
    sequence = Sequence(Generation(request, 0.0), ScriptedDetokenizer())
    sequence.num_run = num_run
    if num_run == num_prompt_tokens:
        sequence.append(9)
    return sequence


def make_scheduler(*sequences: Sequence, num_slots: int = 4, max_prefill_tokens: int = 100) -> Scheduler:
    scheduler = Scheduler(num_slots=num_slots, max_prefill_tokens=max_prefill_tokens)
    for sequence in sequences:
        scheduler.add(sequence)
    while scheduler.can_admit():
        scheduler.admit()
    return scheduler


def shape(scheduler: Scheduler) -> list[tuple[int, int, bool]]:
    return [(row.sequence.slot, row.num_tokens, row.decodes) for row in scheduler.schedule()]


def test_sequences_get_slots_in_the_order_in_which_they_came() -> None:
    sequences = [make_sequence() for _ in range(3)]
    scheduler = make_scheduler(*sequences, num_slots=2)
    assert [each.status for each in sequences] == ["running", "running", "waiting"]
    assert [each.slot for each in sequences[:2]] == [0, 1]
    assert list(scheduler.waiting) == sequences[2:]


def test_a_slot_that_was_given_back_is_used_again() -> None:
    first, second, third = (make_sequence() for _ in range(3))
    scheduler = make_scheduler(first, second, third, num_slots=2)
    scheduler.remove(first)
    assert scheduler.can_admit()
    assert scheduler.admit() is third
    assert third.slot == 0
    assert not scheduler.can_admit()


def test_several_prompts_share_the_budget_in_order_of_admission() -> None:
    scheduler = make_scheduler(*(make_sequence(n) for n in (30, 50, 40, 10)))
    assert shape(scheduler) == [(0, 30, False), (1, 50, False), (2, 20, False)]


def test_a_long_prompt_is_cut_into_chunks_and_goes_on_where_it_stopped() -> None:
    sequence = make_sequence(250)
    scheduler = make_scheduler(sequence)
    sizes = []
    while not sequence.decoding:
        (row,) = scheduler.schedule()
        chunk = sequence.chunk(row.num_tokens)
        assert chunk.start == sum(sizes)
        assert list(chunk.token_ids) == list(range(chunk.start + 1, chunk.start + 1 + row.num_tokens))
        assert chunk.emits == (chunk.start + row.num_tokens == 250)
        sizes.append(row.num_tokens)
        sequence.num_run += row.num_tokens
    assert sizes == [100, 100, 50]


def test_decoding_sequences_run_in_every_step_however_many_prompts_wait() -> None:
    sequences = [make_sequence(300), make_sequence(3, num_run=3), make_sequence(300)]
    scheduler = make_scheduler(*sequences)
    assert shape(scheduler) == [(0, 100, False), (1, 1, True)]


def test_a_prompt_of_one_token_is_a_prompt_before_it_decodes() -> None:
    sequence = make_sequence(1)
    scheduler = make_scheduler(sequence)
    assert shape(scheduler) == [(0, 1, False)]
    sequence.num_run = 1
    sequence.append(7)
    assert shape(scheduler) == [(0, 1, True)]


def test_a_waiting_sequence_can_be_taken_out() -> None:
    running, waiting = make_sequence(), make_sequence()
    scheduler = make_scheduler(running, waiting, num_slots=1)
    scheduler.remove(waiting)
    assert waiting.status is SequenceStatus.FINISHED
    assert not scheduler.can_admit()
    scheduler.remove(running)
    assert not scheduler.has_work


def test_canceled_sequences_are_found_wherever_they_are() -> None:
    sequences = [make_sequence() for _ in range(4)]
    scheduler = make_scheduler(*sequences, num_slots=2)
    for each in (sequences[1], sequences[3]):
        each.generation.cancel()
    assert scheduler.canceled() == [sequences[1], sequences[3]]


@pytest.mark.parametrize("limits", [{"num_slots": 0}, {"num_slots": 1, "max_prefill_tokens": 0}])
def test_a_scheduler_that_could_never_run_anything_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Scheduler(**limits)
