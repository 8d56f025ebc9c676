from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import httpx
import pytest
import redis

from tasks.jobs.listener import RECHECK_SECONDS
from tasks.jobs.models import JobStatus
from tasks.jobs.names import QUEUE_NAME
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.services import free_port
from tests.unit.api.fakes import FakeWorker
from tests.waiting import wait_until

BODY = {"text": "Hello, world!", "max_length": 50}


def num_waiting(api: ApiProcess) -> float:
    for line in httpx.get(f"{api.url}/metrics").text.splitlines():
        if line.startswith("neoserve_waiting_clients "):
            return float(line.split()[1])
    raise AssertionError("the gauge is missing")


def predict(api: ApiProcess, wait: float = 60) -> httpx.Response:
    return httpx.post(f"{api.url}/predict?wait={wait}", json=BODY, timeout=90)


def state_of(pid: int, field: str) -> str:
    """A line of its status, such as State, or ShdPnd, the signals that it has yet to see."""
    status = Path(f"/proc/{pid}/status").read_text()
    (value,) = re.findall(rf"^{field}:\s*(\w+)", status, re.MULTILINE)
    return str(value)


def test_curl_gets_the_answer_it_always_got(api: ApiProcess, worker: FakeWorker) -> None:
    worker.serve()
    command = ["curl", "-sS", "-X", "POST", "-H", "Content-Type: application/json"]
    command += ["-d", '{"text":"Hello, world!","max_length":50}', f"{api.url}/predict"]

    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert '"result":[{"generated_text":"Hello, world! [job_' in answer


def test_a_job_that_ends_wakes_its_caller_at_once(
    api: ApiProcess, real_store: JobStore, worker: FakeWorker
) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(predict, api)
        wait_until(lambda: num_waiting(api) == 1, "the call waits")
        ended = monotonic()
        worker.finish(worker.claim())
        answer = waiting.result(30)
        delay = monotonic() - ended

    assert answer.status_code == 200
    assert delay < RECHECK_SECONDS - 1, "it was told, and did not look again by itself"


def test_a_caller_hears_of_the_end_of_a_batch_and_then_only_of_news(
    api: ApiProcess, worker: FakeWorker
) -> None:
    batch = httpx.post(f"{api.url}/batches", json={"requests": [{"text": "a"}] * 70}).json()
    path = f"{api.url}{batch['urls']['self']}"
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(httpx.get, path, headers={"Prefer": "wait=60"}, timeout=70)
        wait_until(lambda: num_waiting(api) == 1, "the call waits")
        worker.serve()
        answer = waits.result()
    assert answer.json()["counts"]["succeeded"] == 70
    assert answer.headers["Preference-Applied"] == "wait=60"
    known = {"If-None-Match": answer.headers["ETag"]}
    assert httpx.get(path, headers=known).status_code == 304


def test_probes_answer_while_a_full_house_waits_and_sigterm_answers_it(
    start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    house = 100
    api = start_api(redis_url, NEOSERVE_MAX_WAITERS=str(house))
    with ThreadPoolExecutor(house) as pool:
        waiting: list[Future[httpx.Response]] = [pool.submit(predict, api) for _ in range(house)]
        wait_until(lambda: num_waiting(api) == house, "all calls wait", seconds=60)

        assert httpx.get(f"{api.url}/healthz", timeout=5).status_code == 200
        assert httpx.get(f"{api.url}/readyz", timeout=5).status_code == 200
        one_too_many = predict(api)
        assert one_too_many.status_code == 202
        assert num_waiting(api) == house, "it is answered before any of them"

        exit_code = api.stop(signal.SIGTERM)
        answers = [future.result(30) for future in waiting]

    assert [answer.status_code for answer in answers] == [202] * house
    assert exit_code == 0
    assert real_store.num_queued() == house + 1


def test_ctrl_c_answers_those_who_wait(start_api: StartApi, real_store: JobStore, redis_url: str) -> None:
    api = start_api(redis_url)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(predict, api) for _ in range(3)]
        wait_until(lambda: num_waiting(api) == 3, "all calls wait")
        exit_code = api.stop(signal.SIGINT)

        assert [future.result(30).status_code for future in waiting] == [202] * 3
    assert exit_code == 0


