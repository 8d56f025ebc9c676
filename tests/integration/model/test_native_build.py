"""The native kernels compile, and a broken build is no end."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.model.native.build import build, main
from tasks.model.native.library import applicable, best_level, load
from tests.services import require_service

pytestmark = pytest.mark.skipif(not applicable(), reason="the native kernels are for x86 on Linux")


@pytest.mark.slow
def test_the_library_can_be_built(tmp_path: Path) -> None:
    compiler = os.environ.get("CXX") or shutil.which("c++")
    require_service(compiler is not None, "no C++ compiler")
    assert compiler is not None
    build(compiler, tmp_path / "fresh.so")
    fresh = load(tmp_path / "fresh.so")
    assert fresh is not None
    assert fresh.neoserve_level() == best_level()


def test_a_compiler_that_fails_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "fresh.so"
    with pytest.raises(subprocess.CalledProcessError):
        build("false", target)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("CXX", "false")
    assert main() == 1
    assert "torch's operators do the work" in capfd.readouterr().err


def test_without_a_compiler_torch_does_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    assert main() == 0
    assert "no C++ compiler" in capsys.readouterr().out
