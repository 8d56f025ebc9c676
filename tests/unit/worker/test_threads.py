"""How many threads compute the model, in containers of all kinds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from celery.utils import sysinfo

from tasks.worker.served_model import SPIN_COUNT, use_threads

NUM_CORES = 8


@pytest.fixture(autouse=True)
def restored_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "TOKENIZERS_PARALLELISM",
        "GOMP_SPINCOUNT",
        "OMP_WAIT_POLICY",
    )
    for name in names:
        monkeypatch.setenv(name, "to be restored")


def enter_container(
    monkeypatch: pytest.MonkeyPatch, folder: Path, cgroup: str, files: dict[str, str]
) -> None:
    """Files of the kernel as this process would see them in a container on a host of 8 cores."""
    for name, content in {"proc": cgroup, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(sysinfo, "PROC_SELF_CGROUP", str(folder / "proc"))
    monkeypatch.setattr(sysinfo, "CGROUP_ROOT", str(folder))
    monkeypatch.setattr(sysinfo, "available_cpu_count", lambda: NUM_CORES)


@pytest.mark.parametrize(
    ("quota", "threads"),
    [("max", NUM_CORES), ("200000", 2), ("150000", 2), ("100000", 1), ("50000", 1), ("1600000", NUM_CORES)],
)
def test_threads_follow_the_quota_of_a_container(
    quota: str, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_container(monkeypatch, tmp_path, "0::/\n", {"cpu.max": f"{quota} 100000\n"})
    assert use_threads(0) == threads
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == str(threads)


@pytest.mark.parametrize(
    ("quota", "threads"), [("-1", NUM_CORES), ("200000", 2), ("150000", 2), ("50000", 1)]
)
def test_threads_follow_the_quota_of_an_older_kernel_too(
    quota: str, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"cpu,cpuacct/pod/cpu.cfs_quota_us": quota, "cpu,cpuacct/pod/cpu.cfs_period_us": "100000"}
    enter_container(monkeypatch, tmp_path, "4:cpu,cpuacct:/pod\n", files)
    assert use_threads(0) == threads


def test_the_narrowest_quota_on_the_way_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"pod/cpu.max": "300000 100000", "pod/worker/cpu.max": "max 100000"}
    enter_container(monkeypatch, tmp_path, "0::/pod/worker\n", files)
    assert use_threads(0) == 3


def test_a_number_that_was_asked_for_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter_container(monkeypatch, tmp_path, "0::/\n", {"cpu.max": "200000 100000"})
    assert use_threads(5) == 5
    assert os.environ["OMP_NUM_THREADS"] == "5"


def test_a_team_that_waits_soon_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(each)
    use_threads(2)
    assert os.environ["GOMP_SPINCOUNT"] == SPIN_COUNT


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "active")])
def test_how_a_team_waits_is_left_to_whoever_says_so(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(each)
    monkeypatch.setenv(name, value)
    use_threads(2)
    assert os.environ[name] == value
    assert {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys() == {name}
