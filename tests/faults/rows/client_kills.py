"""T7: the server ends every connection, again and again, while 64 clients wait for their jobs."""

from __future__ import annotations

from pathlib import Path
from time import sleep

from tests.faults.checker import Checker
from tests.faults.http_client import Callers, HttpClient
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack

MODEL = "scripted:0.02"
NUM_WAITERS = 64
NUM_TOKENS = 20
WAIT_SECONDS = 10.0
PAUSE_SECONDS = 1.0
#: Beyond the time that the client asked for.
MAX_LATENESS_SECONDS = 1.0
#: Of the waits: those that end with a 202 though the job was over long before.
MAX_NEEDLESS_RERUNS = 0.01


def storm(stack: Stack, number: int) -> None:
    for _ in range(number):
        sleep(PAUSE_SECONDS)
        for kind in ("normal", "pubsub"):
            stack.client.client_kill_filter(_type=kind, skipme=True)


def run(folder: Path, scale: Scale) -> Findings:
    ledger = Ledger()
    with Stack(folder, lease=scale.lease, NEOSERVE_MODEL=MODEL) as stack:
        checker = Checker(stack.store, ledger)
        stack.start_workers(2, NEOSERVE_MAX_BATCH_SIZE="32")
        stack.start_api()
        client = HttpClient(stack.api_url, ledger, stack.overheard)
        with Callers(client, NUM_WAITERS, NUM_TOKENS, wait=WAIT_SECONDS):
            storm(stack, scale.faults)
        settled = stack.settled_within(60)
        tally = checker.tally()
    worst = max((seconds for seconds, _ in client.waits), default=0.0)
    handed_over = sum(status != "succeeded" for _, status in client.waits)
    broken = set(client.wrong)
    if worst > WAIT_SECONDS + MAX_LATENESS_SECONDS:
        broken.add(f"a client that asked for {WAIT_SECONDS:.0f} s waited {worst:.1f} s")
    if handed_over:
        broken.add(f"{handed_over} waits ended without the result")
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        max_needless=MAX_NEEDLESS_RERUNS * tally.accepted,
        leaks=stack.leaks,
        broken=broken,
        facts={"worst_wait_seconds": worst},
    )


def control(folder: Path) -> Shown:
    """Waiters that trust in the word alone, which goes astray with its connection."""
    ledger = Ledger()
    with Stack(folder, lease=2, switches=["no-recheck"], NEOSERVE_MODEL=MODEL) as stack:
        stack.start_workers(2, NEOSERVE_MAX_BATCH_SIZE="32")
        stack.start_api()
        client = HttpClient(stack.api_url, ledger, stack.overheard)
        with Callers(client, NUM_WAITERS, NUM_TOKENS, wait=WAIT_SECONDS):
            storm(stack, 10)
        stack.settled_within(30)
    late = sum(seconds >= WAIT_SECONDS for seconds, _ in client.waits)
    return Shown(text=f"without another look {late} of {len(ledger)} waited in vain" if late else "")


ROW = Row(name="T7", fault="CLIENT KILL of all, 64 clients wait", faults=150, run=run, control=control)
