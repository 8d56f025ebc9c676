"""How much memory is used of how much, as the kernel sees it before it kills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")

#: What cgroup version 1 calls no limit is a little less than 2**63, rounded to pages.
_NO_LIMIT = 2**62


@dataclass(frozen=True, slots=True)
class Memory:
    used: int  #: Bytes that the kernel cannot take back: without the cache of files.
    limit: int  #: Bytes.
    of: str  #: Whose limit it is.

    @property
    def share(self) -> float:
        return self.used / self.limit


@dataclass(frozen=True, slots=True)
class _Version:
    """Names of the files of one version of cgroups."""

    limit: str
    used: str
    cached: tuple[str, str]  #: Lines of memory.stat.


_V1 = _Version("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file"))
_V2 = _Version("memory.max", "memory.current", ("active_file", "inactive_file"))


def read_memory(cgroups: Path = CGROUPS, proc: Path = PROC) -> Memory | None:
    """The tightest limit that this process is under; None where the system tells nothing."""
    found = [*_of_cgroups(cgroups, proc), *_of_machine(proc)]
    return max(found, key=lambda memory: memory.share, default=None)


def _of_cgroups(cgroups: Path, proc: Path) -> Iterator[Memory]:
    """Of this process's cgroup and all above it."""
    for line in _text(proc / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        version, root = (_V1, cgroups / "memory") if controllers else (_V2, cgroups)
        # Inside a container the path may be one of the host's, which is not there; the root then is ours.
        folder = root / path.lstrip("/")
        for each in (folder, *folder.parents):
            if each.is_relative_to(root):
                yield from _of_cgroup(each, version)


def _of_cgroup(folder: Path, version: _Version) -> Iterator[Memory]:
    limit, used = _text(folder / version.limit).strip(), _text(folder / version.used).strip()
    if not (limit.isdecimal() and used.isdecimal() and 0 < int(limit) < _NO_LIMIT):
        return
    lines = (line.partition(" ") for line in _text(folder / "memory.stat").splitlines())
    cached = sum(int(value) for name, _, value in lines if name in version.cached and value.isdecimal())
    yield Memory(max(0, int(used) - cached), int(limit), "the cgroup's limit")


def _of_machine(proc: Path) -> Iterator[Memory]:
    """What this process holds, of that and what it could still get: what others hold is not ours to free."""
    own, machine = _kilobytes(proc / "self/status"), _kilobytes(proc / "meminfo")
    if "RssAnon" in own and "MemAvailable" in machine:
        used = 1024 * (own["RssAnon"] + own.get("RssShmem", 0))
        yield Memory(used, max(1, used + 1024 * machine["MemAvailable"]), "what the machine has for it")


def _kilobytes(path: Path) -> Mapping[str, int]:
    """The lines `name: number kB` of a file in /proc."""
    words = (line.replace(":", " ").split() for line in _text(path).splitlines())
    return {parts[0]: int(parts[1]) for parts in words if len(parts) == 3 and parts[2] == "kB"}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
