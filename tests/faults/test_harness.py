"""The harness itself: a checker that sees what is wrong, and a search that finds what has leaked."""

from __future__ import annotations

import base64
import sys
import threading
from dataclasses import fields, replace
from pathlib import Path

import pytest
import redis

from tasks.jobs.models import JobStatus, Row
from tasks.jobs.protocol import Outcome
from tasks.jobs.store import JobStore
from tasks.worker.scripted_model import byte_tokenizer
from tests.factories import make_new_job
from tests.faults.canaries import PASSWORD, PROMPT, Overheard
from tests.faults.checker import Checker, Tally
from tests.faults.eavesdropper import Events
from tests.faults.http_client import HttpClient
from tests.faults.ledger import Ledger, Promise
from tests.faults.row import Findings
from tests.faults.stack import Stack
from tests.waiting import wait_until


def test_the_checker_counts_what_is_lost_doubled_and_run_again(real_client: redis.Redis) -> None:
    store, ledger = JobStore(real_client), Ledger()
    right = Promise(job_id="right", prompt="Once upon a time", num_tokens=3, seed=7)
    for name in ("right", "wrong", "stuck", "vanished"):
        ledger.accepted(replace(right, job_id=name))
        if name != "vanished":
            store.submit(make_new_job(name), max_queued=10)
    for name, text in (("right", right.expected), ("wrong", right.expected * 2)):
        claim = store.claim_next("worker", "fp-test", name)
        assert claim is not None
        assert claim.job.id == name
        row = Row(text=text, finish_reason="length", num_tokens=3)
        store.finish("worker", name, 1, Outcome(status=JobStatus.SUCCEEDED, rows=(row,), num_tokens=3))
    store.claim_next("worker", "fp-test", "again")
    store.release("worker", "stuck", 1)
    store.claim_next("worker", "fp-test", "and again")
    tally = Checker(store, ledger).tally()
    assert (tally.accepted, tally.succeeded, tally.lost, tally.doubled) == (4, 2, 2, 1)
    assert (tally.reruns, tally.needless) == (1, 1)
    assert Checker(store, ledger).tally({"stuck": 1}).needless == 0


def test_a_row_fails_over_each_thing_that_should_hold() -> None:
    names = [each.name for each in fields(Tally)]
    good = Tally(**dict.fromkeys(names, 0))
    assert Findings(faults=1, tally=good, leaks=()).failures == ()
    bad = replace(good, lost=1, doubled=2, needless=3)
    findings = Findings(
        faults=1, tally=bad, settled=False, max_needless=2, leaks=("a leak",), broken=["b", "a", "b"]
    )
    assert findings.failures == (
        "1 lost",
        "2 doubled",
        "jobs were left over",
        "3 needless reruns",
        "a",
        "b",
        "a leak",
    )
    assert Findings(faults=1, tally=replace(good, needless=3), max_needless=3, leaks=()).failures == ()


def test_what_leaks_is_found_in_every_place(tmp_path: Path) -> None:
    ledger = Ledger()
    with Stack(tmp_path / "stack", switches=["leaky"], NEOSERVE_MODEL="scripted") as stack:
        (worker,) = stack.start_workers(1)
        stack.start_api()
        with Events(stack.server.url, stack.overheard):
            client = HttpClient(stack.api_url, ledger, stack.overheard)
            client.call(20, wait=10)
            refused = threading.Thread(target=client.call, args=(-1,))
            refused.start()
            wait_until(lambda: client.wrong, "a call is refused")
            client.stop()
            refused.join()
            client.close()
            wait_until(lambda: "a prompt in a Celery event" in stack.leaks, "the event is heard")
    assert set(stack.leaks) == {
        "a prompt in a Celery event",
        f"a prompt in a command line of {Path(sys.executable).name}",
        "a prompt in an error body",
        f"a prompt in the log {worker.name}.err",
        "a prompt in the metrics of the API",
        f"a prompt in the metrics of {worker.name}",
        f"a text in the log {worker.name}.err",
        "the password in the log of api-0",
    }


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_a_canary_is_found_wherever_it_stands_in_base64(before: str) -> None:
    overheard = Overheard()
    overheard.add("here", base64.b64encode(f"{before}{PASSWORD} and so on".encode()).decode())
    assert overheard.leaks() == ("the password in here",)


def test_a_canary_is_found_among_token_ids() -> None:
    overheard = Overheard()
    overheard.add("here", str(byte_tokenizer().encode(f"Once upon a time, {PROMPT}").ids))
    assert overheard.leaks() == ("a prompt in here",)
