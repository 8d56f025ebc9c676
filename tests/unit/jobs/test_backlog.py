"""What the record counts of its queues, and the estimates made of it."""

from __future__ import annotations

import pytest

from tasks.jobs.backlog import Backlog, seconds_until_free
from tasks.jobs.errors import QueueFull
from tasks.jobs.fluid import Lane
from tasks.jobs.models import Priority
from tasks.jobs.protocol import Claim
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_card, make_new_job, make_parameters
from tests.job_steps import WORKER, claim, finish, step, submit
from tests.pace import set_pace, take_all_slots
from tests.time_travel import let_pass

#: Of a job, unless a test says otherwise.
TOKENS = 20


def flow(store: JobStore) -> str:
    return f"{store.namespace}:flow:{FINGERPRINT}"


def counted_tokens(store: JobStore, priority: Priority = Priority.NORMAL) -> int:
    return int(store.client.hget(flow(store), f"tokens_{priority}") or 0)


def run(store: JobStore, taken: Claim, *, tokens_per_second: int, seconds: int = 6) -> None:
    for second in range(seconds + 1):
        step(store, taken, num_tokens=second * tokens_per_second)
        let_pass(store, 1)


def register(store: JobStore, *, slots: int) -> None:
    store.register_model(make_card(), "{}", WORKER, slots=slots)


def eta(store: JobStore, id: str) -> float | None:
    return store.get(id).eta_seconds


def test_nothing_is_estimated_before_anything_was_measured(store: JobStore) -> None:
    assert submit(store, "a").eta_seconds is None
    job = store.get("a")
    assert (job.position, job.eta_seconds) == (1, None)


def test_the_pace_is_what_workers_get_done_while_jobs_wait(store: JobStore) -> None:
    submit(store, parameters=make_parameters(max_new_tokens=100))
    for id in ("next", "after"):
        submit(store, id)
    run(store, claim(store), tokens_per_second=10)

    # At most 40 tokens are left of the one that runs, of which was heard a second ago. The test itself takes
    # time, too.
    assert eta(store, "next") == pytest.approx(3, rel=0.4)
    assert eta(store, "after") == pytest.approx(3 + TOKENS / 10, rel=0.4)


def test_a_job_that_stops_early_is_done_in_full(store: JobStore) -> None:
    for id in ("stops early", "long", "next"):
        submit(store, id, parameters=make_parameters(max_new_tokens=600))
    short, long = claim(store), claim(store)
    step(store, short, num_tokens=3)
    step(store, long)
    finish(store, short, "end")
    for _ in range(6):
        let_pass(store, 1)
        step(store, long)

    # 600 tokens in 6 seconds, and 300 are half a job.
    assert eta(store, "next") == pytest.approx(3, rel=0.4)


def test_work_of_workers_with_room_says_nothing_of_the_pace_of_all(store: JobStore) -> None:
    register(store, slots=2)
    submit(store, parameters=make_parameters(max_new_tokens=100))
    run(store, claim(store), tokens_per_second=10)
    assert store.fleet().models[0].backlog.tokens_per_second is None


def test_the_pace_is_measured_while_all_slots_are_taken_and_none_waits(store: JobStore) -> None:
    register(store, slots=1)
    submit(store, parameters=make_parameters(max_new_tokens=100))
    run(store, claim(store), tokens_per_second=10)
    assert store.fleet().models[0].backlog.tokens_per_second == pytest.approx(10, rel=0.4)


def test_with_room_a_job_starts_at_once(store: JobStore) -> None:
    register(store, slots=4)
    submit(store, num_rows=3)
    step(store, claim(store))
    assert store.expected_wait(make_new_job()) == 0
    assert submit(store, "next").eta_seconds == 0
    assert store.expected_wait(make_new_job()) is None


def test_where_all_slots_are_taken_a_job_waits_for_the_rest_of_the_first_that_ends(store: JobStore) -> None:
    register(store, slots=1)
    submit(store, parameters=make_parameters(max_new_tokens=2000))
    run(store, claim(store), tokens_per_second=100)
    for priority in Priority:
        assert store.expected_wait(make_new_job(priority=priority)) == pytest.approx(13, rel=0.2)
        small = make_parameters(max_new_tokens=5)
        assert submit(store, priority=priority, parameters=small).eta_seconds == pytest.approx(13, rel=0.2)


def test_the_several_texts_of_a_job_take_as_many_slots_and_end_together(store: JobStore) -> None:
    register(store, slots=8)
    submit(store, parameters=make_parameters(max_new_tokens=100, num_return_sequences=8))
    run(store, claim(store), tokens_per_second=80)
    assert store.expected_wait(make_new_job()) == pytest.approx(3, rel=0.4)


def test_the_end_of_a_job_is_expected_from_its_claim_on_where_the_pace_of_a_text_is_known(
    store: JobStore,
) -> None:
    register(store, slots=1)
    submit(store, parameters=make_parameters(max_new_tokens=100))
    first = claim(store)
    assert store.expected_wait(make_new_job()) is None
    run(store, first, tokens_per_second=10)
    finish(store, first)
    submit(store, parameters=make_parameters(max_new_tokens=200))
    claim(store)
    assert store.expected_wait(make_new_job()) == pytest.approx(20, rel=0.4)


