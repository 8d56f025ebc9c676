"""The client for threads."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Self, Unpack

import httpx

from neoserve import batch_flows, job_flows, service_flows, stream_flow
from neoserve.address import Address
from neoserve.batch import Batch, BatchItem
from neoserve.batch_flows import Prompts
from neoserve.events import Event
from neoserve.fields import BatchFields, JobFields
from neoserve.fleet import Health, Info
from neoserve.job import Job
from neoserve.patience import Persistence, Retrying
from neoserve.requests import id_of, new_key
from neoserve.wire import Wire


class NeoServe:
    """A service, over HTTP. Safe to share between threads.

    `base_url` and `api_key` are else NEOSERVE_URL (else http://127.0.0.1:8080) and NEOSERVE_API_KEY.
    `timeout` is how many seconds `predict`, `wait`, `wait_batch` and `batch` take at most, where the call
    itself does not say; None is as long as it takes. `patience` is how many seconds a call is tried again
    while the service is away or full, whoever waits for a job or reads it being patient for a minute at
    least; 0 tries once. `on_retry` is called with the error and the seconds before each pause. `http_client`
    is one of yours, with your proxies and certificates; it stays open.

    Every call raises NeoServeError, see neoserve/errors.py. What records something is sent with an
    idempotency key, so however often it is tried, it is recorded once. ValueError: no usable address or key.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float | None = None,
        patience: float = 30.0,
        on_retry: Retrying | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        address = Address.find(base_url, api_key)
        self.base_url = address.shown
        self._timeout = timeout
        self._persistence = Persistence(seconds=patience, on_retry=on_retry)
        self._owned = None
        if http_client is None:
            http_client = self._owned = httpx.Client(verify=address.verify, trust_env=address.trust_env)
        self._wire = Wire(address, http_client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. Jobs go on."""
        if self._owned is not None:
            self._owned.close()

    def predict(
        self,
        text: str,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[JobFields],
    ) -> Job:
        """The finished job of a text, waited for however long that takes. Raises JobFailed when it ended
        without a result, NotEnded when it has not ended in time."""
        key, seconds = idempotency_key or new_key(), self._seconds(timeout)
        body = {"text": text, **fields}
        return self._wire.run(job_flows.predict(body, key, seconds, self._persistence))

    def submit(self, text: str, *, idempotency_key: str | None = None, **fields: Unpack[JobFields]) -> Job:
        """Records a job and does not wait for it."""
        key = idempotency_key or new_key()
        return self._wire.run(job_flows.submit({"text": text, **fields}, key, self._persistence))

    def stream(
        self, text: str, *, idempotency_key: str | None = None, **fields: Unpack[JobFields]
    ) -> Generator[Event]:
        """Records a job and tells what happens to it, each token once, over as many connections as it takes.
        After a Started what came before is void. The last event is Done, in whatever way the job ended."""
        key = idempotency_key or new_key()
        return self._wire.each(stream_flow.stream({"text": text, **fields}, key, self._persistence))

    def events(self, job: Job | str) -> Generator[Event]:
        """The same of a job that there is, from its beginning."""
        return self._wire.each(stream_flow.events(id_of(job), self._persistence))

    def get(self, job: Job | str) -> Job:
        """The job as it is now."""
        return self._wire.run(job_flows.get(id_of(job), self._persistence))

    def wait(self, job: Job | str, *, timeout: float | None = None) -> Job:
        """The job that has ended, in whatever way: see `Job.raise_for_failure`. Raises NotEnded."""
        seconds = self._seconds(timeout)
        return self._wire.run(job_flows.wait_for(id_of(job), seconds, self._persistence))

    def cancel(self, job: Job | str) -> Job:
        """Stops the job; one that runs stops at its next step. Raises Conflict when it has ended."""
        return self._wire.run(job_flows.cancel(id_of(job), self._persistence))

    def retry(self, job: Job | str, *, idempotency_key: str | None = None) -> Job:
        """Records a new job like one that has ended. Raises Conflict while that has not."""
        key = idempotency_key or new_key()
        return self._wire.run(job_flows.retry(id_of(job), key, self._persistence))

    def jobs(self, *, status: str | Sequence[str] | None = None, page: int | None = None) -> Generator[Job]:
        """The jobs in store, the newest first, without their results; `page` of them in each call."""
        return self._wire.each(job_flows.list_all(status, page, self._persistence))

    def batch(
        self,
        prompts: Prompts,
        *,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[BatchFields],
    ) -> Generator[BatchItem]:
        """What has come of each prompt, in their order, when all have ended. Begins with the first item that
        is asked for. Raises NotEnded, with the batch."""
        key, seconds = idempotency_key or new_key(), self._seconds(timeout)
        body = batch_flows.as_body(prompts, fields)
        return self._wire.each(batch_flows.run(body, key, seconds, self._persistence))

    def submit_batch(
        self, prompts: Prompts, *, idempotency_key: str | None = None, **fields: Unpack[BatchFields]
    ) -> Batch:
        """Records a batch: texts, requests, or a file of JSON lines."""
        key, body = idempotency_key or new_key(), batch_flows.as_body(prompts, fields)
        return self._wire.run(batch_flows.submit(body, key, self._persistence))

    def get_batch(self, batch: Batch | str) -> Batch:
        """The batch as it is now."""
        return self._wire.run(batch_flows.get(id_of(batch), self._persistence))

    def wait_batch(self, batch: Batch | str, *, timeout: float | None = None) -> Batch:
        """The batch that has ended, in whatever way. Raises NotEnded."""
        seconds = self._seconds(timeout)
        return self._wire.run(batch_flows.wait_for(id_of(batch), seconds, self._persistence))

    def results(self, batch: Batch | str) -> Generator[BatchItem]:
        """What has come of each item so far, in the order of the request."""
        return self._wire.each(batch_flows.results(id_of(batch), self._persistence))

    def cancel_batch(self, batch: Batch | str) -> Batch:
        """Stops the batch. Raises Conflict when it has ended otherwise."""
        return self._wire.run(batch_flows.cancel(id_of(batch), self._persistence))

    def batches(self, *, page: int | None = None) -> Generator[Batch]:
        """The batches in store, the newest first; `page` of them in each call."""
        return self._wire.each(batch_flows.list_all(page, self._persistence))

    def health(self) -> Health:
        """The whole fleet: its queue, its models, its workers."""
        return self._wire.run(service_flows.health(self._persistence))

    def info(self) -> Info:
        """The models and the limits."""
        return self._wire.run(service_flows.info(self._persistence))

    def _seconds(self, timeout: float | None) -> float | None:
        return self._timeout if timeout is None else timeout
