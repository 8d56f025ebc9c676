from __future__ import annotations

import socket

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from api.background import MetricsPort
from api.service import EXTENSION
from tests.factories import FINGERPRINT
from tests.unit.api.fakes import MAX_POSITIONS, MODEL

pytestmark = pytest.mark.filterwarnings("error")


def test_probes_answer(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ready"}
    assert client.head("/healthz").status_code == 200


def test_a_draining_process_is_alive_but_not_ready(app: Flask) -> None:
    app.extensions[EXTENSION].drain()

    assert app.test_client().get("/healthz").status_code == 200
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "draining"


def test_info_names_models_and_limits(client: FlaskClient) -> None:
    info = client.get("/info").json

    assert info is not None
    (model,) = info["models"]
    assert model["model"] == MODEL
    assert model["fingerprint"] == FINGERPRINT
    assert model["max_positions"] == MAX_POSITIONS
    assert model["generation_defaults"]["temperature"] == 0.9
    assert (model["workers"], model["slots"], model["precisions"]) == (1, 4, {"float16": 1})
    assert info["limits"]["max_body_bytes"] == 262144
    assert info["version"]


def test_info_is_empty_before_the_first_worker(bare_app: Flask) -> None:
    info = bare_app.test_client().get("/info").json

    assert info is not None
    assert info["models"] == []


def test_a_taken_metrics_port_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = MetricsPort("127.0.0.1", taken.getsockname()[1], CollectorRegistry())
        port.start()
        port.stop()

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_port_0_means_no_metrics_port(caplog: pytest.LogCaptureFixture) -> None:
    port = MetricsPort("127.0.0.1", 0, CollectorRegistry())
    port.start()
    port.stop()

    assert caplog.records == []
