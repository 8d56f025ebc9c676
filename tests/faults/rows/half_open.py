"""T6: a network between the processes and the server that is silent in one direction or in both.

Silent for longer than a lease; then it delivers what it held back, or has forgotten its connections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

import httpx

from tests.faults.canaries import PROMPT
from tests.faults.checker import Checker
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.rows.server_restarts import seconds_until_all_claim
from tests.faults.stack import Stack
from tests.faults.store_client import Load, StoreClient
from tests.proxy import Proxy

T = TypeVar("T")

MODEL = "scripted:0.02"
NUM_TOKENS = 20
SILENT_SECONDS = 13.0
MAX_RECOVERY_SECONDS = 10.0
#: In which a submit must be refused while the server is silent.
MAX_REFUSAL_SECONDS = 12.0


@dataclass(frozen=True)
class Silence:
    to_server: bool
    to_client: bool
    forgets: bool  #: The connections of before never speak again.


SILENCES = tuple(
    Silence(to_server, to_client, forgets)
    for to_server, to_client in ((True, True), (True, False), (False, True))
    for forgets in (False, True)
)


def fall_silent(proxy: Proxy, silence: Silence, meanwhile: Callable[[], T]) -> T:
    until = monotonic() + SILENT_SECONDS
    if silence.forgets:
        proxy.bury()
    proxy.hold(to_server=silence.to_server, to_client=silence.to_client)
    try:
        return meanwhile()
    finally:
        sleep(max(0.0, until - monotonic()))
        proxy.release()


def submit_meanwhile(stack: Stack) -> tuple[float, str]:
    """Seconds until a submit got its answer, and what is wrong with that answer."""
    began = monotonic()
    body = {"text": f"Nobody hears this {PROMPT}", "max_new_tokens": 2}
    answer = httpx.post(f"{stack.api_url}/jobs", json=body, timeout=30)
    seconds = monotonic() - began
    stack.overheard.add_error(answer.text)
    refused = answer.status_code == 503 and "Retry-After" in answer.headers
    return seconds, "" if refused else f"a submit into the silence got {answer.status_code}"


def run(folder: Path, scale: Scale) -> Findings:
    ledger, broken, recoveries, refusals = Ledger(), set[str](), [], []
    with Stack(folder, lease=scale.lease, NEOSERVE_MODEL=MODEL) as stack, Proxy(stack.server.url) as proxy:
        client, checker = StoreClient(stack.store, stack.ring, ledger), Checker(stack.store, ledger)
        workers = [stack.launch_worker(url=proxy.url), *stack.start_workers(1)]
        workers[0].wait_ready()
        stack.start_api(url=proxy.url)
        with Load(lambda: client.submit(NUM_TOKENS), per_second=20):
            for silence in islice(cycle(SILENCES), scale.faults):
                seconds, wrong = fall_silent(proxy, silence, lambda: submit_meanwhile(stack))
                refusals.append(seconds)
                broken |= {f"{wrong} ({silence})"} if wrong else set()
                recoveries.append(seconds_until_all_claim(workers, monotonic(), 40))
                checker.look()
        settled = stack.settled_within(60)
        # Silent for longer than a lease: what the reaper took from the worker behind it had to run again.
        tally = checker.tally({each.job_id: stack.store.get(each.job_id).losses for each in ledger.promises})
        if "lost" in workers[1].ended_jobs().values():
            broken.add("a worker with a sound network lost a job")
    if max(recoveries) > MAX_RECOVERY_SECONDS:
        broken.add(f"a worker claimed only {max(recoveries):.1f} s after the network was back")
    if max(refusals) > MAX_REFUSAL_SECONDS:
        broken.add(f"a submit got its 503 only after {max(refusals):.1f} s")
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        leaks=stack.leaks,
        worst_recovery=max(recoveries),
        broken=broken,
        facts={"worst_refusal_seconds": max(refusals), "reruns": tally.reruns},
    )


def control(folder: Path) -> Shown:
    """A worker that waits for answers without limit, on connections that the network has forgotten."""
    stack = Stack(folder, lease=2, switches=["no-timeouts"], NEOSERVE_MODEL=MODEL)
    with stack, Proxy(stack.server.url) as proxy:
        client = StoreClient(stack.store, stack.ring, Ledger())
        worker = stack.launch_worker(url=proxy.url)
        worker.wait_ready()
        with Load(lambda: client.submit(NUM_TOKENS), per_second=20):
            fall_silent(proxy, Silence(to_server=True, to_client=True, forgets=True), lambda: None)
            seconds = seconds_until_all_claim([worker], monotonic(), 20)
    return Shown(text="without timeouts the worker claims no more in 20 s" if seconds >= 20 else "")


ROW = Row(name="T6", fault="half-open network, each direction", faults=18, run=run, control=control)
