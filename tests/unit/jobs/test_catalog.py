"""The models that workers have registered."""

from __future__ import annotations

import pytest

from tasks.jobs.errors import NoModel, StoreUnavailable, UnknownModel
from tasks.jobs.store import JobStore
from tests.factories import make_card
from tests.job_steps import WORKER
from tests.time_travel import let_pass


def register(store: JobStore, model: str, worker: str = WORKER, slots: int = 4) -> None:
    store.register_model(make_card(model, fingerprint=f"fp-{model}"), f"tokenizer of {model}", worker, slots)


def test_there_is_no_model_before_the_first_worker(store: JobStore) -> None:
    with pytest.raises(NoModel):
        store.model()
    with pytest.raises(NoModel):
        store.model("gpt-neo")
    assert store.models() == []


def test_a_registered_card_is_read_back(store: JobStore) -> None:
    card = make_card(eos_token_ids=(1, 2), metadata={"dtype": "float32"})
    store.register_model(card, '{"tokenizer": "ü"}', WORKER, slots=4)
    read = store.model()
    for name in ("model", "revision", "fingerprint", "max_positions", "eos_token_ids", "generation_defaults"):
        assert getattr(read, name) == getattr(card, name)
    assert read.metadata == card.metadata
    assert read.registered_at > 0
    assert (read.num_live_workers, read.num_live_slots) == (1, 4)
    assert store.tokenizer(card.tokenizer_sha256) == '{"tokenizer": "ü"}'


def test_an_unknown_name_is_refused(store: JobStore) -> None:
    register(store, "one")
    with pytest.raises(UnknownModel) as refused:
        store.model("two")
    assert refused.value.name == "two"


def test_a_card_outlives_its_workers(store: JobStore) -> None:
    register(store, "one")
    let_pass(store, 48 * 3600)
    store.reap()
    assert store.model("one").num_live_workers == 0
    assert store.tokenizer("sha-fp-one") == "tokenizer of one"


def test_the_default_is_the_live_model_registered_last(store: JobStore) -> None:
    register(store, "old", "w1")
    let_pass(store, 1)
    register(store, "new", "w2")
    assert store.model().model == "new"
    store.retire_worker("w2")
    assert store.model().model == "old"
    assert store.model("new").num_live_workers == 0


def test_without_live_workers_the_default_is_the_model_registered_last(store: JobStore) -> None:
    register(store, "old", "w1")
    let_pass(store, 1)
    register(store, "new", "w2")
    let_pass(store, 60)
    assert store.model().model == "new"


def test_one_more_worker_of_an_older_model_does_not_change_the_default(store: JobStore) -> None:
    register(store, "old", "w1")
    let_pass(store, 1)
    register(store, "new", "w2")
    let_pass(store, 1)
    register(store, "old", "w3")
    assert store.model().model == "new"
    assert store.model("old").num_live_workers == 2


def test_a_fleet_that_comes_back_is_registered_anew(store: JobStore) -> None:
    register(store, "old", "w1")
    let_pass(store, 1)
    register(store, "new", "w2")
    let_pass(store, 60)
    register(store, "old", "w3")
    let_pass(store, 60)
    assert store.model().model == "old"


def test_a_worker_registered_twice_counts_once(store: JobStore) -> None:
    register(store, "one", slots=2)
    register(store, "one", slots=3)
    card = store.model()
    assert (card.num_live_workers, card.num_live_slots) == (1, 3)


def test_each_live_worker_tells_the_form_in_which_it_computes(store: JobStore) -> None:
    card = make_card("one", fingerprint="fp-one")
    store.register_model(card, "tokenizer", "w1", 4, precision="float16")
    store.register_model(card, "tokenizer", "w2", 4, precision="float16")
    store.register_model(card, "tokenizer", "w3", 4, precision="float32")
    store.register_model(card, "tokenizer", "w4", 4)
    assert store.model().live_precisions == {"float16": 2, "float32": 1}
    store.retire_worker("w3")
    assert store.model().live_precisions == {"float16": 2}
    let_pass(store, 60)
    assert store.model().live_precisions == {}


def test_a_lost_tokenizer_says_to_try_again(store: JobStore) -> None:
    with pytest.raises(StoreUnavailable):
        store.tokenizer("unknown")


def test_dead_workers_are_forgotten_after_an_hour(store: JobStore) -> None:
    register(store, "one")
    let_pass(store, 3700)
    assert store.reap().trimmed == 1
    assert not store.client.exists(f"{store.namespace}:worker:{WORKER}")


def test_a_worker_that_was_forgotten_comes_back_with_its_next_claim(store: JobStore) -> None:
    register(store, "one")
    let_pass(store, 3700)
    store.reap()
    store.step(WORKER, [])
    assert store.stats().num_workers == 0
    store.claim_next(WORKER, "fp-one", "n")
    assert store.model().num_live_workers == 1
