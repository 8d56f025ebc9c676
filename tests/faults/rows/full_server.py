"""T10: the server's memory or its disk is full, for longer than a lease, and has room again.

The disk is a limit on the size of the server's files (RLIMIT_FSIZE), which needs no root: its writes
fail as on a full disk, with another error number.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from tests.faults.checker import Checker
from tests.faults.http_client import Callers, HttpClient
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack
from tests.faults.store_client import StoreClient

MODEL = "scripted:0.02"
NUM_TOKENS = 20
NUM_CALLERS = 4
FULL_SECONDS = 13.0
MAX_REFUSAL_SECONDS = 12.0
MAX_RECOVERY_SECONDS = 60.0
#: A write beyond the limit is to fail, not to kill.
IGNORE_LIMIT = "trap '' XFSZ"


def fill_memory(stack: Stack, *, missing_bytes: int = 1) -> None:
    used = int(stack.client.info("memory")["used_memory"])
    stack.client.config_set("maxmemory", used - missing_bytes)


def free_memory(stack: Stack) -> None:
    stack.client.config_set("maxmemory", 0)


def limit_files(stack: Stack, size: int) -> None:
    server = stack.server.pid
    _, hard = resource.prlimit(server, resource.RLIMIT_FSIZE)
    resource.prlimit(server, resource.RLIMIT_FSIZE, (size, hard))


def fill_disk(stack: Stack) -> None:
    limit_files(stack, max(each.stat().st_size for each in stack.folder.glob("appendonlydir/*")))


def free_disk(stack: Stack) -> None:
    limit_files(stack, resource.RLIM_INFINITY)


KINDS: tuple[tuple[Callable[[Stack], None], Callable[[Stack], None]], ...] = (
    (fill_memory, free_memory),
    (fill_disk, free_disk),
)


def seconds_until_accepted(client: HttpClient, since: float, patience: float) -> float:
    before = len(client.waits)
    while len(client.waits) == before:
        if monotonic() - since > patience:
            return patience
        sleep(0.02)
    return monotonic() - since


def run(folder: Path, scale: Scale) -> Findings:
    ledger, broken, recoveries = Ledger(), set[str](), []
    with Stack(folder, lease=scale.lease, wrapper=IGNORE_LIMIT, NEOSERVE_MODEL=MODEL) as stack:
        checker = Checker(stack.store, ledger)
        stack.start_workers(2)
        stack.start_api()
        client = HttpClient(stack.api_url, ledger, stack.overheard)
        with Callers(client, NUM_CALLERS, NUM_TOKENS, wait=1.0):
            for number in range(scale.faults):
                sleep(1)
                fill, free = KINDS[number % len(KINDS)]
                refused = len(client.refusals)
                fill(stack)
                sleep(FULL_SECONDS * scale.lease / 10)
                if len(client.refusals) == refused:
                    broken.add(f"{fill.__name__}: no submit was refused")
                free(stack)
                recoveries.append(seconds_until_accepted(client, monotonic(), 2 * MAX_RECOVERY_SECONDS))
                checker.look()
        settled = stack.settled_within(60)
        tally = checker.tally()
    broken |= set(client.wrong)
    slowest = max(client.refusals, default=0.0)
    if slowest > MAX_REFUSAL_SECONDS:
        broken.add(f"a submit got its 503 only after {slowest:.1f} s")
    if max(recoveries) > MAX_RECOVERY_SECONDS:
        broken.add(f"the first submit was accepted {max(recoveries):.1f} s after there was room")
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        leaks=stack.leaks,
        worst_recovery=max(recoveries),
        broken=broken,
        facts={"worst_refusal_seconds": slowest, "refusals": len(client.refusals)},
    )


def control(folder: Path) -> Shown:
    """A server that makes room by throwing keys away, as a cache does."""
    ledger = Ledger()
    options = ("--maxmemory-policy", "allkeys-random")
    with Stack(folder, lease=2, options=options, NEOSERVE_MODEL=MODEL) as stack:
        client = StoreClient(stack.store, stack.ring, ledger)
        for _ in range(200):
            client.submit(NUM_TOKENS)
        fill_memory(stack, missing_bytes=50_000)
        stack.ring.ring("")
        free_memory(stack)
        stack.start_workers(1)
        stack.settled_within(15)
        lost = Checker(stack.store, ledger).tally().lost
    return Shown(text=f"with an evicting server {lost} of {len(ledger)} lost" if lost else "")


ROW = Row(name="T10", fault="memory full, disk full", faults=6, run=run, control=control)
