"""The checkout that the images are built from."""

from __future__ import annotations

from .command import run
from .engine import ROOT


def files(*places: str) -> set[str]:
    """Relative names of what lies there and git does not ignore."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", *places)
    return {name for name in run(*command, cwd=ROOT).splitlines() if (ROOT / name).is_file()}
