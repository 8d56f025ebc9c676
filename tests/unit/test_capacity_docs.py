"""The arithmetic of docs/capacity.md, and the defaults that it builds on."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from api.settings import ApiSettings
from tasks.worker.settings import WorkerSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/capacity.md").read_text(encoding="utf-8")
SLOTS = WorkerSettings().max_batch_size
FULL = 0.7

#: prompt, new, D, P, seconds of a worker, requests/s, at 70 %, seconds of a request, workers
LOADS = [
    [float(cell) for cell in re.findall(r"[\d.]+", line.removesuffix("+ 1 |"))]
    for line in PAGE.splitlines()
    if line.endswith(" + 1 |")
]


@pytest.mark.parametrize("load", LOADS, ids=lambda load: f"{load[0]:g}+{load[1]:g}")
def test_a_row_of_the_table_follows_from_its_rates(load: list[float]) -> None:
    prompt, new, decode, prefill, *shown = load
    seconds = new / decode + prompt / prefill
    rates = 1 / seconds, FULL / seconds, SLOTS * seconds
    assert shown == [round(seconds, 3), *(round(each, 1) for each in rates), math.ceil(10 * seconds / FULL)]


def test_the_table_is_there_and_is_of_the_default_number_of_slots() -> None:
    assert len(LOADS) == 5
    assert f"With {SLOTS} slots:" in PAGE


def test_the_page_names_the_defaults() -> None:
    settings = ApiSettings()
    assert f"| {settings.max_waiters:,} (`NEOSERVE_MAX_WAITERS`)" in PAGE
    assert f"a full queue ({settings.max_queued:,} jobs, {3.1 * settings.max_queued / 1000:.0f} MB)" in PAGE


def megabytes(ttl_s: int) -> float:
    """Of Redis, for each request per second."""
    return (3.0 * ttl_s + 4.4 * 300 + 0.12 * (ttl_s + 86_400)) / 1000


def test_what_redis_holds_is_the_sum_of_its_parts() -> None:
    assert f"that is {megabytes(3600):.0f} MB for each request per second" in PAGE
    assert f"with 600 s it\nis {megabytes(600):.0f} MB" in PAGE
    [maximum] = re.findall(r"^maxmemory (\d+)mb$", (ROOT / "k8s/base/redis.conf").read_text(), re.MULTILINE)
    [rate] = re.findall(r"enough for\n(\d+) requests/s", PAGE)
    assert int(rate) == (0.8 * int(maximum) - 31) // megabytes(3600)
