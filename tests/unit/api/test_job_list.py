"""GET /jobs."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.unit.api.fakes import FakeWorker
from tests.unit.api.test_jobs import submit


def get(client: FlaskClient, address: str = "/jobs") -> dict[str, Any]:
    answer = client.get(address)
    assert answer.status_code == 200
    assert isinstance(answer.json, dict)
    return answer.json


def ids(page: dict[str, Any]) -> list[str]:
    return [job["id"] for job in page["jobs"]]


def test_without_jobs_the_list_is_empty(client: FlaskClient) -> None:
    assert get(client) == {"jobs": [], "next": None}


def test_the_list_holds_job_objects_without_results(client: FlaskClient, worker: FakeWorker) -> None:
    job_id = submit(client, metadata={"a": 1})
    worker.finish(worker.claim())
    waiting = submit(client)

    page = get(client)

    assert ids(page) == [waiting, job_id]
    job = client.get(f"/jobs/{job_id}").json
    assert job is not None
    assert page["jobs"][1] == {name: value for name, value in job.items() if name != "result"}
    assert page["jobs"][0]["queue"]["position"] == 1
    assert page["next"] is None


def test_next_leads_through_all_pages(client: FlaskClient) -> None:
    submitted = [submit(client) for _ in range(5)]
    first = client.get("/jobs?limit=2")
    assert first.json is not None
    assert first.headers["Link"] == f'<{first.json["next"]}>; rel="next"'
    assert first.headers["Cache-Control"] == "no-store"

    second = get(client, first.json["next"])
    last = client.get(second["next"])
    assert last.json is not None

    assert ids(first.json) + ids(second) + ids(last.json) == submitted[::-1]
    assert last.json["next"] is None
    assert "Link" not in last.headers


@pytest.mark.parametrize("query", ["status=canceled,succeeded", "status=canceled&status=succeeded"])
def test_several_states_may_be_wanted_and_stay_wanted(
    client: FlaskClient, worker: FakeWorker, query: str
) -> None:
    jobs = [submit(client) for _ in range(4)]
    worker.finish(worker.claim())
    client.delete(f"/jobs/{jobs[2]}")
    worker.claim()

    page = get(client, f"/jobs?{query}&limit=1")

    assert ids(page) == [jobs[2]]
    assert page["next"].startswith("/jobs?status=canceled,succeeded&limit=1&cursor=")
    assert ids(get(client, page["next"])) == [jobs[0]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%C2%B2", "limit"),
        ("limit=", "limit"),
        ("status=done", "status"),
        ("status=", "status"),
        ("status=failed,", "status"),
        ("status=FAILED", "status"),
        ("cursor=", "cursor"),
        ("cursor=garbage", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("cursor=LTE", "cursor"),  # -1
        ("cursor=K2luZg", "cursor"),  # +inf
        ("cursor=" + "MTEx" * 100, "cursor"),
        ("state=failed", "state"),
        ("wait=10", "wait"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "invalid_parameter"
    assert [each["field"] for each in answer.json["errors"]] == [field]


def test_a_cursor_from_beyond_the_list_leads_nowhere(client: FlaskClient) -> None:
    submit(client)
    assert get(client, "/jobs?cursor=MA") == {"jobs": [], "next": None}  # 0
    assert len(get(client, "/jobs?cursor=OTk5OTk5OTk5OTk5")["jobs"]) == 1
