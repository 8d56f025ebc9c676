"""What gunicorn says by itself: in the log, and to a client whose request never reached the app."""

from __future__ import annotations

import json
import logging
import socket
from types import SimpleNamespace

import pytest
from flask import Flask
from gunicorn.config import Config

from api import gunicorn_conf
from api.deadline_worker import DeadlineWorker
from api.settings import ApiSettings
from tasks.jobs.logs import LogFormat


@pytest.mark.parametrize(("headers", "echoed"), [([("X-REQUEST-ID", "req-1")], True), ([], False)])
def test_an_answer_that_the_app_did_not_make_has_a_request_id(
    app: Flask, caplog: pytest.LogCaptureFixture, headers: list[tuple[str, str]], echoed: bool
) -> None:
    worker = DeadlineWorker.__new__(DeadlineWorker)
    worker.wsgi = app
    client, server = socket.socketpair()
    with client, server:
        worker.handle_error(SimpleNamespace(headers=headers), server, None, RuntimeError("broken"))
        head, _, body = client.recv(65536).decode().partition("\r\n\r\n")
    request_id = json.loads(body)["request_id"]
    assert (request_id == "req-1") is echoed
    assert f"X-Request-Id: {request_id}" in head
    assert f"request_id={request_id} code=internal_error" in caplog.text


def test_gunicorns_own_lines_have_the_form_of_all_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gunicorn_conf, "settings", ApiSettings(log_format=LogFormat.JSON))
    log = gunicorn_conf.Lines(Config())
    try:
        log.error("a worker has %s", "died")
    finally:
        for handler in list(logging.getLogger("gunicorn.error").handlers):
            logging.getLogger("gunicorn.error").removeHandler(handler)
    assert json.loads(capsys.readouterr().err)["message"] == "a worker has died"