def test_a_kept_connection_is_told_to_go_elsewhere_while_draining(
    start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    api = start_api(redis_url)
    with httpx.Client(base_url=api.url, timeout=10) as client, ThreadPoolExecutor() as pool:
        assert client.get("/readyz").status_code == 200
        waiting = pool.submit(predict, api)
        wait_until(lambda: num_waiting(api) == 1, "the call waits")
        api.process.send_signal(signal.SIGTERM)
        assert waiting.result(30).status_code == 202

        late = client.post("/predict", json=BODY)

    assert late.status_code == 202
    assert late.headers["Connection"] == "close"
    assert real_store.num_queued() == 2


def test_whoever_the_kernel_has_connected_before_the_end_is_answered_and_nobody_connects_after(
    start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    api = start_api(redis_url)
    child = int(Path(f"/proc/{api.process.pid}/task/{api.process.pid}/children").read_text())
    body = json.dumps(BODY).encode()
    fields = f"Host: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    address = ("127.0.0.1", api.port)
    os.kill(child, signal.SIGSTOP)
    wait_until(lambda: state_of(child, "State") == "T", "it stands still")
    with ExitStack() as connections:
        clients = [connections.enter_context(socket.create_connection(address, timeout=30)) for _ in range(5)]
        for client in clients:
            client.sendall(b"POST /predict HTTP/1.1\r\n" + fields.encode() + body)
        api.process.send_signal(signal.SIGTERM)
        wait_until(lambda: int(state_of(child, "ShdPnd"), 16), "gunicorn tells its child to end")
        os.kill(child, signal.SIGCONT)
        answers = [client.recv(65536) for client in clients]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=30)
    assert [answer.split(b" ")[1] for answer in answers] == [b"202"] * 5
    assert real_store.num_queued() == 5


def test_a_canceled_job_releases_its_caller(api: ApiProcess, real_store: JobStore) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(predict, api)
        wait_until(lambda: real_store.num_queued() == 1, "the job is queued")
        (job_id,) = real_store.oldest_queued(1)
        assert httpx.delete(f"{api.url}/jobs/{job_id}").json()["status"] == "canceled"

        assert waiting.result(30).status_code == 409


def test_one_key_sent_by_fifty_at_once_makes_one_job(api: ApiProcess, real_store: JobStore) -> None:
    def submit(_: int) -> str:
        answer = httpx.post(f"{api.url}/jobs", json=BODY, headers={"Idempotency-Key": "k"}, timeout=30)
        return str(answer.json()["id"])

    with ThreadPoolExecutor(50) as pool:
        ids = set(pool.map(submit, range(50)))

    assert len(ids) == 1
    assert real_store.num_queued() == 1


def test_the_reaper_runs_beside_the_requests(
    start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    """A deadline passes although no worker runs; the reaper first waits out one lease."""
    api = start_api(redis_url)
    job_id = httpx.post(f"{api.url}/jobs", json={**BODY, "deadline_s": 0.1}).json()["id"]

    wait_until(lambda: real_store.get(job_id).status is JobStatus.EXPIRED, "the job expires", seconds=30)


def test_metrics_have_their_own_port(start_api: StartApi, real_store: JobStore, redis_url: str) -> None:
    port = free_port()
    api = start_api(redis_url, NEOSERVE_METRICS_PORT=str(port))
    httpx.get(f"{api.url}/healthz")

    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text

    assert 'neoserve_http_requests_total{code="",method="GET",route="/healthz",status="200"} 1.0' in text
    assert "neoserve_store_up 1.0" in text


def test_a_taken_metrics_port_is_one_warning(start_api: StartApi, redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        api = start_api(redis_url, NEOSERVE_METRICS_PORT=str(taken.getsockname()[1]))

    assert httpx.get(f"{api.url}/healthz").status_code == 200
    assert api.output.count("no metrics on") == 1


def test_a_taken_port_is_one_line_and_a_failure(redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        api = ApiProcess(redis_url, NEOSERVE_PORT=str(port))
        api.launch()
        exit_code = api.wait()

    assert exit_code != 0
    assert len(api.lines) == 1
    assert f"127.0.0.1:{port}: the port is taken" in api.output


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NEOSERVE_PORT", "http", "NEOSERVE_PORT='http' cannot be used"),
        ("NEOSERVE_HOST", "no.such.host.invalid", "cannot listen on no.such.host.invalid"),
        ("REDIS_URL", "http://:s3cret@redis", "REDIS_URL cannot be used"),
    ],
)
def test_an_unusable_setting_is_one_line_and_a_failure(name: str, value: str, said: str) -> None:
    api = ApiProcess(**{"redis_url": "redis://127.0.0.1:1/0", "NEOSERVE_INSECURE": "1", name: value})
    api.launch()

    assert api.wait() != 0
    assert len(api.lines) == 1
    assert said in api.output
    assert "s3cret" not in api.output


def test_too_few_open_files_are_said_at_the_start(redis_url: str) -> None:
    api = ApiProcess(redis_url)
    api.launch("sh", "-c", 'ulimit -n 1500; exec "$@"', "sh")
    wait_until(lambda: "api ready" in api.output, "the API starts", seconds=30)

    assert api.stop() == 0
    assert api.output.count("at most 1500 open files are allowed") == 1


def test_more_clients_than_open_files_do_not_end_the_process(redis_url: str) -> None:
    api = ApiProcess(redis_url, NEOSERVE_MAX_WAITERS="10")
    api.start("sh", "-c", 'ulimit -n 500; exec "$@"', "sh")
    with ExitStack() as ending:
        for _ in range(600):
            ending.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=30))
        ending.pop_all().close()
    assert httpx.get(f"{api.url}/healthz", timeout=30).status_code == 200
    assert api.stop() == 0
    assert "Traceback" not in api.output


def test_a_request_is_one_line_of_output(api: ApiProcess) -> None:
    httpx.get(f"{api.url}/nowhere/canary", headers={"X-Request-Id": "tracer"})

    wait_until(lambda: "tracer" in api.output, "the line is written")
    (line,) = [line for line in api.lines if "tracer" in line]
    assert re.match(
        r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO api\.access method=GET route=unmatched ", line
    )
    assert "canary" not in api.output


def test_a_ring_names_the_job_and_tells_nothing_else(api: ApiProcess, real_client: redis.Redis) -> None:
    job_id = httpx.post(f"{api.url}/jobs", json={"text": "canary"}).json()["id"]

    (message,) = real_client.lrange(QUEUE_NAME, 0, -1)
    (arguments, *_) = json.loads(base64.b64decode(json.loads(message)["body"]))
    assert arguments == [job_id]
    assert "canary" not in message


def test_twenty_threads_wait_for_their_own_jobs(api: ApiProcess, worker: FakeWorker) -> None:
    worker.serve()
    wrong: list[str] = []

    def call() -> None:
        for _ in range(5):
            job = predict(api).json()
            if job["id"] not in job["result"][0]["generated_text"]:
                wrong.append(job["id"])

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)

    assert wrong == []
    assert num_waiting(api) == 0
