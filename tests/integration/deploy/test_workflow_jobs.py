"""The workflow's first jobs, executed: by act, on this machine, with nothing in place of their commands.

Actions are replaced by one that does nothing: what is checked out is this tree, and Python is there. The jobs
make an environment of their own, as on a fresh machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.services import require_service

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = ".github/workflows/cicd.yml"
ACT = Path(sys.executable).parent / "act"

NOTHING = """name: nothing
description: In place of an action.
runs:
  using: composite
  steps: [{run: "true", shell: bash}]
"""

#: Not all of them: they have run already when this one does.
TESTS = {"UNIT_TESTS": "-n 2 tests/unit/engine tests/unit/deploy", "TESTS": "tests/integration/test_proxy.py"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


class Runner:
    """Runs jobs of a tree; all share one environment, which the first of them makes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        settings = folder / "home/.config/act/actrc"
        settings.parent.mkdir(parents=True)
        settings.touch()  # Without it act asks which images to use.
        (folder / "nothing").mkdir()
        (folder / "nothing/action.yml").write_text(NOTHING)
        (folder / "bin").mkdir()
        if shutil.which("sudo") is None:  # Whoever runs this may do what it asks for.
            (folder / "bin/sudo").write_text('#!/bin/sh\nexec "$@"\n')
            (folder / "bin/sudo").chmod(0o755)

    def run(self, tree: Path, job: str) -> subprocess.CompletedProcess[str]:
        command = [str(ACT), "push", "-W", WORKFLOW, "-j", job, "-P", "ubuntu-24.04=-self-hosted"]
        for name, value in {"VENV": self._folder / "venv", **TESTS}.items():
            command += ["--env", f"{name}={value}"]
        for action in sorted(set(re.findall(r"uses: (\S+)", (tree / WORKFLOW).read_text()))):
            command += ["--local-repository", f"{action}={self._folder / 'nothing'}"]
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        environment["HOME"] = str(self._folder / "home")
        environment["PATH"] = f"{self._folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    require_service(ACT.exists(), "act, from requirements/dev.txt")
    require_service(os.geteuid() == 0, "only root may install the packages that the job installs")
    with TemporaryDirectory() as folder:  # With an environment of two gigabytes: gone with the last test.
        yield Runner(Path(folder))


def test_the_jobs_lint_and_test_pass(runner: Runner) -> None:
    done = runner.run(ROOT, "test")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.count("Job succeeded") == 2
    assert len(re.findall(r"\d+ passed", done.stdout)) == 2


def test_a_slip_in_style_stops_everything_behind_the_job_lint(runner: Runner, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    subprocess.run(["git", "clone", "--quiet", ROOT, tree], check=True)
    (tree / "api/slip.py").write_text("x = {  'a':1 }\n")
    done = runner.run(tree, "test")
    assert done.returncode != 0
    assert "api/slip.py" in done.stdout
    assert "Main make test" not in done.stdout
