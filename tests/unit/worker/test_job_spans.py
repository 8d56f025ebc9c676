"""The spans of a job, as the worker makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tasks.engine.generation import Generation
from tasks.engine.types import FinishReason
from tasks.jobs.models import JobError
from tasks.jobs.origin import Origin
from tasks.jobs.protocol import Claim
from tasks.jobs.store import JobStore
from tasks.worker.held import Ending, HeldJob
from tasks.worker.job_spans import JobSpans
from tests.factories import make_new_job
from tests.fakes import make_request
from tests.job_steps import claim
from tests.spans import Recorder

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
TRACEPARENT = f"00-{TRACE:032x}-{SPAN:016x}-01"
CANARY = "canary5f1e"

#: By the clock of Redis when the job was recorded, and what the worker's two clocks say then.
RECORDED, MONOTONIC = 1_790_000_000.0, 1000.0


class Case:
    """A job on its way; seconds are since it was recorded."""

    def __init__(self, store: JobStore, **changes: Any) -> None:
        store.submit(make_new_job("j", text=CANARY, origin=Origin("req-1", TRACEPARENT)), max_queued=1)
        job = replace(claim(store).job, created_at=RECORDED, **changes)
        self.held = HeldJob(Claim(job=job, attempt=job.attempt, alone=False), MONOTONIC)
        self.recorder = Recorder()

    def run(self, *, started: float, first_token: float | None, ended: float | None) -> None:
        generation = Generation(make_request(), MONOTONIC)
        generation.start(MONOTONIC + started)
        if first_token is not None:
            generation.advance(CANARY, MONOTONIC + first_token)
        if ended is not None:
            generation.finish(FinishReason.LENGTH, CANARY, MONOTONIC + ended)
        self.held.start((*self.held.generations, generation))

    def settle(self, at: float) -> dict[str, ReadableSpan]:
        """Its spans by name."""
        spans = JobSpans(self.recorder.tracer, clock=lambda: MONOTONIC + at, wall_clock=lambda: RECORDED + at)
        spans.settled(self.held)
        found = {span.name: span for span in self.recorder.stop()}
        assert all(CANARY not in span.to_json() for span in found.values())
        return found


def seconds(span: ReadableSpan) -> tuple[float, float]:
    """Begin and end since the job was recorded."""
    assert span.start_time is not None
    assert span.end_time is not None
    return round(span.start_time / 1e9 - RECORDED, 3), round(span.end_time / 1e9 - RECORDED, 3)


@pytest.fixture
def case(store: JobStore) -> Case:
    return Case(store)


def times(spans: dict[str, ReadableSpan]) -> dict[str, tuple[float, float]]:
    return {name.split()[0]: seconds(span) for name, span in spans.items()}


def test_a_job_is_queue_prefill_and_decode_without_gaps(case: Case) -> None:
    case.run(started=1, first_token=1.25, ended=3)
    assert times(case.settle(at=3.5)) == {
        "queue": (0, 1),
        "prefill": (1, 1.25),
        "decode": (1.25, 3),
        "text_completion": (0, 3.5),
    }


def test_the_job_belongs_to_the_request_and_its_phases_to_the_job(case: Case) -> None:
    case.run(started=1, first_token=1.25, ended=3)
    spans = case.settle(at=3.5)
    job = spans.pop("text_completion test-model")
    assert job.parent is not None
    assert (job.context.trace_id, job.parent.span_id) == (TRACE, SPAN)
    for phase in spans.values():
        assert phase.parent is not None
        assert (phase.context.trace_id, phase.parent.span_id) == (TRACE, job.context.span_id)


def test_the_job_is_described_in_the_words_of_the_conventions(case: Case) -> None:
    case.run(started=1, first_token=1.25, ended=3)
    job = case.settle(at=3.5)["text_completion test-model"]
    assert job.kind.name == "CONSUMER"
    assert dict(job.attributes or {}) == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "neoserve",
        "gen_ai.request.model": "test-model",
        "gen_ai.request.max_tokens": 20,
        "gen_ai.request.choice.count": 1,
        "gen_ai.response.finish_reasons": ("length",),
        "gen_ai.usage.input_tokens": 4,
        "gen_ai.usage.output_tokens": 1,
        "neoserve.job.id": "j",
        "neoserve.job.attempt": 1,
        "neoserve.job.outcome": "succeeded",
        "neoserve.job.priority": "normal",
        "neoserve.request.id": "req-1",
    }


def test_several_texts_are_one_job_from_the_first_beginning_to_the_last_end(case: Case) -> None:
    case.run(started=2, first_token=3, ended=4)
    case.run(started=1, first_token=2, ended=5)
    assert times(case.settle(at=6)) == {
        "queue": (0, 1),
        "prefill": (1, 2),
        "decode": (2, 5),
        "text_completion": (0, 6),
    }


def test_an_attempt_waits_from_when_the_last_one_gave_the_job_back(store: JobStore) -> None:
    case = Case(store, requeued_at=RECORDED + 2, attempt=2)
    case.run(started=3, first_token=4, ended=5)
    spans = case.settle(at=5)
    assert times(spans)["queue"] == (2, 3)
    job = spans["text_completion test-model"]
    assert job.parent is not None
    assert job.parent.span_id == SPAN
    assert (job.attributes or {})["neoserve.job.attempt"] == 2


def test_a_job_that_was_canceled_before_the_engine_had_it_only_waited(case: Case) -> None:
    case.held.end(Ending.CANCELED)
    spans = case.settle(at=2)
    assert times(spans) == {"queue": (0, 2), "text_completion": (0, 2)}
    assert (spans["text_completion test-model"].attributes or {})["neoserve.job.outcome"] == "canceled"


def test_a_job_that_was_given_up_during_its_prompt_never_wrote(case: Case) -> None:
    case.run(started=1, first_token=None, ended=None)
    case.held.end(Ending.HANDED_BACK)
    spans = case.settle(at=2)
    assert times(spans) == {"queue": (0, 1), "prefill": (1, 2), "text_completion": (0, 2)}
    assert spans["text_completion test-model"].status.is_ok is not False


def test_a_job_that_failed_says_its_code_and_no_detail(case: Case) -> None:
    case.run(started=1, first_token=2, ended=None)
    case.held.end(Ending.FAILED, JobError(code="out_of_memory", detail=CANARY))
    job = case.settle(at=3)["text_completion test-model"]
    assert (job.status.status_code.name, job.status.description) == ("ERROR", None)
    assert (job.attributes or {})["error.type"] == "out_of_memory"


def test_the_item_of_a_batch_has_a_trace_of_its_own_with_a_link_to_the_request(store: JobStore) -> None:
    case = Case(store, batch_id="b")
    case.run(started=1, first_token=2, ended=3)
    job = case.settle(at=3)["text_completion test-model"]
    assert job.parent is None
    assert job.context.trace_id != TRACE
    (link,) = job.links
    assert (link.context.trace_id, link.context.span_id) == (TRACE, SPAN)


def test_a_job_without_a_trace_begins_one(store: JobStore) -> None:
    case = Case(store, origin=Origin("req-1"))
    case.run(started=1, first_token=2, ended=3)
    assert case.settle(at=3)["text_completion test-model"].parent is None


def test_a_trace_that_is_not_recorded_costs_the_job_no_span(store: JobStore) -> None:
    case = Case(store, origin=Origin("req-1", TRACEPARENT[:-1] + "0"))
    case.run(started=1, first_token=2, ended=3)
    assert case.settle(at=3) == {}


def test_a_clock_of_redis_that_is_ahead_makes_no_time_negative(store: JobStore) -> None:
    case = Case(store)
    case.held.job = replace(case.held.job, created_at=RECORDED + 60)
    case.run(started=1, first_token=2, ended=3)
    assert times(case.settle(at=3)) == {
        "queue": (1, 1),
        "prefill": (1, 2),
        "decode": (2, 3),
        "text_completion": (1, 3),
    }
