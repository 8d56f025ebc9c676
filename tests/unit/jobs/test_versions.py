"""Versions next to each other share a database, and leave the jobs of those further away alone."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tasks.jobs import record
from tasks.jobs.errors import OtherVersion
from tasks.jobs.models import JobStatus, Priority
from tasks.jobs.protocol import ReapReport
from tasks.jobs.reaper import Reaper
from tasks.jobs.record import SCHEMA_VERSION
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.factories import make_card, make_new_job
from tests.job_steps import WORKER, claim, claimed_ids, finish, step, submit, text_piece
from tests.time_travel import let_pass

FAR = (SCHEMA_VERSION - 2, SCHEMA_VERSION + 2)
every_far_version = pytest.mark.parametrize("version", FAR)


def job_key(store: JobStore, job_id: str) -> str:
    return f"{store.namespace}:job:{job_id}"


def submit_as(store: JobStore, version: int, job_id: str, **changes: Any) -> None:
    """A job as that version records it, which knows a field that this one does not."""
    submit(store, job_id, **changes)
    store.client.hset(job_key(store, job_id), mapping={"schema": version, "colour": "blue"})


def fields(store: JobStore, job_id: str) -> dict[str, str]:
    return dict(store.client.hgetall(job_key(store, job_id)))


@pytest.mark.parametrize("version", [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1])
def test_a_neighbours_job_is_served_to_its_end_and_keeps_what_this_version_does_not_know(
    store: JobStore, version: int
) -> None:
    submit_as(store, version, "a")
    step(store, claim(store), text_piece("te"))
    store.release(WORKER, "a", 1)
    step(store, claim(store), text_piece("te"))
    let_pass(store, 11)
    assert store.reap().requeued == 1
    finish(store, claim(store), "text")
    assert store.get("a").rows[0].text == "text"
    kept = fields(store, "a")
    assert (kept["schema"], kept["colour"]) == (str(version), "blue")


@every_far_version
def test_a_far_job_stays_in_the_queue_and_holds_nobody_up(store: JobStore, version: int) -> None:
    submit_as(store, version, "far")
    submit_as(store, version, "far and urgent", priority=Priority.HIGH)
    submit(store, "near")
    submit(store, "near and slow", priority=Priority.LOW)
    before = fields(store, "far")
    assert claimed_ids(store) == ["near", "near and slow"]
    assert fields(store, "far") == before
    assert store.num_queued() == 2


def test_no_more_than_a_hundred_far_jobs_are_passed_over(store: JobStore) -> None:
    for number in range(101):
        submit_as(store, FAR[1], f"far-{number}")
    submit(store, "near")
    assert claimed_ids(store) == []
    store.client.hset(job_key(store, "far-0"), "schema", SCHEMA_VERSION)
    assert claimed_ids(store) == ["far-0", "near"]


@every_far_version
def test_a_far_job_is_neither_shown_nor_canceled_nor_found_by_its_key(store: JobStore, version: int) -> None:
    submit_as(store, version, "far", idempotency_key="k")
    before = fields(store, "far")
    for call in (
        lambda: store.get("far"),
        lambda: store.cancel("far"),
        lambda: store.submit(make_new_job("again", idempotency_key="k"), max_queued=10),
    ):
        with pytest.raises(OtherVersion) as refused:
            call()
        assert (refused.value.theirs, refused.value.ours) == (version, SCHEMA_VERSION)
    assert fields(store, "far") == before


def test_the_reaper_leaves_far_jobs_alone_and_sees_those_behind_them(store: JobStore) -> None:
    version = FAR[1]
    for number in range(120):
        submit(store, f"held-{number}")
    for taken in claimed_ids(store)[:110]:
        store.client.hset(job_key(store, taken), "schema", version)
    for number in range(110):
        submit_as(store, version, f"late-{number}", deadline_seconds=5)
    submit(store, "late", deadline_seconds=5)
    let_pass(store, 11)
    assert store.reap() == ReapReport(requeued=10, expired=1, num_queued=120)
    assert store.get("late").status is JobStatus.EXPIRED
    assert fields(store, "held-0")["worker"] == WORKER
    assert fields(store, "late-0")["status"] == "queued"


@every_far_version
def test_the_reaper_puts_no_far_job_back_into_a_queue_that_was_deleted(store: JobStore, version: int) -> None:
    submit_as(store, version, "far")
    submit(store, "near")
    store.client.delete(*store.client.scan_iter(f"{store.namespace}:queue:*"))
    assert store.reap().restored == 1
    assert claimed_ids(store) == ["near"]
    store.client.hset(job_key(store, "far"), "schema", SCHEMA_VERSION)
    assert claimed_ids(store) == []


@every_far_version
def test_cards_of_far_versions_are_passed_over(store: JobStore, version: int) -> None:
    store.register_model(make_card("far", fingerprint="fp-far"), "{}", WORKER, 1)
    card = json.loads(store.client.hget(f"{store.namespace}:cards", "fp-far"))
    store.client.hset(f"{store.namespace}:cards", "fp-far", json.dumps({**card, "schema": version}))
    with pytest.raises(OtherVersion):
        store.models()
    store.register_model(make_card("near"), "{}", "another-worker", 1)
    assert [each.model for each in store.models()] == ["near"]


def test_a_card_of_the_next_version_is_read(store: JobStore) -> None:
    store.register_model(make_card(), "{}", WORKER, 1)
    key = f"{store.namespace}:cards"
    (fingerprint, text), *_ = store.client.hgetall(key).items()
    next_card = {**json.loads(text), "schema": SCHEMA_VERSION + 1, "colour": "blue"}
    store.client.hset(key, fingerprint, json.dumps(next_card))
    assert store.model().model == "test-model"


def test_who_starts_beside_a_far_version_says_so_once_and_names_both(
    store: JobStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(store, "a")
    reaper = Reaper(store, RecordingRing())
    reaper.tick()
    assert not caplog.records
    with monkeypatch.context() as later:
        later.setattr(record, "SCHEMA_VERSION", SCHEMA_VERSION + 2)
        later.setattr("tasks.jobs.reaper.SCHEMA_VERSION", SCHEMA_VERSION + 2)
        with caplog.at_level(logging.ERROR):
            newer = Reaper(store, RecordingRing())
            newer.tick()
            newer.tick()
    (line,) = caplog.messages
    assert f"version {SCHEMA_VERSION} " in line
    assert f"version {SCHEMA_VERSION + 2}:" in line


def test_a_version_is_forgotten_when_nothing_of_it_can_be_left(store: JobStore) -> None:
    store.client.zadd(f"{store.namespace}:schemas", {"7": 1})
    submit(store, "a")
    assert store.far_versions() == [7]
    store.reap()
    assert store.far_versions() == []
    let_pass(store, 9 * 86400)
    store.reap()
    assert not store.client.exists(f"{store.namespace}:schemas")
