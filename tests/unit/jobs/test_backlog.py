"""What the record counts of its queues, and the estimates made of it."""

from __future__ import annotations

import pytest

from tasks.jobs.errors import QueueFull
from tasks.jobs.models import Priority
from tasks.jobs.protocol import Claim
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_new_job, make_parameters
from tests.job_steps import claim, finish, step, submit
from tests.pace import set_pace
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

    # Half a job until a slot is free, and a job more for each that is ahead. The test itself takes time, too.
    assert eta(store, "next") == pytest.approx(TOKENS / 2 / 10, rel=0.4)
    assert eta(store, "after") == pytest.approx(TOKENS * 3 / 2 / 10, rel=0.4)


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


def test_work_while_no_job_waits_says_nothing_of_the_pace(store: JobStore) -> None:
    submit(store, parameters=make_parameters(max_new_tokens=100))
    run(store, claim(store), tokens_per_second=10)
    assert submit(store).eta_seconds is None


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


def test_where_nothing_waits_no_wait_is_expected(store: JobStore) -> None:
    assert store.expected_wait(make_new_job()) == 0
    submit(store)
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
