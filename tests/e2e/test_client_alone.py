"""A stranger who installs the client and nothing else, and uses a service that runs elsewhere."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

import pytest

from tests.e2e.conftest import SCRIPTED, StartUp
from tests.e2e.terminal import bare_environ, neoserve

ROOT = Path(__file__).parents[2]
PROGRAM = """
from neoserve import NeoServe
with NeoServe() as service:
    print(service.predict("Hello", max_new_tokens=3).num_tokens, service.health().status)
"""
OF_THE_SERVER = ("flask", "celery", "torch", "transformers", "redis", "pydantic")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_client_extra_is_enough(start_up: StartUp, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    key = neoserve("keys", "add", "stranger", "--file", keys).stdout.strip()
    up = start_up("--model", SCRIPTED, NEOSERVE_API_KEYS_FILE=str(keys), NEOSERVE_API_KEY=key)
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv/bin"

    def run(*command: object, **environ: str) -> str:
        done = subprocess.run(
            [*map(str, command)],
            cwd=tmp_path,
            env={**bare_environ(), **environ},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    run(programs / "pip", "install", "--quiet", f"{ROOT}[client]", **os.environ)  # its index, its proxy
    installed = run(programs / "pip", "list", "--format=freeze").lower()
    assert "click==" in installed
    assert not [name for name in OF_THE_SERVER if f"{name}==" in installed]

    up.wait_until_ready()
    where = {"NEOSERVE_URL": up.url, "NEOSERVE_API_KEY": key}
    assert run(programs / "python", "-c", PROGRAM, **where) == "3 ok\n"
    assert run(programs / "neoserve", "predict", "Hello", "--max-new-tokens", 3, **where).startswith("Hello")
    assert run(programs / "neoserve", "health", **where).startswith("ok\n")
