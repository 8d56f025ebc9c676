"""What a model may be called besides the name of its folder. Importing this needs no torch."""

from __future__ import annotations

import re

#: The small GPT-Neo that comes with NeoServe; the empty name means it as well.
SHIPPED = "stories"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_shipped(name: str) -> bool:
    return name in ("", SHIPPED)


def is_hub_id(name: str) -> bool:
    """Whether it may be that of a model of the hub, as owner/name."""
    return _HUB_ID.fullmatch(name) is not None
