"""What a benchmark hands on: tables for people, figures for the goals, both as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table of a page: cells are shown as they are."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""  #: What a reader must know to read it.

    def markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return "\n\n".join(part for part in (f"**{self.title}**", table, self.note) if part)


@dataclass(frozen=True)
class Result:
    """One run of one benchmark."""

    name: str  #: Of the file, and of the page's part that it fills.
    machine: str  #: Processor, versions, threads; as printed first.
    tables: Sequence[Table] = ()
    figures: Mapping[str, float] = field(default_factory=dict)  #: What bench/goals.py names, and the plot.

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def publish(self, folder: Path | None) -> None:
        """Print the tables, and keep all of it in `folder`, if there is one."""
        self.show()
        if folder is not None:
            self.save(folder)

    def show(self) -> None:
        for table in self.tables:
            print(f"\n{table.markdown()}", flush=True)


def read_results(folder: Path) -> dict[str, Result]:
    """Every result in `folder` by its name; none where there is no such folder."""
    results = (
        _result(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))
    )
    return {result.name: result for result in results}


def _result(values: dict[str, Any]) -> Result:
    tables = [Table(**table) for table in values.pop("tables")]
    return Result(tables=tables, **values)
