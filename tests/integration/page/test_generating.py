"""From the prompt to the text, in a real browser against the real service."""

from __future__ import annotations

import re

from tests.browser import expect
from tests.integration.page.service import PageService
from tests.integration.page.sheet import Sheet
from tests.waiting import wait_until


def test_a_text_arrives_token_by_token(sheet: Sheet) -> None:
    sheet.ask(tokens=60)
    lengths: list[int] = []
    while sheet.button("Same seed again").is_hidden():
        lengths.append(len(sheet.written.text_content() or ""))

    assert len(set(lengths)) > 5
    assert lengths == sorted(lengths)
    job = sheet.job()
    whole = sheet.text()
    assert whole == job["result"][0]["generated_text"]
    assert len(whole) == len("Once upon a time") + 60
    expect(sheet.state).to_contain_text("Done60 tokens")


def test_the_figures_are_those_of_the_job(sheet: Sheet) -> None:
    sheet.ask(tokens=40)
    expect(sheet.button("Same seed again")).to_be_visible()

    job = sheet.job()
    first, rate = job["metrics"]["ttft_s"], 40 / job["metrics"]["generate_s"]
    expect(sheet.state).to_have_text(
        f"Done40 tokens · first token after {first:.2f} s · {round(rate)} tokens/s"
    )
    facts = sheet.page.locator("#facts")
    expect(facts).to_contain_text(f"In the queue{job['metrics']['queue_s']:.2f} s")
    expect(facts).to_contain_text("Prompt16 tokens")
    expect(facts).to_contain_text("Endedat the length asked for")
    expect(facts).to_contain_text(f"Seed{job['parameters']['seed']}")


def test_the_form_knows_the_model_s_defaults_and_limits(sheet: Sheet) -> None:
    expect(sheet.page.get_by_label("New tokens")).to_have_value("50")
    expect(sheet.page.get_by_label("New tokens")).to_have_attribute("max", "2048")
    expect(sheet.page.get_by_label("Temperature")).to_have_value("1")
    expect(sheet.page.get_by_label("Model")).to_be_hidden()  # There is only one.


def test_what_is_chosen_is_what_runs(sheet: Sheet) -> None:
    sheet.set("Temperature", 0.4)
    sheet.ask("There was an owl", tokens=7, seed=42)
    expect(sheet.button("Same seed again")).to_be_visible()

    parameters = sheet.job()["parameters"]
    assert parameters["temperature"] == 0.4
    assert (parameters["max_new_tokens"], parameters["seed"], parameters["do_sample"]) == (7, 42, True)


def test_temperature_0_takes_the_likeliest_token_each_time(sheet: Sheet) -> None:
    sheet.set("Temperature", 0)
    sheet.ask(tokens=3)
    expect(sheet.button("Same seed again")).to_be_visible()

    assert sheet.job()["parameters"]["do_sample"] is False


def test_the_same_seed_again_gives_the_same_text(sheet: Sheet) -> None:
    sheet.ask(tokens=15)
    expect(sheet.button("Same seed again")).to_be_visible()
    first = (sheet.job()["id"], sheet.written.text_content())
    sheet.button("Same seed again").click()
    expect(sheet.page.locator("#history li")).to_have_count(2)
    expect(sheet.state).to_contain_text("Done")

    assert sheet.written.text_content() == first[1]
    assert sheet.job()["id"] != first[0]
    expect(sheet.page.get_by_label("Seed")).to_have_value(str(sheet.job()["parameters"]["seed"]))


def test_the_place_in_the_queue_is_shown_until_it_starts(sheet: Sheet, service: PageService) -> None:
    ahead = [service.occupy(), service.submit(20)]
    sheet.ask(tokens=20)

    expect(sheet.state).to_contain_text("Number 2 in the queue")
    expect(sheet.announced).to_have_text("Number 2 in the queue")
    for job_id in ahead:
        service.cancel(job_id)
    expect(sheet.state).to_contain_text("Done")


def test_a_job_is_canceled_while_it_waits(sheet: Sheet, service: PageService) -> None:
    service.occupy()
    sheet.ask()
    expect(sheet.state).to_contain_text("Number 1 in the queue")
    sheet.button("Cancel").click()

    expect(sheet.state).to_contain_text("Canceled")
    expect(sheet.button("Cancel")).to_be_hidden()
    assert sheet.job()["status"] == "canceled"


def test_a_job_is_canceled_while_it_writes_and_keeps_what_is_there(sheet: Sheet) -> None:
    sheet.ask(tokens=500)
    sheet.wait_written(10)
    sheet.button("Cancel").click()

    expect(sheet.state).to_contain_text("Canceled")
    job = sheet.job()
    assert job["status"] == "canceled"
    assert sheet.text() == job["result"][0]["generated_text"]
    assert 10 <= len(sheet.written.text_content() or "") < 500


def test_a_long_text_shows_how_far_it_is(sheet: Sheet) -> None:
    sheet.ask(tokens=500)

    expect(sheet.state).to_have_text(re.compile(r"Writing\d+ of 500 tokens · \d+(\.\d)?\stokens/s"))
    progress = sheet.page.get_by_role("progressbar", name="Tokens written")
    assert 0 < progress.evaluate("bar => bar.position") < 1
    sheet.button("Cancel").click()
    expect(progress).to_be_hidden()


