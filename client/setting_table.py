"""Every setting of every process, gathered from the dataclasses that define them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from api.settings import ApiSettings
from client.settings import ClientSettings
from tasks.jobs.settings import EnvSettings
from tasks.worker.settings import WorkerSettings

#: In the order in which a reader meets them.
PROCESSES: tuple[tuple[str, type[EnvSettings]], ...] = (
    ("api", ApiSettings),
    ("worker", WorkerSettings),
    ("client", ClientSettings),
)


@dataclass(frozen=True, slots=True)
class SettingRow:
    name: str
    default: str
    processes: tuple[str, ...]
    help: str


def collect() -> list[SettingRow]:
    """One row per variable, in the order of their definition; a shared one names all its processes."""
    rows: dict[str, SettingRow] = {}
    for process, settings in PROCESSES:
        for each in fields(settings):
            name = each.metadata["name"]
            users = (*rows[name].processes, process) if name in rows else (process,)
            rows[name] = SettingRow(name, show(each.default), users, each.metadata["help"])
    return list(rows.values())


def show(default: object) -> str:
    """A default as one would write it into the environment."""
    if isinstance(default, float | bool):
        return f"{default:g}"
    if isinstance(default, tuple):
        return " ".join(default)
    return "" if default is None else str(default)


def as_markdown(rows: Iterable[SettingRow]) -> str:
    lines = ["| Variable | Default | Process | Meaning |", "| --- | --- | --- | --- |"]
    for row in rows:
        default = f"`{row.default}`" if row.default else "empty"
        meaning = row.help.replace("|", "\\|")
        lines.append(f"| `{row.name}` | {default} | {', '.join(row.processes)} | {meaning} |")
    return "\n".join(lines)


def as_text(rows: Sequence[SettingRow]) -> str:
    blocks = []
    for row in rows:
        default = row.default or "empty"
        blocks.append(f"{row.name}  (default: {default}; {', '.join(row.processes)})\n    {row.help}")
    return "\n".join(blocks)
