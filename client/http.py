"""The service's HTTP contract as calls. Every failure is a ClientError whose message names the remedy."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from client.errors import ClientError, JobFailed, QueueFull, RequestRefused, ServiceUnavailable
from client.job import JobView

CONNECT_SECONDS = 5.0

#: The first answer of a prediction: soon, so that the job's id is known while it is waited for.
FIRST_WAIT_SECONDS = 3.0

#: One long-poll; well below the minute after which proxies cut a silent request.
WAIT_SECONDS = 30.0

#: On top of the wait asked for, before an answer counts as lost.
ANSWER_SECONDS = 15.0

#: A job goes on while the API restarts, so its follower is patient.
PATIENCE_SECONDS = 60.0

#: Between two polls, when the service answers at once although asked to wait.
POLL_SECONDS = 0.5

#: By method, in place of the service's words: those advise a header, which nobody can set here.
STORE_AWAY = {
    "GET": "The service cannot reach its Redis.",
    "POST": "The service cannot reach its Redis; it may have recorded the job all the same.",
}

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class ServiceClient:
    """A connection to one service. `transport`, `clock` and `sleep` are for tests."""

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        self._clock = clock
        self._sleep = sleep
        try:
            parsed = httpx.URL(self.url)
        except httpx.InvalidURL:
            parsed = httpx.URL("")
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise RequestRefused(f"{url!r} is no address. Give one such as http://127.0.0.1:8080.")
        self._http = httpx.Client(
            base_url=parsed,
            transport=transport,
            verify=_trust(parsed.scheme),
            # A proxy for the outside world cannot reach a service on this machine.
            trust_env=parsed.host not in _LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def predict(self, body: Mapping[str, Any]) -> JobView:
        """POST /predict, waiting a little for the result; the job may still go on when this returns."""
        return self._call("POST", "/predict", body=body, wait_seconds=FIRST_WAIT_SECONDS)

    def submit(self, body: Mapping[str, Any]) -> JobView:
        """POST /jobs: the recorded job, without waiting for it."""
        return self._call("POST", "/jobs", body=body)

    def job(self, job_id: str, wait_seconds: float = 0.0) -> JobView:
        """GET /jobs/<id>: the job in whatever state, or in its last one if that comes within the wait."""
        return self._call("GET", f"/jobs/{quote(job_id, safe='')}", wait_seconds=wait_seconds)

    def follow(
        self, job_id: str, seconds: float | None = None, *, on_outage: Callable[[], None] = lambda: None
    ) -> JobView:
        """Long-poll until the job has ended or `seconds` have passed; rides out a restart of the API.

        `on_outage` is called once at the beginning of each outage that is waited for.
        """
        end = None if seconds is None else self._clock() + seconds
        failing_since: float | None = None
        while True:
            started = self._clock()
            left = WAIT_SECONDS if end is None else max(0.0, min(WAIT_SECONDS, end - started))
            pause = POLL_SECONDS
            try:
                job = self.job(job_id, left)
            except ServiceUnavailable as error:
                if left <= 0 or (
                    failing_since is not None and self._clock() - failing_since >= PATIENCE_SECONDS
                ):
                    raise
                if failing_since is None:
                    failing_since = started
                    on_outage()
                pause = max(POLL_SECONDS, min(5.0, error.retry_after_seconds or 1.0))
            else:
                failing_since = None
                if job.terminal or (end is not None and self._clock() >= end):
                    return job
            self._sleep(max(0.0, pause - (self._clock() - started)))

    def predict_to_the_end(self, body: Mapping[str, Any]) -> JobView:
        """The finished job, however long it takes. Raises JobFailed when it ended without a result."""
        job = self.predict(body)
        if not job.terminal:
            job = self.follow(job.id)
        return require_success(job)

    def _call(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, wait_seconds: float = 0.0
    ) -> JobView:
        timeout = httpx.Timeout(wait_seconds + ANSWER_SECONDS, connect=CONNECT_SECONDS)
        wait = {"wait": f"{wait_seconds:.0f}"} if wait_seconds else None
        try:
            answer = self._http.request(method, path, json=body, params=wait, timeout=timeout)
        except httpx.ConnectError:
            raise ServiceUnavailable(
                f"No service answers at {self.url}. Start one with `neoserve up`, "
                "or name another with --url or NEOSERVE_URL."
            ) from None
        except httpx.TimeoutException:
            raise ServiceUnavailable(f"{self.url} did not answer in time. Try again later.") from None
        except httpx.HTTPError as error:
            raise ServiceUnavailable(
                f"The connection to {self.url} broke ({type(error).__name__}). Try again."
            ) from None
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> JobView:
        try:
            content = answer.json()
        except ValueError:
            content = None
        if isinstance(content, dict):
            if answer.is_success and "id" in content and "status" in content:
                return JobView(content)
            if not answer.is_success and "code" in content:
                raise self._problem(answer, content)
        if answer.status_code >= 500:
            raise ServiceUnavailable(f"{self.url} answered {answer.status_code}. Try again later.")
        raise RequestRefused(
            f"{self.url} answered {answer.status_code}, but not as NeoServe does. "
            "Name the right address with --url or NEOSERVE_URL."
        )

    def _problem(self, answer: httpx.Response, problem: Mapping[str, Any]) -> ClientError:
        code, detail = str(problem["code"]), str(problem.get("detail") or problem.get("title") or "")
        if isinstance(problem.get("job"), dict):
            return JobFailed(f"Job {problem['job'].get('id')} ended without a result: {detail} [{code}]")
        if answer.status_code >= 500 or answer.status_code == 429:
            wait = answer.headers.get("Retry-After", "")
            seconds = float(wait) if wait.isdigit() else None
            remedy = f"Try again in {wait} s." if seconds else "Try again later."
            words = f"{detail} [{code}]" if code != "store_unavailable" else STORE_AWAY[answer.request.method]
            kind = QueueFull if code == "queue_full" else ServiceUnavailable
            return kind(f"{words} {remedy}", retry_after_seconds=seconds)
        return RequestRefused(f"{detail} [{code}]", code=code)


def _trust(scheme: str) -> ssl.SSLContext | bool:
    """Reading the machine's certificates takes longer than a request on this machine; over plain HTTP they
    are not needed, and a context without any trusts nobody."""
    return True if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def require_success(job: JobView) -> JobView:
    """Raises JobFailed, with the job's own words, when it ended without a result."""
    if job.terminal and not job.succeeded:
        raise JobFailed(f"Job {job.id} {job.describe()}")
    return job
