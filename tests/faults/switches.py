"""Protections that a control run goes without, and faults that only the process itself can commit.

Named in FAULTS_SWITCHES, by commas. They change the product from outside, in processes of the tests' own: no
setting of the product turns a protection off.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.engine.engine import Engine
from tasks.engine.runner import Chunk
from tasks.engine.scripted import ScriptedRunner
from tasks.jobs import card, connection, listener, reaper, ring, script, store, upkeep
from tasks.jobs.protocol import Claim
from tasks.jobs.store import JobStore
from tasks.worker.scripted_model import byte_tokenizer
from tests.faults.leaky import leaky
from tests.faults.next_version import become_next, drop_unknown_fields

VARIABLE = "FAULTS_SWITCHES"
SCRIPTS = Path(script.__file__).with_name("scripts")
POISON = "POISON "
RAISING = "RAISING "

#: How a poisoned job ends the process that runs it; the letter follows POISON in its prompt.
POISONS: dict[str, Callable[[], object]] = {
    "x": lambda: os._exit(3),
    "k": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "s": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "a": os.abort,
}


def lease(seconds: str) -> None:
    """All times of the lease in proportion, so that a fault is over sooner."""
    length = float(seconds)
    for method in (JobStore.claim_next, JobStore.step):
        method.__kwdefaults__ = {**(method.__kwdefaults__ or {}), "lease_seconds": length}
    upkeep.LEASE_SECONDS = reaper.LEASE_SECONDS = card.WORKER_LEASE_SECONDS = length  # type: ignore[attr-defined]
    reaper.TICK_SECONDS, reaper.MAX_GAP_SECONDS = length / 5, length / 2


def no_reaper(_: str) -> None:
    reaper.Reaper.start = lambda self: None  # type: ignore[method-assign]


def no_patience(_: str) -> None:
    """Reap at once after an outage."""
    reaper.Reaper._time_away = lambda self: 0.0  # type: ignore[method-assign]


def no_fence(_: str) -> None:
    """The record takes the word of every attempt."""
    change_scripts(
        "return job ~= nil and job.worker == worker and job.attempt == attempt\n"
        "    and (job.status == 'queued' or job.status == 'running')",
        "return job ~= nil",
    )


def no_loss_limit(_: str) -> None:
    store.MAX_LOSSES = upkeep.MAX_LOSSES = 1_000_000  # type: ignore[attr-defined]


def no_solitude(_: str) -> None:
    """A job that has brought down two workers runs beside others."""
    claim_next = JobStore.claim_next

    def together(self: JobStore, *arguments: Any, **options: Any) -> Claim | None:
        claim = claim_next(self, *arguments, **options)
        return None if claim is None else replace(claim, alone=False)

    JobStore.claim_next = together  # type: ignore[method-assign]


def no_timeouts(_: str) -> None:
    """Wait for ever for an answer of the server."""
    connect = connection.connect

    def patient(url: str, **options: Any) -> Any:
        options["socket_timeout"] = None
        client = connect(url, **options)
        client.connection_pool.connection_kwargs["health_check_interval"] = 0
        return client

    for module in (connection, ring, listener):
        module.connect = patient  # type: ignore[attr-defined]
    ring.SOCKET_TIMEOUT_SECONDS = None  # type: ignore[assignment, attr-defined]
    ring.HEALTH_CHECK_SECONDS = 0  # type: ignore[attr-defined]


def no_recheck(_: str) -> None:
    """A waiter trusts in the word of the end alone."""
    listener.RECHECK_SECONDS = listener.RECHECK_WHILE_AWAY_SECONDS = 1e6
    listener.JobListener._wake_all = lambda self: None  # type: ignore[method-assign]


def no_allow_oom(_: str) -> None:
    script.Scripts._first_line = lambda self, said: "#!lua\n"  # type: ignore[method-assign]


def poison(_: str) -> None:
    """Some prompts end the process, after their first token."""
    marks = {tuple(byte_tokenizer().encode(POISON + kind).ids): effect for kind, effect in POISONS.items()}
    length = len(POISON) + 1
    emit = ScriptedRunner._emit

    def poisoned(self: ScriptedRunner, row: Any) -> Any:
        if row.num_new == 1 and row.prompt_ids[:length] in marks:
            marks[row.prompt_ids[:length]]()
        return emit(self, row)

    ScriptedRunner._emit = poisoned  # type: ignore[method-assign]


def raising(_: str) -> None:
    """Some prompts make the step raise that is to make one of their tokens: its place follows RAISING."""
    marks = {tuple(byte_tokenizer().encode(f"{RAISING}{place}").ids): place for place in range(10)}
    length = len(RAISING) + 1
    raise_for = ScriptedRunner._raise_for

    def raise_or_not(self: ScriptedRunner, chunk: Chunk) -> None:
        raise_for(self, chunk)
        row = self._rows[chunk.slot]
        if chunk.emits and marks.get(row.prompt_ids[:length]) == row.num_new:
            raise RuntimeError("this row was told to raise")

    ScriptedRunner._raise_for = raise_or_not  # type: ignore[method-assign]


def no_row_by_row(_: str) -> None:
    """What makes a step raise ends all that took part."""
    Engine._run_alone = lambda self, chunk: RuntimeError("it was in a step that raised")  # type: ignore[method-assign]


SWITCHES: dict[str, Callable[[str], None]] = {
    "leaky": leaky,
    "lease": lease,
    "no-reaper": no_reaper,
    "no-patience": no_patience,
    "no-fence": no_fence,
    "no-loss-limit": no_loss_limit,
    "no-solitude": no_solitude,
    "no-timeouts": no_timeouts,
    "no-recheck": no_recheck,
    "no-allow-oom": no_allow_oom,
    "no-row-by-row": no_row_by_row,
    "poison": poison,
    "raising": raising,
    "next-version": lambda _: become_next(change_scripts),
    "drop-unknown": lambda _: drop_unknown_fields(change_scripts),
}


def change_scripts(old: str, new: str) -> None:
    """Put `new` for `old` in the one script, or part of scripts, that has it."""
    read = script._script_text
    names = [path.relative_to(SCRIPTS).with_suffix("").as_posix() for path in SCRIPTS.rglob("*.lua")]
    having = [name for name in names if old in read(name)]
    if len(having) != 1:
        raise ValueError(f"the scripts have changed, and this switch does nothing any more: {old}")

    def changed(name: str) -> str:
        return read(name).replace(old, new)

    script._script_text = changed  # type: ignore[assignment]


def apply_switches() -> None:
    """Raises KeyError for a name that is none."""
    for each in filter(None, os.environ.get(VARIABLE, "").split(",")):
        name, _, value = each.partition("=")
        SWITCHES[name](value)