def test_several_models_are_there_to_choose_from(sheet: Sheet) -> None:
    info = sheet.page.request.get(f"{sheet.url}/info").json()
    (model,) = info["models"]
    greedy = {**model["generation_defaults"], "do_sample": False, "max_length": 80}
    other = {**model, "model": "other", "max_positions": 512, "generation_defaults": greedy}
    sheet.page.route("**/info", lambda route: route.fulfill(json={**info, "models": [model, other]}))
    sheet.page.reload()
    sheet.page.get_by_label("Model").select_option("other")

    expect(sheet.page.get_by_label("New tokens")).to_have_value("80")
    expect(sheet.page.get_by_label("New tokens")).to_have_attribute("max", "512")
    expect(sheet.page.get_by_label("Temperature")).to_have_value("0")
    code = sheet.page.get_by_role("tabpanel")
    expect(code).to_contain_text('"do_sample": false, "model": "other"}')
    sheet.set("Temperature", 0.5)
    expect(code).to_contain_text('"do_sample": true, "temperature": 0.5, "model": "other"}')


def test_one_job_at_a_time_is_asked_for(sheet: Sheet, service: PageService) -> None:
    service.occupy()
    sheet.ask()
    expect(sheet.state).to_contain_text("Number 1 in the queue")
    sheet.page.get_by_role("button", name="Generate").click(force=True)
    sheet.prompt.press("Control+Enter")
    sheet.button("Cancel").click()
    expect(sheet.state).to_contain_text("Canceled")

    expect(sheet.page.locator("#history li")).to_have_count(1)


def test_the_fleet_is_shown_as_it_is(sheet: Sheet, service: PageService) -> None:
    fleet = sheet.page.get_by_role("list", name="The service now")
    expect(fleet).to_contain_text("1 worker0 of 1 places busyqueue empty")
    service.occupy()
    sheet.ask()

    expect(fleet).to_contain_text("1 worker1 of 1 places busy1 in the queue")


def test_the_history_leads_back_to_every_run(sheet: Sheet) -> None:
    texts = {}
    for prompt in ("First of all", "Second to none"):
        sheet.ask(prompt, tokens=8)
        expect(sheet.page.locator("#given")).to_have_text(prompt)
        expect(sheet.state).to_contain_text("Done")
        texts[prompt] = sheet.written.text_content()
    entries = sheet.page.locator("#history li")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("Second to none")
    sheet.button("First of all").click()

    assert sheet.written.text_content() == texts["First of all"]
    expect(sheet.prompt).to_have_value("First of all")
    expect(sheet.button("First of all")).to_have_attribute("aria-current", "true")


def test_a_look_back_leaves_an_unsent_prompt_alone(sheet: Sheet) -> None:
    sheet.ask("First of all", tokens=3)
    expect(sheet.state).to_contain_text("Done")
    sheet.prompt.fill("Half a thought")
    sheet.button("First of all").click()

    expect(sheet.prompt).to_have_value("Half a thought")


def test_a_link_of_the_history_shows_the_job(sheet: Sheet) -> None:
    sheet.ask(tokens=5)
    expect(sheet.state).to_contain_text("Done")
    job = sheet.job()
    link = sheet.page.locator("#history").get_by_role("link")
    assert link.get_attribute("href") == job["urls"]["self"]
    link.click()

    dialog = sheet.page.get_by_role("dialog", name=job["id"])
    expect(dialog).to_contain_text('"status": "succeeded"')
    sheet.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(link).to_be_focused()


def test_a_reload_keeps_the_history_and_goes_on_reading(sheet: Sheet) -> None:
    sheet.ask("First of all", tokens=3)
    expect(sheet.state).to_contain_text("Done")
    sheet.ask("And then", tokens=100)
    sheet.wait_written(5)
    sheet.page.reload()

    expect(sheet.page.locator("#history li")).to_have_count(2)
    expect(sheet.state).to_contain_text("Done100 tokens")
    assert sheet.text() == sheet.job()["result"][0]["generated_text"]
    expect(sheet.prompt).to_have_value("And then")


def test_markup_in_a_prompt_stays_text(sheet: Sheet) -> None:
    prompt = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
    sheet.ask(prompt, tokens=5)
    expect(sheet.state).to_contain_text("Done")

    assert sheet.page.locator("#given").text_content() == prompt
    expect(sheet.page.locator("#history li")).to_contain_text(prompt)
    assert sheet.page.locator("main img, aside img, main script").count() == 0
    assert sheet.page.title() == "Done · NeoServe"


def test_markup_in_a_generated_text_stays_text(sheet: Sheet) -> None:
    markup = "<b onclick=alert(1)>bold</b><script>alert(1)</script>"
    body = (
        f'event: started\nid: 1-0\ndata: {{"job_id":"job_1","attempt":1}}\n\n'
        f'event: token\nid: 2-0\ndata: {{"text":"{markup}","index":0}}\n\n'
    )
    headers = {"Content-Type": "text/event-stream", "Location": "/jobs/job_1"}
    sheet.page.route("**/predict", lambda route: route.fulfill(body=body, headers=headers))
    sheet.button("Generate").click()

    expect(sheet.written).to_have_text(markup)
    assert sheet.page.locator("#text b, #text script").count() == 0


def test_the_text_is_copied(sheet: Sheet) -> None:
    sheet.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sheet.ask(tokens=5)
    expect(sheet.state).to_contain_text("Done")
    sheet.button("Copy text").click()

    expect(sheet.button("Copied")).to_be_visible()
    wait_until(
        lambda: sheet.page.evaluate("navigator.clipboard.readText()") == sheet.text(),
        "it is in the clipboard",
    )
