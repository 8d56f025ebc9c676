"""The code that the page shows is run, and does what the page does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.browser import expect
from tests.integration.page.sheet import Sheet

#: All that a shell, JSON or Python could take for something else.
AWKWARD = "It's \"quoted\", $HOME `id` \\n %s {x}\n\tand ünïcödé 😀 &amp; <b> !! ' '"


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, timeout=30
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def shown_code(sheet: Sheet, language: str) -> str:
    sheet.page.get_by_role("tab", name=language).click()
    return sheet.page.get_by_role("tabpanel").text_content() or ""


@pytest.fixture
def finished(sheet: Sheet) -> Sheet:
    sheet.set("Temperature", 0.7)
    sheet.ask(AWKWARD, tokens=12, seed=5)
    expect(sheet.state).to_contain_text("Done")
    return sheet


def test_the_curl_command_gives_the_text_of_the_page(finished: Sheet) -> None:
    answer = json.loads(run("bash", "-c", shown_code(finished, "curl")))

    assert answer["result"][0]["generated_text"] == finished.text()
    assert answer["parameters"] == finished.job()["parameters"]


def test_the_python_program_gives_the_text_of_the_page(finished: Sheet) -> None:
    code = shown_code(finished, "Python")
    printed = run(sys.executable, "-I", "-X", "utf8", "-W", "error", "-c", code)

    assert printed == f"{finished.text()}\n"


def test_the_code_follows_the_form(sheet: Sheet) -> None:
    sheet.set("Prompt", "An owl")
    sheet.set("Temperature", 0)
    sheet.set("New tokens", 9)
    python = shown_code(sheet, "Python")

    assert '"text": "An owl",\n    "max_new_tokens": 9,\n    "do_sample": False,\n' in python
    assert '{"text": "An owl", "max_new_tokens": 9, "do_sample": false}' in shown_code(sheet, "curl")


def test_the_code_names_the_key_and_does_not_show_it(sheet: Sheet) -> None:
    sheet.page.evaluate("sessionStorage.setItem('neoserve.key', 'secret-key')")
    sheet.page.reload()
    sheet.wait_ready()
    curl, python = shown_code(sheet, "curl"), shown_code(sheet, "Python")

    assert "secret-key" not in curl + python
    assert '-H "Authorization: Bearer $NEOSERVE_API_KEY"' in curl
    run("bash", "-c", curl, NEOSERVE_API_KEY="secret-key")
    run(sys.executable, "-I", "-c", python, NEOSERVE_API_KEY="secret-key")


@pytest.mark.parametrize("secure", [True, False])
def test_the_code_is_copied_also_over_plain_http(sheet: Sheet, secure: bool) -> None:
    sheet.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if not secure:  # As browsers have it on a host that is not this machine.
        sheet.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    sheet.page.get_by_role("button", name="Copy", exact=True).click()

    expect(sheet.button("Copied")).to_be_visible()
    sheet.page.evaluate("delete navigator.clipboard")
    sheet.prompt.fill("")
    sheet.prompt.press("Control+V")
    assert sheet.prompt.input_value().startswith("curl 'http://127.0.0.1:")
