"""What a job remembers of the request that made it."""

from __future__ import annotations

import pytest

from tasks.jobs.models import NewJob
from tasks.jobs.origin import UNKNOWN_ORIGIN, Origin, parse_traceparent
from tasks.jobs.store import JobStore
from tests.factories import make_new_job
from tests.job_steps import WORKER, claim, submit
from tests.time_travel import let_pass

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


def with_origin(job_id: str) -> NewJob:
    return make_new_job(job_id, origin=Origin("req-1", TRACEPARENT))


def test_a_traceparent_is_taken_as_it_is() -> None:
    assert parse_traceparent(TRACEPARENT) == TRACEPARENT
    assert Origin("", TRACEPARENT).trace_id == TRACE


@pytest.mark.parametrize(
    ("flags", "kept"), [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("08", "00")]
)
def test_flags_that_have_no_meaning_yet_are_not_passed_on(flags: str, kept: str) -> None:
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-{flags}") == f"00-{TRACE}-{SPAN}-{kept}"


@pytest.mark.parametrize("rest", ["", "-", "-what-a-later-version-adds"])
def test_of_a_later_version_is_read_what_this_one_knows(rest: str) -> None:
    assert parse_traceparent(f"cc-{TRACE}-{SPAN}-01{rest}") == TRACEPARENT


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "canary",
        TRACEPARENT.upper(),
        f" {TRACEPARENT}",
        f"{TRACEPARENT}\n",
        f"{TRACEPARENT}-",
        f"{TRACEPARENT}-more",
        f"{TRACEPARENT},{TRACEPARENT}",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0x",
    ],
)
def test_a_malformed_traceparent_counts_as_none(header: str | None) -> None:
    assert parse_traceparent(header) == ""


def test_the_worker_that_claims_a_job_learns_its_origin(store: JobStore) -> None:
    submitted = store.submit(with_origin("a"), max_queued=1).job
    assert (
        submitted.origin == claim(store).job.origin == store.get("a").origin == Origin("req-1", TRACEPARENT)
    )


def test_a_job_of_an_earlier_version_has_no_origin(store: JobStore) -> None:
    store.submit(with_origin("a"), max_queued=1)
    store.client.hdel(f"{store.namespace}:job:a", "request_id", "traceparent", "requeued_at")
    job = claim(store).job
    assert (job.origin, job.requeued_at) == (UNKNOWN_ORIGIN, None)


def test_a_trace_that_somebody_has_overwritten_is_none(store: JobStore) -> None:
    store.submit(with_origin("a"), max_queued=1)
    store.client.hset(f"{store.namespace}:job:a", "traceparent", "by hand")
    assert store.get("a").origin == Origin("req-1", "")


def test_a_job_remembers_when_it_came_back_into_the_queue(store: JobStore) -> None:
    submit(store, "a")
    first = claim(store)
    assert first.job.requeued_at is None
    let_pass(store, 2)
    store.release(WORKER, "a", first.attempt)
    again = claim(store).job
    assert again.requeued_at is not None
    assert again.requeued_at - again.created_at == pytest.approx(2, abs=1)
