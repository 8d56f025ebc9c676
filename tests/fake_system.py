"""The kernel's files about memory, in a folder."""

from __future__ import annotations

from pathlib import Path


class FakeSystem:
    """`cgroups` and `proc` stand in for /sys/fs/cgroup and /proc; no file exists until it is written."""

    def __init__(self, folder: Path) -> None:
        self.cgroups = folder / "cgroup"
        self.proc = folder / "proc"

    def write(self, path: Path, text: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name("new")
        new.write_text(f"{text}\n")
        new.replace(path)

    def belongs_to(self, *lines: str) -> None:
        """/proc/self/cgroup"""
        self.write(self.proc / "self/cgroup", "\n".join(lines))

    def v2(self, group: str = "", *, used: int, limit: int | str, cached: int = 0) -> None:
        folder = self.cgroups / group
        self.write(folder / "memory.current", used)
        self.write(folder / "memory.max", limit)
        stat = f"anon 5\nactive_file {cached // 2}\ninactive_file {cached - cached // 2}\nfile 99"
        self.write(folder / "memory.stat", stat)

    def v1(self, group: str = "", *, used: int, limit: int, cached: int = 0) -> None:
        folder = self.cgroups / "memory" / group
        self.write(folder / "memory.usage_in_bytes", used)
        self.write(folder / "memory.limit_in_bytes", limit)
        stat = f"active_file 7\ntotal_active_file {cached // 2}\ntotal_inactive_file {cached - cached // 2}"
        self.write(folder / "memory.stat", stat)

    def machine(self, *, own_kb: int, available_kb: int) -> None:
        status = f"Name:\tpython\nVmRSS:\t 77 kB\nRssAnon:\t {own_kb} kB\nRssShmem:\t 0 kB\nThreads:\t3"
        self.write(self.proc / "self/status", status)
        meminfo = f"MemTotal:  999999 kB\nMemAvailable:  {available_kb} kB\nHugePages_Total: 0"
        self.write(self.proc / "meminfo", meminfo)
