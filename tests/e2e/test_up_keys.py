"""`neoserve up` where the API asks for a key."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import httpx

from tests.e2e.conftest import SCRIPTED, StartUp
from tests.e2e.terminal import bare_environ, neoserve


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


def test_without_one_it_serves_all_the_same(start_up: StartUp, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    neoserve("keys", "add", "me", "--file", file)
    up = start_up("--model", SCRIPTED, NEOSERVE_API_KEYS_FILE=str(file))
    up.wait_until_ready()
    assert "no first prediction, the API asks for a key" in up.terminal.output()
    assert up.terminal.end(signal.SIGINT) == 0
