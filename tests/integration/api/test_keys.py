"""Keys and their limits where several API processes serve, on a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from api.key_entry import KeyEntry, digest_of, new_key
from client.key_file import KeyFile
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.waiting import wait_until

BODY = {"text": "Hello, world!", "max_length": 50}


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys")


def make(keys: KeyFile, name: str) -> str:
    key, entry = new_key(name)
    keys.add(entry)
    return key


def call(api: ApiProcess, key: str, method: str = "POST", path: str = "/jobs") -> httpx.Response:
    body = BODY if method == "POST" else None
    return httpx.request(method, f"{api.url}{path}", json=body, headers={"Authorization": f"Bearer {key}"})


def test_a_key_is_added_and_revoked_while_all_processes_serve(
    real_store: JobStore, redis_url: str, start_api: StartApi, keys: KeyFile, tmp_path: Path
) -> None:
    first = make(keys, "team-a")
    apis = [start_api(redis_url, NEOSERVE_API_KEYS_FILE=str(tmp_path / "keys")) for _ in range(2)]
    job = call(apis[0], first).json()["id"]
    second = make(keys, "team-a")
    for api in apis:
        assert call(api, second, "GET", f"/jobs/{job}").status_code == 200
    keys.revoke(KeyEntry("team-a", digest_of(first)).id)
    for api in apis:
        assert call(api, first, "GET", f"/jobs/{job}").status_code == 401
        assert call(api, second, "GET", f"/jobs/{job}").status_code == 200
        assert first not in api.output
    for api in apis:
        wait_until(lambda api=api: "key=team-a" in api.output, "the log names who it was")  # type: ignore[misc]


def test_processes_count_a_keys_submits_together(
    real_store: JobStore, redis_url: str, start_api: StartApi, keys: KeyFile, tmp_path: Path
) -> None:
    ours, theirs = make(keys, "ours"), make(keys, "theirs")
    settings = {"NEOSERVE_API_KEYS_FILE": str(tmp_path / "keys"), "NEOSERVE_RATE_LIMIT": "20/hour"}
    apis = [start_api(redis_url, **settings) for _ in range(2)]
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda number: call(apis[number % 2], ours).status_code, range(60)))
    assert sorted(codes) == [202] * 20 + [429] * 40
    assert len(real_store.list_jobs(owner="ours", limit=100).jobs) == 20
    assert call(apis[0], theirs).status_code == 202


def test_processes_keep_a_keys_limit_of_jobs_together(
    real_store: JobStore, redis_url: str, start_api: StartApi, keys: KeyFile, tmp_path: Path
) -> None:
    ours = make(keys, "ours")
    settings = {"NEOSERVE_API_KEYS_FILE": str(tmp_path / "keys"), "NEOSERVE_MAX_JOBS_PER_KEY": "7"}
    apis = [start_api(redis_url, **settings) for _ in range(2)]
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda number: call(apis[number % 2], ours).status_code, range(40)))
    assert sorted(codes) == [202] * 7 + [429] * 33


@pytest.mark.parametrize("arguments", [[], ["--bind", "0.0.0.0:0"]])
def test_gunicorn_refuses_to_serve_everybody_without_a_key(redis_url: str, arguments: list[str]) -> None:
    environment = {**os.environ, "REDIS_URL": redis_url, "NEOSERVE_METRICS_PORT": "0"}
    if not arguments:
        environment["NEOSERVE_HOST"] = "0.0.0.0"
    command = [sys.executable, "-m", "gunicorn", "-c", "python:api.gunicorn_conf", *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "others can reach the API, and it asks nobody for a key" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_where_it_is_meant_it_serves_everybody(
    real_store: JobStore, redis_url: str, start_api: StartApi
) -> None:
    api = start_api(redis_url, NEOSERVE_HOST="0.0.0.0", NEOSERVE_INSECURE="1")
    assert httpx.post(f"http://127.0.0.1:{api.port}/jobs", json=BODY).status_code == 202
