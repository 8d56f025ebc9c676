"""Real sizes against transformers' `generate()`: the shipped model, and a random GPT-Neo-125M."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.engine.types import SamplingParams
from tasks.model.loading import LoadedModel, load
from tests.fakes import make_request
from tests.reference import generate, numbers_engine, read_network, run_all, tokens

#: Tokens in the prompts: both sides of the 256-token window, and several prefill chunks.
LENGTHS = (1, 9, 130, 255, 256, 257, 600)
NUM_NEW = 12

STORY = (
    "Once upon a time there was a little girl named Lily who loved to play in the garden. One day she found "
    "a shiny key under a big tree and wondered what it might open. Her friend Tom came to help her look. "
)


@pytest.fixture(params=["shipped_folder", "gpt_neo_125m_folder"])
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


@pytest.fixture
def model(folder: Path) -> LoadedModel:
    return load(str(folder))


def prompts(model: LoadedModel) -> list[tuple[int, ...]]:
    """Pieces of a story, each beginning at another word."""
    ids = model.encode(STORY * 20)
    return [ids[3 * place : 3 * place + length] for place, length in enumerate(LENGTHS)]


def test_sequences_that_join_and_leave_equal_generate_token_for_token(
    folder: Path, model: LoadedModel
) -> None:
    engine = numbers_engine(model.new_runner(3), max_prefill_tokens=100)
    generations = []
    for prompt in prompts(model):
        generations.append(engine.submit(make_request(prompt_ids=prompt, max_new_tokens=NUM_NEW)))
        engine.step()
        engine.step()
    run_all(engine)
    network = read_network(folder)
    for generation in generations:
        expected = generate(network, generation.request.prompt_ids, NUM_NEW)
        assert tokens(generation) == expected, f"{len(generation.request.prompt_ids)} prompt tokens"


@pytest.mark.parametrize(
    "folder", ["shipped_folder", pytest.param("gpt_neo_125m_folder", marks=pytest.mark.slow)], indirect=True
)
def test_a_seed_writes_the_same_text_alone_and_in_company(model: LoadedModel) -> None:
    sampling = SamplingParams(do_sample=True, temperature=0.9, top_k=50, top_p=0.95, seed=11)
    requests = [
        make_request(prompt_ids=prompt, max_new_tokens=NUM_NEW, sampling=sampling)
        for prompt in prompts(model)[:4]
    ]
    alone = []
    for each in requests:
        engine = numbers_engine(model.new_runner(1))
        alone.append(engine.submit(each))
        run_all(engine)
    engine = numbers_engine(model.new_runner(4))
    together = [engine.submit(each) for each in requests]
    run_all(engine)
    assert [tokens(each) for each in together] == [tokens(each) for each in alone]


def test_the_shipped_model_ends_its_stories(shipped_folder: Path) -> None:
    model = load(str(shipped_folder))
    engine = numbers_engine(model.new_runner(4))
    generations = [
        engine.submit(
            make_request(
                prompt_ids=model.encode("Once upon a time"),
                max_new_tokens=1000,
                sampling=SamplingParams(do_sample=True, temperature=0.8, top_k=50, seed=seed),
            )
        )
        for seed in range(4)
    ]
    run_all(engine)
    assert any(each.finish_reason == "eos" for each in generations)
