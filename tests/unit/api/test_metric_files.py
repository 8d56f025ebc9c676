"""Places of gunicorn's workers, and the files in them. An integration test kills real ones."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, values

from api import gunicorn_conf, metric_files
from api.metric_files import FILE_BYTES, PREFIX, VARIABLE, MetricFiles


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is used for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv(VARIABLE, "")
    return tmp_path


@pytest.fixture
def files(folder: Path) -> Iterator[MetricFiles]:
    files = MetricFiles()
    yield files
    files.remove()
    assert list(folder.iterdir()) == []


def serve(files: MetricFiles, place: int, *, requests: int, waiting: int) -> None:
    """What a worker in that place does."""
    files.use(place)
    registry = CollectorRegistry()
    Counter("requests", "Requests.", registry=registry).inc(requests)
    Gauge("waiting", "Waiting.", registry=registry, multiprocess_mode="livesum").inc(waiting)
    values.ValueClass.close_all_files()


def totals() -> dict[str, float]:
    folder = metric_files.folder()
    assert folder is not None
    return {sample.name: sample.value for family in metric_files.read(folder) for sample in family.samples}


def test_what_two_workers_count_is_added(files: MetricFiles) -> None:
    for requests in (3, 4):
        serve(files, files.take_place(), requests=requests, waiting=1)
    assert totals() == {"requests_total": 7, "waiting": 2}


def test_the_next_worker_goes_on_where_one_has_ended(files: MetricFiles) -> None:
    first, second = files.take_place(), files.take_place()
    serve(files, first, requests=3, waiting=5)
    files.leave_place(first)
    assert totals() == {"requests_total": 3}
    assert files.take_place() == first != second
    serve(files, first, requests=2, waiting=1)
    assert totals() == {"requests_total": 5, "waiting": 1}


def test_the_room_is_taken_before_a_worker_needs_it(files: MetricFiles, folder: Path) -> None:
    place = files.take_place()
    files.leave_place(place)
    files.take_place()
    sizes = {file.name: file.stat().st_size for file in folder.glob("*/*")}
    assert sizes == {f"{kind}_{place}.db": FILE_BYTES for kind in ("counter", "histogram", "gauge_livesum")}


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_predecessors_have_left_is_removed(folder: Path) -> None:
    MetricFiles().take_place()  # In a container the next one has its number.
    (folder / f"{PREFIX}{os.getuid()}-{ended_process()}-a").mkdir()
    other = folder / f"{PREFIX}{os.getuid()}-{os.getppid()}-a"
    other.mkdir()
    files = MetricFiles()
    assert len(list(folder.iterdir())) == 2
    assert other.exists()
    files.remove()


def test_without_room_a_worker_keeps_its_figures_to_itself_and_says_so(
    files: MetricFiles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_place: MetricFiles) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(gunicorn_conf, "metric_files", files)
    monkeypatch.setattr(MetricFiles, "take_place", full)
    worker = SimpleNamespace()
    before = values.ValueClass
    gunicorn_conf.pre_fork(None, worker)
    gunicorn_conf.post_fork(None, worker)
    gunicorn_conf.child_exit(None, worker)
    assert values.ValueClass is before
    assert "No space left on device" in capsys.readouterr().err
