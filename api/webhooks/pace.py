"""How many deliveries may be under way to each host: a slow one must not keep the others from being told."""

from __future__ import annotations

from collections import Counter

#: An answer that comes within this is prompt.
PROMPT_SECONDS = 1.0

#: At the same time to a host whose last answer was prompt; to any other one.
MAX_TO_PROMPT_HOST = 4

#: Hosts that are remembered as prompt: every look for what is due carries them.
MAX_PROMPT_HOSTS = 100


class Pace:
    """The deliveries of one process, and which hosts were prompt lately. Not thread-safe."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._prompt: dict[str, None] = {}  #: The latest last.

    @property
    def num_under_way(self) -> int:
        return self._under_way.total()

    def room(self) -> dict[str, int]:
        """How many may be begun to each host of which more is known than of others; for those it is one."""
        known = {*self._prompt, *self._under_way}
        return {host: self._most(host) - self._under_way[host] for host in known}

    def begin(self, host: str) -> None:
        self._under_way[host] += 1

    def end(self, host: str, seconds: float) -> None:
        """A delivery that took so long, whatever came of it."""
        self._under_way -= Counter([host])  # Hosts with nothing to do leave.
        self._prompt.pop(host, None)
        if seconds <= PROMPT_SECONDS:
            self._prompt[host] = None
        if len(self._prompt) > MAX_PROMPT_HOSTS:
            del self._prompt[next(iter(self._prompt))]

    def _most(self, host: str) -> int:
        return MAX_TO_PROMPT_HOST if host in self._prompt else 1
