"""What NEOSERVE_MODEL may be besides a folder. Importing this needs no package of the worker's."""

from __future__ import annotations

from tasks.model.names import is_hub_id, is_shipped

__all__ = ["is_hub_id", "is_our_own", "is_scripted"]

#: A test double in place of a model: `scripted`, or `scripted:0.05` for steps of 0.05 seconds.
SCRIPTED = "scripted"


def is_scripted(name: str) -> bool:
    return name.partition(":")[0] == SCRIPTED


def is_our_own(name: str) -> bool:
    """Whether it means what comes with NeoServe, whatever folder has that name."""
    return is_shipped(name) or is_scripted(name)
