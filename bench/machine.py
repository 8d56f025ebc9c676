"""What every benchmark prints first: the machine and the versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def _of_processor(field: str) -> str:
    """The first value of a field of /proc/cpuinfo; empty where there is none."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith(field)), "")


def describe_machine(*packages: str) -> str:
    """Processor, cores, load, Python and the versions of `packages`; two lines."""
    cpu = _of_processor("model name") or platform.machine()
    versions = "  ".join(f"{package} {version(package)}" for package in packages)
    load = os.getloadavg()[0]
    return f"{cpu}, {os.cpu_count()} cores, load {load:.1f}\nPython {platform.python_version()}  {versions}"


def matrix_units() -> str:
    """The processor's features for multiplying matrices outside its vector units; empty where it has none."""
    return ", ".join(flag for flag in _of_processor("flags").split() if flag.startswith("amx"))
