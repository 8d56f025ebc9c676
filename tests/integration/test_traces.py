"""One trace from the client through the API to the worker, log lines that lead to it, and in both no text."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.worker.scripted_model import ScriptedModel
from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import QUICK, WorkerProcess
from tests.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver
from tests.services import RealServer, required_valkey
from tests.waiting import wait_until

CANARY = "canary5f1e77"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
#: Times by the clock of Redis are whole milliseconds.
MILLISECOND = 0.001
JOB = f"text_completion {ScriptedModel.model_id}"
PHASES = ("queue", "prefill", "decode")


class Traced:
    """A server, an API, one worker and a collector."""

    def __init__(self, folder: Path, collector: OtlpReceiver) -> None:
        self._folder = folder
        self.collector = collector
        self._server = RealServer(required_valkey(), folder, "--appendonly", "no")
        self._server.start()
        self.api = ApiProcess(self._server.url, NEOSERVE_LOG_FORMAT="json", **collector.environ)
        self.workers: list[WorkerProcess] = []
        self.replace_worker()
        self.api.start()

    def replace_worker(self) -> None:
        """By another one, which runs what this one leaves within a second."""
        for each in self.workers:
            each.signal(signal.SIGTERM)
            each.wait()
        settings = {
            "NEOSERVE_MODEL": "scripted:0.02",
            "NEOSERVE_GRACE_SECONDS": "1",
            "NEOSERVE_LOG_FORMAT": "json",
            **self.collector.environ,
        }
        name = f"worker-{len(self.workers)}"
        worker = WorkerProcess(self._server.url, self._folder, name, *QUICK, **settings)
        worker.wait_ready()
        self.workers = [*self.workers, worker]

    def send(self, method: str, path: str, number: int, **options: Any) -> httpx.Response:
        """A request in a trace of its own, which `number` names."""
        headers = {"traceparent": f"00-{trace_id(number)}-{SPAN}-01", "X-Request-Id": f"req-{number}"}
        options["headers"] = {**headers, **options.get("headers", {})}
        return httpx.request(method, self.api.url + path, timeout=30, **options)

    def submit(self, number: int, path: str, num_tokens: int = 5, **options: Any) -> httpx.Response:
        body = {"text": f"{CANARY} says", "max_new_tokens": num_tokens, "metadata": {"note": CANARY}}
        return self.send("POST", path, number, json=body, **options)

    def wait_status(self, job_id: str, status: str) -> None:
        url = f"{self.api.url}/jobs/{job_id}"
        wait_until(lambda: httpx.get(url).json()["status"] == status, f"the job is {status}")

    def trace(self, number: int, *names: str) -> dict[str, ReceivedSpan]:
        """Spans of that trace by name, once it has these."""
        named = set(names)
        self.collector.wait_for(
            lambda span: span.trace_id == trace_id(number) and span.name in named, str(names), len(named)
        )
        return {span.name: span for span in self.collector.spans if span.trace_id == trace_id(number)}

    def log_lines(self) -> Iterator[dict[str, Any]]:
        """Every line, apart from the one on standard output that says that a process is ready."""
        lines = [line for line in self.api.lines if not line.startswith("api ready: ")]
        for line in [*lines, *(line for worker in self.workers for line in worker.err.splitlines())]:
            yield json.loads(line)

    def lines_about(self, job_id: str, logger: str) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            return [
                line for line in self.log_lines() if (line.get("job_id"), line["logger"]) == (job_id, logger)
            ]

        wait_until(found, f"{logger} tells of {job_id}")
        return found()

    def stop(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.api.stop()
        self._server.stop()


def trace_id(number: int) -> str:
    return f"{TRACE[:-4]}{number:04x}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with otlp_receiver() as collector:
        stack = Traced(tmp_path_factory.mktemp("traced"), collector)
        yield stack
        stack.stop()


@pytest.fixture(autouse=True)
def nobody_hears_a_text(stack: Traced) -> Iterator[None]:
    yield
    heard = [*stack.collector.raw, stack.api.output.encode()]
    heard += [(worker.out + worker.err).encode() for worker in stack.workers]
    assert not any(CANARY.encode() in each for each in heard)


def assert_phases_add_up(spans: dict[str, ReceivedSpan]) -> None:
    job, (queue, prefill, decode) = spans[JOB], (spans[name] for name in PHASES)
    assert {span.parent_id for span in (queue, prefill, decode)} == {job.span_id}
    assert job.start == queue.start <= queue.end == prefill.start <= prefill.end == decode.start
    assert decode.start <= decode.end <= job.end
    recording = job.end - decode.end
    assert queue.seconds + prefill.seconds + decode.seconds + recording == pytest.approx(job.seconds)


def test_a_call_that_waits_is_one_trace_from_the_client_to_the_last_token(stack: Traced) -> None:
    answer = stack.submit(1, "/predict?wait=20")
    assert answer.status_code == 200, answer.text
    spans = stack.trace(1, "POST /predict", JOB, *PHASES)
    request, job = spans["POST /predict"], spans[JOB]
    assert (request.service, job.service) == ("neoserve-api", "neoserve-worker")
    assert (request.parent_id, job.parent_id) == (SPAN, request.span_id)
    assert request.start - MILLISECOND <= job.start <= spans["decode"].end <= request.end
    assert_phases_add_up(spans)
    assert request.attributes["neoserve.job.id"] == job.attributes["neoserve.job.id"] == answer.json()["id"]
    assert job.attributes["gen_ai.usage.output_tokens"] == 5


def test_a_job_that_nobody_waits_for_goes_on_in_the_trace_of_its_submit(stack: Traced) -> None:
    answer = stack.submit(2, "/jobs")
    stack.wait_status(answer.json()["id"], "succeeded")
    spans = stack.trace(2, "POST /jobs", JOB, *PHASES)
    assert spans[JOB].parent_id == spans["POST /jobs"].span_id
    assert_phases_add_up(spans)


def test_a_streams_request_lasts_as_long_as_its_job(stack: Traced) -> None:
    answer = stack.submit(3, "/predict", headers={"Accept": "text/event-stream"})
    assert answer.headers["X-Request-Id"] == "req-3"
    assert "event: done" in answer.text
    spans = stack.trace(3, "POST /predict", JOB, *PHASES)
    assert spans[JOB].parent_id == spans["POST /predict"].span_id
    assert spans["decode"].end <= spans["POST /predict"].end
    assert_phases_add_up(spans)


def test_a_job_that_another_worker_takes_over_is_tried_twice_in_one_trace(stack: Traced) -> None:
    job_id = stack.submit(4, "/jobs", num_tokens=120).json()["id"]
    stack.wait_status(job_id, "running")
    stack.replace_worker()
    stack.wait_status(job_id, "succeeded")

    def is_job(span: ReceivedSpan) -> bool:
        return span.name == JOB and span.trace_id == trace_id(4)

    first, second = stack.collector.wait_for(is_job, "both attempts", 2)
    (request,) = stack.collector.wait_for(
        lambda span: span.span_id == first.parent_id, "the request of the first attempt"
    )
    assert second.parent_id == request.span_id
    told = [
        (span.attributes["neoserve.job.attempt"], span.attributes["neoserve.job.outcome"])
        for span in (first, second)
    ]
    assert told == [(1, "handed_back"), (2, "succeeded")]
    assert first.start < second.start, "it waited anew from when it came back"
    lines = stack.lines_about(job_id, "tasks.worker.report")
    assert [(line["attempt"], line["outcome"]) for line in lines] == told
    assert {line["request_id"] for line in lines} == {"req-4"}


def test_a_canceled_job_and_a_retry_of_it_lead_to_each_other(stack: Traced) -> None:
    job_id = stack.submit(5, "/jobs", num_tokens=200).json()["id"]
    stack.wait_status(job_id, "running")
    assert stack.send("DELETE", f"/jobs/{job_id}", 6).status_code in (200, 202)
    stack.wait_status(job_id, "canceled")
    again = stack.send("POST", f"/jobs/{job_id}/retry", 7).json()["id"]
    stack.wait_status(again, "running")
    stack.send("DELETE", f"/jobs/{again}", 8)
    submit = stack.trace(5, "POST /jobs", JOB)
    assert submit[JOB].attributes["neoserve.job.outcome"] == "canceled"
    cancel = stack.trace(6, "DELETE /jobs/<job_id>")["DELETE /jobs/<job_id>"]
    retry = stack.trace(7, "POST /jobs/<job_id>/retry", JOB)
    assert cancel.links == retry["POST /jobs/<job_id>/retry"].links == (submit["POST /jobs"].span_id,)
    assert retry[JOB].parent_id == retry["POST /jobs/<job_id>/retry"].span_id


def test_a_failure_is_found_in_the_logs_of_both_by_any_of_its_names(stack: Traced) -> None:
    body = {"text": CANARY, "max_new_tokens": 200, "deadline_s": 0.5}
    answer = stack.send("POST", "/predict?wait=20", 9, json=body)
    job_id = answer.json()["job"]["id"]
    (access,) = stack.lines_about(job_id, "api.access")
    (end,) = stack.lines_about(job_id, "tasks.worker.report")
    names = {"request_id": "req-9", "trace_id": trace_id(9), "code": "deadline_exceeded"}
    for line in (access, end):
        assert {name: line[name] for name in names} == names
    assert end["attempt"] == 1
    spans = stack.trace(9, "POST /predict", JOB)
    assert {spans[name].attributes["error.type"] for name in (JOB, "POST /predict")} == {"deadline_exceeded"}


def test_what_is_refused_tells_its_request_id(stack: Traced) -> None:
    answer = stack.send("POST", "/predict", 10, json={"text": [CANARY]})
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (422, "req-10")
    assert answer.json()["request_id"] == "req-10"
    stack.trace(10, "POST /predict")
