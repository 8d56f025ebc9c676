"""docs/metrics.md and the metrics that the processes have say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import fakeredis
import pytest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from api.job_families import CODES_OF_STATUS
from api.metrics import HANDOVERS, STREAM_ENDS, ApiMetrics
from api.queue_collector import QueueCollector
from tasks.engine.errors import EngineError, EngineStopped
from tasks.engine.types import StepStats
from tasks.jobs.buckets import LATENCY_BUCKETS, TOKEN_BUCKETS
from tasks.jobs.models import JobStatus
from tasks.jobs.store import JobStore
from tasks.model.errors import ModelError
from tasks.worker import generate, held
from tasks.worker.metrics import CLAIMS, PHASES, WorkerMetrics
from tests.job_steps import claim, submit

PAGE = (Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text(encoding="utf-8")

UNBOUNDED = {"id", "job", "job_id", "owner", "key", "path", "text", "prompt", "worker", "request_id", "url"}


@dataclass(frozen=True)
class Row:
    type: str
    labels: dict[str, set[str]]  #: Name to the values that the page lists; none where it lists none.


@cache
def documented() -> dict[str, Row]:
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `neoserve_") and len(cells) == 4:
            name, kind, labels, _ = cells
            assert name.strip("`") not in found
            found[name.strip("`")] = Row(kind, dict(parse_labels(labels)))
    return found


def parse_labels(cell: str) -> Iterator[tuple[str, set[str]]]:
    """Of `state`: `queued`, `running`; `priority`."""
    for label in filter(None, cell.split(";")):
        for each in [label] if ":" in label else label.split(","):
            name, _, values = each.partition(":")
            yield name.strip(" `"), set(re.findall(r"`(\w+)`", values))


def collectors() -> dict[str, Collector]:
    store = JobStore(fakeredis.FakeRedis(decode_responses=True))
    submit(store)
    claim(store)
    api, worker = ApiMetrics(), WorkerMetrics()
    api.requests.labels("GET", "/jobs", "200", "").inc()
    return {"API": api.registry, "deployment": QueueCollector(store), "worker": worker.registry}


@cache
def families() -> dict[str, Metric]:
    """By the name that Prometheus shows."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): family
        for collector in collectors().values()
        for family in collector.collect()
        if not family.name.startswith(("process_", "python_"))
    }


def label_names(family: Metric) -> set[str]:
    names = getattr(family, "_labelnames", None) or ()
    return set(names).union(*(sample.labels for sample in family.samples)) - {"le"}


every_family = pytest.mark.parametrize("name", sorted(families()))


def test_the_page_lists_what_there_is_and_nothing_else() -> None:
    assert documented().keys() == families().keys()


@every_family
def test_a_metric_has_the_type_and_labels_of_the_page(name: str) -> None:
    row, family = documented()[name], families()[name]
    assert family.type == row.type
    if family.samples:
        assert label_names(family) == row.labels.keys()


@every_family
def test_a_label_has_the_values_of_the_page_alone(name: str) -> None:
    for label, values in documented()[name].labels.items():
        shown = {sample.labels[label] for sample in families()[name].samples}
        assert not values or shown <= values


@every_family
def test_a_metric_has_our_prefix_base_units_and_a_help_text(name: str) -> None:
    family = families()[name]
    assert re.fullmatch(r"neoserve(_[a-z0-9]+)+", name)
    assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)(_|$)", name)
    assert family.documentation.endswith(".")
    if family.type == "histogram":
        assert name.endswith("_seconds") or name == "neoserve_engine_batch_size"


@every_family
def test_no_label_is_made_of_what_clients_choose(name: str) -> None:
    assert not documented()[name].labels.keys() & UNBOUNDED


@every_family
def test_a_histogram_has_the_buckets_of_the_page(name: str) -> None:
    shown = {
        float(sample.labels["le"])
        for sample in families()[name].samples
        if sample.name.endswith("_bucket") and sample.labels["le"] != "+Inf"
    }
    short = name in ("neoserve_engine_step_seconds", "neoserve_job_time_per_output_token_seconds")
    if shown and name != "neoserve_engine_batch_size":
        assert shown == set(TOKEN_BUCKETS if short else LATENCY_BUCKETS)


@pytest.mark.parametrize("bounds", [LATENCY_BUCKETS, TOKEN_BUCKETS])
def test_the_page_has_the_bounds(bounds: tuple[float, ...]) -> None:
    *others, last = (f"{bound:g}" for bound in bounds)
    assert f"{', '.join(others)} and {last} s" in PAGE.replace("\n", " ")


def test_what_the_page_lists_is_all_there_can_be() -> None:
    labels = {name: row.labels for name, row in documented().items()}
    assert labels["neoserve_handovers_total"]["reason"] == set(HANDOVERS)
    assert labels["neoserve_streams_total"]["end"] == set(STREAM_ENDS)
    assert labels["neoserve_worker_claims_total"]["result"] == set(CLAIMS)
    assert labels["neoserve_engine_step_seconds"]["phase"] == set(PHASES)
    assert labels["neoserve_jobs_ended_total"]["status"] == {each for each in JobStatus if each.terminal}
    assert labels["neoserve_jobs_ended_total"]["status"] == CODES_OF_STATUS.keys()


def codes(error: type[EngineError] | type[ModelError]) -> set[str]:
    return {error.code}.union(*(codes(each) for each in error.__subclasses__()))


def test_every_code_that_a_job_can_fail_with_here_has_a_series() -> None:
    errors = held.DEADLINE_EXCEEDED, held.GENERATION_FAILED, held.OUT_OF_MEMORY, generate.INTERNAL_ERROR
    written = {error.code for error in errors} | {"worker_lost", "model_unavailable"}
    never = {EngineStopped.code, "model_not_loadable"}  # Without an engine or a model no job ends.
    assert set(CODES_OF_STATUS["failed"]) >= written | (codes(EngineError) | codes(ModelError)) - never


def test_a_step_counts_once_for_every_metric_of_the_engine() -> None:
    metrics = WorkerMetrics()
    numbers = {name: 1 for name in StepStats.__slots__ if name != "seconds"}
    metrics.observe_step(StepStats(**numbers, seconds=0.1))
    for name, row in documented().items():
        if name.startswith("neoserve_engine_") and row.type != "histogram":
            assert metrics.registry.get_sample_value(name) == 1, name
