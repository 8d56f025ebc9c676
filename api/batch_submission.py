"""Recording a batch: every item is valid before any becomes a job."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore

from api.batch_body import BatchBody, RawItem
from api.batch_request import MAX_ITEMS, BatchOptions, parse_item, prefixed
from api.errors import (
    ApiError,
    FieldError,
    InvalidParameters,
    MalformedJson,
    PayloadTooLarge,
    PromptTooLong,
    TooManyUploads,
)
from api.ids import new_job_id
from api.request import MAX_ERRORS
from api.settings import ApiSettings
from api.store_budget import StoreBudget
from api.submission import Submission
from tasks.jobs.batch import BatchItem, NewBatch
from tasks.jobs.batch_store import UPLOADED_ITEMS, BatchStore
from tasks.jobs.card import ModelCard
from tasks.jobs.errors import StoreUnavailable, UnknownModel
from tasks.jobs.origin import Origin
from tasks.jobs.ring import Ring

#: Bodies that one process holds and parses at the same time.
MAX_UPLOADS = 4
UPLOAD_WAIT_SECONDS = 10.0

#: A chunk that is this large goes to the store with fewer items.
CHUNK_CHARS = 2**20


class BatchSubmission:
    """Turns bodies into recorded batches. Thread-safe."""

    def __init__(self, settings: ApiSettings, store: BatchStore, submission: Submission, ring: Ring) -> None:
        self.store = store
        self._max_items = min(MAX_ITEMS, settings.max_batch_items)
        self._max_unfinished = settings.max_batch_items
        self._submission = submission
        self._ring = ring
        self._uploads = BoundedSemaphore(MAX_UPLOADS)

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Room for one body. Raises TooManyUploads."""
        if not self._uploads.acquire(timeout=UPLOAD_WAIT_SECONDS):
            raise TooManyUploads()
        try:
            yield
        finally:
            self._uploads.release()

    def submit(
        self,
        body: BatchBody,
        idempotency_key: str | None,
        batch_id: str,
        owner: str,
        origin: Origin,
        budget: StoreBudget,
    ) -> tuple[str, bool]:
        """The batch's id, which the key may have made earlier, and whether it is new.

        Raises InvalidParameters, which names the first items that are wrong, and what BatchStore.start
        raises; then nothing is recorded.
        """
        webhook = self._submission.webhooks.webhook(body.options.webhook)
        intake = _Intake(
            self._submission, self.store, batch_id, body.options, self._max_items, owner, origin, budget
        )
        try:
            intake.take_all(body.items)
        except ApiError:
            with suppress(StoreUnavailable), budget.call():
                self.store.drop(batch_id)
            raise
        new = NewBatch(
            id=batch_id,
            total=intake.total,
            owner=owner,
            ttl_seconds=body.options.ttl_s,
            deadline_seconds=body.options.deadline_s,
            metadata=body.options.metadata,
            webhook=webhook,
            idempotency_key=idempotency_key,
            digest=intake.digest if idempotency_key else "",
        )
        with budget.call():
            ring = self._ring.template(batch_id)
            return self.store.start(new, max_unfinished=self._max_unfinished, ring=ring)


class _Intake:
    """The items of one batch on their way into the store."""

    def __init__(
        self,
        submission: Submission,
        store: BatchStore,
        batch_id: str,
        options: BatchOptions,
        max_items: int,
        owner: str,
        origin: Origin,
        budget: StoreBudget,
    ) -> None:
        self._submission = submission
        self._store = store
        self._batch_id = batch_id
        self._options = options
        self._max_items = max_items
        self._owner = owner
        self._origin = origin
        self._budget = budget
        self._hash = hashlib.sha256(options.digest())
        self._cards: dict[str | None, ModelCard] = {}
        self._custom_ids: dict[str, int] = {}
        self._chunk: list[BatchItem] = []
        self._chunk_chars = 0
        self.total = 0

    @property
    def digest(self) -> str:
        """Equal for equal batches, as JSON or as JSON lines."""
        return self._hash.hexdigest()

    def take_all(self, items: Iterator[RawItem]) -> None:
        errors: list[FieldError] = []
        kinds: set[type[InvalidParameters]] = set()
        for index, raw in enumerate(items):
            if index >= self._max_items:
                errors.append(FieldError("requests", f"must be at most {self._max_items} (given: more)"))
                kinds.add(InvalidParameters)
            if len(errors) >= MAX_ERRORS or index >= self._max_items:
                break
            try:
                self._take(index, raw, only_look=bool(errors))
            except InvalidParameters as error:
                errors += prefixed(f"requests.{index}", error.errors, raw.note)
                kinds.add(type(error))
            # Ten thousand items take seconds: whoever else is served by this process goes first.
            time.sleep(0)
        if not errors and self.total == 0:
            errors.append(FieldError("requests", f"must be 1 to {self._max_items} (given: 0)"))
        if errors:
            refusal = PromptTooLong if kinds == {PromptTooLong} else InvalidParameters
            raise refusal(errors[:MAX_ERRORS])
        self._put()

    def _take(self, index: int, raw: RawItem, *, only_look: bool) -> None:
        if isinstance(raw.value, MalformedJson | PayloadTooLarge):
            detail = raw.value.detail.replace("The body", "this line").replace("line 1, ", "")
            raise InvalidParameters.of("", detail)
        wanted = parse_item(raw.value, self._options)
        earlier = self._custom_ids.setdefault(wanted.custom_id, index) if wanted.custom_id else index
        if earlier != index:
            raise InvalidParameters.of("custom_id", f"is that of requests.{earlier}")
        card = self._card(wanted.model)
        job = self._submission.resolve(wanted, card, new_job_id(), self._owner, self._origin)
        if only_look:
            return
        self._hash.update(wanted.digest().encode())
        self._chunk.append(BatchItem(job=job, custom_id=wanted.custom_id))
        self.total += 1
        self._chunk_chars += len(job.text)
        if len(self._chunk) >= UPLOADED_ITEMS or self._chunk_chars >= CHUNK_CHARS:
            self._put()

    def _card(self, model: str | None) -> ModelCard:
        """The same for the whole batch, whatever registers meanwhile."""
        if model not in self._cards:
            with self._budget.call():
                try:
                    self._cards[model] = self._submission.card(model)
                except UnknownModel as error:
                    raise InvalidParameters.of("model", str(error)) from None
        return self._cards[model]

    def _put(self) -> None:
        if not self._chunk:
            return
        with self._budget.call():
            self._store.put(self._batch_id, self.total - len(self._chunk), self._chunk)
        self._chunk, self._chunk_chars = [], 0
