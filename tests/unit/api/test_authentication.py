"""Whose request it is, and that nobody sees what is another's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.authentication import OPEN
from api.key_entry import new_key
from api.keyring import Keyring
from api.settings import ApiSettings
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import FakeWorker, LocalListener, register_test_model
from tests.unit.api.test_jobs import BODY

OURS, OUR_ENTRY = new_key("ours")
THEIRS, THEIR_ENTRY = new_key("theirs")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def app(settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener) -> Flask:
    register_test_model(store)
    keyring = Keyring([OUR_ENTRY, THEIR_ENTRY])
    return create_app(settings, store=store, ring=ring, listener=listener, keyring=keyring)


def routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Method, rule and endpoint of everything that is served."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule.rule, rule.endpoint


def fill(rule: str, job_id: str, batch_id: str) -> str:
    return rule.replace("<job_id>", job_id).replace("<batch_id>", batch_id).replace("<path:model>", "a-model")


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("neoserve_wrong"), bearer(""), {"Authorization": f"Basic {OURS}"}, {"Authorization": OURS}],
)
def test_without_a_valid_key_every_route_but_the_open_ones_is_401(
    app: Flask, store: JobStore, headers: dict[str, str]
) -> None:
    client = app.test_client()
    for method, rule, endpoint in routes(app):
        if endpoint in OPEN:
            continue
        answer = client.open(fill(rule, "job_1", "batch_1"), method=method, headers=headers, json=BODY)
        assert answer.status_code == 401, (method, rule)
        assert answer.json is not None
        code = answer.json["error"]["code"] if rule.startswith("/v1/") else answer.json["code"]
        assert code == ("invalid_api_key" if rule.startswith("/v1/") else "unauthorized")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="neoserve"'
    assert store.list_jobs().jobs == ()


def test_probes_and_the_page_are_open(app: Flask) -> None:
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/")] == [200, 200, 200]
    assert client.get("/nothing").status_code == 404


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_valid_key_is_let_in(app: Flask, scheme: str) -> None:
    answer = app.test_client().post("/jobs", json=BODY, headers={"Authorization": f"{scheme} {OURS}"})
    assert answer.status_code == 202


def make_batch(client: FlaskClient, key: str) -> str:
    answer = client.post("/batches", json={"requests": [BODY]}, headers=bearer(key))
    assert answer.status_code == 202
    return str(answer.json["id"])  # type: ignore[index]


def make_job(client: FlaskClient, key: str, **headers: str) -> str:
    answer = client.post("/jobs", json=BODY, headers=bearer(key) | headers)
    assert answer.status_code == 202
    return str(answer.json["id"])  # type: ignore[index]


def test_what_is_anothers_is_not_there_on_any_route(app: Flask, worker: FakeWorker) -> None:
    client = app.test_client()
    ended, waiting, batch = make_job(client, THEIRS), make_job(client, THEIRS), make_batch(client, THEIRS)
    worker.finish(worker.claim())
    seen = 0
    for (method, rule, _), job in itertools.product(routes(app), (ended, waiting)):
        if "<job_id>" not in rule and "<batch_id>" not in rule:
            continue
        address = fill(rule, job, batch)
        missing = fill(rule, "job_" + "0" * 26, "batch_" + "0" * 26)
        theirs = client.open(address, method=method, headers=bearer(OURS))
        unknown = client.open(missing, method=method, headers=bearer(OURS))
        assert theirs.status_code == 404, (method, address)
        assert without_request_id(theirs.json) == without_request_id(unknown.json)
        seen += 1
    assert seen >= 18
    assert client.get(f"/jobs/{waiting}", headers=bearer(THEIRS)).json["status"] == "queued"  # type: ignore[index]
    assert client.get(f"/batches/{batch}", headers=bearer(THEIRS)).status_code == 200


def without_request_id(body: Any) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "request_id"}


def test_lists_hold_ones_own(app: Flask) -> None:
    client = app.test_client()
    mine, theirs = make_job(client, OURS), make_job(client, THEIRS)
    my_batch, their_batch = make_batch(client, OURS), make_batch(client, THEIRS)
    for key, job, batch in ((OURS, mine, my_batch), (THEIRS, theirs, their_batch)):
        jobs, batches = (client.get(path, headers=bearer(key)).json for path in ("/jobs", "/batches"))
        assert {each["id"] for each in jobs["jobs"]} >= {job}  # type: ignore[index]
        assert [each["id"] for each in batches["batches"]] == [batch]  # type: ignore[index]
        assert not {each["id"] for each in jobs["jobs"]} & ({mine, theirs} - {job})  # type: ignore[index]


def test_an_idempotency_key_means_something_else_to_everybody(app: Flask) -> None:
    client = app.test_client()
    same = {"Idempotency-Key": "k"}
    assert (
        make_job(client, OURS, **same) == make_job(client, OURS, **same) != make_job(client, THEIRS, **same)
    )


def test_a_retry_belongs_to_who_asked_for_it(app: Flask, worker: FakeWorker) -> None:
    client = app.test_client()
    ended = make_job(client, OURS)
    worker.finish(worker.claim())
    again = client.post(f"/jobs/{ended}/retry", headers=bearer(OURS)).json
    assert client.get(f"/jobs/{again['id']}", headers=bearer(OURS)).status_code == 200  # type: ignore[index]


def test_keys_of_one_name_share_their_jobs(
    settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener
) -> None:
    register_test_model(store)
    new, entry = new_key("ours")
    keyring = Keyring([OUR_ENTRY, entry])
    client = create_app(settings, store=store, ring=ring, listener=listener, keyring=keyring).test_client()
    assert client.get(f"/jobs/{make_job(client, OURS)}", headers=bearer(new)).status_code == 200


def test_the_log_names_whose_request_it_was_and_never_the_key(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client = app.test_client()
    make_job(client, OURS)
    client.get("/jobs", headers=bearer("neoserve_wrong"))
    assert "key=ours" in caplog.text
    assert "code=unauthorized" in caplog.text
    assert OURS not in caplog.text
    assert "neoserve_wrong" not in caplog.text
