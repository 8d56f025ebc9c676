"""T9: kill -9 of the API while clients submit, which repeat what got no answer with their Idempotency-Key."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from time import sleep

from tests.faults.checker import Checker
from tests.faults.http_client import Callers, HttpClient
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack

NUM_CALLERS = 8
NUM_TOKENS = 2


def kill_apis(stack: Stack, number: int) -> None:
    moments = Random(number)
    for _ in range(number):
        api = stack.start_api()
        sleep(moments.uniform(0.2, 0.6))
        api.kill()


def jobs_by_call(stack: Stack) -> Counter[str]:
    """How many records there are of each call, by what the clients wrote into `metadata`."""
    calls: Counter[str] = Counter()
    for key in stack.client.scan_iter("neoserve:job:*", count=1000):
        calls[str(stack.client.hget(key, "metadata"))] += 1
    return calls


def run(folder: Path, scale: Scale) -> Findings:
    ledger = Ledger()
    with Stack(folder, lease=scale.lease, NEOSERVE_MODEL="scripted") as stack:
        checker = Checker(stack.store, ledger)
        stack.start_workers(2)
        client = HttpClient(stack.api_url, ledger, stack.overheard)
        with Callers(client, NUM_CALLERS, NUM_TOKENS):
            kill_apis(stack, scale.faults)
            stack.start_api()
        settled = stack.settled_within(60)
        tally, calls = checker.tally(), jobs_by_call(stack)
    broken = set(client.wrong)
    if set(calls.values()) != {1} or len(calls) != client.num_calls:
        broken.add(f"{client.num_calls} keys made {calls.total()} jobs of {len(calls)} calls")
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        leaks=stack.leaks,
        broken=broken,
        facts={"keys": client.num_calls},
    )


def control(folder: Path) -> Shown:
    """The same clients without a key."""
    ledger = Ledger()
    with Stack(folder, lease=2, NEOSERVE_MODEL="scripted") as stack:
        stack.start_workers(1)
        client = HttpClient(stack.api_url, ledger, stack.overheard, keyed=False)
        with Callers(client, NUM_CALLERS, NUM_TOKENS):
            kill_apis(stack, 12)
            stack.start_api()
        calls = jobs_by_call(stack)
    surplus = calls.total() - len(calls)
    return Shown(text=f"without keys {surplus} of {len(calls)} calls made two jobs" if surplus else "")


ROW = Row(name="T9", fault="kill -9 of the API under submits", faults=100, run=run, control=control)
