"""The API's neighbours in tests: a listener without a connection, a worker without a model."""

from __future__ import annotations

import functools
import hashlib
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tasks.jobs.models import Job, JobError, JobStatus, Row
from tasks.jobs.protocol import Claim, Outcome, StepEntry, Verdict
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_card

Pair = tuple[socket.socket, socket.socket]

MODEL = "test-model"
MAX_POSITIONS = 256


@functools.cache
def tokenizer_json() -> str:
    """A byte-level BPE as GPT-2's, trained on next to nothing: any text has tokens, most of them bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["Hello, world! Once upon a time there was an owl."], trainer)
    # A tokenizer file that cuts long prompts must not make them seem short.
    tokenizer.enable_truncation(max_length=8)
    tokenizer.enable_padding(length=4)
    return str(tokenizer.to_str())


@functools.cache
def counting_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_str(tokenizer_json())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def count_tokens(text: str) -> int:
    return len(counting_tokenizer().encode(text).ids)


def register_test_model(
    store: JobStore, model: str = MODEL, fingerprint: str = FINGERPRINT, tokenizer: str | None = None
) -> None:
    tokenizer = tokenizer or tokenizer_json()
    sha256 = hashlib.sha256(tokenizer.encode()).hexdigest()
    card = make_card(model, fingerprint=fingerprint, max_positions=MAX_POSITIONS, tokenizer_sha256=sha256)
    store.register_model(card, tokenizer, f"worker-of-{fingerprint}", slots=4, precision="float16")


def rung(store: JobStore) -> list[str]:
    """For which jobs a worker was woken, in order."""
    rings: list[str] = store.client.lrange(RecordingRing.LIST, 0, -1)  # type: ignore[assignment]
    return rings[::-1]


class LocalWaiter:
    def __init__(self) -> None:
        self._hint = threading.Event()
        self.sleeps = False
        self._ended: Job | None = None

    def wait(self, timeout: float) -> bool:
        self.sleeps = True
        hinted = self._hint.wait(timeout)
        self.sleeps = False
        self._hint.clear()
        return hinted

    def ended(self) -> Job | None:
        return self._ended

    def wake(self, ended: Job | None = None) -> None:
        self._ended = ended
        self._hint.set()


class LocalListener:
    """Hears what `wake` tells it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: list[tuple[str, LocalWaiter]] = []

    @property
    def num_waiters(self) -> int:
        """Those that sleep, not those that only watch so far."""
        with self._lock:
            return sum(waiter.sleeps for _, waiter in self._waiters)

    @contextmanager
    def watch(self, job_id: str) -> Iterator[LocalWaiter]:
        waiter = LocalWaiter()
        with self._lock:
            self._waiters.append((job_id, waiter))
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.remove((job_id, waiter))

    def wake(self, job_id: str, ended: Job | None = None) -> None:
        with self._lock:
            for watched, waiter in self._waiters:
                if watched == job_id:
                    waiter.wake(ended)


def succeed(job: Job) -> Outcome:
    """A continuation that tells which job it belongs to."""
    row = Row(text=f" [{job.id}]", finish_reason="length", num_tokens=job.parameters.max_new_tokens)
    rows = (row,) * job.parameters.num_return_sequences
    tokens = sum(each.num_tokens for each in rows)
    return Outcome(status=JobStatus.SUCCEEDED, rows=rows, num_tokens=tokens)


def fail(code: str, detail: str = "It broke.") -> Callable[[Job], Outcome]:
    return lambda job: Outcome(status=JobStatus.FAILED, error=JobError(code=code, detail=detail))


def cancel(job: Job) -> Outcome:
    return Outcome(status=JobStatus.CANCELED)


class FakeWorker:
    """Drives the store as a real worker does, step by step from the test or by itself in a thread."""

    def __init__(self, store: JobStore, listener: LocalListener) -> None:
        self._store = store
        self._listener = listener
        self._id = uuid.uuid4().hex
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def claim(self) -> Claim:
        claim = self._store.claim_next(self._id, FINGERPRINT, uuid.uuid4().hex)
        assert claim is not None, "no job waits"
        return claim

    def start(self, claim: Claim, num_tokens: int = 0) -> Verdict:
        entry = StepEntry(job_id=claim.job.id, attempt=claim.attempt, started=True, num_tokens=num_tokens)
        return self._store.step(self._id, [entry]).answers[0].verdict

    def finish(self, claim: Claim, outcome: Callable[[Job], Outcome] = succeed) -> None:
        assert self._store.finish(self._id, claim.job.id, claim.attempt, outcome(claim.job))
        self._listener.wake(claim.job.id)
        if claim.job.batch_id is not None:  # It may have been the last of its batch.
            self._listener.wake(claim.job.batch_id)

    def serve(self, outcome: Callable[[Job], Outcome] = succeed) -> None:
        """From here on, every job is claimed and ended at once."""

        def run() -> None:
            while not self._stopped.wait(0.002):
                claim = self._store.claim_next(self._id, FINGERPRINT, uuid.uuid4().hex)
                if claim is not None:
                    self.start(claim, num_tokens=1)
                    self.finish(claim, outcome)

        self._thread = threading.Thread(target=run, name="fake-worker")
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