def test_jobs_that_workers_have_claimed_and_found_no_room_for_come_first(store: JobStore) -> None:
    register(store, slots=8)
    submit(store, parameters=make_parameters(max_new_tokens=100))
    running = claim(store)
    for _ in range(2):
        submit(store)
        step(store, claim(store), started=False)
    run(store, running, tokens_per_second=10, seconds=3)
    # When it has ended, both of them; as fast as eight texts where no pace of all was measured.
    assert store.expected_wait(make_new_job()) == pytest.approx(5, rel=0.4)
    set_pace(store, 2)
    assert store.expected_wait(make_new_job()) == pytest.approx(5 + 2 * TOKENS / 2, rel=0.1)


@pytest.mark.parametrize("how", ["finished", "released", "lost"])
def test_slots_are_free_again_however_their_job_has_left(store: JobStore, how: str) -> None:
    register(store, slots=1)
    submit(store, "a")
    taken = claim(store)
    assert store.expected_wait(make_new_job()) is None
    if how == "finished":
        finish(store, taken)
    elif how == "released":
        store.release(WORKER, "a", taken.attempt)
        store.cancel("a")
    else:
        let_pass(store, 11)
        register(store, slots=1)
        assert store.reap().requeued == 1
        store.cancel("a")
    assert store.expected_wait(make_new_job()) == 0
    for name in ("claimed", "ends"):
        assert not store.client.exists(f"{store.namespace}:{name}:{FINGERPRINT}")


def test_the_slots_of_a_worker_that_is_lost_are_no_room(store: JobStore) -> None:
    register(store, slots=1)
    let_pass(store, 11)
    store.reap()
    assert store.expected_wait(make_new_job()) is None


def test_where_jobs_wait_for_more_than_a_moment_there_is_no_room(store: JobStore) -> None:
    register(store, slots=4)
    assert submit(store, "a").eta_seconds == 0
    let_pass(store, 2)
    assert eta(store, "a") is None


def test_the_reaper_counts_again_what_workers_have(store: JobStore) -> None:
    register(store, slots=1)
    submit(store, "deleted")
    claim(store)
    store.client.delete(f"{store.namespace}:job:deleted")
    take_all_slots(store)
    store.reap()
    assert store.expected_wait(make_new_job()) == 0


def test_an_outage_is_not_counted_as_work(store: JobStore) -> None:
    submit(store)
    submit(store, "next")
    taken = claim(store)
    for _ in range(3):
        step(store, taken, num_tokens=1)
        let_pass(store, 3)
    assert eta(store, "next") is None


def test_an_estimate_ends_when_no_worker_tells_of_its_work(store: JobStore) -> None:
    submit(store, "a")
    set_pace(store, 10)
    assert eta(store, "a") is not None
    let_pass(store, 11)
    assert eta(store, "a") is None


def test_a_claimed_job_has_no_estimate(store: JobStore) -> None:
    submit(store, "a")
    set_pace(store, 10)
    claim(store)
    assert eta(store, "a") is None


def test_the_other_priorities_take_their_share(store: JobStore) -> None:
    for _ in range(16):
        submit(store, priority=Priority.HIGH)
    low = [submit(store, priority=Priority.LOW).id for _ in range(3)]
    let_pass(store, 600)  # What came lately would be expected to go on coming.
    set_pace(store, 10)

    # Two low jobs are claimed and all high ones meanwhile.
    assert eta(store, low[2]) == pytest.approx((16 + 2 + 0.5) * TOKENS / 10)
    assert store.get(low[2]).position == 3


def test_what_came_lately_is_expected_to_go_on_and_a_pause_ends_that(store: JobStore) -> None:
    for _ in range(20):
        submit(store, priority=Priority.LOW)
    submit(store, "last", priority=Priority.LOW)
    for _ in range(40):
        store.cancel(submit(store, priority=Priority.HIGH).id)
    set_pace(store, 100)
    soon = eta(store, "last")
    let_pass(store, 600)
    set_pace(store, 100)
    later = eta(store, "last")

    assert later == pytest.approx(20.5 * TOKENS / 100, rel=0.01)
    assert soon is not None
    assert soon > 1.2 * later


def test_a_submit_tells_place_and_estimate_and_so_does_its_repetition(store: JobStore) -> None:
    submit(store)
    set_pace(store, 10)
    first = submit(store, "a", idempotency_key="k")
    again = submit(store, idempotency_key="k")
    assert first.position == again.position == 2
    assert first.eta_seconds == again.eta_seconds == pytest.approx(1.5 * TOKENS / 10)


def test_a_new_job_is_expected_after_those_of_its_owner_alone(store: JobStore) -> None:
    for _ in range(10):
        submit(store, owner="many")
    set_pace(store, 10)
    many, few = (store.expected_wait(make_new_job(owner=owner)) for owner in ("many", "few"))
    assert many == pytest.approx(10.5 * TOKENS / 10)
    assert few == pytest.approx(1.5 * TOKENS / 10)


