"""How far a batch is."""

from __future__ import annotations

import io
from typing import Any

from client.commands.batch_bar import ERASE, WIDTH, BatchBar
from neoserve import Batch


def batch(status: str = "running", **counts: int) -> Batch:
    raw: dict[str, Any] = {"id": "batch_1", "status": status, "counts": {"total": 60, **counts}}
    return Batch.read(raw)


def shown(*looks: tuple[float, Batch]) -> list[str]:
    """A line for each look at a time of the clock."""
    terminal, times = io.StringIO(), [time for time, _ in looks]
    with BatchBar(terminal, clock=lambda: times.pop(0)) as bar:
        for _, each in looks:
            bar.show(each, 812.4)
    return terminal.getvalue().removesuffix("\n").split(ERASE)[1:]


def test_the_bar_says_how_many_ended_and_how_fast_the_service_is() -> None:
    (line,) = shown((0, batch(succeeded=28, failed=2)))
    assert line == "█" * (WIDTH // 2) + "░" * (WIDTH // 2) + " 30/60  2 without a result  812 tokens/s"


def test_the_time_to_go_is_from_what_ended_since_the_first_look() -> None:
    lines = shown(
        (100, batch(succeeded=20)), (110, batch(succeeded=40)), (120, batch("completed", succeeded=60))
    )
    assert [line.rpartition("  ")[2] for line in lines] == ["812 tokens/s", "10 s to go", "812 tokens/s"]
