"""What would take too long on a server in Python."""

from __future__ import annotations

import random

import pytest

from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_parameters
from tests.job_steps import submit

NUM_JOBS = 900


def test_the_tokens_of_a_long_queue_are_counted_again_only_where_the_count_is_far_off(
    store: JobStore,
) -> None:
    drawn = random.Random(7)
    tokens = [drawn.choice((10, 50, 200)) for _ in range(NUM_JOBS)]
    for each in tokens:
        submit(store, parameters=make_parameters(max_new_tokens=each))
    flow = f"{store.namespace}:flow:{FINGERPRINT}"

    def reap() -> int:
        store.client.hdel(f"{store.namespace}:counters", "recounted_at")
        store.reap()
        return int(store.client.hget(flow, "tokens_normal") or 0)

    assert reap() == sum(tokens), "a count that is right stays"
    for wrong in (-sum(tokens), 5 * sum(tokens)):
        store.client.hset(flow, "tokens_normal", wrong)
        assert reap() == pytest.approx(sum(tokens), rel=0.5)