def test_without_a_worker_nothing_is_expected(store: JobStore) -> None:
    assert store.expected_wait(make_new_job()) is None


def test_the_tokens_of_a_queue_are_counted_wherever_a_job_joins_or_leaves(store: JobStore) -> None:
    for id in ("first", "canceled", "expired", "stays"):
        submit(store, id, deadline_seconds=30 if id == "expired" else None)
    assert counted_tokens(store) == 4 * TOKENS
    first = claim(store)
    assert counted_tokens(store) == 3 * TOKENS
    store.cancel("canceled")
    assert counted_tokens(store) == 2 * TOKENS
    assert store.release("worker-1", first.job.id, first.attempt)
    assert counted_tokens(store) == 3 * TOKENS
    let_pass(store, 31)
    assert store.reap().expired == 1
    assert counted_tokens(store) == 2 * TOKENS


def test_a_job_of_several_texts_counts_all_of_them(store: JobStore) -> None:
    submit(store, num_rows=3)
    assert counted_tokens(store) == 3 * TOKENS


def test_a_queue_that_becomes_empty_forgets_what_was_miscounted(store: JobStore) -> None:
    submit(store)
    store.client.hincrby(flow(store), "tokens_normal", 1000)
    claim(store)
    assert counted_tokens(store) == 0


def test_the_reaper_counts_again(store: JobStore) -> None:
    for _ in range(3):
        submit(store)
    store.client.hset(flow(store), "tokens_normal", -1000)
    set_pace(store, 10)
    store.reap()
    assert counted_tokens(store) == 3 * TOKENS


def test_jobs_recorded_by_an_earlier_version_do_not_count(store: JobStore) -> None:
    submit(store, "old")
    submit(store, "new")
    store.client.hdel(f"{store.namespace}:job:old", "work")
    store.client.hset(flow(store), "tokens_normal", TOKENS)
    assert finish(store, claim(store))
    assert counted_tokens(store) == TOKENS


def test_where_the_measure_was_overwritten_jobs_run_without_an_estimate(store: JobStore) -> None:
    store.client.set(flow(store), "garbage")
    store.client.set(f"{store.namespace}:counters", "garbage")
    submit(store, "a")
    submit(store, "b")
    taken = claim(store)
    step(store, taken, num_tokens=1)
    store.reap()
    assert eta(store, "b") is None
    assert store.expected_wait(make_new_job()) is None
    assert finish(store, taken)
    store.client.delete(flow(store))
    store.reap()
    set_pace(store, 10)
    assert eta(store, "b") is not None


def test_an_overwritten_queue_of_another_priority_is_taken_for_an_empty_one(store: JobStore) -> None:
    store.client.set(f"{store.namespace}:queue:{FINGERPRINT}:high", "garbage")
    submit(store, "a")
    set_pace(store, 10)
    assert eta(store, "a") == pytest.approx(TOKENS / 2 / 10)


def test_a_full_queue_says_when_a_place_will_be_free(store: JobStore) -> None:
    for _ in range(3):
        submit(store)
    with pytest.raises(QueueFull) as unmeasured:
        store.submit(make_new_job(), max_queued=3)
    set_pace(store, 10)
    with pytest.raises(QueueFull) as measured:
        store.submit(make_new_job(), max_queued=2)

    assert unmeasured.value.free_in_seconds is None
    assert measured.value.free_in_seconds == pytest.approx(2 * TOKENS / 10)


def backlog(low: int, high: int = 0, tokens_per_second: float | None = 50) -> Backlog:
    lanes = {each: Lane(0, 0.0, 0.0) for each in Priority}
    lanes[Priority.LOW], lanes[Priority.HIGH] = Lane(low, 100.0, 0.0), Lane(high, 100.0, 0.0)
    return Backlog(
        lanes=lanes,
        tokens_per_second=tokens_per_second,
        likely_tokens_per_second=None,
        num_free=0,
        num_stuck=0,
        seconds_until_end=None,
    )


def test_items_of_batches_go_as_fast_as_all_their_models_and_other_priorities_let_them() -> None:
    alone = backlog(low=64)
    assert seconds_until_free([alone], 10) == pytest.approx(10 * 100 / 50)
    assert seconds_until_free([alone, alone], 10) == pytest.approx(10 * 100 / 50 / 2)
    assert seconds_until_free([alone, backlog(low=64, tokens_per_second=None)], 10) == pytest.approx(20)
    # Of nine claims one is an item.
    assert seconds_until_free([backlog(low=64, high=1000)], 10) == pytest.approx(9 * 10 * 100 / 50)


def test_nothing_is_said_of_items_where_no_model_was_measured() -> None:
    assert seconds_until_free([], 10) is None
    assert seconds_until_free([backlog(low=64, tokens_per_second=None)], 10) is None
    assert seconds_until_free([backlog(low=0)], 10) is None
