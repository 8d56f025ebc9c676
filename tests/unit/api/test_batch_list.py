"""GET /batches."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.unit.api.fakes import FakeWorker
from tests.unit.api.test_batches import prompts


def submit(client: FlaskClient, **options: Any) -> str:
    answer = client.post("/batches", json={"requests": prompts(2), **options})
    assert answer.status_code == 202
    assert answer.json is not None
    return str(answer.json["id"])


def get(client: FlaskClient, address: str = "/batches") -> dict[str, Any]:
    answer = client.get(address)
    assert answer.status_code == 200
    assert isinstance(answer.json, dict)
    return answer.json


def test_without_batches_the_list_is_empty(client: FlaskClient) -> None:
    client.post("/jobs", json={"text": "a"})
    assert get(client) == {"batches": [], "next": None}


def test_the_list_holds_what_each_address_shows(client: FlaskClient, worker: FakeWorker) -> None:
    ids = [submit(client, metadata={"run": i}) for i in range(2)]
    worker.finish(worker.claim())
    worker.start(worker.claim())
    page = get(client)
    assert page["batches"] == [client.get(f"/batches/{id}").json for id in reversed(ids)]
    assert page["batches"][1]["counts"]["running"] == 1


def test_next_leads_through_all_pages(client: FlaskClient) -> None:
    submitted = [submit(client) for _ in range(3)]
    first = client.get("/batches?limit=2")
    assert first.json is not None
    assert first.json["next"].startswith("/batches?limit=2&cursor=")
    assert first.headers["Link"] == f'<{first.json["next"]}>; rel="next"'
    assert first.headers["Cache-Control"] == "no-store"
    last = client.get(first.json["next"])
    assert last.json is not None
    assert [each["id"] for each in first.json["batches"] + last.json["batches"]] == submitted[::-1]
    assert last.json["next"] is None
    assert "Link" not in last.headers


@pytest.mark.parametrize("query", ["limit=101", "cursor=LTE", "status=running", "wait=10"])
def test_what_cannot_be_asked_is_refused_by_name(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/batches?{query}")
    assert answer.status_code == 422
    assert answer.json is not None
    assert [each["field"] for each in answer.json["errors"]] == [query.partition("=")[0]]
