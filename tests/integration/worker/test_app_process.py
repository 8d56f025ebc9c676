"""The module that `celery -A` names, imported by a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_importing_the_application_loads_no_tensor_library() -> None:
    code = "import sys, tasks.worker.app; print({'torch', 'transformers'} & sys.modules.keys())"
    assert run_python(code).stdout == "set()\n"


@pytest.mark.parametrize(
    ("name", "value"), [("NEOSERVE_MAX_BATCH_SIZE", "many"), ("REDIS_URL", "http://nowhere")]
)
def test_an_unusable_environment_is_one_clear_line(name: str, value: str) -> None:
    result = run_python("import tasks.worker.app", **{name: value})
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("neoserve worker: ")
