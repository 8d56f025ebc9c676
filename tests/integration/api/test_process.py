"""What the API's process loads, and its second port."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request

from prometheus_client import CollectorRegistry, Counter

from api.background import Background, MetricsPort


def test_the_api_loads_no_model_code() -> None:
    code = "import sys, api.app; print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_metrics_have_a_port_of_their_own() -> None:
    registry = CollectorRegistry()
    Counter("neoserve_test", "A test.", registry=registry).inc()
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    background = Background(MetricsPort("127.0.0.1", port, registry))
    background.start()
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    finally:
        background.stop()

    assert "neoserve_test_total 1.0" in text
