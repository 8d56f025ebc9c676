"""ETag and If-None-Match of GET /jobs/<id>."""

from __future__ import annotations

import threading

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.unit.api.fakes import FakeWorker, LocalListener
from tests.unit.api.test_jobs import submit
from tests.waiting import wait_until


def show(client: FlaskClient, job_id: str, tag: str = "", query: str = "") -> TestResponse:
    headers = {"If-None-Match": tag} if tag else {}
    return client.get(f"/jobs/{job_id}{query}", headers=headers)


def test_a_job_that_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    job_id = submit(client)
    first = show(client, job_id)

    again = show(client, job_id, first.headers["ETag"])

    assert first.status_code == 200
    assert first.headers["ETag"].startswith('"'), "the tag is a strong one"
    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Retry-After"] == "1"
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Type" not in again.headers


def test_whatever_a_client_can_see_changes_the_tag(client: FlaskClient, worker: FakeWorker) -> None:
    front, job_id = submit(client), submit(client)
    tags = [show(client, job_id).headers["ETag"]]

    def changed() -> bool:
        answer = show(client, job_id, tags[-1])
        tags.append(answer.headers["ETag"])
        return answer.status_code == 200

    client.delete(f"/jobs/{front}")
    assert changed(), "it is first in line now"
    claim = worker.claim()
    assert changed(), "it waits no longer"
    worker.start(claim, num_tokens=1)
    assert changed(), "it runs"
    worker.start(claim, num_tokens=2)
    assert changed(), "it has one more token"
    worker.finish(claim)
    assert changed(), "it has ended"
    assert not changed()
    assert len(set(tags)) == len(tags) - 1


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_tag_is_known_in_every_form_of_the_header(client: FlaskClient, form: str) -> None:
    job_id = submit(client)
    tag = show(client, job_id).headers["ETag"]
    assert show(client, job_id, form.format(tag)).status_code == 304


@pytest.mark.parametrize("tag", ['"other"', "other", '"', ","])
def test_another_tag_gets_the_job(client: FlaskClient, tag: str) -> None:
    answer = show(client, submit(client), tag)
    assert answer.status_code == 200
    assert answer.json is not None


def test_a_condition_for_changes_means_nothing_to_a_reader(client: FlaskClient) -> None:
    answer = client.get(f"/jobs/{submit(client)}", headers={"If-Match": '"other"'})
    assert answer.status_code == 200


def test_a_long_poll_with_a_tag_waits_for_the_end_and_not_for_a_change(
    client: FlaskClient, worker: FakeWorker, listener: LocalListener
) -> None:
    job_id = submit(client)
    tag = show(client, job_id).headers["ETag"]
    answers: list[TestResponse] = []
    poll = threading.Thread(target=lambda: answers.append(show(client, job_id, tag, "?wait=60")))
    poll.start()
    wait_until(lambda: listener.num_waiters == 1, "the poll waits")
    claim = worker.claim()
    worker.start(claim, num_tokens=1)
    assert not answers
    worker.finish(claim)
    poll.join(10)

    assert [answer.status_code for answer in answers] == [200]
    assert answers[0].json is not None
    assert answers[0].json["status"] == "succeeded"


def test_a_long_poll_that_runs_out_says_whether_anything_changed(
    client: FlaskClient, worker: FakeWorker
) -> None:
    job_id = submit(client)
    tag = show(client, job_id).headers["ETag"]
    assert show(client, job_id, tag, "?wait=0.01").status_code == 304
    worker.start(worker.claim(), num_tokens=1)
    assert show(client, job_id, tag, "?wait=0.01").status_code == 200


def test_a_problem_has_no_tag(client: FlaskClient) -> None:
    answer = show(client, f"job_{'0' * 32}", "*")
    assert answer.status_code == 404
    assert "ETag" not in answer.headers


def test_answers_that_cannot_be_asked_for_again_are_kept_by_nobody(client: FlaskClient) -> None:
    body = {"text": "Once upon a time"}
    for answer in (client.post("/jobs", json=body), client.post("/predict", json=body), show(client, "job_")):
        assert answer.headers["Cache-Control"] == "no-store"
