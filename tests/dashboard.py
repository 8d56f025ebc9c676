"""The dashboard that Grafana gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[1] / "k8s/base/grafana/dashboard.json"


def load() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return found


def rows() -> dict[str, list[dict[str, Any]]]:
    """The panels below each row, by the question that the row asks."""
    found: dict[str, list[dict[str, Any]]] = {}
    for panel in load()["panels"]:
        if panel["type"] == "row":
            below = found[panel["title"]] = []
        else:
            below.append(panel)
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for row in rows().values() for panel in row]


def queries() -> list[tuple[str, str, str]]:
    """(title of the panel, legend, expression) of each."""
    return [
        (panel["title"], target["legendFormat"], target["expr"])
        for panel in panels()
        for target in panel["targets"]
    ]
