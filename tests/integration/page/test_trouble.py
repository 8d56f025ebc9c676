"""What the page says and does where something goes wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.browser import expect
from tests.integration.page.conftest import OpenSheet
from tests.integration.page.service import MAX_QUEUED, PageService
from tests.integration.page.sheet import Sheet
from tests.proxy import Proxy
from tests.unit.api.fakes import register_test_model

if TYPE_CHECKING:
    from playwright.sync_api import Route


def test_a_full_queue_is_counted_down_and_tried_again(sheet: Sheet, service: PageService) -> None:
    service.occupy()
    waiting = [service.submit(5) for _ in range(MAX_QUEUED)]
    sheet.stop_the_clock()
    sheet.ask(tokens=5)

    expect(sheet.notice).to_contain_text("The queue is full.")
    expect(sheet.state).to_have_text(re.compile(r"Waitingtrying again in \d+\ss"))
    for job_id in waiting:
        service.cancel(job_id)
    sheet.page.clock.fast_forward("01:00")
    expect(sheet.state).to_contain_text("Number 1 in the queue")
    expect(sheet.notice).to_be_hidden()


def test_who_will_not_wait_for_a_full_queue_leaves_nothing_behind(sheet: Sheet, service: PageService) -> None:
    service.occupy()
    for _ in range(MAX_QUEUED):
        service.submit(5)
    sheet.ask()
    expect(sheet.state).to_contain_text("Waiting")
    sheet.button("Cancel").click()

    expect(sheet.state).to_contain_text("Canceled")
    expect(sheet.page.locator("#history li")).to_have_count(0)
    expect(sheet.button("Generate")).to_have_attribute("aria-disabled", "false")


@pytest.mark.slow
def test_a_request_waits_for_the_first_worker(open_sheet: OpenSheet, service: PageService) -> None:
    api = service.start_api(NEOSERVE_NAMESPACE="empty")
    try:
        sheet = open_sheet(api.url)
        expect(sheet.page.get_by_role("list", name="The service now")).to_contain_text("No worker is running")
        sheet.page.clock.install()
        sheet.ask()
        expect(sheet.notice).to_contain_text("No model is served yet.")
        register_test_model(service.store_in("empty"))
        sheet.page.clock.fast_forward("00:05")
        expect(sheet.state).to_contain_text("Number 1 in the queue")
        expect(sheet.page.get_by_label("Temperature")).to_have_value("0.9")
    finally:
        api.stop()


#: Field, what it cannot be, and what is said of it.
MISTAKES = [
    ("New tokens", 5000, re.compile("New tokens: must be at most 20.*prompt has 16 .given: 5000")),
    ("New tokens", 0, re.compile("New tokens: must be greater than or equal to 1")),
    ("New tokens", 1.5, "New tokens: Enter a whole number of tokens."),
    ("Temperature", 101, re.compile("Temperature: must be less than or equal to 100")),
    ("Seed", "owl", "Seed: Enter a whole number from 0 to 9007199254740991, or nothing for a random one."),
    ("Prompt", "", "Prompt: Write how the text begins."),
    ("Prompt", "x" * 3000, re.compile("Prompt: has 3000 tokens, and the model holds 2048")),
]


def test_a_field_that_cannot_be_used_is_marked_with_the_reason(sheet: Sheet) -> None:
    for label, value, message in MISTAKES:
        field = sheet.page.get_by_label(label, exact=True)
        usable = field.input_value()
        sheet.set(label, value)
        sheet.button("Generate").click()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()
        expect(field).to_have_accessible_description(message)

        sheet.set(label, usable)
        expect(field).not_to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description("")
    expect(sheet.page.locator("#history li")).to_have_count(0)


def test_a_lost_connection_is_taken_up_where_it_broke(open_sheet: OpenSheet, service: PageService) -> None:
    with Proxy(service.url) as network:
        sheet = open_sheet(network.url)
        resumed = sheet.sent_headers("/events", "last-event-id")
        sheet.ask(tokens=150)
        sheet.wait_written(10)
        network.hold(to_server=True)
        network.cut()
        expect(sheet.state).to_contain_text("Connection lost")
        expect(sheet.announced).to_have_text("Connection lost")
        network.release()
        expect(sheet.state).to_contain_text("Done150 tokens")

        assert sheet.text() == sheet.job()["result"][0]["generated_text"]
        assert len(sheet.written.text_content() or "") == 150
        assert resumed
        assert all(resumed)


def test_a_reader_is_told_why_a_stream_cannot_go_on_yet(open_sheet: OpenSheet, service: PageService) -> None:
    with Proxy(service.url) as network:
        sheet = open_sheet(network.url)
        refusal = {"code": "store_unavailable", "detail": "The job store cannot be used now."}
        refuse = {"status": 503, "json": refusal, "headers": {"Retry-After": "1"}}
        sheet.page.route("**/events", lambda route: route.fulfill(**refuse), times=1)
        sheet.ask(tokens=150)
        sheet.wait_written(10)
        network.cut()
        expect(sheet.notice).to_contain_text("The service cannot reach its job store.")
        expect(sheet.state).to_contain_text("Done150 tokens")
        expect(sheet.notice).to_be_hidden()


@pytest.mark.slow
def test_a_connection_that_has_fallen_silent_is_given_up(open_sheet: OpenSheet, service: PageService) -> None:
    with Proxy(service.url) as network:
        sheet = open_sheet(network.url)
        sheet.page.clock.install()
        sheet.ask(tokens=150)
        sheet.wait_written(10)
        network.bury()
        sheet.page.clock.fast_forward("00:45")
        expect(sheet.state).to_contain_text("Connection lost")
        network.cut()  # Also what the browser has kept for its next requests.
        expect(sheet.state).to_contain_text("Done150 tokens")

        assert sheet.text() == sheet.job()["result"][0]["generated_text"]


def test_a_killed_api_process_loses_its_readers_no_word(sheet: Sheet, service: PageService) -> None:
    sheet.ask(tokens=250)
    sheet.wait_written(10)
    service.kill_api_process()
    expect(sheet.state).to_contain_text("Connection lost")
    expect(sheet.state).to_contain_text("Done250 tokens")

    assert sheet.text() == sheet.job()["result"][0]["generated_text"]


@pytest.mark.slow
def test_a_request_that_is_never_answered_is_sent_again(sheet: Sheet) -> None:
    kept: list[Route] = []
    sheet.page.clock.install()
    sheet.page.route("**/predict", lambda route: route.continue_() if kept else kept.append(route))
    sheet.ask(tokens=5)
    expect(sheet.state).to_contain_text("Sending")
    sheet.page.clock.fast_forward("00:21")

    expect(sheet.state).to_contain_text("Done5 tokens")


@pytest.mark.slow
def test_an_api_that_is_shut_down_hands_its_readers_on(open_sheet: OpenSheet, service: PageService) -> None:
    api = service.start_api()
    sheet = open_sheet(api.url)
    sheet.ask(tokens=250)
    sheet.wait_written(10)
    api.stop()
    again = service.start_api(NEOSERVE_PORT=str(api.port))
    try:
        expect(sheet.state).to_contain_text("Done250 tokens")
        assert sheet.text() == sheet.job()["result"][0]["generated_text"]
    finally:
        again.stop()


def test_a_request_that_met_nobody_makes_one_job_when_it_is_heard(sheet: Sheet, service: PageService) -> None:
    keys: list[str | None] = []

    def lose_twice(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            route.abort()
        elif len(keys) == 2:  # It arrives, and its answer gets lost.
            route.fetch()
            route.abort()
        else:
            route.continue_()

    sheet.page.route("**/predict", lose_twice)
    sheet.ask("Heard at last", tokens=5)
    expect(sheet.notice).to_contain_text("The service cannot be reached.")
    expect(sheet.state).to_contain_text("Done")

    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]
    jobs = sheet.page.request.get(f"{service.url}/jobs").json()["jobs"]
    assert jobs[0]["id"] == sheet.job()["id"]
    assert jobs[1]["id"] != sheet.job()["id"]
    assert sheet.job()["result"][0]["generated_text"].startswith("Heard at last")


def test_a_lost_worker_begins_the_text_anew(sheet: Sheet) -> None:
    def events(*attempts: int) -> str:
        return "".join(
            f'event: started\nid: {attempt}-0\ndata: {{"job_id":"job_1","attempt":{attempt}}}\n\n'
            f'event: token\nid: {attempt}-1\ndata: {{"text":" attempt {attempt}","index":0}}\n\n'
            for attempt in attempts
        )

    headers = {"Content-Type": "text/event-stream", "Location": "/jobs/job_1"}
    sheet.page.route("**/predict", lambda route: route.fulfill(body=events(1, 2), headers=headers))
    sheet.page.route("**/events", lambda route: None)
    sheet.button("Generate").click()

    expect(sheet.written).to_have_text(" attempt 2")


def test_a_job_that_is_gone_after_a_reload_is_said_to_be_and_then_forgotten(
    sheet: Sheet, service: PageService
) -> None:
    service.occupy()
    sheet.ask()
    expect(sheet.state).to_contain_text("Number 1 in the queue")
    gone = {"status": 410, "json": {"code": "gone", "detail": "The job is no longer in store."}}
    sheet.page.route("**/events", lambda route: route.fulfill(**gone))
    sheet.page.reload()
    expect(sheet.state).to_contain_text("Stopped")
    expect(sheet.notice).to_contain_text("This job is no longer kept.")
    expect(sheet.page.locator("#history li")).to_contain_text("Stopped")
    sheet.page.reload()

    expect(sheet.state).to_have_text("Ready")
    expect(sheet.page.locator("#history li")).to_have_count(0)


def test_a_job_that_failed_says_why(sheet: Sheet) -> None:
    error = {"code": "worker_lost", "detail": "The job lost 3 workers."}
    job = {"status": "failed", "error": error, "result": None, "usage": None, "parameters": {"seed": 1}}
    job["metrics"] = dict.fromkeys(("queue_s", "ttft_s", "generate_s", "total_s"))
    headers = {"Content-Type": "text/event-stream", "Location": "/jobs/job_1"}

    def answer(route: Route) -> None:
        data = json.dumps({"job": {"id": "job_1", **job}})
        route.fulfill(body=f"event: done\nid: 1-0\ndata: {data}\n\n", headers=headers)

    sheet.page.route("**/predict", answer)
    sheet.button("Generate").click()

    expect(sheet.state).to_contain_text("Failed")
    expect(sheet.notice).to_contain_text("Three workers were lost with this job.")
    expect(sheet.notice).to_contain_text("Generate again.")


def test_a_service_with_keys_asks_for_one_and_gets_it_each_time(sheet: Sheet) -> None:
    """Keys are not served yet; what will be answered without one is answered here."""
    problem = {"status": 401, "code": "unauthorized", "title": "Unauthorized", "detail": "A key is needed."}

    def guard(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer the-key":
            route.continue_()
        else:
            route.fulfill(status=401, json=problem, content_type="application/problem+json")

    sheet.page.route(re.compile("/(predict|jobs|info|health)"), guard)
    key = sheet.page.get_by_label("API key")
    expect(key).to_be_hidden()
    sheet.ask(tokens=5)
    expect(sheet.notice).to_contain_text("The service wants an API key.")
    expect(key).to_be_focused()
    key.fill("the-key")
    key.press("Enter")
    expect(sheet.state).to_contain_text("Done")
    sheet.page.locator("#history").get_by_role("link").click()
    expect(sheet.page.get_by_role("dialog")).to_contain_text('"status": "succeeded"')

    kept = sheet.page.evaluate("[JSON.stringify(localStorage), document.cookie]")
    assert kept == ["{}", ""]
    assert sheet.page.evaluate("sessionStorage.getItem('neoserve.key')") == "the-key"


def test_an_answer_of_a_proxy_is_told_in_words(sheet: Sheet) -> None:
    sheet.page.route("**/predict", lambda route: route.fulfill(status=403, body="<h1>Forbidden</h1>"))
    sheet.button("Generate").click()

    expect(sheet.state).to_contain_text("Not accepted")
    expect(sheet.notice).to_contain_text("This key may not do that.")
