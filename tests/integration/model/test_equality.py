"""200 prompts, alone and in company, equal transformers' `generate()` token for token."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tasks.engine.generation import Generation
from tasks.engine.types import GenerationRequest
from tasks.model.loading import LoadedModel, load
from tasks.model.precision import Precision
from tasks.model.source import SHIPPED_MODEL
from tests.mixture import mixed_requests
from tests.reference import generate, numbers_engine, read_network, run_all, tokens
from tests.services import require_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MODELS = ["shipped_folder", "gpt_neo_125m_folder"]
#: Little enough that sequences wait for room, and that what is kept for prompts to come must make way.
NUM_KV_TOKENS, NUM_PREFIX_TOKENS = 6144, 3072


@dataclass(frozen=True)
class Reference:
    folder: Path
    requests: list[GenerationRequest]
    answers: list[list[int]]  #: Of transformers, in float32, each prompt by itself.

    @property
    def shipped(self) -> bool:
        return self.folder == Path(SHIPPED_MODEL)


@pytest.fixture(scope="module", params=MODELS)
def reference(request: pytest.FixtureRequest) -> Reference:
    folder: Path = request.getfixturevalue(request.param)
    stories = (Path(SHIPPED_MODEL) / "held_out.txt").read_text(encoding="utf-8")
    requests = mixed_requests(load(str(folder)).encode(stories), Random(3))
    network = read_network(folder)
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda each: generate(network, each.prompt_ids, each.max_new_tokens), requests)
        return Reference(folder, requests, list(answers))


def run_alone(model: LoadedModel, requests: Rows[GenerationRequest]) -> list[Generation]:
    """One after the other, all in the same slot."""
    engine = numbers_engine(model.new_runner(1, NUM_KV_TOKENS, NUM_PREFIX_TOKENS))
    generations = []
    for each in requests:
        generations.append(engine.submit(each))
        run_all(engine)
    return generations


def run_in_company(model: LoadedModel, requests: Rows[GenerationRequest]) -> list[Generation]:
    """At most 16 at a time; they come at random, and prompts go through in pieces of up to 100 tokens."""
    engine = numbers_engine(model.new_runner(16, NUM_KV_TOKENS, NUM_PREFIX_TOKENS), max_prefill_tokens=100)
    rng, waiting, generations = Random(4), list(reversed(requests)), []
    largest_batch = num_reused = 0
    while waiting or engine.has_work:
        for _ in range(rng.choice((0, 0, 1, 4))):
            if waiting:
                generations.append(engine.submit(waiting.pop()))
        stats = engine.step()
        largest_batch = max(largest_batch, stats.num_running)
        num_reused += stats.num_reused_tokens
    assert largest_batch == 16
    assert num_reused > 3000, num_reused
    return generations


def differences(generations: Rows[Generation], answers: Rows[list[int]]) -> list[str]:
    """One line for each text that is another one."""
    return [
        f"{len(each.request.prompt_ids)} prompt tokens: {tokens(each)}, not {answer}"
        for each, answer in zip(generations, answers, strict=True)
        if tokens(each) != answer
    ]


def share_of_equal_tokens(generations: Rows[Generation], answers: Rows[list[int]]) -> float:
    """Each at its own place; where noise nearly ties, two texts part for good."""
    pairs = [
        ours == theirs
        for each, answer in zip(generations, answers, strict=True)
        for ours, theirs in zip(tokens(each), answer, strict=False)
    ]
    return sum(pairs) / len(pairs)


def test_one_after_the_other_they_equal_generate(reference: Reference) -> None:
    generations = run_alone(load(str(reference.folder)), reference.requests)
    assert differences(generations, reference.answers) == []


def test_in_batches_of_16_they_equal_generate(reference: Reference) -> None:
    generations = run_in_company(load(str(reference.folder)), reference.requests)
    assert differences(generations, reference.answers) == []


def test_in_half_precision_they_equal_generate_where_the_weights_were_saved_so(reference: Reference) -> None:
    model = load(str(reference.folder), precision=Precision.FLOAT16)
    require_service(model.weights.precision is Precision.FLOAT16, "this processor has float32 only")
    generations = run_in_company(model, reference.requests)
    if reference.shipped:
        assert differences(generations, reference.answers) == []
    else:
        assert share_of_equal_tokens(generations, reference.answers) > 0.95
