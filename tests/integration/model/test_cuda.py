"""On a GPU: recorded steps equal those that are not, and texts equal those of the processor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tasks.engine.types import SamplingParams
from tasks.model.choice import numbers_of
from tasks.model.cuda_runner import CudaRunner
from tasks.model.decode_step import DecodeStep, DecodingRow
from tasks.model.device import Device
from tasks.model.forward import dtype_of
from tasks.model.loading import load
from tasks.model.precision import Precision
from tasks.model.recorded import record_all
from tasks.model.static_kv import StaticKV
from tests.fakes import make_request
from tests.reference import generate, numbers_engine, read_network, run_all, tokens

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="this machine has no GPU: CUDA graphs are not tested here"
)

STORY = "Once upon a time there was a little girl named Lily who loved to play in the garden. "
LENGTHS = (1, 9, 130, 255, 257, 600)
NUM_NEW = 20


@torch.inference_mode()
@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.BFLOAT16])
def test_a_recorded_step_equals_one_that_is_not(shipped_folder: Path, precision: Precision) -> None:
    weights = load(str(shipped_folder), precision=precision, device=Device.CUDA).weights
    device = weights.token_embedding.device
    steps = []
    for _ in range(2):
        kv = StaticKV(weights, num_rows=8, dtype=dtype_of(weights))
        seen = torch.zeros(9, weights.vocabulary_size, dtype=torch.bool, device=device)
        steps.append(DecodeStep(weights, kv, seen))
    recorded = record_all(steps[0].run, [(8, 128), (4, 128)], device)
    drawn = SamplingParams(do_sample=True, top_k=50, top_p=0.9, repetition_penalty=1.2)
    for position in range(10):
        num_rows = 8 if position % 3 else 4
        rows = {row: DecodingRow(40 + row, position, numbers_of(drawn, row / 8)) for row in (0, 1, 3)}
        for step in steps:
            step.put(rows, num_rows)
        ours, theirs = recorded[num_rows, 128](), steps[1].run(num_rows, 128)
        for row in rows:
            assert ours[0][row] == theirs[0][row]
            torch.testing.assert_close(ours[1][row], theirs[1][row])


def test_greedy_texts_in_float32_equal_generate(shipped_folder: Path) -> None:
    model = load(str(shipped_folder), device=Device.CUDA)
    ids = model.encode(STORY * 60)
    network = read_network(shipped_folder)  # On the processor.
    runner = model.new_runner(4)
    assert isinstance(runner, CudaRunner)
    engine = numbers_engine(runner, max_prefill_tokens=100)
    generations = [
        engine.submit(make_request(prompt_ids=ids[:length], max_new_tokens=NUM_NEW)) for length in LENGTHS
    ]
    run_all(engine)
    for each in generations:
        assert tokens(each) == generate(network, each.request.prompt_ids, NUM_NEW)


def test_a_seed_writes_the_same_text_in_float32_alone_and_in_company(shipped_folder: Path) -> None:
    model = load(str(shipped_folder), device=Device.CUDA)
    ids = model.encode(STORY * 60)
    sampling = SamplingParams(do_sample=True, temperature=0.9, top_k=50, top_p=0.95, seed=11)
    requests = [
        make_request(prompt_ids=ids[:length], max_new_tokens=NUM_NEW, sampling=sampling) for length in LENGTHS
    ]
    texts = []
    for num_slots in (1, 4):
        engine = numbers_engine(model.new_runner(num_slots))
        generations = [engine.submit(each) for each in requests]
        run_all(engine)
        texts.append([tokens(each) for each in generations])
    assert texts[0] == texts[1]
