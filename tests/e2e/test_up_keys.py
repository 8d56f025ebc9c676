"""`neoserve up` where the API asks for a key."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import SCRIPTED, StartUp
from tests.e2e.terminal import Terminal, bare_environ, neoserve
from tests.services import free_port


def test_with_a_key_everything_is_as_without_and_without_one_nothing_is_told(
    start_up: StartUp, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    key = neoserve("keys", "add", "me", "--file", file).stdout.strip()
    up = start_up("--model", SCRIPTED, NEOSERVE_API_KEYS_FILE=str(file), NEOSERVE_API_KEY=key)
    up.wait_until_ready()
    assert "first prediction: " in up.terminal.output()
    assert key not in up.terminal.output()

    line = up.terminal.wait_for(r"^curl .*$").group()
    command = ["sh", "-c", f"{line} --silent --noproxy '*'"]
    environ = {**bare_environ(), "NEOSERVE_API_KEY": key}
    answer = subprocess.run(command, capture_output=True, env=environ, check=True)
    assert json.loads(answer.stdout)["status"] == "succeeded"
    assert httpx.get(f"{up.url}/jobs").status_code == 401

    neoserve("keys", "revoke", "me", "--file", file)
    assert httpx.get(f"{up.url}/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    assert up.terminal.end(signal.SIGINT) == 0


def test_without_one_it_serves_all_the_same(
    start_up: StartUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    neoserve("keys", "add", "me", "--file", "keys")
    up = start_up("--model", SCRIPTED, NEOSERVE_API_KEYS_FILE="keys")
    up.wait_until_ready()
    assert "no first prediction, the API asks for a key" in up.terminal.output()
    assert up.terminal.end(signal.SIGINT) == 0


def test_the_api_alone_finds_the_file_from_where_it_was_started(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key = neoserve("keys", "add", "me", "--file", "keys").stdout.strip()
    port = free_port()
    environ = {"REDIS_URL": redis_url, "NEOSERVE_API_KEYS_FILE": "keys", "NEOSERVE_METRICS_PORT": "0"}
    api = Terminal(tmp_path, "api", "--port", port, **environ)
    try:
        api.wait_for("^api ready: ")
        answer = httpx.get(f"http://127.0.0.1:{port}/jobs", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200
    finally:
        api.kill_everything()
