"""Small versions of the rows of the table: fewer faults, and a shorter lease to be over sooner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.row import Scale
from tests.faults.table import ROWS

LEASE_SECONDS = 3.0

#: Faults by row.
QUICK = {"T1": 4, "T2": 3, "T4": 2, "T5": 2, "T9": 5, "T12": 4}
SLOW = {
    "T1": 8,
    "T2": 10,
    "T3": 20,
    "T4": 4,
    "T4b": 16,
    "T5": 8,
    "T6": 6,
    "T7": 20,
    "T8": 4,
    "T9": 20,
    "T10": 2,
    "T12": 20,
}

ROW = {row.name: row for row in ROWS}


def test_every_row_has_a_small_version() -> None:
    assert QUICK.keys() <= SLOW.keys() == ROW.keys()


@pytest.mark.parametrize(("name", "faults"), QUICK.items())
def test_a_few_faults_lose_and_double_nothing(name: str, faults: int, tmp_path: Path) -> None:
    assert ROW[name].run(tmp_path / "run", Scale(faults=faults, lease=LEASE_SECONDS)).failures == ()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "faults"), SLOW.items())
def test_many_faults_lose_and_double_nothing(name: str, faults: int, tmp_path: Path) -> None:
    assert ROW[name].run(tmp_path / "run", Scale(faults=faults)).failures == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ROW)
def test_without_its_protection_a_row_shows_the_damage(name: str, tmp_path: Path) -> None:
    assert ROW[name].control(tmp_path / "control").text
