"""The memory of context is taken once and holds what fits."""

from __future__ import annotations

import pytest

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.kv_cache import KVCache
from tasks.model.loading import LoadedModel

WINDOW = 16
MAX_POSITIONS = 128


def new_cache(model: LoadedModel, num_tokens: int, num_slots: int = 3) -> KVCache:
    return KVCache(model.weights, num_slots=num_slots, num_tokens=num_tokens)


def test_layers_with_a_window_have_a_ring_in_every_slot_and_the_others_the_budget(
    small_model: LoadedModel,
) -> None:
    cache = new_cache(small_model, 200)
    assert [layer.shape[2] for layer in cache.layers] == [200, 3 * WINDOW] * 2


def test_the_budget_is_never_less_than_the_longest_sequence(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 5)
    assert cache.fits(MAX_POSITIONS)
    assert not cache.fits(MAX_POSITIONS + 1)


def test_long_and_short_sequences_share_the_budget(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 150)
    cache.take(0, 100)
    cache.take(1, 30)
    assert not cache.fits(21)
    with pytest.raises(ValueError, match="no gap of 21 places"):
        cache.take(2, 21)
    cache.take(2, 20)
    cache.give_back(0)
    assert cache.fits(100)
    assert not cache.fits(101)


def test_a_slot_that_took_nothing_can_be_given_back(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 150)
    cache.give_back(1)
    assert cache.fits(150)


def test_places_of_different_sequences_do_not_meet(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 150)
    for slot in range(3):
        cache.take(slot, 50)
    assert [cache.place(slot, None) for slot in range(3)] == [0, 50, 100]
    assert [cache.place(slot, WINDOW) for slot in range(3)] == [0, 16, 32]


def test_a_sequence_that_ends_makes_room_for_another(small_model: LoadedModel) -> None:
    runner = small_model.new_runner(2, num_kv_tokens=MAX_POSITIONS)
    for first in range(1, 6):
        assert runner.can_admit(MAX_POSITIONS)
        runner.admit(1, [first] * 100, 28, SamplingParams())
        assert not runner.can_admit(1)
        runner.run([Chunk(slot=1, token_ids=[first] * 100, start=0, emits=True)])
        runner.release(1)


def test_a_request_that_the_model_refuses_takes_no_room(small_model: LoadedModel) -> None:
    runner = small_model.new_runner(1)
    with pytest.raises(ValueError, match="not in the model's vocabulary"):
        runner.admit(0, [-1], 28, SamplingParams())
    runner.release(0)
    assert runner.can_admit(MAX_POSITIONS)
