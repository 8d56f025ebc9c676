"""One step after the other, with a scripted model."""

from __future__ import annotations

import pytest

from tasks.engine.engine import Engine
from tasks.engine.scheduler import Scheduler
from tasks.engine.scripted import ContractBroken, ScriptedDetokenizer, letter, scripted_token
from tasks.engine.types import SamplingParams
from tests.fakes import FakeClock, ScriptedRunner, make_engine, make_request, run_all, tokens_of

PROMPT = (1, 2, 3)


def scripted(text: str, **fields: object) -> ScriptedRunner:
    """A model that answers PROMPT with this text."""
    return ScriptedRunner(scripts={PROMPT: tokens_of(text)}, **fields)  # type: ignore[arg-type]


def test_a_request_is_finished_when_it_has_its_tokens() -> None:
    engine = make_engine(ScriptedRunner())
    generation = engine.submit(make_request(max_new_tokens=4, sampling=SamplingParams(seed=7)))
    assert run_all(engine) == 4
    assert generation.text == "".join(letter(scripted_token(PROMPT, 7, place)) for place in range(4))
    assert (generation.num_tokens, generation.finish_reason, generation.error) == (4, "length", None)
    assert generation.done


def test_an_end_token_ends_the_text_and_counts_as_a_token() -> None:
    runner = ScriptedRunner(scripts={PROMPT: [*tokens_of("hi"), 0]})
    engine = make_engine(runner)
    generation = engine.submit(make_request())
    run_all(engine)
    assert (generation.text, generation.num_tokens, generation.finish_reason) == ("hi", 3, "eos")


def test_a_stop_string_ends_the_text_in_its_step_and_stays_out_of_it() -> None:
    engine = make_engine(scripted("onceupon"))
    generation = engine.submit(make_request(max_new_tokens=8, stop=("eu",)))
    texts = []
    while not generation.done:
        engine.step()
        texts.append(generation.text)
    assert texts == ["o", "on", "onc", "onc", "onc"]  # "e" may begin the stop string
    assert (generation.finish_reason, generation.num_tokens) == ("stop", 5)


def test_text_that_was_held_back_comes_out_at_the_end() -> None:
    engine = make_engine(scripted("abc"))
    generation = engine.submit(make_request(max_new_tokens=3, stop=("cd",)))
    run_all(engine)
    assert (generation.text, generation.finish_reason) == ("abc", "length")


class LastPiece(ScriptedDetokenizer):
    """Has something left at the end, as an unfinished character."""

    def flush(self) -> str:
        return "!"


@pytest.mark.parametrize(
    ("stop", "text", "reason"), [((), "abc!", "length"), (("c!",), "ab", "stop"), (("!",), "abc", "stop")]
)
def test_the_last_piece_of_the_detokenizer_belongs_to_the_text(
    stop: tuple[str, ...], text: str, reason: str
) -> None:
    engine = Engine(scripted("abc"), Scheduler(num_slots=1), LastPiece)
    generation = engine.submit(make_request(max_new_tokens=3, stop=stop))
    run_all(engine)
    assert (generation.text, generation.finish_reason) == (text, reason)


def test_requests_join_between_steps_and_do_not_change_each_other() -> None:
    alone = []
    for prompt in range(1, 7):
        engine = make_engine(ScriptedRunner())
        alone.append(engine.submit(make_request(prompt_ids=(prompt,) * 40, max_new_tokens=prompt + 3)))
        run_all(engine)

    engine = make_engine(ScriptedRunner(num_slots=2), max_prefill_tokens=16)
    together = []
    for prompt in range(1, 7):
        together.append(engine.submit(make_request(prompt_ids=(prompt,) * 40, max_new_tokens=prompt + 3)))
        engine.step()
    run_all(engine)

    assert [each.text for each in together] == [each.text for each in alone]


def test_a_long_request_waits_for_room_and_shorter_ones_do_not_overtake_it() -> None:
    engine = make_engine(ScriptedRunner(num_slots=4, num_kv_tokens=20))
    first = engine.submit(make_request(prompt_ids=(1,) * 8, max_new_tokens=2))
    second = engine.submit(make_request(prompt_ids=(2,) * 4, max_new_tokens=5))
    long = engine.submit(make_request(prompt_ids=(3,) * 10, max_new_tokens=2))
    short = engine.submit(make_request(prompt_ids=(4,), max_new_tokens=1))
    for generation in (first, second):
        assert engine.has_work
        while not generation.done:
            assert (long.started_at, short.started_at) == (None, None)
            engine.step()
    # Now there is room for 12 tokens in one piece, and for the two of the short one beside them.
    engine.step()
    assert None not in (long.started_at, short.started_at)
    run_all(engine)
    assert (long.finish_reason, short.finish_reason) == ("length", "length")


def test_a_canceled_request_leaves_in_the_next_step_with_the_text_so_far() -> None:
    runner = ScriptedRunner()
    engine = make_engine(runner)
    canceled, other = engine.submit(make_request()), engine.submit(make_request())
    engine.step()
    engine.step()
    canceled.cancel()
    stats = engine.step()
    assert (canceled.finish_reason, canceled.num_tokens, len(canceled.text)) == ("canceled", 2, 2)
    assert (stats.num_decode_rows, stats.num_finished) == (1, 1)
    run_all(engine)
    assert other.finish_reason == "length"


def test_a_request_canceled_while_it_waits_never_starts() -> None:
    engine = make_engine(ScriptedRunner(num_slots=1))
    engine.submit(make_request())
    waiting = engine.submit(make_request())
    engine.step()
    waiting.cancel()
    engine.step()
    assert (waiting.finish_reason, waiting.started_at, waiting.text) == ("canceled", None, "")


def test_the_times_of_a_generation_follow_the_clock() -> None:
    clock = FakeClock(now=10.0)
    engine = make_engine(ScriptedRunner(before_step=lambda: clock.advance(1)), clock=clock)
    generation = engine.submit(make_request(max_new_tokens=3))
    clock.advance(5)
    stats = engine.step()
    assert stats.seconds == 1
    run_all(engine)
    times = generation.submitted_at, generation.started_at, generation.first_token_at, generation.finished_at
    assert times == (10, 15, 16, 18)


def test_stats_tell_what_a_step_did() -> None:
    engine = make_engine(ScriptedRunner(num_slots=2), max_prefill_tokens=4)
    engine.submit(make_request(prompt_ids=(1, 2, 3), max_new_tokens=2))
    engine.submit(make_request(prompt_ids=(1, 2, 3), max_new_tokens=9))
    engine.submit(make_request())
    seen = [engine.step() for _ in range(2)]
    counts = [
        (
            s.num_prefill_tokens,
            s.num_decode_rows,
            s.num_new_tokens,
            s.num_waiting,
            s.num_running,
            s.num_finished,
        )
        for s in seen
    ]
    assert counts == [(4, 0, 1, 1, 2, 0), (2, 1, 2, 1, 1, 1)]


def test_a_step_without_work_does_not_touch_the_model() -> None:
    runner = ScriptedRunner()
    engine = make_engine(runner)
    assert not engine.has_work
    assert engine.step().num_new_tokens == 0
    assert runner.num_steps == 0


def test_the_scripted_model_notices_an_engine_that_breaks_the_contract() -> None:
    runner = ScriptedRunner(num_slots=1)
    runner.admit(0, (1,), 1, SamplingParams())
    with pytest.raises(ContractBroken):
        runner.admit(0, (1,), 1, SamplingParams())
    with pytest.raises(ContractBroken):
        runner.run([])
