"""Any order of events leaves every request finished exactly once and every slot free."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from tasks.engine.errors import EngineStopped
from tasks.engine.generation import Generation
from tasks.engine.scripted import letter, scripted_token
from tasks.engine.types import FinishReason, SamplingParams
from tests.fakes import ScriptedRunner, make_engine, make_request

NUM_SLOTS = 3
#: Room for the longest request and a short one.
NUM_KV_TOKENS = 24


class RowFailed(Exception):
    pass


class StepFailed(Exception):
    pass


class EngineMachine(RuleBasedStateMachine):
    """The runner raises ContractBroken on any misuse of a slot: that fails a step and then a check here."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.step_errors: dict[int, Exception] = {}
        self.row_errors: dict[tuple[int, int], Exception] = {}
        self.runner = ScriptedRunner(
            num_slots=NUM_SLOTS,
            num_kv_tokens=NUM_KV_TOKENS,
            page_tokens=4,
            step_errors=self.step_errors,
            row_errors=self.row_errors,
        )
        self.engine = make_engine(self.runner, max_prefill_tokens=5)
        self.generations: list[Generation] = []
        self.num_ended = 0
        self.canceled: set[Generation] = set()

    @rule(
        target=requests,
        num_prompt_tokens=st.integers(1, 12),
        max_new_tokens=st.integers(1, 6),
        stop=st.sampled_from([(), ("e",), ("qu", "a")]),
        fails_at=st.none() | st.integers(0, 3),
    )
    def submit(
        self, num_prompt_tokens: int, max_new_tokens: int, stop: Any, fails_at: int | None
    ) -> Generation:
        first = len(self.generations) + 1
        if fails_at is not None:
            self.row_errors[first, fails_at] = RowFailed()
        generation = self.engine.submit(
            make_request(
                # Those that do not fail begin alike, and share it.
                prompt_ids=(0 if fails_at is None else first,) * num_prompt_tokens,
                max_new_tokens=max_new_tokens,
                stop=stop,
                sampling=SamplingParams(seed=first),
            )
        )
        self.generations.append(generation)
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

    @precondition(lambda self: self.generations)
    @rule()
    def failing_step(self) -> None:
        self.step_errors[self.runner.num_steps] = StepFailed()
        self.num_ended += self.engine.step().num_finished

    @rule()
    def abort(self) -> None:
        self.num_ended += sum(not each.done for each in self.generations)
        self.engine.abort(EngineStopped())
        assert all(each.done for each in self.generations)

    @invariant()
    def nothing_ends_twice(self) -> None:
        assert self.num_ended == sum(each.done for each in self.generations)

    @invariant()
    def no_more_slots_are_used_than_there_are_requests(self) -> None:
        assert len(self.runner.used_slots) <= min(NUM_SLOTS, sum(not each.done for each in self.generations))

    def teardown(self) -> None:
        for _ in range(1000):
            if not self.engine.has_work:
                break
            self.step()
        assert not self.engine.has_work
        assert not self.runner.used_slots
        for generation in self.generations:
            self._check_end(generation)

    def _check_end(self, generation: Generation) -> None:
        assert generation.done
        assert (generation.error is None) == (generation.finish_reason is not None)
        assert isinstance(generation.error, RowFailed | StepFailed | EngineStopped | None)
        request = generation.request
        whole = "".join(
            letter(scripted_token(request.prompt_ids, request.sampling.seed, place))
            for place in range(generation.num_tokens)
        )
        assert whole.startswith(generation.text)
        if generation.finish_reason is FinishReason.LENGTH:
            assert generation.num_tokens == request.max_new_tokens
            assert generation.text == whole
        if generation.finish_reason is FinishReason.STOP:
            assert any(whole == generation.text + stop for stop in request.stop)
        if generation.finish_reason is FinishReason.CANCELED:
            assert generation in self.canceled


TestEngineStates = EngineMachine.TestCase
TestEngineStates.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
