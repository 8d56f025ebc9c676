"""With the native kernels a text is the same to the last bit in any company: a seed draws the same tokens."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch

from tasks.engine.generation import Generation
from tasks.engine.types import GenerationRequest, SamplingParams
from tasks.model.loading import LoadedModel, load
from tasks.model.precision import Precision
from tests.fakes import make_request
from tests.quality import forced_log_probabilities
from tests.reference import numbers_engine, run_all, tokens
from tests.services import require_service

NUM_TEXTS = 150
LONGEST = 300
NUM_NEW = 12
NUM_FORCED = 4


@pytest.fixture(params=[Precision.FLOAT32, Precision.FLOAT16])
def model(shipped_folder: Path, request: pytest.FixtureRequest) -> LoadedModel:
    model = load(str(shipped_folder), precision=request.param)
    require_service(model.weights.native, "the native kernels are not built, or not for this processor")
    return model


def pieces(model: LoadedModel, folder: Path, rng: Random) -> list[tuple[int, ...]]:
    """Prompts of 1 to 300 tokens, short ones more often."""
    ids = model.encode((folder / "held_out.txt").read_text(encoding="utf-8"))
    starts = [rng.randrange(len(ids) - LONGEST) for _ in range(NUM_TEXTS)]
    return [ids[start : start + round(LONGEST ** rng.random())] for start in starts]


def drawn_from_the_whole_vocabulary(prompt: tuple[int, ...], seed: int) -> GenerationRequest:
    sampling = SamplingParams(do_sample=True, temperature=1.0, top_k=0, seed=seed)
    return make_request(prompt_ids=prompt, max_new_tokens=NUM_NEW, sampling=sampling)


def run_alone(model: LoadedModel, request: GenerationRequest) -> list[int]:
    engine = numbers_engine(model.new_runner(1))
    generation = engine.submit(request)
    run_all(engine)
    return tokens(generation)


def test_a_seed_draws_the_same_text_from_the_whole_vocabulary_in_any_company(
    model: LoadedModel, shipped_folder: Path
) -> None:
    rng = Random(5)
    requests = [
        drawn_from_the_whole_vocabulary(prompt, seed)
        for seed, prompt in enumerate(pieces(model, shipped_folder, rng))
    ]
    engine = numbers_engine(model.new_runner(16, 0, 1024), max_prefill_tokens=90)
    generations: list[Generation] = []
    for each in requests:
        generations.append(engine.submit(each))
        for _ in range(rng.choice((0, 0, 1, 3))):
            engine.step()
    run_all(engine)
    different = [each for each in generations if tokens(each) != run_alone(model, each.request)]
    assert len(different) == 0


def test_every_logit_is_the_same_to_the_last_bit_in_any_company(
    model: LoadedModel, shipped_folder: Path
) -> None:
    texts = [text for text in pieces(model, shipped_folder, Random(6)) if len(text) > NUM_FORCED + 1][:40]
    together = forced_log_probabilities(model.weights, texts, NUM_FORCED)
    for text, expected in zip(texts, together, strict=True):
        alone = forced_log_probabilities(model.weights, [text], NUM_FORCED)[0]
        assert torch.equal(alone, expected)
