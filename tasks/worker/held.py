"""A job in the hands of this worker, from the claim until its end is in the record."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from enum import StrEnum

from tasks.engine.errors import EngineError, EngineStopped
from tasks.engine.generation import Generation
from tasks.jobs.models import Job, JobError, JobStatus, Row
from tasks.jobs.protocol import Ages, Claim, Outcome, Piece, StepAnswer, StepEntry, Verdict
from tasks.model.errors import ModelError

#: Between two words of a job whose events somebody reads, at least.
FOLLOWED_SECONDS = 0.05


class Ending(StrEnum):
    """Why a job ended before its texts were complete. The first reason stays; only LOST replaces another."""

    FAILED = "failed"  #: It cannot be run, or something went wrong here.
    CANCELED = "canceled"  #: The client stopped it.
    DEADLINE = "deadline_exceeded"  #: It ran past its deadline.
    HANDED_BACK = "handed_back"  #: The worker shuts down; another one runs it.
    LOST = "lost"  #: The record belongs to another attempt: nothing may be written any more.


DEADLINE_EXCEEDED = JobError(
    code="deadline_exceeded", detail="The deadline passed while the job ran; the result is the text so far."
)
EXPIRED = JobError(code="expired", detail="The deadline passed before the job started.")
GENERATION_FAILED = JobError(code="generation_failed", detail="The model failed on this job.")
OUT_OF_MEMORY = JobError(code="out_of_memory", detail="The worker ran out of memory on this job.")


def described(error: BaseException) -> JobError:
    """An exception as clients see it: only errors of our own carry a code, and a message without secrets."""
    if isinstance(error, EngineError | ModelError):
        return JobError(code=error.code, detail=str(error))
    return OUT_OF_MEMORY if isinstance(error, MemoryError) else GENERATION_FAILED


class HeldJob:
    """What three threads know of one claimed job.

    The pool thread gives it its generations or an ending and waits for `settled`; the writer thread reports
    it to the record and settles it; the engine thread moves the generations.
    """

    def __init__(self, claim: Claim, claimed_at: float) -> None:
        self.job: Job = claim.job
        self.attempt = claim.attempt
        self.alone = claim.alone
        self.claimed_at = claimed_at  #: By the worker's monotonic clock.
        self.generations: tuple[Generation, ...] = ()
        self.ending: Ending | None = None
        self.error: JobError | None = None
        self.settled = threading.Event()  #: Its end is recorded, or nobody may record it here any more.
        self._stored: tuple[int, ...] = (0,) * claim.job.parameters.num_return_sequences
        self._begun_at: float | None = None
        # Of the writer thread: the last entry, and the last that the record has answered, with their times.
        self._telling = self._told = (StepEntry(job_id=self.job.id, attempt=self.attempt), -math.inf)
        self._followed = claim.job.followed
        self._decided = threading.Event()  #: The record says that it runs, or it will not.
        self._lock = threading.Lock()

    def begin(self, now: float) -> None:
        """Count as started from here on, although the engine does not have it yet."""
        self._begun_at = now

    def wait_begun(self) -> bool:
        """Until the record says that it runs; False: it has ended before that."""
        self._decided.wait()
        return self.ending is None and not self.settled.is_set()

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        self.settled.set()
        self._decided.set()

    def start(self, generations: Sequence[Generation]) -> None:
        """The engine has it. What ended the job before now ends them too."""
        with self._lock:
            self.generations = tuple(generations)
            ended = self.ending is not None
        if ended:
            self._cancel_generations()

    def end(self, ending: Ending, error: JobError | None = None) -> None:
        """End it early; whoever comes first decides, and texts that are complete stay complete."""
        with self._lock:
            if self.ending is Ending.LOST or (ending is not Ending.LOST and (self.ending or self.complete)):
                return
            self.ending, self.error = ending, error
        self._decided.set()
        self._cancel_generations()

    @property
    def complete(self) -> bool:
        """The engine is done with every row, well or badly.

        A row that ended because the engine itself broke is neither: this process ends too and its leases run
        out.
        """
        return bool(self.generations) and all(
            each.done and not isinstance(each.error, EngineStopped) for each in self.generations
        )

    @property
    def over(self) -> bool:
        """Nothing more will come, or it is of no interest: its end can be recorded."""
        given_up = self.ending in (Ending.HANDED_BACK, Ending.LOST)
        return self.complete or given_up or (self.ending is not None and not self.generations)

    @property
    def started(self) -> bool:
        return self.started_at is not None

    @property
    def num_tokens(self) -> int:
        return sum(each.num_tokens for each in self.generations)

    @property
    def started_at(self) -> float | None:
        """By the worker's monotonic clock, as `first_token_at`."""
        return _first((self._begun_at, *(each.started_at for each in self.generations)))

    @property
    def first_token_at(self) -> float | None:
        return _first(each.first_token_at for each in self.generations)

    def entry(self, now: float) -> StepEntry:
        """What the record does not know yet; `now` by the worker's monotonic clock."""
        entry = StepEntry(
            job_id=self.job.id,
            attempt=self.attempt,
            started=self.started,
            num_tokens=self.num_tokens,
            pieces=self._pieces(),
            ages=self._ages(now),
        )
        self._telling = entry, now
        return entry

    @property
    def due_at(self) -> float:
        """When the record should hear of it, by the worker's monotonic clock; or the next heartbeat does."""
        told, told_at = self._told
        if self._begun_at is not None and not told.started:
            return self._begun_at
        if self._followed and self.first_token_at is not None:
            return self.first_token_at if told.num_tokens == 0 else told_at + FOLLOWED_SECONDS
        return math.inf

    def _ages(self, now: float) -> Ages:
        return Ages(
            started_ms=_ms_between(self.started_at, now), first_token_ms=_ms_between(self.first_token_at, now)
        )

    def _pieces(self) -> tuple[Piece, ...]:
        pieces = []
        for row, (generation, stored) in enumerate(zip(self.generations, self._stored, strict=False)):
            text = generation.text[stored:]
            if text:
                pieces.append(Piece(row=row, from_index=stored, text=text))
        return tuple(pieces)

    def heed(self, answer: StepAnswer) -> None:
        """Take over what the record said: how much text it has, and whether to go on."""
        self._stored, self._told = answer.stored, self._telling
        self._followed = self._followed or answer.followed
        if answer.verdict is Verdict.LOST and not self.over:
            # Once it is over, LOST may mean that an earlier `finish` worked and its answer was lost;
            # the next one tells.
            self.end(Ending.LOST)
        elif answer.verdict is Verdict.CANCEL:
            self.end(Ending.CANCELED)
        elif answer.verdict is Verdict.DEADLINE:
            self.end(Ending.DEADLINE, DEADLINE_EXCEEDED)
        if self._told[0].started:
            self._decided.set()
        if any(each.error is not None for each in self.generations):
            # The job has failed with this row: the others are of no use.
            self._cancel_generations()

    def outcome(self, now: float) -> Outcome:
        """What the record gets, once `over`. Rows hold the text so far where the job ended early."""
        status, error = self._verdict()
        keeps_text = status is not JobStatus.FAILED or self.num_tokens > 0
        rows = tuple(self._row(each) for each in self.generations) if keeps_text else ()
        return Outcome(
            status=status, rows=rows, error=error, num_tokens=self.num_tokens, ages=self._ages(now)
        )

    def result(self) -> tuple[str, str]:
        """Outcome and error code as log field and metric label."""
        if self.ending in (Ending.HANDED_BACK, Ending.LOST):
            return self.ending.value, ""
        status, error = self._verdict()
        return status.value, error.code if error else ""

    def _verdict(self) -> tuple[JobStatus, JobError | None]:
        if self.ending is Ending.CANCELED:
            return JobStatus.CANCELED, None
        if self.ending is Ending.DEADLINE and not self.started:
            return JobStatus.EXPIRED, EXPIRED
        if self.ending is not None:
            return JobStatus.FAILED, self.error
        error = next((each.error for each in self.generations if each.error is not None), None)
        return (JobStatus.SUCCEEDED, None) if error is None else (JobStatus.FAILED, described(error))

    def _row(self, generation: Generation) -> Row:
        reason = generation.finish_reason or ("canceled" if generation.error is None else "failed")
        if self.ending is Ending.DEADLINE and reason == "canceled":
            reason = Ending.DEADLINE
        return Row(text=generation.text, finish_reason=str(reason), num_tokens=generation.num_tokens)

    def _cancel_generations(self) -> None:
        for each in self.generations:
            each.cancel()


def _first(times: Iterable[float | None]) -> float | None:
    return min((each for each in times if each is not None), default=None)


def _ms_between(start: float | None, end: float) -> int:
    return 0 if start is None else max(0, round((end - start) * 1000))
