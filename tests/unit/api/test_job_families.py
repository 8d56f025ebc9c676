from __future__ import annotations

from prometheus_client.core import Metric

from api.job_families import job_families
from tasks.jobs.counters import Counters


def families(**fields: int) -> dict[str, Metric]:
    counters = Counters({name.replace("__", ":"): str(number) for name, number in fields.items()})
    return {family.name: family for family in job_families(counters, num_stale_finishes=2)}


def value(family: Metric, suffix: str, **labels: str) -> float:
    [found] = [
        sample.value
        for sample in family.samples
        if (sample.name, sample.labels) == (family.name + suffix, labels)
    ]
    return found


def test_every_series_is_there_before_anything_has_happened() -> None:
    for family in families().values():
        assert family.samples
        assert {sample.value for sample in family.samples} <= {0.0, 2.0}


def test_a_code_of_another_version_counts_as_other() -> None:
    ended = families(ended__failed__new__low=3, ended__failed__worker_lost__low=1)["neoserve_jobs_ended"]
    assert value(ended, "_total", status="failed", code="other", priority="low") == 3
    assert value(ended, "_total", status="failed", code="worker_lost", priority="low") == 1


def test_what_this_version_cannot_place_makes_no_series() -> None:
    before = families()["neoserve_jobs_ended"].samples
    after = families(ended__of_tomorrow____low=3, ended__=1, ended_succeeded=7)["neoserve_jobs_ended"].samples
    assert [sample.labels for sample in after] == [sample.labels for sample in before]


def test_buckets_are_cumulated_and_end_with_all() -> None:
    fields = {"latency__sync__5": 1, "latency__sync__500": 2, "latency__sync__inf": 4}
    latency = families(**fields, latency__sync__sum=1_500_000)["neoserve_job_latency_seconds"]
    assert value(latency, "_bucket", mode="sync", le="0.005") == 1
    assert value(latency, "_bucket", mode="sync", le="0.25") == 1
    assert value(latency, "_bucket", mode="sync", le="300.0") == 3
    assert value(latency, "_bucket", mode="sync", le="+Inf") == 7
    assert value(latency, "_count", mode="sync") == 7
    assert value(latency, "_sum", mode="sync") == 1.5
    assert value(latency, "_count", mode="async") == 0


def test_a_bucket_of_another_version_counts_under_the_next_bound_that_is_known() -> None:
    latency = families(latency__sync__700=1)["neoserve_job_latency_seconds"]
    assert value(latency, "_bucket", mode="sync", le="0.5") == 0
    assert value(latency, "_bucket", mode="sync", le="1.0") == 1


def test_both_kinds_of_stale_writes_are_shown() -> None:
    writes = families(stale_steps=5)["neoserve_job_stale_writes"]
    assert value(writes, "_total", write="step") == 5
    assert value(writes, "_total", write="finish") == 2
