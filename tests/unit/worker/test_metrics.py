from __future__ import annotations

import socket

import pytest

from tasks.worker.metrics import WorkerMetrics, serve_metrics


@pytest.fixture
def metrics() -> WorkerMetrics:
    return WorkerMetrics()


def test_a_taken_port_is_a_warning_and_no_error(
    metrics: WorkerMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert serve_metrics(metrics, "127.0.0.1", port) is None
    (record,) = caplog.records
    assert str(port) in record.getMessage()


def test_port_0_is_off(metrics: WorkerMetrics) -> None:
    assert serve_metrics(metrics, "127.0.0.1", 0) is None
