"""The memory of context is taken once and holds what fits."""

from __future__ import annotations

import pytest
import torch

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.kv_cache import KVCache
from tasks.model.loading import LoadedModel

WINDOW = 16
MAX_POSITIONS = 128


def new_cache(model: LoadedModel, num_tokens: int, num_slots: int = 3, num_prefix_tokens: int = 0) -> KVCache:
    return KVCache(
        model.weights, num_slots=num_slots, num_tokens=num_tokens, num_prefix_tokens=num_prefix_tokens
    )


def test_layers_with_a_window_have_a_ring_in_every_slot_and_the_others_the_budget(
    small_model: LoadedModel,
) -> None:
    cache = new_cache(small_model, 200)
    assert [layer.shape[2] for layer in cache.layers] == [256, 3 * WINDOW] * 2
    assert cache.num_tokens == 256
    assert not any(layer.any() for layer in cache.layers)


def test_each_prefix_that_is_kept_adds_a_ring_and_no_page(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 200, num_prefix_tokens=400)
    assert [layer.shape[2] for layer in cache.layers] == [256, (3 + 3) * WINDOW] * 2


def test_the_attention_says_how_long_a_ring_is_and_what_is_in_it(small_model: LoadedModel) -> None:
    cache = KVCache(
        small_model.weights,
        num_slots=3,
        num_tokens=1,
        dtype=torch.float16,
        ring_places=lambda window: window + 16,
    )
    assert [layer.shape[2] for layer in cache.layers] == [128, 3 * 32] * 2
    assert {layer.dtype for layer in cache.layers} == {torch.float16}
    assert cache.ring(2, WINDOW) == 64


def test_the_budget_is_never_less_than_the_longest_sequence(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 5)
    assert cache.fits(MAX_POSITIONS)
    assert not cache.fits(MAX_POSITIONS + 1)


def test_long_and_short_sequences_share_the_budget(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 10 * 128)
    cache.take(0, (), 700)
    cache.take(1, (), 129)
    assert cache.num_tokens_in_use == 8 * 128
    assert not cache.fits(257)
    with pytest.raises(ValueError, match="3 pages are wanted and 2 are free"):
        cache.take(2, (), 257)
    cache.take(2, (), 256)
    cache.give_back(0)
    assert cache.fits(6 * 128)
    assert not cache.fits(6 * 128 + 1)


def test_a_long_one_fits_between_short_ones(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 5 * 128, num_slots=5)
    for slot in range(5):
        cache.take(slot, (), 1)
    for slot in (0, 2, 4):
        cache.give_back(slot)
    cache.take(0, (), 300)
    assert cache.tables[0] == [0, 2, 4]


def test_a_slot_that_took_nothing_can_be_given_back(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 256)
    cache.give_back(1)
    assert cache.fits(256)


def test_places_of_different_sequences_do_not_meet(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 6 * 128)
    for slot in range(3):
        cache.take(slot, (), 200)
    assert [cache.tables[slot] for slot in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert [cache.ring(slot, WINDOW) for slot in range(3)] == [0, 16, 32]


def test_what_is_kept_makes_room_for_a_sequence(small_model: LoadedModel) -> None:
    prompt = tuple(range(256))
    cache = new_cache(small_model, 4 * 128, num_prefix_tokens=512)
    cache.take(0, (), 300)
    cache.keep(0, prompt[:128])
    cache.keep(0, prompt)
    assert (cache.fits(128), cache.fits(129)) == (True, False)
    cache.give_back(0)
    assert cache.num_tokens_in_use == 0
    assert cache.fits(512)
    cache.take(1, (), 257)
    # The end of the prompt had to go.
    assert cache.restore(1, prompt, 0) == 128
    assert cache.num_tokens_in_use == 3 * 128


def test_what_a_prompt_begins_with_goes_after_what_it_does_not_need(small_model: LoadedModel) -> None:
    cache = new_cache(small_model, 3 * 128, num_prefix_tokens=512)
    for prompt in ([1] * 128, [2] * 128):
        cache.take(0, prompt, 1)
        cache.keep(0, prompt)
        cache.give_back(0)
    cache.take(0, [1] * 128, 100)
    assert cache.restore(0, [1] * 128, 0) == 128


def test_a_sequence_that_ends_makes_room_for_another(small_model: LoadedModel) -> None:
    runner = small_model.new_runner(2, num_kv_tokens=MAX_POSITIONS)
    for first in range(1, 6):
        assert runner.can_admit(MAX_POSITIONS)
        runner.admit(1, [first] * 100, 28, SamplingParams())
        assert not runner.can_admit(1)
        assert (runner.num_kv_tokens_in_use, runner.num_kv_tokens) == (128, 128)
        runner.run([Chunk(slot=1, token_ids=[first] * 100, start=0, emits=True)])
        runner.release(1)


def test_a_request_that_the_model_refuses_takes_no_room(small_model: LoadedModel) -> None:
    runner = small_model.new_runner(1)
    with pytest.raises(ValueError, match="not in the model's vocabulary"):
        runner.admit(0, [-1], 28, SamplingParams())
    runner.release(0)
    assert runner.can_admit(MAX_POSITIONS)
