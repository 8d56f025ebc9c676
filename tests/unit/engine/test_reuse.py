"""Prompts that begin alike are run once."""

from __future__ import annotations

import pytest

from tasks.engine.engine import Engine
from tasks.engine.generation import Generation
from tasks.engine.types import StepStats
from tests.fakes import ScriptedRunner, make_engine, make_request

SHARED = tuple(range(1, 33))  #: Two pages of 16.


def run_all(engine: Engine) -> list[StepStats]:
    stats = []
    while engine.has_work:
        stats.append(engine.step())
    return stats


def submit(engine: Engine, own: int) -> Generation:
    return engine.submit(make_request(prompt_ids=(*SHARED, own, own), max_new_tokens=2))


@pytest.mark.parametrize("max_prefill_tokens", [5, 16, 20, 40, 1000])
def test_prompts_that_arrive_together_run_what_they_share_once(max_prefill_tokens: int) -> None:
    runner = ScriptedRunner(num_slots=4, page_tokens=16)
    engine = make_engine(runner, max_prefill_tokens=max_prefill_tokens)
    generations = [submit(engine, own) for own in range(10)]
    stats = run_all(engine)
    assert sum(each.num_prefill_tokens for each in stats) == len(SHARED) + 10 * 2
    assert sum(each.num_reused_tokens for each in stats) == 9 * len(SHARED)

    alone = make_engine(ScriptedRunner())
    expected = [submit(alone, own) for own in range(10)]
    assert sum(each.num_reused_tokens for each in run_all(alone)) == 0
    assert [each.text for each in generations] == [each.text for each in expected]


@pytest.mark.parametrize("max_prefill_tokens", [16, 64, 1000])
def test_the_rows_of_one_prompt_run_it_once(max_prefill_tokens: int) -> None:
    runner = ScriptedRunner(num_slots=8, page_tokens=64)
    engine = make_engine(runner, max_prefill_tokens=max_prefill_tokens)
    prompt_ids = (*SHARED, *range(40, 80))
    generations = [engine.submit(make_request(prompt_ids=prompt_ids)) for _ in range(8)]
    stats = run_all(engine)
    # The last token of each is run, for what follows it.
    assert sum(each.num_prefill_tokens for each in stats) == len(prompt_ids) + 7
    assert {each.finish_reason for each in generations} == {"length"}


@pytest.mark.parametrize("end", ["canceled", "failed"])
def test_the_rows_of_one_prompt_go_on_without_the_first(end: str) -> None:
    errors = {2: RuntimeError("this step")} if end == "failed" else {}
    engine = make_engine(
        ScriptedRunner(page_tokens=16, num_slots=8, step_errors=errors), max_prefill_tokens=10
    )
    first, *others = [engine.submit(make_request(prompt_ids=SHARED[:30])) for _ in range(8)]
    engine.step()
    engine.step()
    if end == "canceled":
        first.cancel()
    run_all(engine)
    assert (first.finish_reason == "canceled") == (end == "canceled")
    assert isinstance(first.error, RuntimeError) == (end == "failed")
    assert {each.finish_reason for each in others} == {"length"}


def test_a_prompt_goes_on_alone_when_the_one_it_waited_for_is_canceled() -> None:
    engine = make_engine(ScriptedRunner(page_tokens=16), max_prefill_tokens=20)
    first, second = submit(engine, 1), submit(engine, 2)
    engine.step()
    first.cancel()
    stats = run_all(engine)
    assert second.finish_reason == "length"
    # The page that was complete is reused.
    assert sum(each.num_prefill_tokens for each in stats) == 16 + 2


def test_a_prompt_goes_on_alone_when_the_one_it_waited_for_fails() -> None:
    runner = ScriptedRunner(page_tokens=16, step_errors={0: RuntimeError("this step")})
    engine = make_engine(runner, max_prefill_tokens=20)
    first, second = submit(engine, 1), submit(engine, 2)
    run_all(engine)
    assert isinstance(first.error, RuntimeError)
    assert second.finish_reason == "length"


def test_the_room_for_context_is_told_with_every_step() -> None:
    engine = make_engine(ScriptedRunner(num_kv_tokens=100))
    engine.submit(make_request(prompt_ids=(1, 2, 3), max_new_tokens=5))
    stats = run_all(engine)
    assert [each.num_kv_tokens_in_use for each in stats] == [8, 8, 8, 8, 0]
    assert {each.num_kv_tokens for each in stats} == {100}
