"""Fixtures for the parts of the worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.jobs.store import JobStore
from tests.unit.worker.harness import Worker


@pytest.fixture
def worker(store: JobStore) -> Iterator[Worker]:
    worker = Worker(store)
    yield worker
    worker.close()
