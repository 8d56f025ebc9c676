"""Small versions of the rows of the table: fewer faults, and a shorter lease to be over sooner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.row import Row, Scale
from tests.faults.rows import (
    api_kills,
    busy_kills,
    client_kills,
    drains,
    full_server,
    half_open,
    killed_workers,
    poison,
    rolling_restarts,
    server_restarts,
    zombies,
)
from tests.faults.table import ROWS

LEASE_SECONDS = 3.0

QUICK = [
    (killed_workers.ROW, 4),
    (server_restarts.ROW, 3),
    (drains.ROW, 2),
    (rolling_restarts.ROW, 4),
    (zombies.ROW, 2),
    (client_kills.ROW, 5),
    (api_kills.ROW, 5),
    (full_server.ROW, 2),
]
SLOW = [
    (killed_workers.ROW, 8),
    (server_restarts.ROW, 10),
    (busy_kills.ROW, 20),
    (drains.ROW, 4),
    (rolling_restarts.ROW, 16),
    (zombies.ROW, 8),
    (half_open.ROW, 6),
    (client_kills.ROW, 20),
    (poison.ROW, 4),
    (api_kills.ROW, 20),
    (full_server.ROW, 2),
]


def by_name(row: object) -> str | None:
    return row.name if isinstance(row, Row) else None


@pytest.mark.parametrize(("row", "faults"), QUICK, ids=by_name)
def test_a_few_faults_lose_and_double_nothing(row: Row, faults: int, tmp_path: Path) -> None:
    assert row.run(tmp_path / "run", Scale(faults=faults, lease=LEASE_SECONDS)).failures == ()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("row", "faults"), SLOW, ids=by_name)
def test_many_faults_lose_and_double_nothing(row: Row, faults: int, tmp_path: Path) -> None:
    assert row.run(tmp_path / "run", Scale(faults=faults)).failures == ()


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_without_its_protection_a_row_shows_the_damage(row: Row, tmp_path: Path) -> None:
    assert row.control(tmp_path / "control").text
