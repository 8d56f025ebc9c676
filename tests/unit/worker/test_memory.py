from __future__ import annotations

from pathlib import Path

import pytest

from tasks.worker.memory import Memory, read_memory
from tasks.worker.memory_watch import LOOKS, MemoryWatch
from tests.fake_system import FakeSystem


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    return FakeSystem(tmp_path)


def read(system: FakeSystem) -> Memory | None:
    return read_memory(system.cgroups, system.proc)


def test_version_2_without_what_the_kernel_can_take_back(system: FakeSystem) -> None:
    system.belongs_to("0::/")
    system.v2(used=800, limit=1000, cached=301)
    assert read(system) == Memory(499, 1000, "the cgroup's limit")


def test_the_tightest_of_the_groups_above_counts(system: FakeSystem) -> None:
    system.belongs_to("0::/pods/this")
    system.v2("pods/this", used=100, limit="max")
    system.v2("pods", used=600, limit=1000)
    system.v2(used=700, limit=2000)
    system.v2("pods/another", used=99, limit=100)
    assert read(system) == Memory(600, 1000, "the cgroup's limit")


def test_version_1(system: FakeSystem) -> None:
    system.belongs_to("5:cpu,cpuacct:/a", "4:memory:/b", "0::/c")
    system.v1("b", used=800, limit=1000, cached=100)
    assert read(system) == Memory(700, 1000, "the cgroup's limit")


def test_a_container_that_sees_its_own_group_as_the_root(system: FakeSystem) -> None:
    system.belongs_to("4:memory:/docker/0123")
    system.v1(used=800, limit=1000)
    assert read(system) == Memory(800, 1000, "the cgroup's limit")


@pytest.mark.parametrize("limit", [2**63 - 4096, 0])
def test_without_a_limit_the_machine_is_the_limit(system: FakeSystem, limit: int) -> None:
    system.belongs_to("4:memory:/")
    system.v1(used=800, limit=limit)
    system.machine(own_kb=30, available_kb=10)
    assert read(system) == Memory(30 * 1024, 40 * 1024, "what the machine has for it")


def test_what_others_hold_of_the_machine_is_no_reason(system: FakeSystem) -> None:
    system.machine(own_kb=1000, available_kb=1000)
    memory = read(system)
    assert memory is not None
    assert memory.share == 0.5


def test_a_system_that_tells_nothing(system: FakeSystem) -> None:
    assert read(system) is None
    system.belongs_to("0::/")
    system.v2(used=800, limit="?")
    assert read(system) is None


def test_this_system_tells() -> None:
    memory = read_memory()
    assert memory is None or memory.share > 0


class Readings:
    """A watch over readings in percent of the memory, and how often it drained."""

    def __init__(self, share: float = 0.9) -> None:
        self.percent: int | None = 0
        self.num_drains = 0
        self._watch = MemoryWatch(share, self._read, self._drain)

    def _read(self) -> Memory | None:
        return None if self.percent is None else Memory(self.percent, 100, "the limit")

    def _drain(self) -> None:
        self.num_drains += 1

    def look(self, percent: int | None, times: int) -> None:
        self.percent = percent
        for _ in range(times):
            self._watch.look()


def test_it_drains_once_when_memory_stays_short(caplog: pytest.LogCaptureFixture) -> None:
    readings = Readings()
    readings.look(91, LOOKS - 1)
    assert readings.num_drains == 0
    readings.look(91, 3 * LOOKS)
    assert readings.num_drains == 1
    assert "91 % of the limit" in caplog.text


@pytest.mark.parametrize("between", [90, None])
def test_a_peak_is_no_reason(between: int | None) -> None:
    readings = Readings()
    for _ in range(3):
        readings.look(99, LOOKS - 1)
        readings.look(between, 1)
    assert readings.num_drains == 0


def test_the_watch_can_be_off() -> None:
    readings = Readings(share=0)
    readings.look(100, 100)
    assert readings.num_drains == 0
