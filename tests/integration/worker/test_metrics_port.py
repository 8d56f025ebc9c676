from __future__ import annotations

import httpx

from tasks.engine.types import StepStats
from tasks.worker.metrics import WorkerMetrics, serve_metrics
from tests.services import free_port


def test_the_port_shows_what_the_engine_did() -> None:
    metrics, port = WorkerMetrics(), free_port()
    metrics.observe_step(
        StepStats(
            num_prefill_tokens=30,
            num_reused_tokens=128,
            num_decode_rows=2,
            num_first_tokens=0,
            num_new_tokens=3,
            num_waiting=1,
            num_running=3,
            num_finished=1,
            num_kv_tokens_in_use=384,
            num_kv_tokens=8192,
            seconds=0.01,
        )
    )
    server = serve_metrics(metrics, "127.0.0.1", port)
    assert server is not None
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        strange = {"Accept": "application/openmetrics-text;version=X"}
        assert httpx.get(f"http://127.0.0.1:{port}/metrics", headers=strange).status_code == 200
    finally:
        server.stop()
    for line in (
        "neoserve_engine_steps_total 1.0",
        "neoserve_engine_prefill_tokens_total 30.0",
        "neoserve_engine_prefix_tokens_reused_total 128.0",
        "neoserve_engine_kv_tokens_in_use 384.0",
        "neoserve_engine_kv_tokens 8192.0",
        "neoserve_engine_new_tokens_total 3.0",
        "neoserve_engine_batch_size_sum 4.0",
        'neoserve_engine_step_seconds_count{phase="mixed"} 1.0',
        "neoserve_worker_slots_in_use 3.0",
    ):
        assert line in text
