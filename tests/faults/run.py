"""`python -m tests.faults.run [T1 …]`: every row, one at a time, and the table.

A row that was run before with the same commit and no changes beside it is not run again, unless FRESH=1. Its
result is a file in `.faults/`; the folder of a row that failed is kept beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from tests.faults.row import Row, Scale
from tests.faults.table import ROWS, as_json, as_record, as_table, passed

RESULTS = Path(".faults")


def commit() -> str:
    """Empty where files differ from it: such results are never taken over."""
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return "" if changed else _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def earlier(row: Row, now: str) -> dict[str, Any] | None:
    file = RESULTS / f"{row.name}.json"
    if os.environ.get("FRESH") == "1" or not now or not file.exists():
        return None
    record: dict[str, Any] = json.loads(file.read_text())
    return record if record.pop("commit") == now else None


def run_row(row: Row, now: str) -> dict[str, Any]:
    folder = RESULTS / row.name
    shutil.rmtree(folder, ignore_errors=True)
    began = monotonic()
    findings = row.run(folder / "run", Scale(faults=row.faults))
    shown = row.control(folder / "control")
    record = as_record(row, findings, shown, monotonic() - began)
    (RESULTS / f"{row.name}.json").write_text(json.dumps({**record, "commit": now}))
    if passed(record):
        shutil.rmtree(folder)
    return record


def main(names: list[str]) -> int:
    RESULTS.mkdir(exist_ok=True)
    now, records = commit(), []
    for row in ROWS:
        if names and row.name not in names:
            continue
        record = earlier(row, now)
        if record is None:
            sys.stderr.write(f"{row.name}: {row.fault}, {row.faults} times\n")
            record = run_row(row, now)
        records.append(record)
        (RESULTS / "table.json").write_text(as_json(records))
        (RESULTS / "table.md").write_text(as_table(records))
    sys.stdout.write(as_table(records))
    return 0 if all(map(passed, records)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
