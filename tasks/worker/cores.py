"""How much of the processor this process may use."""

from __future__ import annotations

from celery.utils.sysinfo import cpu_budget


def num_cores() -> int:
    """Those of the CPU quota; where there is none, those that the system lets it run on."""
    return int(cpu_budget().count)
