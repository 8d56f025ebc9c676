"""The rows in their order, and their results as JSON and as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.faults.row import Findings, Row, Shown
from tests.faults.rows import (
    api_kills,
    busy_kills,
    client_kills,
    drains,
    full_server,
    half_open,
    killed_workers,
    poison,
    raising_rows,
    rolling_restarts,
    server_restarts,
    zombies,
)

ROWS: tuple[Row, ...] = (
    killed_workers.ROW,
    server_restarts.ROW,
    busy_kills.ROW,
    drains.ROW,
    rolling_restarts.ROW,
    zombies.ROW,
    half_open.ROW,
    client_kills.ROW,
    poison.ROW,
    api_kills.ROW,
    full_server.ROW,
    raising_rows.ROW,
)

HEADINGS = (
    "row",
    "fault",
    "faults",
    "accepted",
    "succeeded",
    "lost",
    "doubled",
    "needless reruns",
    "stale",
    "worst recovery s",
    "result",
    "control run",
)


def as_record(row: Row, findings: Findings, shown: Shown, seconds: float) -> dict[str, Any]:
    """JSON of a row that was run."""
    return {
        "name": row.name,
        "fault": row.fault,
        "faults": findings.faults,
        **asdict(findings.tally),
        "worst_recovery": findings.worst_recovery,
        "failures": list(findings.failures),
        "facts": findings.facts,
        "control": shown.text,
        "seconds": round(seconds),
    }


def passed(record: Mapping[str, Any]) -> bool:
    return not record["failures"] and bool(record["control"])


def as_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Markdown."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *map(_cells, records)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(record: Mapping[str, Any]) -> list[str]:
    names = ("name", "fault", "faults", "accepted", "succeeded", "lost", "doubled", "needless", "stale")
    recovery = record["worst_recovery"]
    return [
        *(str(record[name]) for name in names),
        "" if recovery is None else f"{recovery:.1f}",
        "; ".join(record["failures"]) or "holds",
        record["control"] or "SHOWED NOTHING",
    ]


def as_json(records: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(list(records), indent=1) + "\n"
