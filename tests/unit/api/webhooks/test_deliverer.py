"""From the record to the receiver: what comes of each attempt, and who waits for whom."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.webhooks import deliverer
from api.webhooks.deliverer import WebhookDeliverer
from api.webhooks.receivers import Receivers
from api.webhooks.sender import Attempt, WebhookSender
from api.webhooks.settings import parse_receivers
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.store import JobStore
from tasks.jobs.webhook import Webhook, WebhookDelivery
from tasks.jobs.webhook_queue import DueDelivery, Settlement, WebhookQueue
from tests.batch_steps import submit_batch
from tests.hook_receiver import OK, HookReceiver, answer
from tests.job_steps import claim, finish, step, submit
from tests.time_travel import let_pass
from tests.waiting import wait_until
from tests.webhook_steps import BOTH

SECRET = b"s" * 32
LOOPBACK = parse_receivers("127.0.0.0/8")


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliverer, "LOOK_SECONDS", 0.02)


@contextmanager
def delivering(store: JobStore, receivers: Receivers = LOOPBACK) -> Iterator[WebhookDeliverer]:
    queue = WebhookQueue(store.client, store.namespace)
    running = WebhookDeliverer(queue, WebhookSender([SECRET], receivers))
    running.start()
    try:
        yield running
    finally:
        running.stop()


def end_one(store: JobStore, id: str, url: str) -> None:
    submit(store, id, webhook=Webhook(url=url))
    store.cancel(id)


def log_of(store: JobStore) -> WebhookDelivery:
    return store.get("a").deliveries[-1]


def attempted(store: JobStore, times: int = 1) -> WebhookDelivery:
    """The log of a job when so many attempts have come to an end, of whatever deliveries."""

    def settled() -> int:
        counters = store.counters()
        return sum(counters.count("webhooks", each) for each in Settlement)

    wait_until(lambda: settled() == times, f"attempt {times} is settled")
    return log_of(store)


def test_start_and_end_of_a_job_are_told_signed(store: JobStore) -> None:
    with HookReceiver() as receiver, delivering(store):
        submit(store, "a", webhook=Webhook(url=receiver.url(), events=BOTH))
        taken = claim(store)
        step(store, taken)
        wait_until(lambda: len(receiver.received) == 1, "the start is told")
        finish(store, taken, "text")
        wait_until(lambda: len(receiver.received) == 2, "the end is told")
        attempted(store, 2)
    started, completed = (json.loads(each.body) for each in receiver.received)
    assert (started["type"], started["data"]["status"]) == ("job.started", "running")
    assert (completed["type"], completed["data"]["status"]) == ("job.completed", "succeeded")
    assert completed["data"]["result"][0]["generated_text"] == "Once upon a timetext"
    assert completed["timestamp"] == completed["data"]["completed_at"]
    assert [each.headers["webhook-id"] for each in receiver.received] == ["a_started", "a_completed"]
    assert receiver.received[0].headers["content-type"] == "application/json"


def test_the_end_of_a_batch_is_told(store: JobStore, batches: BatchStore) -> None:
    with HookReceiver() as receiver, delivering(store):
        submit_batch(batches, "b", 2, webhook=Webhook(url=receiver.url()))
        batches.cancel("b")
        wait_until(lambda: receiver.received, "the end is told")
    message = json.loads(receiver.received[0].body)
    assert (message["type"], message["data"]["counts"]["canceled"]) == ("batch.completed", 2)


def test_a_receiver_that_was_down_is_told_the_same_later(store: JobStore) -> None:
    with HookReceiver() as receiver:
        url, port = receiver.url(), receiver.port
    with delivering(store):
        end_one(store, "a", url)
        assert attempted(store).code == "connection_failed"
        with HookReceiver(lambda number: OK if number else answer(500), port=port) as receiver:
            let_pass(store, 10)
            assert attempted(store, 2).status == 500
            let_pass(store, 60)
            assert attempted(store, 3).delivered_at is not None
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "a_completed"
    assert json.loads(first.body)["data"].keys() == json.loads(second.body)["data"].keys()


@pytest.mark.parametrize(
    ("status", "code", "is_over"),
    [(410, "rejected", True), (404, "rejected", False), (302, "redirected", False)],
)
def test_what_a_receiver_answers_decides(store: JobStore, status: int, code: str, is_over: bool) -> None:
    with (
        HookReceiver(lambda _: answer(status, "Location: http://127.0.0.1:1/")) as receiver,
        delivering(store),
    ):
        end_one(store, "a", receiver.url())
        log = attempted(store)
    assert (log.status, log.code, log.next_at is None) == (status, code, is_over)


def test_a_receiver_may_put_us_off(store: JobStore) -> None:
    with HookReceiver(lambda _: answer(429, "Retry-After: 3600")) as receiver, delivering(store):
        end_one(store, "a", receiver.url())
        attempted(store)
        let_pass(store, 3000)
    assert log_of(store).attempts == 1


def test_what_the_operator_no_longer_allows_is_not_told(store: JobStore) -> None:
    with HookReceiver() as receiver, delivering(store, Receivers()):
        end_one(store, "a", receiver.url())
        assert attempted(store).code == "address_refused"
    assert receiver.num_connections == 0


def test_a_slow_receiver_delays_nobody(store: JobStore) -> None:
    """It answers when the others are done, and not before."""
    others_done = threading.Event()
    slow_answers = lambda _: OK if others_done.wait(30) else b""  # noqa: E731
    with HookReceiver(slow_answers) as slow, HookReceiver() as good:
        for i in range(30):
            end_one(store, f"slow-{i}", slow.url("localhost"))
        for i in range(100):
            end_one(store, f"good-{i}", good.url())
        with delivering(store, parse_receivers("127.0.0.0/8 localhost")):
            wait_until(lambda: len(good.received) == 100, "all good ones are told")
            assert len(slow.received) == 1
            others_done.set()
    assert {each.headers["webhook-id"] for each in good.received} == {
        f"good-{i}_completed" for i in range(100)
    }


class Hanging:
    """Sends to `good` alone; to any other host it hangs until it is told to stop."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.told: list[str] = []

    def send(self, due: DueDelivery) -> Attempt:
        if due.webhook.host != "good":
            self.stop.wait(30)
        else:
            self.told.append(due.id)
        return Attempt(settlement=Settlement.DELIVERED, status=200)


def test_a_hundred_slow_receivers_delay_nobody_either(store: JobStore) -> None:
    for i in range(300):
        end_one(store, f"slow-{i}", f"https://slow-{i % 100}/")
    for i in range(30):
        end_one(store, f"good-{i}", "https://good/")
    sender = Hanging()
    running = WebhookDeliverer(WebhookQueue(store.client, store.namespace), sender)
    running.start()
    try:
        wait_until(lambda: len(sender.told) == 30, "all good ones are told")
    finally:
        sender.stop.set()
        running.stop()


def test_the_log_names_the_host_and_nothing_else_of_an_address(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with HookReceiver(lambda _: answer(410)) as receiver, delivering(store):
        end_one(store, "a", receiver.url())
        attempted(store)
    lines = "\n".join(record.getMessage() for record in caplog.records if "127.0.0.1" in record.getMessage())
    assert "127.0.0.1" in lines
    for secret in ("s3cret", "/told", base64.b64encode(SECRET).decode()):
        assert secret not in caplog.text
