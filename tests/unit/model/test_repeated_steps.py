"""A step that failed half-way can be run again, row by row: every text is what it would have been."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Rows
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

from tasks.engine.runner import Chunk, ModelRunner
from tasks.engine.types import GenerationRequest, SamplingParams
from tasks.model.cuda_runner import CudaRunner
from tasks.model.drawing import draw
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.gpu import gpu_forms
from tasks.model.kv_cache import KVCache
from tasks.model.loading import LoadedModel
from tasks.model.precision import Precision
from tasks.model.torch_attention import TorchAttention
from tasks.model.undo import forgets, restored_on_failure
from tasks.model.weights import pack
from tests.fakes import make_request
from tests.reference import numbers_engine, read_network, run_all, tokens

NUM_SLOTS = 4
NO_END: frozenset[int] = frozenset()
#: Longer than the window of 16, so that chunks overwrite what they see themselves.
MAX_PREFILL_TOKENS = 50


def on_the_processor(model: LoadedModel, _folder: Path) -> ModelRunner:
    return GPTNeoRunner(model.weights, num_slots=NUM_SLOTS, eos_token_ids=NO_END)


def by_torch(model: LoadedModel, _folder: Path) -> ModelRunner:
    return GPTNeoRunner(model.weights, num_slots=NUM_SLOTS, eos_token_ids=NO_END, attention=TorchAttention())


def as_on_a_gpu(_model: LoadedModel, folder: Path) -> ModelRunner:
    weights = pack(read_network(folder), forms=gpu_forms(Precision.FLOAT32))
    return CudaRunner(weights, num_slots=NUM_SLOTS, eos_token_ids=NO_END)


def requests() -> list[GenerationRequest]:
    """Greedy and drawn, with and without a penalty."""
    rng = Random(3)
    return [
        make_request(
            prompt_ids=tuple(rng.randrange(1, 290) for _ in range(length)),
            max_new_tokens=8,
            sampling=SamplingParams(
                do_sample=length % 2 == 0,
                top_k=40,
                repetition_penalty=1.3 if length > 20 else 1.0,
                seed=length,
            ),
        )
        for length in (1, 2, 17, 60, 61, 96)
    ]


def texts(runner: ModelRunner) -> list[list[int]]:
    engine = numbers_engine(runner, max_prefill_tokens=MAX_PREFILL_TOKENS)
    generations = [engine.submit(each) for each in requests()]
    run_all(engine)
    return [tokens(each) for each in generations]


class Stumbling:
    """Makes every step with several rows fail once, at the end of one of its parts."""

    def __init__(self, runner: ModelRunner) -> None:
        self.num_failed = 0
        self._calls_left = 0  #: Of the part, until it fails; 0: it does not.
        self._fails_at = 1
        self._run = runner.run
        runner.run = self.run  # type: ignore[method-assign]

    def run(self, chunks: Rows[Chunk]) -> list[int | Exception]:
        self._calls_left = self._fails_at if len(chunks) > 1 else 0
        return self._run(chunks)

    def after(self, part: Callable[..., Any], *, call: int = 1) -> Callable[..., Any]:
        """`part` of the step, which fails after so many calls."""
        self._fails_at = call

        def failing(*arguments: Any, **options: Any) -> Any:
            result = part(*arguments, **options)
            self._calls_left -= 1
            if self._calls_left == 0:
                self.num_failed += 1
                raise MemoryError
            return result

        return failing


@pytest.mark.parametrize(
    ("new_runner", "part"),
    [
        (on_the_processor, "_forward"),
        (by_torch, "_forward"),
        (as_on_a_gpu, "_run"),
    ],
)
def test_a_step_that_fails_when_its_keys_and_values_are_written_changes_no_text(
    new_runner: Callable[..., ModelRunner],
    part: str,
    small_model: LoadedModel,
    pristine_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = new_runner(small_model, pristine_folder)
    stumbling = Stumbling(runner)
    monkeypatch.setattr(runner, part, stumbling.after(getattr(runner, part)))
    assert texts(runner) == texts(new_runner(small_model, pristine_folder))
    assert stumbling.num_failed > 10


def test_a_step_that_fails_between_two_layers_changes_no_text(
    small_model: LoadedModel, pristine_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = by_torch(small_model, pristine_folder)
    stumbling = Stumbling(runner)
    # The second layer is the first that has a ring.
    failing = stumbling.after(TorchAttention.attend, call=2)
    with monkeypatch.context() as patch:
        patch.setattr(TorchAttention, "attend", lambda *arguments: failing(*arguments))
        disturbed = texts(runner)
    assert disturbed == texts(by_torch(small_model, pristine_folder))
    assert stumbling.num_failed > 10


@pytest.mark.parametrize("new_runner", [on_the_processor, by_torch])
def test_a_step_that_fails_when_its_tokens_are_drawn_changes_no_text(
    new_runner: Callable[..., ModelRunner],
    small_model: LoadedModel,
    pristine_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = new_runner(small_model, pristine_folder)
    stumbling = Stumbling(runner)
    with monkeypatch.context() as patch:
        patch.setattr("tasks.model.sampling.draw", stumbling.after(draw))
        disturbed = texts(runner)
    assert disturbed == texts(new_runner(small_model, pristine_folder))
    assert stumbling.num_failed > 5


def test_what_a_sequence_left_half_written_is_erased_when_it_leaves(
    small_model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = small_model.new_runner(1)
    erased = []
    erase = KVCache.erase
    monkeypatch.setattr(KVCache, "erase", lambda cache, slot: (erased.append(slot), erase(cache, slot)))

    def chunk(start: int) -> Chunk:
        return Chunk(slot=0, token_ids=(5,), start=start, emits=True)

    def fail(*_: object) -> None:
        raise MemoryError

    for repeated in (True, False):
        runner.admit(0, (5,), 4, SamplingParams())
        with monkeypatch.context() as patch:
            patch.setattr(runner, "_forward", fail)
            with pytest.raises(MemoryError):
                runner.run([chunk(0)])
        if repeated:
            runner.run([chunk(0)])
        runner.release(0)
        assert erased == ([] if repeated else [0])


def test_a_chunk_forgets_what_it_sees_exactly_when_it_takes_the_place_of_it() -> None:
    window = 4
    for num_places in (4, 6):
        for start in range(12):
            for end in range(start + 1, 20):
                seen = set(range(max(0, start - window + 1), start))
                taken = {position % num_places for position in range(start, end)}
                # What is in the ring before: the newest token of each place.
                held = set(range(max(0, start - num_places), start))
                lost = {position for position in seen & held if position % num_places in taken}
                assert forgets(start, end, window, num_places) == bool(lost)


def test_memory_is_restored_only_where_the_body_raises() -> None:
    def write_and(raise_: bool, memory: Tensor) -> None:
        with restored_on_failure([memory]):
            memory.zero_()
            if raise_:
                raise MemoryError

    memory = torch.ones(2, 3)
    with pytest.raises(MemoryError):
        write_and(True, memory)
    assert memory.all()
    write_and(False, memory)
    assert not memory.any()
