"""Continuous batching: sequences join and leave between the steps of one model."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.engine.generation import Generation
from tasks.engine.runner import Chunk, Detokenizer, ModelRunner
from tasks.engine.scheduler import ScheduledRow, Scheduler
from tasks.engine.sequence import Sequence, SequenceStatus
from tasks.engine.types import FinishReason, GenerationRequest, StepStats
from tasks.engine.validation import check

logger = logging.getLogger(__name__)

#: What came of a row: its token, nothing (the prompt goes on in the next step), or its error.
RowResult = int | Exception | None


class Engine:
    """Runs many requests through one model. `submit` may be called from any thread, all else from one."""

    def __init__(
        self,
        runner: ModelRunner,
        scheduler: Scheduler,
        new_detokenizer: Callable[[GenerationRequest], Detokenizer],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner = runner
        self._scheduler = scheduler
        self._new_detokenizer = new_detokenizer
        self._clock = clock
        self._inbox: deque[Sequence] = deque()
        self._num_finished = 0
        self._num_reused = 0

    def submit(self, request: GenerationRequest) -> Generation:
        """Queue a request. Raises InvalidRequest or RequestTooLong."""
        check(request, self._runner.max_positions)
        generation = Generation(request, self._clock())
        self._inbox.append(Sequence(generation, self._new_detokenizer(request)))
        return generation

    @property
    def has_work(self) -> bool:
        return bool(self._inbox) or self._scheduler.has_work

    def step(self) -> StepStats:
        """One pass of the model over everything that is running; without work it does nothing.

        Where the runner fails, the rows of this step are run again one by one, once: those that fail alone
        end, each once, and the others do not notice, since a run that fails leaves the runner as it was. What
        fails whatever it is given, such as a GPU after an error, ends all that took part. The next step goes
        on.
        """
        started, finished_before, reused_before = self._clock(), self._num_finished, self._num_reused
        rows = self._schedule()
        results = self._run(rows)
        self._commit(rows, results)
        return StepStats(
            num_prefill_tokens=sum(row.num_tokens for row in rows if not row.decodes),
            num_reused_tokens=self._num_reused - reused_before,
            num_decode_rows=sum(row.decodes for row in rows),
            num_new_tokens=sum(isinstance(result, int) for result in results),
            num_first_tokens=sum(
                isinstance(result, int) and not row.decodes for row, result in zip(rows, results, strict=True)
            ),
            num_waiting=len(self._inbox) + len(self._scheduler.waiting),
            num_running=len(self._scheduler.running),
            num_finished=self._num_finished - finished_before,
            num_kv_tokens_in_use=self._runner.num_kv_tokens_in_use,
            num_kv_tokens=self._runner.num_kv_tokens,
            seconds=self._clock() - started,
        )

    def abort(self, error: Exception) -> None:
        """End everything that is not done with `error`."""
        self._take_in()
        for sequence in (*self._scheduler.running, *self._scheduler.waiting):
            self._fail(sequence, error)

    def _schedule(self) -> list[ScheduledRow]:
        self._take_in()
        for sequence in self._scheduler.canceled():
            with self._failing_alone(sequence):
                self._finish(sequence, FinishReason.CANCELED)
        while self._scheduler.can_admit() and self._fits(self._scheduler.waiting[0]):
            self._admit(self._scheduler.admit())
        return self._scheduler.schedule(self._reuse)

    def _run(self, rows: list[ScheduledRow]) -> list[RowResult]:
        if not rows:
            return []
        chunks = [row.sequence.chunk(row.num_tokens) for row in rows]
        try:
            return self._run_together(chunks)
        except Exception as error:
            logger.exception("a step with %d rows failed", len(rows))
            if len(rows) == 1:
                return [error]
        return [self._run_alone(chunk) for chunk in chunks]

    def _run_alone(self, chunk: Chunk) -> RowResult:
        try:
            return self._run_together([chunk])[0]
        except Exception as error:
            logger.exception("the row in slot %d failed alone", chunk.slot)
            return error

    def _run_together(self, chunks: list[Chunk]) -> list[RowResult]:
        tokens = self._runner.run(chunks)
        if len(tokens) != sum(chunk.emits for chunk in chunks):
            # It has run them, so they cannot be run again.
            return [RuntimeError("the runner's tokens do not match the rows that emit")] * len(chunks)
        remaining = iter(tokens)
        return [next(remaining) if chunk.emits else None for chunk in chunks]

    def _commit(self, rows: list[ScheduledRow], results: list[RowResult]) -> None:
        for row, result in zip(rows, results, strict=True):
            row.sequence.num_run += row.num_tokens
            if isinstance(result, Exception):
                self._fail(row.sequence, result)
            elif result is not None:
                self._append(row.sequence, result)

    def _take_in(self) -> None:
        while self._inbox:
            self._scheduler.add(self._inbox.popleft())

    def _fits(self, sequence: Sequence) -> bool:
        """A long one waits for room at the head of the queue: if shorter ones overtook it, it might wait
        for ever."""
        request = sequence.request
        return self._runner.can_admit(len(request.prompt_ids) + request.max_new_tokens)

    def _admit(self, sequence: Sequence) -> None:
        request = sequence.request
        sequence.generation.start(self._clock())
        with self._failing_alone(sequence):
            self._runner.admit(sequence.slot, request.prompt_ids, request.max_new_tokens, request.sampling)

    def _reuse(self, sequence: Sequence) -> None:
        num_run = self._runner.reuse(sequence.slot, sequence.num_run)
        self._num_reused += num_run - sequence.num_run
        sequence.num_run = num_run

    def _append(self, sequence: Sequence, token_id: int) -> None:
        with self._failing_alone(sequence):
            sequence.generation.advance(sequence.append(token_id), self._clock())
            reason = sequence.finish_reason(self._runner.eos_token_ids)
            if reason is not None:
                self._finish(sequence, reason)

    def _finish(self, sequence: Sequence, reason: FinishReason) -> None:
        last_text = sequence.flush()
        if sequence.stopped and reason is FinishReason.LENGTH:
            reason = FinishReason.STOP  # The very last piece completed a stop string.
        self._leave(sequence)
        sequence.generation.finish(reason, last_text, self._clock())

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        self._leave(sequence)
        sequence.generation.fail(error, self._clock())

    def _leave(self, sequence: Sequence) -> None:
        if sequence.status is SequenceStatus.RUNNING:
            self._runner.release(sequence.slot)
        self._scheduler.remove(sequence)
        self._num_finished += 1

    @contextmanager
    def _failing_alone(self, sequence: Sequence) -> Iterator[None]:
        """What goes wrong with one sequence ends this one and harms no neighbour."""
        try:
            yield
        except Exception as error:
            logger.exception("request %s failed alone", sequence.request.request_id)
            self._fail(sequence, error)
