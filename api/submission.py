"""Recording a job: resolve, store."""

from __future__ import annotations

from dataclasses import replace

from api.errors import (
    ApiError,
    DeadlineUnmeetable,
    InvalidParameters,
    JobNotEnded,
    PromptTooLong,
)
from api.recent_cards import RecentCards
from api.request import PredictRequest
from api.resolve import resolve_parameters
from api.same_again import same_again
from api.settings import ApiSettings
from api.token_counter import TokenCounter
from api.webhooks.policy import WEBHOOK_TTL_SECONDS, WebhookPolicy
from tasks.jobs.card import ModelCard
from tasks.jobs.errors import QueueFull
from tasks.jobs.models import Job, Mode, NewJob, Priority
from tasks.jobs.origin import Origin
from tasks.jobs.protocol import Submitted
from tasks.jobs.ring import Ring
from tasks.jobs.store import JobStore


class Submission:
    """Turns valid requests into recorded jobs."""

    def __init__(self, settings: ApiSettings, store: JobStore, ring: Ring) -> None:
        self._settings = settings
        self._store = store
        self._ring = ring
        self.webhooks = WebhookPolicy(settings)
        self._cards = RecentCards(store.models)
        self._tokens = TokenCounter(store.tokenizer)

    def submit(
        self,
        request: PredictRequest,
        idempotency_key: str | None,
        job_id: str,
        owner: str,
        origin: Origin,
        mode: Mode,
    ) -> Submitted:
        """A new job gets `job_id`; the idempotency key may lead to an older one.

        Raises InvalidParameters, PromptTooLong, DeadlineUnmeetable and what JobStore.submit raises; then
        nothing is recorded.
        """
        job = self.resolve(request, self.card(request.model), job_id, owner, origin, idempotency_key)
        return self._record(replace(job, mode=mode, followed=mode is Mode.STREAM))

    def retry(self, ended: Job, idempotency_key: str | None, job_id: str, origin: Origin) -> Submitted:
        """A job like the one that has ended, for the same model and with the same seed: it makes the same
        text, should nothing go wrong this time. Its deadline counts from now.

        Raises JobNotEnded, InvalidParameters (of its webhook), DeadlineUnmeetable and what JobStore.submit
        raises; then nothing is recorded.
        """
        if not ended.status.terminal:
            raise JobNotEnded(ended)
        if ended.webhook is not None:
            self.webhooks.checked(ended.webhook)
        return self._record(same_again(ended, idempotency_key, job_id, origin))

    def _record(self, job: NewJob) -> Submitted:
        if job.deadline_seconds is not None:
            wait_seconds = self._store.expected_wait(job)
            if wait_seconds is not None and wait_seconds > job.deadline_seconds:
                return self._find(job, DeadlineUnmeetable(wait_seconds, job.deadline_seconds))
        return self._store.submit(
            job,
            max_queued=self._settings.max_queued,
            max_of_owner=self._settings.max_jobs_per_key if job.owner else 0,
            ring=self._ring.message(job.id),
        )

    def _find(self, job: NewJob, refusal: ApiError) -> Submitted:
        """The job that the same request has made before; raises `refusal` if there is none."""
        try:
            return self._store.submit(job, max_queued=0)
        except QueueFull:
            raise refusal from None

    def card(self, model: str | None) -> ModelCard:
        """Raises what RecentCards.choose raises."""
        return self._cards.choose(model)

    def resolve(
        self,
        request: PredictRequest,
        card: ModelCard,
        job_id: str,
        owner: str,
        origin: Origin,
        idempotency_key: str | None = None,
    ) -> NewJob:
        """Exactly what would run. Raises InvalidParameters, PromptTooLong and StoreUnavailable."""
        if len(request.text) > self._settings.max_prompt_chars:
            raise PromptTooLong.of(
                "text",
                f"must have at most {self._settings.max_prompt_chars} characters "
                f"(given: {len(request.text)} characters)",
            )
        num_prompt_tokens = self._tokens.count(card, request.text)
        if num_prompt_tokens == 0:
            raise InvalidParameters.of("text", "holds nothing that the model's tokenizer knows")
        webhook = self.webhooks.webhook(request.webhook, request.webhook_events)
        ttl_seconds = request.ttl_s
        if webhook is not None and "ttl_s" not in request.model_fields_set:
            ttl_seconds = WEBHOOK_TTL_SECONDS
        return NewJob(
            id=job_id,
            text=request.text,
            parameters=resolve_parameters(request, card, num_prompt_tokens),
            model=card.model,
            fingerprint=card.fingerprint,
            num_prompt_tokens=num_prompt_tokens,
            ttl_seconds=ttl_seconds,
            priority=Priority(request.priority),
            deadline_seconds=request.deadline_s,
            cancel_on_disconnect=request.cancel_on_disconnect,
            metadata=request.metadata,
            owner=owner,
            webhook=webhook,
            idempotency_key=idempotency_key,
            body_digest=request.digest() if idempotency_key else "",
            origin=origin,
        )
