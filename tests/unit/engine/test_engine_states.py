"""Any order of events ends every request exactly once, as its own script says, and leaves every slot free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from tasks.engine.errors import EngineStopped
from tasks.engine.generation import Generation
from tasks.engine.scripted import letter, scripted_token
from tasks.engine.types import FinishReason, GenerationRequest, SamplingParams
from tests.fakes import ScriptedRunner, make_engine, make_request

NUM_SLOTS = 3
#: Room for the longest request and a short one.
NUM_KV_TOKENS = 24


class RowFailed(Exception):
    pass


class StepFailed(Exception):
    pass


@dataclass(frozen=True)
class Ending:
    """How a request ends when nobody disturbs it."""

    letters: str  #: What its tokens spell, those of a stop string too; an end token has none.
    num_tokens: int
    text: str | None  #: None where an error leaves open how much of the letters was certain.
    finish_reason: FinishReason | None = None
    error: Exception | None = None


def ending(request: GenerationRequest, script: list[int], error: Exception | None) -> Ending:
    """By the definition, token by token; after the script comes `error`, or the text's full length."""
    letters = ""
    for num_tokens, token_id in enumerate(script, start=1):
        letters += letter(token_id)
        if token_id == 0:
            return Ending(letters, num_tokens, letters, FinishReason.EOS)
        stops = [stop for stop in request.stop if letters.endswith(stop)]
        if stops:
            text = letters.removesuffix(max(stops, key=len))
            return Ending(letters, num_tokens, text, FinishReason.STOP)
    if error is not None:
        return Ending(letters, len(script), None, error=error)
    return Ending(letters, len(script), letters, FinishReason.LENGTH)


class EngineMachine(RuleBasedStateMachine):
    """The runner raises ContractBroken on any misuse of a slot: that fails a step and then a check here."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.step_errors: dict[int, Exception] = {}
        self.row_errors: dict[tuple[int, int], Exception] = {}
        self.raising_rows: dict[tuple[int, int], Exception] = {}
        self.scripts: dict[tuple[int, ...], list[int]] = {}
        self.runner = ScriptedRunner(
            num_slots=NUM_SLOTS,
            num_kv_tokens=NUM_KV_TOKENS,
            page_tokens=4,
            step_errors=self.step_errors,
            row_errors=self.row_errors,
            raising_rows=self.raising_rows,
            scripts=self.scripts,
        )
        self.engine = make_engine(self.runner, max_prefill_tokens=5)
        self.endings: dict[Generation, Ending] = {}
        self.num_ended = 0
        self.canceled: set[Generation] = set()

    @rule(
        target=requests,
        num_prompt_tokens=st.integers(1, 12),
        max_new_tokens=st.integers(1, 6),
        stop=st.sampled_from([(), ("e",), ("qu", "a")]),
        own=st.sampled_from([None, "ends", "fails", "raises"]),
        place=st.integers(0, 3),
    )
    def submit(
        self, num_prompt_tokens: int, max_new_tokens: int, stop: Any, own: str | None, place: int
    ) -> Generation:
        seed = len(self.endings) + 1
        # Those that go on to their full length begin alike, and share it.
        prompt_ids = (seed if own else 0,) * num_prompt_tokens
        script = [scripted_token(prompt_ids, seed, each) for each in range(max_new_tokens)]
        error = None
        if own == "ends" and place < max_new_tokens:
            script[place:] = [0]
            self.scripts[prompt_ids] = script
        elif own == "fails" and place < max_new_tokens:
            del script[place:]
            error = self.row_errors[seed, place] = RowFailed()
        elif own == "raises" and place < max_new_tokens:
            del script[place:]
            error = self.raising_rows[seed, place] = RowFailed()
        request = make_request(
            prompt_ids=prompt_ids,
            max_new_tokens=max_new_tokens,
            stop=stop,
            sampling=SamplingParams(seed=seed),
        )
        generation = self.engine.submit(request)
        self.endings[generation] = ending(request, script, error)
        return generation

    @rule(generation=consumes(requests))
    def cancel(self, generation: Generation) -> None:
        if not generation.done:
            self.canceled.add(generation)
        generation.cancel()

    @rule()
    def step(self) -> None:
        self.num_ended += self.engine.step().num_finished
        assert all(each.done for each in self.canceled), "a canceled request outlived the next step"

    @precondition(lambda self: self.endings)
    @rule(times=st.sampled_from([1, NUM_SLOTS + 1]))
    def failing_step(self, times: int) -> None:
        before = self._num_ended_by_steps()
        for call in range(self.runner.num_steps, self.runner.num_steps + times):
            self.step_errors[call] = StepFailed()
        self.step()
        # The first failure ends a sequence only where it is alone in the step; each later one ends one.
        assert self._num_ended_by_steps() - before <= times
        for call in range(self.runner.num_steps, self.runner.num_steps + times):
            self.step_errors.pop(call, None)

    def _num_ended_by_steps(self) -> int:
        return sum(isinstance(each.error, StepFailed) for each in self.endings)

    @rule()
    def abort(self) -> None:
        self.num_ended += sum(not each.done for each in self.endings)
        self.engine.abort(EngineStopped())
        assert all(each.done for each in self.endings)

    @invariant()
    def nothing_ends_twice(self) -> None:
        assert self.num_ended == sum(each.done for each in self.endings)

    @invariant()
    def what_has_its_last_token_is_done(self) -> None:
        for generation, end in self.endings.items():
            assert generation.done or generation.num_tokens < end.num_tokens or end.error is not None

    @invariant()
    def no_more_slots_are_used_than_there_are_requests(self) -> None:
        assert len(self.runner.used_slots) <= min(NUM_SLOTS, sum(not each.done for each in self.endings))

    def teardown(self) -> None:
        for _ in range(1000):
            if not self.engine.has_work:
                break
            self.step()
        assert not self.engine.has_work
        assert not self.runner.used_slots
        for generation in self.endings:
            self._check_end(generation)

    def _check_end(self, generation: Generation) -> None:
        assert generation.done
        end = self.endings[generation]
        letters = end.letters[: generation.num_tokens]
        if generation.finish_reason is FinishReason.CANCELED:
            assert generation in self.canceled
            assert generation.text == letters
        elif isinstance(generation.error, StepFailed | EngineStopped):
            assert letters.startswith(generation.text)
        else:
            # Whatever happened to the others.
            assert (generation.num_tokens, generation.finish_reason) == (end.num_tokens, end.finish_reason)
            assert generation.error is end.error
            assert (
                generation.text == end.text if end.text is not None else letters.startswith(generation.text)
            )


TestEngineStates = EngineMachine.TestCase
TestEngineStates.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
