"""Batches over HTTP, from the request to the results."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tasks.jobs.store import JobStore
from tests.time_travel import let_pass
from tests.unit.api.fakes import FakeWorker, fail, rung
from tests.waiting import wait_until

JSON_LINES = "application/jsonl"


def lines(*values: object) -> str:
    return "\n".join(value if isinstance(value, str) else json.dumps(value) for value in values)


def prompts(number: int) -> list[dict[str, Any]]:
    return [{"text": f"prompt {i}", "custom_id": f"id-{i}"} for i in range(number)]


def post_lines(client: FlaskClient, *values: object, key: str = "") -> TestResponse:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/batches", data=lines(*values), content_type=JSON_LINES, headers=headers)


def results(client: FlaskClient, batch: Any) -> list[dict[str, Any]]:
    answer = client.get(batch["urls"]["results"])
    assert (answer.status_code, answer.mimetype) == (200, JSON_LINES)
    return [json.loads(line) for line in answer.text.splitlines()]


def ended(client: FlaskClient, batch: Any) -> Any:
    wait_until(lambda: client.get(batch["urls"]["self"]).json["completed_at"], "the batch has ended")  # type: ignore[index]
    return client.get(batch["urls"]["self"]).json


def test_a_batch_is_recorded_run_and_read_in_the_order_of_its_items(
    client: FlaskClient, worker: FakeWorker, store: JobStore
) -> None:
    answer = client.post("/batches", json={"requests": prompts(70), "metadata": {"run": 7}})

    assert answer.status_code == 202
    batch = answer.json
    assert batch is not None
    assert re.fullmatch(r"batch_[0-9a-f]{32}", batch["id"])
    assert answer.headers["Location"] == batch["urls"]["self"]
    assert answer.headers["Retry-After"] == "5"
    assert (batch["status"], batch["metadata"], batch["completed_at"]) == ("running", {"run": 7}, None)
    assert batch["counts"] | {"total": 70, "waiting": 6, "queued": 64} == batch["counts"]
    assert len(rung(store)) == 64
    assert [each["status"] for each in results(client, batch)] == ["queued"] * 64 + ["waiting"] * 6

    worker.serve()

    batch = ended(client, batch)
    assert (batch["status"], batch["counts"]["succeeded"]) == ("completed", 70)
    found = results(client, batch)
    assert [each["index"] for each in found] == list(range(70))
    assert [each["custom_id"] for each in found] == [f"id-{i}" for i in range(70)]
    for i, each in enumerate(found):
        assert each["result"][0]["generated_text"] == f"prompt {i} [{each['job_id']}]"
        assert each["usage"]["completion_tokens"] == each["parameters"]["max_new_tokens"]
        assert each["error"] is None


def test_an_item_is_a_job_that_names_its_batch(client: FlaskClient) -> None:
    batch = post_lines(client, *prompts(1)).json
    assert batch is not None
    (item,) = results(client, batch)
    job = client.get(f"/jobs/{item['job_id']}").json
    assert job is not None
    assert (job["batch_id"], job["priority"], job["status"]) == (batch["id"], "low", "queued")


def test_a_batch_in_json_lines_may_begin_with_its_options(client: FlaskClient, store: JobStore) -> None:
    options = {"batch": {"defaults": {"seed": 7, "max_new_tokens": 3}, "ttl_s": 60, "deadline_s": 90}}
    batch = post_lines(client, options, prompts(1)[0], "", {"text": "b", "seed": 8}).json
    assert batch is not None
    assert [each["parameters"]["seed"] for each in results(client, batch)] == [7, 8]
    assert [each["parameters"]["max_new_tokens"] for each in results(client, batch)] == [3, 3]
    assert [store.get(each["job_id"]).ttl_seconds for each in results(client, batch)] == [60, 60]
    let_pass(store, 91)
    store.reap()
    batch = client.get(batch["urls"]["self"]).json
    assert batch["status"] == "expired"
    let_pass(store, 61)
    gone = client.get(batch["urls"]["results"])
    assert (gone.status_code, gone.json["code"]) == (410, "batch_gone")  # type: ignore[index]


def test_items_that_fail_are_told_from_those_that_succeed(client: FlaskClient, worker: FakeWorker) -> None:
    batch = post_lines(client, *prompts(2)).json
    assert batch is not None
    worker.finish(worker.claim(), fail("model_error"))
    worker.finish(worker.claim())
    batch = ended(client, batch)
    assert (batch["counts"]["failed"], batch["counts"]["succeeded"]) == (1, 1)
    failed, succeeded = results(client, batch)
    assert (failed["status"], failed["error"]["code"], failed["result"]) == ("failed", "model_error", None)
    assert (succeeded["status"], succeeded["error"]) == ("succeeded", None)


def test_a_cancel_says_what_it_has_done(client: FlaskClient, worker: FakeWorker) -> None:
    batch = post_lines(client, *prompts(3)).json
    assert batch is not None
    taken = worker.claim()
    cancel = batch["urls"]["cancel"]
    asked = client.post(cancel)
    assert (asked.status_code, asked.json["status"]) == (202, "canceling")  # type: ignore[index]
    worker.finish(taken)
    assert next(each["job_id"] for each in results(client, batch)) == taken.job.id
    done = client.post(cancel)
    assert (done.status_code, done.json["status"]) == (200, "canceled")  # type: ignore[index]
    assert done.json["counts"]["canceled"] == 2  # type: ignore[index]


def test_a_batch_that_has_ended_is_not_canceled(client: FlaskClient, worker: FakeWorker) -> None:
    batch = post_lines(client, *prompts(1)).json
    assert batch is not None
    worker.finish(worker.claim())
    answer = client.post(batch["urls"]["cancel"])
    assert answer.status_code == 409
    assert answer.json is not None
    assert (answer.json["code"], answer.json["batch"]["status"]) == ("batch_finished", "completed")


@pytest.mark.parametrize("path", ["", "/results", "/cancel"])
@pytest.mark.parametrize("name", ["batch_" + "0" * 32, "other"])
def test_an_unknown_batch_is_not_found(client: FlaskClient, path: str, name: str) -> None:
    answer = client.open(f"/batches/{name}{path}", method="POST" if path == "/cancel" else "GET")
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["code"] == "batch_not_found"


def test_the_same_key_finds_the_same_batch_in_either_form(client: FlaskClient, store: JobStore) -> None:
    first = post_lines(client, {"batch": {"ttl_s": 60}}, *prompts(2), key="k")
    again = client.post(
        "/batches", json={"ttl_s": 60, "requests": prompts(2)}, headers={"Idempotency-Key": "k"}
    )
    assert first.json is not None
    assert again.json is not None
    assert first.json["id"] == again.json["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert store.num_queued() == 2
    for other in (prompts(3), [prompts(2)[1], prompts(2)[0]], [{"text": "prompt 0"}, prompts(2)[1]]):
        answer = post_lines(client, {"batch": {"ttl_s": 60}}, *other, key="k")
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")  # type: ignore[index]
    assert post_lines(client, *prompts(2), key="k").status_code == 422, "another ttl_s"


def test_a_wait_that_cannot_be_is_refused_and_one_that_is_over_shows_the_batch(client: FlaskClient) -> None:
    batch = client.post("/batches", json={"requests": prompts(1)}).json
    assert batch is not None
    refused = client.get(f"{batch['urls']['self']}?wait=61")
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_parameter")  # type: ignore[index]
    answer = client.get(f"{batch['urls']['self']}?wait=0.01")
    assert (answer.status_code, answer.json["status"]) == (200, "running")  # type: ignore[index]
    assert answer.headers["Retry-After"] == "5"


def test_a_client_that_knows_a_batch_as_it_is_gets_no_body(client: FlaskClient, worker: FakeWorker) -> None:
    batch = client.post("/batches", json={"requests": prompts(1)}).json
    assert batch is not None
    address = batch["urls"]["self"]
    known = {"If-None-Match": client.get(address).headers["ETag"]}
    same = client.get(address, headers=known)
    assert (same.status_code, same.data, same.headers["Retry-After"]) == (304, b"", "5")
    worker.finish(worker.claim())
    assert client.get(address, headers=known).status_code == 200


def test_a_preference_to_wait_goes_before_the_query_and_is_said_to_be_met(
    client: FlaskClient, worker: FakeWorker
) -> None:
    batch = client.post("/batches", json={"requests": prompts(1)}).json
    assert batch is not None
    address = f"{batch['urls']['self']}?wait=60"
    over = client.get(address, headers={"Prefer": "wait=0"})
    assert (over.status_code, over.headers["Preference-Applied"]) == (200, "wait=0")
    worker.finish(worker.claim())
    ended = client.get(address, headers={"Prefer": "wait=30"})
    assert (ended.json["status"], ended.headers["Preference-Applied"]) == ("completed", "wait=30")  # type: ignore[index]


def test_an_item_says_its_length_in_the_other_way_than_the_defaults(client: FlaskClient) -> None:
    answer = client.post(
        "/batches",
        json={
            "defaults": {"max_new_tokens": 8},
            "requests": [{"text": "a b"}, {"text": "a b", "max_length": 9}],
        },
    )
    assert answer.status_code == 202, answer.text
    lengths = [each["parameters"]["max_new_tokens"] for each in results(client, answer.json)]
    assert lengths[0] == 8
    assert lengths[1] < 9


def test_a_batch_is_canceled_as_a_job_is_and_kept_in_no_cache(client: FlaskClient) -> None:
    batch = client.post("/batches", json={"requests": prompts(1)}).json
    assert batch is not None
    answer = client.delete(batch["urls"]["self"])
    assert (answer.status_code, answer.json["status"]) == (200, "canceled")  # type: ignore[index]
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(batch["urls"]["results"]).headers["Cache-Control"] == "no-store"
