"""Slots and token budget: arithmetic."""

from __future__ import annotations

import pytest

from tasks.engine.generation import Generation
from tasks.engine.scheduler import Scheduler
from tasks.engine.scripted import ScriptedDetokenizer
from tasks.engine.sequence import Sequence, SequenceStatus
from tests.fakes import make_request


def make_sequence(
    num_prompt_tokens: int = 3, *, num_run: int = 0, prompt_ids: tuple[int, ...] = ()
) -> Sequence:
    request = make_request(prompt_ids=prompt_ids or tuple(range(1, num_prompt_tokens + 1)))
    sequence = Sequence(Generation(request, 0.0), ScriptedDetokenizer())
    sequence.num_run = num_run
    if num_run == num_prompt_tokens:
        sequence.append(9)
    return sequence


def make_scheduler(
    *sequences: Sequence, num_slots: int = 4, max_prefill_tokens: int = 100, page_tokens: int = 0
) -> Scheduler:
    scheduler = Scheduler(num_slots=num_slots, max_prefill_tokens=max_prefill_tokens, page_tokens=page_tokens)
    for sequence in sequences:
        scheduler.add(sequence)
    while scheduler.can_admit():
        scheduler.admit()
    return scheduler


def nothing_is_reused(_sequence: Sequence) -> None:
    pass


def shape(scheduler: Scheduler) -> list[tuple[int, int, bool]]:
    return [(row.sequence.slot, row.num_tokens, row.decodes) for row in scheduler.schedule(nothing_is_reused)]


def steps(scheduler: Scheduler, count: int) -> list[list[tuple[int, int]]]:
    """Slots and tokens of the next steps, which run as scheduled."""
    result = []
    for _ in range(count):
        rows = scheduler.schedule(nothing_is_reused)
        result.append([(row.sequence.slot, row.num_tokens) for row in rows])
        for row in rows:
            row.sequence.num_run += row.num_tokens
            if row.sequence.num_pending == 0:
                row.sequence.append(9)
    return result


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
        (row,) = scheduler.schedule(nothing_is_reused)
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


def test_no_chunk_crosses_the_end_of_a_page() -> None:
    scheduler = make_scheduler(make_sequence(35), max_prefill_tokens=12, page_tokens=16)
    assert steps(scheduler, 4) == [[(0, 12)], [(0, 4)], [(0, 12)], [(0, 4)]]
    assert steps(scheduler, 2) == [[(0, 3)], [(0, 1)]]


def test_the_budget_that_the_end_of_a_page_leaves_goes_to_the_next_prompt() -> None:
    sequences = (make_sequence(prompt_ids=(first,) * 40) for first in (1, 2, 3))
    scheduler = make_scheduler(*sequences, max_prefill_tokens=40, page_tokens=16)
    assert steps(scheduler, 2) == [[(0, 16), (1, 16), (2, 8)], [(0, 16), (1, 16), (2, 8)]]


def test_what_is_reused_is_not_scheduled() -> None:
    def reuse(sequence: Sequence) -> None:
        sequence.num_run = 32

    scheduler = make_scheduler(make_sequence(40), page_tokens=16)
    ((row,)) = scheduler.schedule(reuse)
    assert (row.num_tokens, row.sequence.chunk(row.num_tokens).start) == (8, 32)


def test_a_prompt_waits_while_an_earlier_one_runs_a_page_that_both_begin_with() -> None:
    shared = tuple(range(32))
    sequences = (make_sequence(prompt_ids=ids) for ids in ((*shared, 1), (*shared, 2), (7,) * 20))
    scheduler = make_scheduler(*sequences, max_prefill_tokens=100, page_tokens=16)
    # Nothing is reused here, so the second runs a page later what it waited for.
    assert steps(scheduler, 3) == [[(0, 16), (2, 16)], [(0, 16), (2, 4)], [(0, 1), (1, 16), (2, 1)]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1,) * 16 + (2,) * 16, (1,) * 15 + (3,) + (2,) * 16),
        ((1,) * 16, (1,) * 16),  # Its last token is run in any case.
        ((1,) * 15, (1,) * 20),  # Its page is not completed.
    ],
)
def test_prompts_that_do_not_share_a_whole_page_do_not_wait(
    first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    sequences = (make_sequence(prompt_ids=ids) for ids in (first, second))
    scheduler = make_scheduler(*sequences, page_tokens=16)
    assert [slot for slot, _ in steps(scheduler, 1)[0]] == [0, 1]


@pytest.mark.parametrize("num_tokens", [32, 40, 64, 127])
def test_equal_prompts_wait_until_the_first_of_them_has_run_all_of_it(num_tokens: int) -> None:
    sequences = (make_sequence(prompt_ids=(1,) * num_tokens) for _ in range(3))
    scheduler = make_scheduler(*sequences, max_prefill_tokens=30, page_tokens=64)
    while scheduler.running[0].num_run < num_tokens:
        (run,) = steps(scheduler, 1)
        assert [slot for slot, _ in run] == [0]
    (run,) = steps(scheduler, 1)
    assert [slot for slot, _ in run] == [0, 1], "nothing is reused here, so the next one runs it"


def test_what_is_left_of_equal_prompts_is_not_worth_a_step_when_it_is_little() -> None:
    prompts = [make_sequence(prompt_ids=(1,) * 31) for _ in range(2)]
    scheduler = make_scheduler(*prompts, max_prefill_tokens=100, page_tokens=64)
    assert steps(scheduler, 1) == [[(0, 31), (1, 31)]]


def test_nobody_waits_for_a_text_that_is_being_written() -> None:
    decoding = make_sequence(15, num_run=15)  # Its page ends with the token 9.
    prompt = make_sequence(prompt_ids=(*range(1, 16), 9, 5))
    assert steps(make_scheduler(decoding, prompt, page_tokens=16), 1) == [[(0, 1), (1, 16)]]


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
