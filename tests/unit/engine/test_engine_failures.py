"""What fails, fails alone, once, and gives its slot back."""

from __future__ import annotations

import math

import pytest

from tasks.engine.engine import Engine
from tasks.engine.errors import EngineStopped, InvalidRequest, RequestTooLong
from tasks.engine.scheduler import Scheduler
from tasks.engine.scripted import ScriptedDetokenizer
from tasks.engine.types import GenerationRequest, SamplingParams
from tests.fakes import ScriptedRunner, make_engine, make_request, run_all


def test_a_row_that_fails_ends_alone() -> None:
    error = ValueError("this row")
    engine = make_engine(ScriptedRunner(row_errors={(5, 2): error}))
    healthy = [engine.submit(make_request()), engine.submit(make_request())]
    failing = engine.submit(make_request(prompt_ids=(5,)))
    run_all(engine)
    assert (failing.error, failing.num_tokens, failing.finish_reason) == (error, 2, None)
    assert [each.finish_reason for each in healthy] == ["length", "length"]


def texts(runner: ScriptedRunner, num_requests: int) -> list[str | None]:
    """What each of so many requests of its own comes to; None where it fails."""
    engine = make_engine(runner)
    generations = [engine.submit(make_request(prompt_ids=(9 + each,) * 3)) for each in range(num_requests)]
    run_all(engine)
    assert not runner.used_slots
    return [None if each.error else each.text for each in generations]


@pytest.mark.parametrize("error", [ValueError("this row"), MemoryError()], ids=type)
def test_a_row_at_which_the_runner_raises_ends_alone(error: Exception) -> None:
    undisturbed = texts(ScriptedRunner(num_slots=16), 16)
    for place in range(5):
        runner = ScriptedRunner(num_slots=16, raising_rows={(12, place): error})
        assert texts(runner, 16) == [*undisturbed[:3], None, *undisturbed[4:]]


def test_several_rows_at_which_the_runner_raises_end_with_their_own_errors() -> None:
    errors = {(5, 1): ValueError("one"), (6, 1): MemoryError("other")}
    engine = make_engine(ScriptedRunner(raising_rows=errors))
    generations = [engine.submit(make_request(prompt_ids=(first,))) for first in (5, 7, 6)]
    run_all(engine)
    assert [each.error for each in generations] == [errors[5, 1], None, errors[6, 1]]
    assert [each.num_tokens for each in generations] == [1, 5, 1]


def test_a_step_that_fails_once_is_noticed_by_nobody() -> None:
    runner = ScriptedRunner(step_errors={2: MemoryError()})
    assert texts(runner, 3) == texts(ScriptedRunner(), 3)
    assert runner.num_steps == 5 + 3, "each row was run again once"


def test_a_runner_that_always_fails_ends_all_that_took_part_and_the_next_goes_on() -> None:
    errors = [RuntimeError("together"), RuntimeError("first alone"), RuntimeError("second alone")]
    runner = ScriptedRunner(num_slots=2, step_errors=dict(enumerate(errors, start=1)))
    engine = make_engine(runner)
    generations = [engine.submit(make_request()) for _ in range(3)]
    run_all(engine)
    assert [each.error for each in generations] == [errors[1], errors[2], None]
    assert generations[2].finish_reason == "length"
    assert not runner.used_slots


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_to_end_the_process_goes_through(error: type[BaseException]) -> None:
    def interrupt() -> None:
        raise error

    engine = make_engine(ScriptedRunner(before_step=interrupt))
    generations = [engine.submit(make_request()) for _ in range(2)]
    with pytest.raises(error):
        engine.step()
    assert not any(each.done for each in generations)


def test_a_step_that_fails_ends_a_prompt_that_was_only_half_run() -> None:
    error = RuntimeError("this step")
    engine = make_engine(ScriptedRunner(step_errors={0: error}), max_prefill_tokens=2)
    generation = engine.submit(make_request())
    engine.step()
    assert generation.error is error


class Miscounting(ScriptedRunner):
    def run(self, chunks):  # type: ignore[no-untyped-def]
        return [*super().run(chunks), 1]


