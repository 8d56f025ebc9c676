"""Keeps children running: starts them, reports a death in one line, starts them again, ends them in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from client.child import REFUSAL, Child, ChildSpec
from client.console import Console
from client.errors import StartFailed
from client.progress import Progress
from client.restarts import Restarts


class Kept:
    """One child that is kept running, over all its runs."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.restarts = Restarts()
        self.child: Child | None = None
        self.started_at = 0.0
        self.due_at: float | None = 0.0  #: When it is to be started; None while it runs.
        self.progress = Progress(None, 0.0)
        self.kill_at: float | None = None  #: When it is killed, since it was asked to end and has not.

    @property
    def ready(self) -> bool:
        return self.child is not None and self.child.alive and self.child.ready.is_set()

    @property
    def metrics_port(self) -> int:
        """Where its metrics are now; 0 when nowhere."""
        return self.child.metrics_port if self.child is not None and self.ready else 0


class Supervisor:
    """Everything happens in `tick`, called from the main thread a few times a second."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._kept: list[Kept] = []
        self.starting = True  #: While it is, a child that cannot start ends everything.

    def add(self, spec: ChildSpec) -> Kept:
        """Start a child and keep it running."""
        kept = Kept(spec)
        self._kept.append(kept)
        self._start(kept)
        return kept

    def tick(self) -> None:
        """See who died and start again who is due. Raises StartFailed for a child that cannot start."""
        for kept in self._kept:
            if kept.child is not None and kept.due_at is None and not kept.child.alive:
                self._bury(kept, kept.child)
            elif kept.child is not None and kept.ready:
                self._end_if_stuck(kept, kept.child)
            if kept.due_at is not None and self._clock() >= kept.due_at:
                self._start(kept)

    def stop(self, chosen: Iterable[Kept], seconds: float, hurried: Callable[[], bool]) -> None:
        """Ask `chosen` to end; whoever has not after `seconds`, or when `hurried` says so, is killed."""
        children = [kept.child for kept in chosen if kept.child is not None]
        self._kept = [kept for kept in self._kept if kept.child not in children]
        deadline = self._clock() + seconds
        for child in children:
            child.terminate()
        while any(child.alive for child in children) and self._clock() < deadline and not hurried():
            time.sleep(0.05)
        for child in children:
            if child.alive and self._clock() >= deadline:
                self._console.say(f"{child.spec.name} did not end within {seconds:.0f} s and was killed")
            child.kill()

    def kill_all(self) -> None:
        """End every child at once; for a way out that must not fail."""
        for kept in self._kept:
            if kept.child is not None:
                kept.child.kill()
        self._kept = []

    def _start(self, kept: Kept) -> None:
        kept.child = Child(kept.spec, self._console.line)
        kept.started_at = self._clock()
        kept.due_at = kept.kill_at = None
        kept.progress = Progress(kept.spec.health_file, kept.started_at)

    def _end_if_stuck(self, kept: Kept, child: Child) -> None:
        now = self._clock()
        if kept.kill_at is not None:
            if now >= kept.kill_at:
                child.kill()
        elif kept.progress.missing(now):
            self._console.say(f"{kept.spec.name} makes no progress; another takes its place")
            kept.kill_at = now + kept.spec.stop_seconds
            child.terminate()

    def _bury(self, kept: Kept, child: Child) -> None:
        ending = child.how_it_ended()
        child.kill()  # what it started itself must not stand in the way of its successor
        delay = kept.restarts.died(self._clock() - kept.started_at)
        if self.starting and child.refusal():
            raise StartFailed(child.refusal().removeprefix(REFUSAL))
        if self.starting and kept.restarts.hopeless:
            raise StartFailed(f"{kept.spec.name} cannot start: it {ending}")
        kept.due_at = self._clock() + delay
        self._console.say(f"{kept.spec.name} {ending}; starting it again in {delay:g} s")
