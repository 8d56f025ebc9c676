"""What the metrics are made of."""

from __future__ import annotations

import pytest

from tasks.jobs.models import Priority
from tasks.jobs.stats import StoreStats
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT
from tests.job_steps import claim, step, submit
from tests.time_travel import let_pass


def test_an_empty_store_counts_nothing(store: JobStore) -> None:
    assert store.stats() == StoreStats(
        queued={},
        held=dict.fromkeys(Priority, 0),
        running=dict.fromkeys(Priority, 0),
        fingerprints=[],
        oldest_queued_seconds=0,
        num_workers=0,
        num_expired_leases=0,
        num_batches=0,
        num_items_waiting=0,
        num_webhooks=0,
        webhooks_late_seconds=0,
        num_stale_finishes=0,
    )


def test_jobs_are_counted_where_they_are(store: JobStore) -> None:
    submit(store, "first")
    submit(store, "second", priority=Priority.LOW)
    step(store, claim(store))
    claim(store)
    submit(store, priority=Priority.HIGH)
    let_pass(store, 30)
    submit(store, priority=Priority.HIGH)
    submit(store, fingerprint="other")

    stats = store.stats()

    assert stats.queued == {(FINGERPRINT, Priority.HIGH): 2, ("other", Priority.NORMAL): 1}
    assert stats.held == {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 1}
    assert stats.running == {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 0}
    assert (stats.num_held, stats.num_running) == (2, 1)
    assert stats.oldest_queued_seconds == pytest.approx(30, abs=5)


def test_a_model_is_seen_as_long_as_it_had_a_worker_lately(store: JobStore) -> None:
    submit(store)
    assert list(store.stats().fingerprints) == []
    claim(store)
    assert list(store.stats().fingerprints) == [FINGERPRINT]
    let_pass(store, 700)
    assert list(store.stats().fingerprints) == []


def test_a_lease_that_ran_out_is_counted_until_the_reaper_takes_the_job(store: JobStore) -> None:
    submit(store)
    claim(store)
    assert store.stats().num_expired_leases == 0
    let_pass(store, 11)
    assert store.stats().num_expired_leases == 1
    store.reap()
    assert store.stats().num_expired_leases == 0


def test_the_oldest_waiting_jobs_come_first(store: JobStore) -> None:
    for id, priority in (("a", Priority.LOW), ("b", Priority.HIGH), ("c", Priority.NORMAL)):
        submit(store, id, priority=priority)
        let_pass(store, 1)
    assert store.oldest_queued(2) == ["a", "b"]
    assert store.num_queued() == 3


def test_two_namespaces_on_one_server_do_not_meet(store: JobStore) -> None:
    other = JobStore(store.client, "other")
    submit(store, "a")
    claim(store)
    assert other.num_queued() == 0
    submit(other, "a")
    assert other.get("a").attempt == 0
    assert store.get("a").attempt == 1


def test_the_store_answers_a_ping(store: JobStore) -> None:
    store.ping()
