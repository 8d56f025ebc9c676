"""One row of the table: a fault, what must hold under it, and the run without the protection."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checker import Tally


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of a row is run: `lease` in seconds (the product's is 10), and the number of faults."""

    faults: int
    lease: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Findings:
    faults: int
    tally: Tally
    settled: bool = True  #: No job was left over.
    max_needless: float = 0  #: Reruns that the faults do not explain and that may be.
    leaks: tuple[str, ...]  #: Canaries that were found, by kind and place.
    broken: Collection[str] = ()  #: What else should hold and did not.
    worst_recovery: float | None = None  #: Seconds from the fault until its jobs are claimed again.
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[str, ...]:
        tally = self.tally
        found = {
            f"{tally.lost} lost": tally.lost,
            f"{tally.doubled} doubled": tally.doubled,
            "jobs were left over": not self.settled,
            f"{tally.needless} needless reruns": tally.needless > self.max_needless,
        }
        return (*(text for text, failed in found.items() if failed), *sorted(set(self.broken)), *self.leaks)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a control run showed; an empty text: nothing, and then the row proves nothing."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Row:
    name: str
    fault: str
    faults: int  #: In the whole run.
    run: Callable[[Path, Scale], Findings]
    control: Callable[[Path], Shown]