def test_a_runner_that_answers_for_the_wrong_number_of_rows_fails_the_step() -> None:
    runner = Miscounting()
    engine = make_engine(runner)
    generations = [engine.submit(make_request()) for _ in range(2)]
    engine.step()
    assert [str(each.error) for each in generations] == [
        "the runner's tokens do not match the rows that emit"
    ] * 2
    assert runner.num_steps == 1, "what was run must not be run again"


class Refusing(ScriptedRunner):
    def admit(self, slot, prompt_ids, max_new_tokens, sampling):  # type: ignore[no-untyped-def]
        if prompt_ids[0] == 13:
            raise MemoryError("no room")
        super().admit(slot, prompt_ids, max_new_tokens, sampling)


def test_a_request_that_cannot_be_admitted_fails_alone_and_gives_its_slot_back() -> None:
    engine = make_engine(Refusing(num_slots=1))
    refused = engine.submit(make_request(prompt_ids=(13,)))
    healthy = engine.submit(make_request())
    run_all(engine)
    assert isinstance(refused.error, MemoryError)
    assert healthy.finish_reason == "length"


class Choking(ScriptedDetokenizer):
    def __init__(self, request: GenerationRequest) -> None:
        self._chokes = request.request_id

    def add(self, token_id: int) -> str:
        if self._chokes == "add":
            raise UnicodeError("add")
        return super().add(token_id)

    def flush(self) -> str:
        if self._chokes == "flush":
            raise UnicodeError("flush")
        return super().flush()


@pytest.mark.parametrize("place", ["add", "flush"])
def test_a_text_that_cannot_be_made_fails_alone(place: str) -> None:
    runner = ScriptedRunner()
    engine = Engine(runner, Scheduler(num_slots=4), Choking)
    failing = engine.submit(make_request(request_id=place))
    healthy = engine.submit(make_request())
    run_all(engine)
    assert isinstance(failing.error, UnicodeError)
    assert healthy.finish_reason == "length"
    assert not runner.used_slots


def test_abort_ends_everything_wherever_it_is() -> None:
    runner = ScriptedRunner(num_slots=1)
    engine = make_engine(runner)
    running, waiting = engine.submit(make_request()), engine.submit(make_request())
    engine.step()
    new = engine.submit(make_request())
    engine.abort(EngineStopped())
    assert all(isinstance(each.error, EngineStopped) for each in (running, waiting, new))
    assert running.num_tokens == 1
    assert not engine.has_work
    assert not runner.used_slots


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt_ids": ()},
        {"max_new_tokens": 0},
        {"stop": ("fine", "")},
        {"sampling": SamplingParams(do_sample=True, temperature=0.0)},
        {"sampling": SamplingParams(temperature=math.nan)},
        {"sampling": SamplingParams(temperature=math.inf)},
        {"sampling": SamplingParams(top_k=-1)},
        {"sampling": SamplingParams(top_p=0.0)},
        {"sampling": SamplingParams(top_p=1.1)},
        {"sampling": SamplingParams(repetition_penalty=0.0)},
        {"sampling": SamplingParams(repetition_penalty=1e38)},
        {"sampling": SamplingParams(repetition_penalty=math.nan)},
        {"sampling": SamplingParams(seed=2**63)},
    ],
    ids=str,
)
def test_a_request_that_cannot_run_is_refused_at_submit(fields: dict[str, object]) -> None:
    engine = make_engine(ScriptedRunner())
    with pytest.raises(InvalidRequest):
        engine.submit(make_request(**fields))
    assert not engine.has_work


def test_without_sampling_a_temperature_of_0_is_none_of_our_business() -> None:
    engine = make_engine(ScriptedRunner())
    generation = engine.submit(make_request(max_new_tokens=1, sampling=SamplingParams(temperature=0.0)))
    engine.step()
    assert (generation.num_tokens, generation.error) == (1, None)


def test_a_request_that_exceeds_the_context_is_refused_naming_the_numbers() -> None:
    engine = make_engine(ScriptedRunner(max_positions=10))
    engine.submit(make_request(prompt_ids=(1,) * 6, max_new_tokens=4))
    with pytest.raises(RequestTooLong, match=r"6 prompt tokens and 5 new ones.* 10"):
        engine.submit(make_request(prompt_ids=(1,) * 6, max_new_tokens=5))
