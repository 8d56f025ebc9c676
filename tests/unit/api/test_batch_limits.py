"""Batches that there is no room for now, and when there will be."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.batch_submission import BatchSubmission
from api.service import EXTENSION
from api.settings import ApiSettings
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.pace import set_pace
from tests.unit.api.fakes import LocalListener
from tests.unit.api.test_batches import post_lines, prompts


def test_too_many_unfinished_items_are_refused(
    store: JobStore, ring: RecordingRing, listener: LocalListener, app: Flask
) -> None:
    settings = ApiSettings(max_batch_items=3, max_queued=1)
    client = create_app(settings, store=store, ring=ring, listener=listener).test_client()
    assert post_lines(client, *prompts(2)).status_code == 202
    refused = post_lines(client, *prompts(2))
    assert refused.status_code == 429
    assert refused.json is not None
    assert refused.json["code"] == "batches_full"
    assert "2 items" in refused.json["detail"]
    never = post_lines(client, *prompts(4))
    assert never.status_code == 422, "it would never fit"
    assert client.post("/jobs", json={"text": "a"}).status_code == 202


@pytest.mark.parametrize(
    ("tokens_per_second", "seconds"), [(None, 30), (30, 4), (1e6, 1), (0.01, 600)], ids=str
)
def test_a_batch_that_is_refused_hears_when_there_will_be_room(
    store: JobStore,
    ring: RecordingRing,
    listener: LocalListener,
    app: Flask,
    tokens_per_second: float | None,
    seconds: int,
) -> None:
    client = create_app(
        ApiSettings(max_batch_items=3), store=store, ring=ring, listener=listener
    ).test_client()
    long = [{"text": "a", "max_new_tokens": 100}] * 2
    assert post_lines(client, *long).status_code == 202
    if tokens_per_second:
        set_pace(store, tokens_per_second)
    refused = post_lines(client, *long)  # One item too many.
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(seconds))


def test_more_uploads_than_one_process_can_hold_are_refused(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.batch_submission.UPLOAD_WAIT_SECONDS", 0)
    batches: BatchSubmission = app.extensions[EXTENSION].batches
    with batches.upload(), batches.upload(), batches.upload(), batches.upload():
        refused = post_lines(client, *prompts(1))
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_uploads")  # type: ignore[index]
    assert post_lines(client, *prompts(1)).status_code == 202
