"""Changing a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def edit_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
