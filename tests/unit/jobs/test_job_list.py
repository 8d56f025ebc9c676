"""An owner's list of jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.jobs.job_list import MAX_LOOKED_AT
from tasks.jobs.models import Job, JobStatus
from tasks.jobs.record import SCHEMA_VERSION
from tasks.jobs.store import JobStore
from tests.job_steps import claim, finish, step, submit, text_piece
from tests.time_travel import let_pass


def listed(store: JobStore, **wanted: object) -> list[str]:
    """The ids on all pages."""
    page = store.list_jobs(**wanted)  # type: ignore[arg-type]
    ids = [job.id for job in page.jobs]
    while page.before is not None:
        page = store.list_jobs(**{**wanted, "before": page.before})  # type: ignore[arg-type]
        ids += [job.id for job in page.jobs]
    return ids


def test_jobs_come_newest_first_in_whatever_state(store: JobStore) -> None:
    for id in ("a", "b", "c", "d"):
        submit(store, id)
    finish(store, claim(store))
    step(store, claim(store))
    store.cancel("d")
    page = store.list_jobs()
    states = [(job.id, job.status.value) for job in page.jobs]
    assert states == [("d", "canceled"), ("c", "queued"), ("b", "running"), ("a", "succeeded")]
    assert page.before is None


def test_a_listed_job_is_the_job_without_its_texts(store: JobStore) -> None:
    for id in ("a", "b", "c"):
        submit(store, id, metadata={"a": 1}, retry_of="x", deadline_seconds=60)
    finish(store, claim(store), "text")
    jobs = {job.id: job for job in store.list_jobs().jobs}
    expected: Job = store.get("a")
    assert expected.rows
    assert jobs["a"] == replace(expected, text="", rows=())
    assert [jobs[id].position for id in ("b", "c")] == [1, 2]


def test_every_owner_sees_their_own(store: JobStore) -> None:
    for id in ("a", "b", "c"):
        submit(store, id, owner="one" if id == "b" else "")
    assert listed(store) == ["c", "a"]
    assert listed(store, owner="one") == ["b"]
    assert listed(store, owner="another") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_pages_joined_are_the_whole_list(store: JobStore, limit: int) -> None:
    for i in range(4):
        submit(store, str(i))
    assert listed(store, limit=limit) == ["3", "2", "1", "0"]
    assert store.list_jobs(limit=4).before is None, "there is no empty last page"


def test_what_is_submitted_or_ends_between_two_pages_moves_nothing(store: JobStore) -> None:
    for i in range(6):
        submit(store, str(i))
    page = store.list_jobs(limit=2)
    assert [job.id for job in page.jobs] == ["5", "4"]
    submit(store, "new")
    store.cancel("4")
    finish(store, claim(store))
    assert [job.id for job in store.list_jobs(limit=2, before=page.before).jobs] == ["3", "2"]


@pytest.mark.parametrize("limit", [1, 2, 20])
def test_a_list_may_be_of_certain_states(store: JobStore, limit: int) -> None:
    for i in range(9):
        submit(store, str(i))
    for i in (0, 3, 8):
        store.cancel(str(i))
    finish(store, claim(store))
    canceled, succeeded = JobStatus.CANCELED, JobStatus.SUCCEEDED
    assert listed(store, statuses=(canceled,), limit=limit) == ["8", "3", "0"]
    assert listed(store, statuses=(succeeded, canceled), limit=limit) == ["8", "3", "1", "0"]
    assert listed(store, statuses=(JobStatus.FAILED,), limit=limit) == []


def test_a_call_looks_at_a_bounded_number_of_jobs(store: JobStore) -> None:
    for i in range(MAX_LOOKED_AT + 10):
        store.client.zadd(f"{store.namespace}:owned:", {f"gone-{i}": i + 10})
    submit(store, "oldest")
    store.client.zadd(f"{store.namespace}:owned:", {"oldest": 1})
    first = store.list_jobs()
    assert (first.jobs, first.before) == ((), 20)
    assert [job.id for job in store.list_jobs(before=first.before).jobs] == ["oldest"]


def test_a_job_leaves_the_list_with_its_record(store: JobStore) -> None:
    submit(store, "a", ttl_seconds=60)
    submit(store, "b", ttl_seconds=600)
    for _ in range(2):
        finish(store, claim(store))
    let_pass(store, 61)
    assert listed(store) == ["b"]
    store.reap()
    assert store.client.zrange(f"{store.namespace}:owned:", 0, -1) == ["b"]


@pytest.mark.parametrize("seconds", [61, 25 * 3600])
def test_the_last_job_of_an_owner_takes_the_list_with_it(store: JobStore, seconds: float) -> None:
    """Also when nobody reaped until its tombstone was gone."""
    for owner in ("", "one"):
        submit(store, f"of-{owner}", owner=owner, ttl_seconds=60)
        finish(store, claim(store))
    let_pass(store, seconds)
    store.reap()
    assert list(store.client.scan_iter(f"{store.namespace}:own*")) == []


def test_a_job_recorded_before_there_were_lists_is_on_none(store: JobStore) -> None:
    submit(store, "a", ttl_seconds=60)
    store.client.delete(f"{store.namespace}:owned:", f"{store.namespace}:owners")
    assert listed(store) == []
    taken = claim(store)
    step(store, taken, text_piece("te"))
    assert finish(store, taken)
    let_pass(store, 61)
    assert store.reap().trimmed == 1


@pytest.mark.parametrize("statuses", [(), (JobStatus.QUEUED,)])
def test_jobs_of_a_far_version_are_left_out(store: JobStore, statuses: tuple[JobStatus, ...]) -> None:
    for id in ("a", "far", "b"):
        submit(store, id)
    store.client.hset(f"{store.namespace}:job:far", "schema", SCHEMA_VERSION + 2)
    assert listed(store, statuses=statuses) == ["b", "a"]
