"""What a PromQL expression names."""

from __future__ import annotations

import re

#: Words of the language.
_LANGUAGE = {
    *("sum", "max", "count", "rate", "increase", "histogram_quantile", "absent", "time", "vector", "scalar"),
    *("and", "or", "unless"),
}

_LABELS = r"\b(?:by|without|on|ignoring|group_left)\s*(?:\([^)]*\))?"

#: Metrics that every API process reports alike.
_SHARED = re.compile(r"\bneoserve_(?:jobs?_|queue_|workers\b|batch)\w*")

_IN_MAXIMUM = re.compile(r"max(?: without \(instance, pod\)| by \(\w+\))? ?\((?:rate\(|increase\()?$")


def series_of(expression: str) -> set[str]:
    """The series that it names, the recorded ones included."""
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\b\d[\d.]*\b', "", expression)
    bare = re.sub(rf"{_LABELS}|\{{[^}}]*\}}", "", bare)
    return set(re.findall(r"[a-z_][a-z_0-9:]*", bare)) - _LANGUAGE


def added_up(expression: str) -> list[str]:
    """What all API processes report alike and is not the maximum over them here, as it should be."""
    return [
        found.group()
        for found in _SHARED.finditer(expression)
        if not _IN_MAXIMUM.search(expression[: found.start()])
    ]
