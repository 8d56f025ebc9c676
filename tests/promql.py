"""What a PromQL expression names."""

from __future__ import annotations

import re

#: Words of the language, and labels.
_LANGUAGE = {
    *("sum", "max", "count", "rate", "increase", "histogram_quantile", "absent", "time", "vector"),
    *("by", "without", "on", "ignoring", "group_left", "and", "or", "unless"),
    *("job", "instance", "pod", "mode", "status", "fingerprint", "le"),
}


def series_of(expression: str) -> set[str]:
    """The series that it names, the recorded ones included."""
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\b\d[\d.]*\b', "", expression)
    return set(re.findall(r"[a-z_][a-z_0-9:]*", re.sub(r"\{[^}]*\}", "", bare))) - _LANGUAGE
