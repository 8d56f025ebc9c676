"""The spans of a job, made when it leaves this worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tasks.worker.held import HeldJob

if TYPE_CHECKING:
    from tasks.jobs.otel import Attribute, Span, Tracer

#: The operation, in the words of OpenTelemetry's conventions for generative AI.
OPERATION = "text_completion"


class JobSpans:
    """One span for each attempt, and in it one each for queue, prefill and decode, without gaps between them.

    All attempts belong to the request that made the job. The items of a batch, of which there may be
    thousands, have traces of their own, with a link to their request. No span holds a text.
    """

    def __init__(
        self,
        tracer: Tracer,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._tracer = tracer
        self._clock = clock
        self._wall_clock = wall_clock

    def settled(self, held: HeldJob) -> None:
        """`held` is at its end, and that is recorded."""
        now = self._wall_clock()
        started, first_token, ended = (_later(each, now - self._clock()) for each in _moments(held))
        ended = ended or now
        # By the clock of Redis, while all others are this machine's.
        queued = min(held.job.requeued_at or held.job.created_at, started or ended)
        span = self._span(held, queued)
        phases = (
            ("queue", queued, started),
            ("prefill", started, first_token),
            ("decode", first_token, ended),
        )
        for name, begin, end in phases:
            if begin is not None:
                self._tracer.span(name, parent=span, at=begin).end(end or ended)
        span.end(now)

    def _span(self, held: HeldJob, at: float) -> Span:
        job, origin = held.job, held.job.origin.traceparent
        in_batch = job.batch_id is not None
        span = self._tracer.span(
            f"{OPERATION} {job.model}",
            kind="consumer",
            parent="" if in_batch else origin,
            at=at,
            attributes=_attributes(held),
        )
        if in_batch:
            span.link(origin)
        outcome, code = held.result()
        span.set({"neoserve.job.outcome": outcome})
        if code:
            span.fail(code)
        return span


def _moments(held: HeldJob) -> tuple[float | None, float | None, float | None]:
    """When the engine began with it, had its first token, and was done with all rows."""
    ends = [each.finished_at for each in held.generations]
    return held.started_at, held.first_token_at, _latest(ends)


def _latest(moments: Sequence[float | None]) -> float | None:
    """None where one of them has not come."""
    known = [each for each in moments if each is not None]
    return max(known) if known and len(known) == len(moments) else None


def _later(moment: float | None, seconds: float) -> float | None:
    return None if moment is None else moment + seconds


def _attributes(held: HeldJob) -> dict[str, Attribute]:
    job = held.job
    return {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": "neoserve",
        "gen_ai.request.model": job.model,
        "gen_ai.request.max_tokens": job.parameters.max_new_tokens,
        "gen_ai.request.choice.count": job.parameters.num_return_sequences,
        "gen_ai.response.finish_reasons": [
            str(each.finish_reason) for each in held.generations if each.finish_reason
        ],
        "gen_ai.usage.input_tokens": job.num_prompt_tokens,
        "gen_ai.usage.output_tokens": held.num_tokens,
        "neoserve.job.id": job.id,
        "neoserve.job.attempt": held.attempt,
        "neoserve.job.priority": job.priority.value,
        "neoserve.request.id": job.origin.request_id,
    }
