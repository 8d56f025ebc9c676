from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from tasks.engine.types import StepStats
from tasks.worker.metrics import PHASES, WorkerMetrics, serve_metrics


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


@pytest.mark.parametrize(
    ("num_prefill_tokens", "num_decode_rows", "phase"),
    [(30, 0, "prefill"), (0, 2, "decode"), (30, 2, "mixed"), (0, 0, "idle")],
)
def test_a_steps_time_counts_for_what_it_ran(
    metrics: WorkerMetrics, num_prefill_tokens: int, num_decode_rows: int, phase: str
) -> None:
    stats = StepStats(**{**dict.fromkeys(StepStats.__slots__, 0), "seconds": 0.25})
    ran = replace(stats, num_prefill_tokens=num_prefill_tokens, num_decode_rows=num_decode_rows)
    metrics.observe_step(ran)
    taken = {
        each: metrics.registry.get_sample_value("neoserve_engine_step_seconds_sum", {"phase": each})
        for each in PHASES
    }
    assert taken == {each: 0.25 if each == phase else 0 for each in PHASES}


def test_port_0_is_off(metrics: WorkerMetrics) -> None:
    assert serve_metrics(metrics, "127.0.0.1", 0) is None
