"""What the benchmarks refuse before they run anything."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from bench.command import Command
from bench.options import one_of, positive, several

BENCH = Path(__file__).resolve().parents[2] / "bench"
#: Every module with a command line, imported as where only the worker's packages are.
IMPORT_WITHOUT_PYTEST = """
import importlib, sys
sys.modules["pytest"] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "two"])
def test_a_number_of_rounds_is_at_least_1(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no whole number of at least 1"):
        positive(text)


def test_a_list_is_refused_for_any_of_its_parts() -> None:
    assert several(positive)("1,8,32") == [1, 8, 32]
    assert several(one_of(["1x64", "16x64"]))("16x64") == ["16x64"]
    with pytest.raises(argparse.ArgumentTypeError, match="'17x64' is none of 1x64, 16x64"):
        several(one_of(["1x64", "16x64"]))("1x64,17x64")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--precision", "float31"], "float16-int8head"), (["--rounds", "0"], "at least 1")],
)
def test_a_command_refuses_what_it_cannot_run(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Command(None, rounds=3).parser
    assert parser.parse_args([]).precision == ["float32", "float16"]
    with pytest.raises(SystemExit):
        parser.parse_args(arguments)
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_no_benchmark_needs_pytest() -> None:
    names = [f"bench.{file.stem}" for file in BENCH.glob("*.py") if "__main__" in file.read_text()]
    assert len(names) > 5
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_PYTEST, *names], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
