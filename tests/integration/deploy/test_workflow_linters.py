"""The workflow, as actionlint (with shellcheck) and zizmor see it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
WORKFLOW = ROOT / ".github/workflows/cicd.yml"

LINTERS = {
    "actionlint": [str(BIN / "actionlint"), "-shellcheck", str(BIN / "shellcheck")],
    "zizmor": [str(BIN / "zizmor"), "--offline", "--persona", "pedantic", "--no-progress"],
}


def lint(linter: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LINTERS[linter], str(path)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_finds_nothing(linter: str) -> None:
    found = lint(linter, WORKFLOW)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("linter", "old", "new"),
    [
        ("actionlint", "needs: [test, containers]", "needs: [tests, containers]"),
        ("actionlint", 'rm -f "$RUNNER_TEMP/kubeconfig"', "rm -f $RUNNER_TEMP/kubeconfig"),
        ("zizmor", "permissions: {}", "permissions: write-all"),
        ("zizmor", "          persist-credentials: false\n", "          fetch-depth: 1\n"),
    ],
)
def test_a_linter_finds_a_mistake(tmp_path: Path, linter: str, old: str, new: str) -> None:
    text = WORKFLOW.read_text()
    assert old in text
    broken = tmp_path / ".github" / "workflows" / "cicd.yml"
    broken.parent.mkdir(parents=True)
    broken.write_text(text.replace(old, new))
    assert lint(linter, broken).returncode != 0
