"""The harness itself: a checker that sees what is wrong."""

from __future__ import annotations

from dataclasses import replace

import redis

from tasks.jobs.models import JobStatus, Row
from tasks.jobs.protocol import Outcome
from tasks.jobs.store import JobStore
from tests.factories import make_new_job
from tests.faults.checker import Checker
from tests.faults.ledger import Ledger, Promise


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
