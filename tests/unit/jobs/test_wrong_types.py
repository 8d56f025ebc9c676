"""Keys of ours that somebody else has overwritten with a value of another type."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.jobs.errors import JobNotFound, StoreBroken
from tasks.jobs.models import JobStatus
from tasks.jobs.protocol import ReapReport, RingMessage
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_card, make_new_job
from tests.job_steps import WORKER, claim, claimed_ids, contents, finish, step, submit, succeeded, text_piece
from tests.time_travel import let_pass

QUEUE = f"{FINGERPRINT}:normal"

#: Every key that is not one job's or one worker's own, by who moves jobs through it.
INDEXES = ["attended", "due", "index", "leases", "queued", "registered", "seen", "workers"]
OF_THE_MODEL = [f"queue:{QUEUE}", f"turns:{QUEUE}", f"waiting:{QUEUE}", f"served:{FINGERPRINT}"]
OF_ONE_CALL = [f"passes:{FINGERPRINT}", "cards", "counters", "sequence", "tokenizer:sha"]


class Overwritten:
    """Puts garbage in place of a key, and the key back."""

    def __init__(self, store: JobStore, name: str) -> None:
        self._client = store.client
        self._key = f"{store.namespace}:{name}"

    def __enter__(self) -> str:
        if self._client.exists(self._key):
            self._client.rename(self._key, "kept")
        self._client.rpush(self._key, "garbage")
        return self._key

    def __exit__(self, *_: object) -> None:
        self._client.delete(self._key)
        if self._client.exists("kept"):
            self._client.rename("kept", self._key)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(StoreBroken) as broken:
        call()
    return str(broken.value)


def named(key: str, kind: str) -> str:
    return f"{key} is a list and should be a {kind}; somebody else has written it: delete it"


@pytest.mark.parametrize("name", INDEXES + OF_THE_MODEL)
def test_while_a_key_is_broken_jobs_stay_where_they_are_and_it_is_named(store: JobStore, name: str) -> None:
    ring = RingMessage(list="rung", entry="ring")
    store.submit(make_new_job("held"), max_queued=10, ring=ring)
    held = claim(store)
    for id in ("waits", "canceled"):
        store.submit(make_new_job(id), max_queued=10, ring=ring)
    with Overwritten(store, name) as key:
        said = {
            refused(lambda: submit(store, "new")),
            refused(lambda: claim(store)),
            refused(lambda: claim(store)),
            refused(lambda: finish(store, held)),
            refused(lambda: store.release(WORKER, "held", 1)),
            refused(lambda: store.cancel("canceled")),
        }
    assert said == {named(key, "hash" if name.startswith(("waiting", "served")) else "zset")}
    with pytest.raises(JobNotFound):
        store.get("new")
    assert finish(store, held)
    store.cancel("canceled")
    assert claimed_ids(store) == ["waits"]
    assert (store.get("waits").attempt, store.num_queued()) == (1, 0)


#: Text in place of a whole number: what a script cannot count with, or not further.
no_number = pytest.mark.parametrize("text", ["abc", "1.5", "inf", str(2**63 - 1)])


def not_counted(key: str) -> str:
    return f"{key} holds no whole number; somebody else has written it: delete it"


@no_number
@pytest.mark.parametrize(("name", "field"), [(f"waiting:{QUEUE}", ""), (f"served:{FINGERPRINT}", "normal")])
def test_while_a_count_is_no_number_nothing_is_changed_and_it_is_named(
    store: JobStore, name: str, field: str, text: str
) -> None:
    submit(store, "held")
    held = claim(store)
    for id in ("waits", "canceled"):
        submit(store, id)
    key = f"{store.namespace}:{name}"
    good = store.client.hget(key, field)
    store.client.hset(key, field, text)
    before = contents(store)
    said = {
        refused(lambda: submit(store, "new")),
        refused(lambda: finish(store, held)),
        refused(lambda: store.release(WORKER, "held", 1)),
        refused(lambda: store.cancel("canceled")),
    }
    assert contents(store) == before
    said |= {refused(lambda: claim(store)), refused(lambda: claim(store))}
    assert said == {not_counted(key)}

    store.client.hset(key, field, good)
    assert finish(store, held)
    store.cancel("canceled")
    assert claimed_ids(store) == ["waits"]


@no_number
def test_a_sequence_that_is_no_number_is_named_and_nothing_is_recorded(store: JobStore, text: str) -> None:
    key = f"{store.namespace}:sequence"
    store.client.set(key, text)
    before = contents(store)
    assert refused(lambda: submit(store, "a")) == not_counted(key)
    assert contents(store) == before
    store.client.delete(key)
    submit(store, "a")
    assert claimed_ids(store) == ["a"]


@no_number
def test_counts_of_one_call_that_are_no_numbers_are_named_by_it(store: JobStore, text: str) -> None:
    submit(store, "a")
    store.client.hset(f"{store.namespace}:passes:{FINGERPRINT}", "normal", text)
    assert refused(lambda: claim(store)) == not_counted(f"{store.namespace}:passes:{FINGERPRINT}")
    store.client.hset(f"{store.namespace}:counters", "stale_finishes", text)
    for call in (lambda: store.finish(WORKER, "a", 7, succeeded()), store.stats):
        assert refused(call) == not_counted(f"{store.namespace}:counters")


@pytest.mark.parametrize("text", ["abc", "nan", "inf", "0x10"])
def test_measurements_that_are_no_numbers_estimate_nothing_and_refuse_nothing(
    store: JobStore, text: str
) -> None:
    submit(store, "a")
    key = f"{store.namespace}:flow:{FINGERPRINT}"
    fields = ["run_tokens", "run_ms", "told_at", "tokens_normal", "came_normal", "came_at_normal"]
    store.client.hset(key, mapping=dict.fromkeys(fields, text))
    assert submit(store, "b").eta_seconds is None
    assert [finish(store, claim(store)) for _ in "ab"] == [True, True]


def test_versions_that_are_no_numbers_are_none(store: JobStore) -> None:
    store.client.zadd(f"{store.namespace}:schemas", {"abc": 1, "7": 1})
    assert store.far_versions() == [7]


@pytest.mark.parametrize("name", ["leases", *OF_THE_MODEL])
def test_a_reaper_counts_no_loss_while_it_cannot_put_jobs_back(store: JobStore, name: str) -> None:
    submit(store, "a")
    claim(store)
    let_pass(store, 11)
    with Overwritten(store, name):
        for _ in range(4):
            refused(store.reap)
    assert store.reap().requeued == 1
    assert store.get("a").losses == 1


@pytest.mark.parametrize("name", INDEXES)
def test_a_worker_hears_in_its_next_step_which_key_is_broken(store: JobStore, name: str) -> None:
    with Overwritten(store, name) as key:
        assert refused(lambda: store.step(WORKER, [])) == named(key, "zset")
        assert refused(lambda: store.ring_for_waiting("rung")) == named(key, "zset")
    store.step(WORKER, [])


@pytest.mark.parametrize("name", OF_ONE_CALL)
def test_keys_that_one_call_needs_are_named_by_it(store: JobStore, name: str) -> None:
    submit(store, "a")
    held = claim(store)
    calls: dict[str, Callable[[], object]] = {
        "passes": lambda: claim(store),
        "cards": lambda: store.register_model(make_card(), "{}", WORKER, slots=1),
        "counters": lambda: store.finish(WORKER, "a", 7, succeeded()),
        "sequence": lambda: submit(store, "b"),
        "tokenizer": lambda: store.tokenizer("sha"),
    }
    kind = name.partition(":")[0]
    with Overwritten(store, name) as key:
        types = {"sequence": "string", "tokenizer": "string"}
        assert refused(calls[kind]) == named(key, types.get(kind, "hash"))
    assert finish(store, held)


def test_a_list_of_rings_that_is_none_is_named_and_no_job_is_recorded_without_its_ring(
    store: JobStore,
) -> None:
    store.client.set("rung", "garbage")
    said = refused(
        lambda: store.submit(make_new_job("a"), max_queued=1, ring=RingMessage(list="rung", entry="ring"))
    )
    assert said == "rung is a string and should be a list; somebody else has written it: delete it"
    assert refused(lambda: store.ring_for_waiting("rung")) == said
    assert store.num_queued() == 0


def test_a_job_whose_stream_was_overwritten_still_ends(store: JobStore) -> None:
    submit(store, "a")
    store.client.set(f"{store.namespace}:events:a", "garbage")
    held = claim(store)
    assert step(store, held, text_piece("te"), num_tokens=1).stored == (2,)
    assert finish(store, held, "text")
    assert store.get("a").rows[0].text == "text"


@pytest.mark.parametrize("name", [*INDEXES, *OF_THE_MODEL, "cards", "counters", "sequence"])
def test_jobs_whose_index_was_deleted_are_claimed_all_the_same(store: JobStore, name: str) -> None:
    submit(store, "orphan")
    claim(store)
    for id in ("a", "b"):
        submit(store, id, deadline_seconds=1000)
    store.client.delete(f"{store.namespace}:{name}")
    store.reap()
    let_pass(store, 11)
    store.reap()
    assert sorted(claimed_ids(store)) == ["a", "b", "orphan"]
    assert [store.get(id).losses for id in ("a", "b", "orphan")] == [0, 0, 1]
    assert store.ring_for_waiting("rung") == 0


def test_a_worker_that_renews_keeps_its_job_when_the_leases_are_deleted(store: JobStore) -> None:
    submit(store, "a")
    held = claim(store)
    store.client.delete(f"{store.namespace}:leases")
    assert store.reap().restored == 1
    step(store, held)
    assert store.reap() == ReapReport()
    assert finish(store, held)


@pytest.mark.parametrize("name", [f"queue:{QUEUE}", "queued", "due"])
def test_a_job_that_was_canceled_without_its_index_stays_canceled(store: JobStore, name: str) -> None:
    submit(store, "a", deadline_seconds=5)
    store.client.delete(f"{store.namespace}:{name}")
    store.cancel("a")
    let_pass(store, 6)
    assert store.reap() == ReapReport()
    assert store.get("a").status == JobStatus.CANCELED


def test_jobs_are_looked_for_now_and_then_but_not_all_the_time(store: JobStore) -> None:
    submit(store, "a")
    restored = []
    for seconds in (0, 1, 5):
        let_pass(store, seconds)
        store.client.delete(f"{store.namespace}:due")
        restored.append(store.reap().restored)
    assert restored == [1, 0, 1]


@pytest.mark.parametrize("name", ["owned:", "owners"])
def test_a_broken_list_of_an_owners_jobs_refuses_new_ones_and_holds_up_no_other(
    store: JobStore, name: str
) -> None:
    submit(store, "old", ttl_seconds=60)
    with Overwritten(store, name) as key:
        said = refused(lambda: submit(store, "new"))
        assert said == named(key, "set" if name == "owners" else "zset")
        with pytest.raises(JobNotFound):
            store.get("new")
        finish(store, claim(store))
        let_pass(store, 25 * 3600)
        assert store.reap().trimmed == 2, "the job, and the worker that came no more"


def test_a_broken_list_is_named_to_who_reads_it(store: JobStore) -> None:
    with Overwritten(store, "owned:") as key:
        assert refused(store.list_jobs) == named(key, "zset")
