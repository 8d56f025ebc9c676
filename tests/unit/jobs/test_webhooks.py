"""Deliveries: written with the transition that they tell of, taken by whoever has time, never lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from api.same_again import same_again
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.models import Job
from tasks.jobs.origin import Origin
from tasks.jobs.record import SCHEMA_VERSION
from tasks.jobs.store import JobStore
from tasks.jobs.upkeep import LEASE_SECONDS, MAX_LOSSES
from tasks.jobs.webhook import WebhookEvent
from tasks.jobs.webhook_queue import DELIVERY_LEASE_SECONDS, Settlement, WebhookQueue
from tests.batch_steps import submit_batch
from tests.job_steps import WORKER, claim, finish, step, submit
from tests.time_travel import let_pass
from tests.webhook_steps import BOTH, HOST, claim_deliveries, names, to


@pytest.fixture
def queue(store: JobStore) -> WebhookQueue:
    return WebhookQueue(store.client, store.namespace)


def run(store: JobStore) -> None:
    taken = claim(store)
    step(store, taken)
    finish(store, taken)


def ended_by_its_worker(store: JobStore) -> None:
    submit(store, "a", webhook=to())
    run(store)


def canceled_in_the_queue(store: JobStore) -> None:
    submit(store, "a", webhook=to())
    store.cancel("a")


def expired_in_the_queue(store: JobStore) -> None:
    submit(store, "a", webhook=to(), deadline_seconds=60)
    let_pass(store, 61)
    store.reap()


def lost_with_its_workers(store: JobStore) -> None:
    submit(store, "a", webhook=to())
    for _ in range(MAX_LOSSES):
        step(store, claim(store))
        let_pass(store, LEASE_SECONDS + 1)
        store.reap()


def handed_back_after_a_cancel(store: JobStore) -> None:
    submit(store, "a", webhook=to())
    taken = claim(store)
    store.cancel("a")
    store.release(WORKER, "a", taken.attempt)


@pytest.mark.parametrize(
    "end",
    [
        ended_by_its_worker,
        canceled_in_the_queue,
        expired_in_the_queue,
        lost_with_its_workers,
        handed_back_after_a_cancel,
    ],
)
def test_whoever_ends_a_job_leaves_its_delivery(
    store: JobStore, queue: WebhookQueue, end: Callable[[JobStore], None]
) -> None:
    end(store)
    [due] = claim_deliveries(queue)
    assert names([due]) == ["a completed 1"]
    assert isinstance(due.about, Job)
    assert due.about.status.terminal
    assert due.webhook == to()


def test_a_job_without_a_webhook_leaves_none(store: JobStore, queue: WebhookQueue) -> None:
    submit(store, "a")
    run(store)
    assert claim_deliveries(queue) == []
    assert store.get("a").deliveries == ()


def test_nothing_is_told_before_the_end_unless_it_is_asked_for(store: JobStore, queue: WebhookQueue) -> None:
    submit(store, "a", webhook=to())
    submit(store, "b", webhook=to(HOST, *BOTH))
    step(store, claim(store))
    step(store, claim(store))
    assert names(claim_deliveries(queue)) == ["b started 1"]


def test_only_the_start_is_told_where_only_that_is_asked_for(store: JobStore, queue: WebhookQueue) -> None:
    submit(store, "a", webhook=to(HOST, WebhookEvent.STARTED))
    run(store)
    assert names(claim_deliveries(queue)) == ["a started 1"]


def test_a_job_that_starts_again_has_been_told_of(store: JobStore, queue: WebhookQueue) -> None:
    submit(store, "a", webhook=to(HOST, *BOTH))
    step(store, claim(store))
    [due] = claim_deliveries(queue)
    queue.settle(due, Settlement.DELIVERED, status=200)
    let_pass(store, LEASE_SECONDS + 1)
    store.reap()
    run(store)
    assert names(claim_deliveries(queue)) == ["a completed 1"]


def test_a_delivery_is_one_callers_until_its_lease_is_over(store: JobStore, queue: WebhookQueue) -> None:
    ended_by_its_worker(store)
    assert names(claim_deliveries(queue)) == ["a completed 1"]
    assert claim_deliveries(queue) == []
    let_pass(store, DELIVERY_LEASE_SECONDS + 1)
    assert names(claim_deliveries(queue)) == ["a completed 2"]


def test_an_attempt_that_another_has_followed_settles_nothing(store: JobStore, queue: WebhookQueue) -> None:
    ended_by_its_worker(store)
    [late] = claim_deliveries(queue)
    let_pass(store, DELIVERY_LEASE_SECONDS + 1)
    [second] = claim_deliveries(queue)
    assert not queue.settle(late, Settlement.GIVEN_UP, code="timed_out")
    assert queue.settle(second, Settlement.DELIVERED, status=204)
    assert not queue.settle(second, Settlement.FAILED, code="timed_out", retry_seconds=1)
    assert claim_deliveries(queue) == []


def test_what_failed_is_due_again_when_its_delay_is_over(store: JobStore, queue: WebhookQueue) -> None:
    ended_by_its_worker(store)
    [due] = claim_deliveries(queue)
    queue.settle(due, Settlement.FAILED, status=503, code="rejected", retry_seconds=30)
    [told] = store.get("a").deliveries
    assert (told.attempts, told.status, told.code, told.delivered_at) == (1, 503, "rejected", None)
    assert told.next_at is not None
    let_pass(store, 29)
    assert claim_deliveries(queue) == []
    let_pass(store, 2)
    assert names(claim_deliveries(queue)) == ["a completed 2"]


@pytest.mark.parametrize("settlement", [Settlement.DELIVERED, Settlement.REFUSED, Settlement.GIVEN_UP])
def test_what_is_over_stays_in_the_log_and_nowhere_else(
    store: JobStore, queue: WebhookQueue, settlement: Settlement
) -> None:
    ended_by_its_worker(store)
    [due] = claim_deliveries(queue)
    queue.settle(due, settlement, status=200)
    [told] = store.get("a").deliveries
    assert told.next_at is None
    assert (told.delivered_at is not None) == (settlement is Settlement.DELIVERED)
    assert store.counters().count("webhooks", settlement) == 1
    assert list(store.client.scan_iter(f"{store.namespace}:webhook*")) == []


def test_a_delivery_from_which_nobody_comes_back_is_given_up(store: JobStore, queue: WebhookQueue) -> None:
    ended_by_its_worker(store)
    for attempt in (1, 2):
        assert names(claim_deliveries(queue, max_attempts=2)) == [f"a completed {attempt}"]
        let_pass(store, DELIVERY_LEASE_SECONDS + 1)
    assert claim_deliveries(queue, max_attempts=2) == []
    assert store.counters().count("webhooks", "given_up") == 1


def test_a_host_gets_no_more_than_its_share(store: JobStore, queue: WebhookQueue) -> None:
    for i in range(10):
        submit(store, f"slow-{i}", webhook=to("slow.example.com"))
        store.cancel(f"slow-{i}")
    submit(store, "good", webhook=to())
    store.cancel("good")
    first = claim_deliveries(queue, room={"slow.example.com": 4})
    assert [due.webhook.host for due in first] == ["slow.example.com"] * 4 + [HOST]
    assert claim_deliveries(queue, room={"slow.example.com": 0}) == []
    assert len(claim_deliveries(queue, room={})) == 1
    assert len(claim_deliveries(queue, most=2, room={"slow.example.com": 4})) == 2


def test_the_end_of_a_batch_is_told_once(store: JobStore, batches: BatchStore, queue: WebhookQueue) -> None:
    submit_batch(batches, "b", 2, webhook=to())
    run(store)
    assert claim_deliveries(queue) == []
    run(store)
    [due] = claim_deliveries(queue)
    assert names([due]) == ["b completed 1"]
    assert due.about == batches.get("b")
    queue.settle(due, Settlement.DELIVERED, status=200)
    [told] = batches.get("b").deliveries
    assert told.delivered_at is not None
    assert list(store.client.scan_iter(f"{store.namespace}:webhook*")) == []


def test_a_batch_that_is_canceled_is_told_of(
    store: JobStore, batches: BatchStore, queue: WebhookQueue
) -> None:
    submit_batch(batches, "b", 2, webhook=to())
    batches.cancel("b")
    assert names(claim_deliveries(queue)) == ["b completed 1"]


def test_a_retry_tells_the_same_receiver(store: JobStore, queue: WebhookQueue) -> None:
    canceled_in_the_queue(store)
    claim_deliveries(queue)
    store.submit(same_again(store.get("a"), None, "again", Origin()), max_queued=10)
    run(store)
    [due] = claim_deliveries(queue)
    assert (due.id, due.webhook) == ("again", to())


def test_an_end_that_an_earlier_version_wrote_is_told_by_the_reaper(
    store: JobStore, queue: WebhookQueue
) -> None:
    """It knows no webhooks: it ends the job, and leaves the fields alone."""
    ended_by_its_worker(store)
    store.client.hdel(f"{store.namespace}:job:a", "webhook_completed")
    store.client.delete(f"{store.namespace}:webhooks:{HOST}", f"{store.namespace}:webhook_hosts")
    let_pass(store, 11)
    store.reap()
    assert names(claim_deliveries(queue)) == ["a completed 1"]


@pytest.mark.parametrize("key", [f"webhooks:{HOST}", "webhook_hosts", "webhooks_owed"])
def test_a_key_that_somebody_overwrites_keeps_no_job_from_its_end(
    store: JobStore, queue: WebhookQueue, key: str
) -> None:
    store.client.set(f"{store.namespace}:{key}", "mine")
    ended_by_its_worker(store)
    assert store.get("a").status.terminal
    store.client.delete(f"{store.namespace}:{key}")
    let_pass(store, 11)
    store.reap()
    assert names(claim_deliveries(queue)) == ["a completed 1"]


@pytest.mark.parametrize(
    ("field", "value"), [("webhook", ""), ("parameters", "mine"), ("webhook_started", "mine")]
)
def test_a_record_that_somebody_breaks_keeps_no_other_from_being_told(
    store: JobStore, queue: WebhookQueue, field: str, value: str
) -> None:
    for id in ("broken", "good"):
        submit(store, id, webhook=to())
        store.cancel(id)
    store.client.hset(f"{store.namespace}:job:broken", field, value)
    assert names(claim_deliveries(queue)) == ["good completed 1"]


def test_a_job_in_the_queue_keeps_its_claim_to_be_told(store: JobStore, queue: WebhookQueue) -> None:
    submit(store, "a", webhook=to())
    for _ in range(3):
        let_pass(store, 11)
        store.reap()
    assert store.client.zrange(f"{store.namespace}:webhooks_owed", 0, -1) == [f"a {HOST}"]


def test_what_a_version_far_away_has_recorded_is_left_to_it(store: JobStore, queue: WebhookQueue) -> None:
    ended_by_its_worker(store)
    store.client.hset(f"{store.namespace}:job:a", "schema", SCHEMA_VERSION + 2)
    let_pass(store, 11)
    store.reap()
    assert claim_deliveries(queue) == []
    store.client.hset(f"{store.namespace}:job:a", "schema", SCHEMA_VERSION + 1)
    let_pass(store, DELIVERY_LEASE_SECONDS + 1)
    assert names(claim_deliveries(queue)) == ["a completed 1"]


def test_deliveries_vanish_with_their_job(store: JobStore, queue: WebhookQueue) -> None:
    submit(store, "a", webhook=to(HOST, *BOTH), ttl_seconds=60)
    run(store)
    let_pass(store, 61)
    store.reap()
    assert list(store.client.scan_iter(f"{store.namespace}:webhook*")) == []


def test_a_delivery_whose_job_has_expired_is_counted(store: JobStore, queue: WebhookQueue) -> None:
    submit(store, "a", webhook=to(), ttl_seconds=60)
    run(store)
    let_pass(store, 61)
    assert claim_deliveries(queue) == []
    assert store.counters().count("webhooks", "expired") == 1


def test_the_stats_know_how_many_wait_and_how_late_the_first_is(store: JobStore, queue: WebhookQueue) -> None:
    for i in range(3):
        submit(store, f"job-{i}", webhook=to(f"host-{i % 2}.example.com"))
        store.cancel(f"job-{i}")
    let_pass(store, 40)
    stats = store.stats()
    assert stats.num_webhooks == 3
    assert 40 <= stats.webhooks_late_seconds < 100
    claim_deliveries(queue, room={"host-0.example.com": 2})
    assert (store.stats().num_webhooks, store.stats().webhooks_late_seconds) == (3, 0)
