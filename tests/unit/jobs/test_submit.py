"""What a submit records, and what it refuses."""

from __future__ import annotations

import pytest

from tasks.jobs.errors import IdempotencyKeyReused, JobNotFound, QueueFull
from tasks.jobs.models import JobStatus, Priority
from tasks.jobs.store import JobStore
from tasks.jobs.webhook import Webhook, WebhookEvent
from tests.factories import make_new_job, make_parameters
from tests.job_steps import claim, finish, submit
from tests.time_travel import let_pass


def test_a_submitted_job_is_read_back_as_it_was_given(store: JobStore) -> None:
    parameters = make_parameters(temperature=0.7, stop=("\n", "Ende €"), seed=2**63, num_return_sequences=2)
    new = make_new_job(
        "job-1",
        parameters=parameters,
        text='quotes " NUL \0 umlaut ü emoji 😀 newline \n',
        priority=Priority.HIGH,
        owner="key-1",
        deadline_seconds=30.5,
        cancel_on_disconnect=True,
        metadata={"a": [1, {"b": None}]},
        retry_of="job-0",
        webhook=Webhook(url="https://example.com/a?b=c", events=(WebhookEvent.STARTED,)),
    )

    submitted = store.submit(new, max_queued=1)

    job = store.get("job-1", owner="key-1")
    assert submitted.created
    assert submitted.job == job
    assert job.spec() == new.spec()
    assert (job.status, job.attempt, job.losses, job.position) == (JobStatus.QUEUED, 0, 0, 1)
    assert job.deadline_at == pytest.approx(job.created_at + 30.5)
    assert (job.started_at, job.completed_at, job.expires_at) == (None, None, None)
    assert (job.error, job.rows) == (None, ())
    usual = make_new_job("usual").spec()
    same = {name for name, value in new.spec().items() if value == usual[name]}
    assert same == {"model", "fingerprint", "num_prompt_tokens", "ttl_seconds"}, "the rest is not by chance"


def test_what_a_later_version_adds_to_a_record_does_no_harm(store: JobStore) -> None:
    before = submit(store, "a")
    finish(store, claim(store), "text")
    key = f"{store.namespace}:job:a"
    for field, addition in (("parameters", ',"beams":3}'), ("rows", ',"score":0.5}]')):
        text = str(store.client.hget(key, field))
        store.client.hset(key, field, text.rstrip("}]") + addition)
    store.client.hset(key, "later_field", "1")

    job = store.get("a")

    assert job.parameters == before.parameters
    assert job.rows[0].text == "text"


def test_an_unknown_job_is_not_found(store: JobStore) -> None:
    with pytest.raises(JobNotFound):
        store.get("no-such-job")


def test_another_owners_job_is_not_found(store: JobStore) -> None:
    submit(store, "job-1", owner="key-1")
    with pytest.raises(JobNotFound):
        store.get("job-1", owner="key-2")
    with pytest.raises(JobNotFound):
        store.get("job-1")


def test_a_full_queue_refuses_and_records_nothing(store: JobStore) -> None:
    store.submit(make_new_job("first"), max_queued=1)
    keys = set(store.client.scan_iter("*"))

    with pytest.raises(QueueFull) as refused:
        store.submit(make_new_job("second", idempotency_key="key", owner="new"), max_queued=1)

    assert (refused.value.limit, refused.value.queued) == (1, 1)
    assert set(store.client.scan_iter("*")) == keys
    assert store.num_queued() == 1


def test_held_jobs_do_not_count_against_the_limit(store: JobStore) -> None:
    store.submit(make_new_job(), max_queued=1)
    claim(store)
    store.submit(make_new_job("second"), max_queued=1)
    assert store.get("second").position == 1


def test_a_repeated_submit_of_the_same_job_changes_nothing(store: JobStore) -> None:
    new = make_new_job("job-1")
    first = store.submit(new, max_queued=1)
    assert store.submit(new, max_queued=1) == first
    assert store.num_queued() == 1


def test_the_same_key_and_body_give_the_same_job(store: JobStore) -> None:
    first = store.submit(make_new_job("a", idempotency_key="k", body_digest="d"), max_queued=1)
    again = store.submit(make_new_job("b", idempotency_key="k", body_digest="d"), max_queued=1)
    assert (first.created, again.created) == (True, False)
    assert again.job.id == "a"
    assert store.num_queued() == 1


def test_the_same_key_with_another_body_is_refused(store: JobStore) -> None:
    submit(store, "a", idempotency_key="k", body_digest="d")
    with pytest.raises(IdempotencyKeyReused):
        submit(store, "b", idempotency_key="k", body_digest="other")
    with pytest.raises(JobNotFound):
        store.get("b")


def test_idempotency_keys_of_different_owners_are_apart(store: JobStore) -> None:
    submit(store, "a", idempotency_key="k", owner="one")
    job = submit(store, "b", idempotency_key="k", owner="two")
    assert job.id == "b"


def test_an_idempotency_key_lives_as_long_as_its_job(store: JobStore) -> None:
    submit(store, "a", idempotency_key="k", ttl_seconds=60)
    let_pass(store, 100_000)
    assert submit(store, "b", idempotency_key="k").id == "a"

    finish(store, claim(store))
    let_pass(store, 50)
    assert submit(store, "b", idempotency_key="k").id == "a"

    let_pass(store, 20)
    assert submit(store, "b", idempotency_key="k").id == "b"
