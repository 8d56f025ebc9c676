"""The HTTP contract from the client's side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from client.errors import JobFailed, RequestRefused, ServiceUnavailable
from client.http import PATIENCE_SECONDS, ServiceClient

MakeJob = Callable[..., dict[str, Any]]
BODY = {"text": "Hello, world!"}


class FakeTime:
    """Time that passes only where the client sleeps, or where an answer takes it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


class Script:
    """Answers in order; an exception is raised instead. The last one is given for ever."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def make_client(script: Script, time: FakeTime) -> ServiceClient:
    return ServiceClient(
        "http://127.0.0.1:8080/", transport=httpx.MockTransport(script), clock=time, sleep=time.sleep
    )


def problem(status: int, code: str, detail: str, **rest: Any) -> httpx.Response:
    headers = rest.pop("headers", {})
    return httpx.Response(status, json={"code": code, "detail": detail, **rest}, headers=headers)


def test_a_prediction_that_ends_in_time_takes_one_call(job_json: MakeJob, time: FakeTime) -> None:
    script = Script(httpx.Response(200, json=job_json()))
    job = make_client(script, time).predict_to_the_end(BODY)
    assert job.text == "Hello, world! Again."
    assert [(each.method, each.url.path) for each in script.requests] == [("POST", "/predict")]


def test_a_prediction_that_is_handed_over_is_followed_to_its_end(job_json: MakeJob, time: FakeTime) -> None:
    script = Script(
        httpx.Response(202, json=job_json("queued")),
        httpx.Response(200, json=job_json("running")),
        httpx.Response(200, json=job_json()),
    )
    assert make_client(script, time).predict_to_the_end(BODY).succeeded
    assert [str(each.url) for each in script.requests[1:]] == ["http://127.0.0.1:8080/jobs/job-1?wait=30"] * 2


def test_a_job_that_failed_while_it_was_followed_is_an_error_with_its_words(
    job_json: MakeJob, time: FakeTime
) -> None:
    failed = job_json("failed", error={"code": "worker_lost", "detail": "Three workers died of it."})
    script = Script(httpx.Response(202, json=job_json("queued")), httpx.Response(200, json=failed))
    with pytest.raises(
        JobFailed, match=r"Job job-1 failed: Three workers died of it\. \[worker_lost\]"
    ) as caught:
        make_client(script, time).predict_to_the_end(BODY)
    assert caught.value.exit_code == 1


def test_a_job_that_failed_within_the_call_is_the_same_kind_of_error(
    job_json: MakeJob, time: FakeTime
) -> None:
    script = Script(problem(500, "generation_failed", "The model gave up.", job=job_json("failed")))
    with pytest.raises(JobFailed, match=r"Job job-1 .*The model gave up\. \[generation_failed\]"):
        make_client(script, time).predict_to_the_end(BODY)


def test_a_refused_request_is_reported_with_the_services_words(time: FakeTime) -> None:
    script = Script(problem(422, "prompt_too_long", "The prompt has 3000 tokens; 2048 are allowed."))
    with pytest.raises(
        RequestRefused, match=r"3000 tokens; 2048 are allowed\. \[prompt_too_long\]"
    ) as caught:
        make_client(script, time).submit(BODY)
    assert (caught.value.exit_code, caught.value.code) == (4, "prompt_too_long")


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_is_busy_says_when_to_try_again(status: int, time: FakeTime) -> None:
    script = Script(problem(status, "queue_full", "The queue is full.", headers={"Retry-After": "5"}))
    with pytest.raises(ServiceUnavailable, match=r"full\. \[queue_full\] Try again in 5 s\.") as caught:
        make_client(script, time).submit(BODY)
    assert (caught.value.exit_code, caught.value.retry_after_seconds) == (3, 5.0)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (
            httpx.ConnectError("refused"),
            r"No service answers at http://127\.0\.0\.1:8080\. .*neoserve up.*--url",
        ),
        (httpx.ReadTimeout("slow"), "did not answer in time"),
        (httpx.RemoteProtocolError("cut"), "broke"),
        (httpx.Response(502, text="<html>Bad gateway</html>"), "answered 502"),
    ],
)
def test_a_service_that_is_away_is_one_plain_line(
    failure: httpx.Response | Exception, words: str, time: FakeTime
) -> None:
    with pytest.raises(ServiceUnavailable, match=words):
        make_client(Script(failure), time).job("job-1")


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="hello"), httpx.Response(404, text="no such page")]
)
def test_another_program_at_the_address_is_recognised(answer: httpx.Response, time: FakeTime) -> None:
    with pytest.raises(RequestRefused, match=r"not as NeoServe does.*--url"):
        make_client(Script(answer), time).job("job-1")


@pytest.mark.parametrize("url", ["ftp://example.org", "http://", ""])
def test_an_address_that_is_none_is_refused_before_any_call(url: str) -> None:
    with pytest.raises(RequestRefused, match="is no address"):
        ServiceClient(url)


def test_an_address_without_a_scheme_is_an_http_address() -> None:
    assert ServiceClient("localhost:9137").url == "http://localhost:9137"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda client: client.job("job-1"), "The service cannot reach its Redis. Try again in 2 s."),
        (
            lambda client: client.submit(BODY),
            "The service cannot reach its Redis; it may have recorded the job all the same. "
            "Try again in 2 s.",
        ),
    ],
)
def test_a_service_without_its_store_is_reported_in_words_for_a_terminal(
    call: Callable[[ServiceClient], object], words: str, time: FakeTime
) -> None:
    detail = "Unknown whether it had an effect; use the same Idempotency-Key."
    script = Script(problem(503, "store_unavailable", detail, headers={"Retry-After": "2"}))
    with pytest.raises(ServiceUnavailable) as caught:
        call(make_client(script, time))
    assert str(caught.value) == words


def test_a_job_id_cannot_leave_its_place_in_the_address(time: FakeTime, job_json: MakeJob) -> None:
    script = Script(httpx.Response(200, json=job_json()))
    make_client(script, time).job("../metrics?x=1")
    assert script.requests[0].url.raw_path == b"/jobs/..%2Fmetrics%3Fx%3D1"


def test_following_rides_out_a_restart_of_the_api(job_json: MakeJob, time: FakeTime) -> None:
    away = httpx.ConnectError("refused")
    script = Script(
        away,
        problem(503, "draining", "Closing.", headers={"Retry-After": "2"}),
        httpx.Response(200, json=job_json()),
    )
    outages: list[float] = []
    client = make_client(script, time)
    assert client.follow("job-1", on_outage=lambda: outages.append(time.now)).succeeded
    assert time.slept == [1.0, 2.0]
    assert outages == [0.0]


def test_following_gives_up_when_the_service_stays_away(time: FakeTime) -> None:
    with pytest.raises(ServiceUnavailable):
        make_client(Script(httpx.ConnectError("refused")), time).follow("job-1")
    assert PATIENCE_SECONDS <= time.now < PATIENCE_SECONDS + 5


def test_following_ends_with_the_time_given(job_json: MakeJob, time: FakeTime) -> None:
    script = Script(httpx.Response(200, json=job_json("running")))
    assert not make_client(script, time).follow("job-1", 2.0).terminal
    assert 2.0 <= time.now < 3.0


def test_following_does_not_hammer_a_service_that_answers_at_once(job_json: MakeJob, time: FakeTime) -> None:
    script = Script(httpx.Response(200, json=job_json("running")))
    make_client(script, time).follow("job-1", 10.0)
    assert len(script.requests) <= 21
