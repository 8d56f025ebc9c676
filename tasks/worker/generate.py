"""From a ring to the end of one job."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from tasks.engine.errors import EngineError, EngineStopped
from tasks.engine.generation import Generation
from tasks.engine.types import GenerationRequest, SamplingParams
from tasks.jobs.errors import StoreBroken, StoreUnavailable
from tasks.jobs.log_line import LogLine, about
from tasks.jobs.models import Job, JobError
from tasks.jobs.protocol import Claim
from tasks.worker.gate import Gate
from tasks.worker.held import Ending, HeldJob, described
from tasks.worker.metrics import WorkerMetrics
from tasks.worker.writer import Writer

log = logging.getLogger(__name__)

#: How long a claim waits before it asks again while the record does not answer.
RETRY_SECONDS = 0.5

INTERNAL_ERROR = JobError(code="internal_error", detail="Something went wrong in the worker.")


class Claims(Protocol):
    """The part of the job store that claims."""

    def claim_next(self, worker: str, fingerprint: str, nonce: str) -> Claim | None: ...


class JobRunner:
    """Claims a job and brings it to its end. One call of `run_next` per ring, in a thread of the pool."""

    def __init__(
        self,
        claims: Claims,
        *,
        worker: str,
        fingerprint: str,
        encode: Callable[[str], tuple[int, ...]],
        submit: Callable[[GenerationRequest], Generation],
        writer: Writer,
        gate: Gate,
        pass_on: Callable[[str], None],
        metrics: WorkerMetrics,
    ) -> None:
        self._claims = claims
        self._worker = worker
        self._fingerprint = fingerprint
        self._encode = encode
        self._submit = submit
        self._writer = writer
        self._gate = gate
        self._pass_on = pass_on
        self._metrics = metrics
        self.outage = False  #: The record did not answer the last claim.

    def run_next(self, rung_by: str) -> None:
        """Run the job whose turn it is, if there is one. Returns when its end is recorded.

        `rung_by` is the job whose submit rang; a worker that shuts down passes the ring on.
        """
        if not self._gate.enter():
            self._pass_on(rung_by)
            return
        try:
            claim = self._claim()
            if claim is not None:
                self._run(self._writer.hold(claim))
        finally:
            self._gate.leave()

    def _claim(self) -> Claim | None:
        """The answer to a claim may get lost after the job was given to us: ask again with the same nonce."""
        nonce = uuid.uuid4().hex
        while True:
            try:
                claim = self._claims.claim_next(self._worker, self._fingerprint, nonce)
            except StoreUnavailable as error:
                if isinstance(error, StoreBroken) and not self.outage:
                    log.error("no job can be claimed: %s", error)
                self.outage = True
                self._metrics.claims.labels("unavailable").inc()
                if self._gate.wait_closed(RETRY_SECONDS):
                    return None
            else:
                self.outage = False
                self._metrics.observe_claim(claim is not None)
                return claim

    def _run(self, held: HeldJob) -> None:
        with _failing_truthfully(held):
            if held.alone and not self._begin_alone(held):
                held.end(Ending.HANDED_BACK)
            else:
                held.start(self._submit_all(held.job))
        if held.over:
            self._writer.notify()
        held.settled.wait()

    def _begin_alone(self, held: HeldJob) -> bool:
        """It may bring this worker down at its first token, and that is counted only if the record says that
        it ran."""
        return self._gate.become_alone(lambda: held.ending is None) and self._writer.begin(held)

    def _submit_all(self, job: Job) -> list[Generation]:
        """All rows, or none: those before one that is refused need not go on."""
        generations: list[Generation] = []
        try:
            for request in self._requests(job):
                generations.append(self._submit(request))
        except BaseException:
            for each in generations:
                each.cancel()
            raise
        return generations

    def _requests(self, job: Job) -> Iterator[GenerationRequest]:
        prompt_ids = self._encode(job.text)
        parameters = job.parameters
        for row in range(parameters.num_return_sequences):
            yield GenerationRequest(
                request_id=f"{job.id}/{row}",
                prompt_ids=prompt_ids,
                max_new_tokens=parameters.max_new_tokens,
                stop=parameters.stop,
                sampling=SamplingParams(
                    do_sample=parameters.do_sample,
                    temperature=parameters.temperature,
                    top_k=parameters.top_k,
                    top_p=parameters.top_p,
                    repetition_penalty=parameters.repetition_penalty,
                    seed=parameters.seed + row,
                ),
            )


@contextmanager
def _failing_truthfully(held: HeldJob) -> Iterator[None]:
    """Whatever is raised ends the job with a code, and goes no further.

    Celery's tracer lets MemoryError and SystemExit through, and a slot would be lost with each.
    """
    try:
        yield
    except EngineStopped:
        held.end(Ending.HANDED_BACK)
    except (EngineError, MemoryError) as error:
        held.end(Ending.FAILED, described(error))
    except BaseException:
        log.exception(LogLine("failed in the worker", **about(held.job), code=INTERNAL_ERROR.code))
        held.end(Ending.FAILED, INTERNAL_ERROR)
