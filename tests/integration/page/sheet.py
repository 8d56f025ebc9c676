"""The page in a browser's window, by what a reader sees and does there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.browser import PATIENCE_MS, expect

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Request

#: What Chromium itself says of an answer that is no 2xx, or of none.
EXPECTED = "Failed to load resource"


class Sheet:
    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.context = context
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self._complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._complaints.append(str(error)))

    def open(self) -> None:
        self.page.goto(self.url)
        self.wait_ready()

    def wait_ready(self) -> None:
        """It has heard from the service, and the form knows the defaults if there is a model."""
        expect(self.page.locator("#version")).to_have_text(re.compile(r"NeoServe \S+"))

    def close(self) -> list[str]:
        """What the browser had to complain of: errors of scripts, breaches of the policy."""
        self.context.close()
        return self._complaints

    @property
    def prompt(self) -> Locator:
        return self.page.get_by_label("Prompt", exact=True)

    @property
    def state(self) -> Locator:
        return self.page.locator("#state")

    @property
    def written(self) -> Locator:
        """What the model has written so far."""
        return self.page.locator("#written")

    @property
    def announced(self) -> Locator:
        return self.page.get_by_role("status")

    @property
    def notice(self) -> Locator:
        return self.page.locator("#notice")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def set(self, label: str, value: object) -> None:
        self.page.get_by_label(label, exact=True).fill(str(value))

    def ask(self, text: str = "Once upon a time", *, tokens: int = 20, seed: int | None = None) -> None:
        self.set("Prompt", text)
        self.set("New tokens", tokens)
        self.set("Seed", "" if seed is None else seed)
        self.button("Generate").click()

    def stop_the_clock(self) -> None:
        """No timer that the page starts from here on runs out before `page.clock` is moved."""
        self.page.clock.install(time=0)
        self.page.clock.pause_at(1)

    def wait_written(self, num_characters: int) -> None:
        expect(self.written).to_have_text(re.compile(f".{{{num_characters}}}"))

    def text(self) -> str:
        """The whole of it: the prompt and what was written."""
        return self.page.locator("#text").text_content() or ""

    def sent_headers(self, address: str, name: str) -> list[str]:
        """Grows: what each request from here on to an address that ends so has in this header, or ""."""
        found: list[str] = []

        def note(request: Request) -> None:
            if request.url.endswith(address):
                found.append(request.headers.get(name, ""))

        self.page.on("request", note)
        return found

    def job(self) -> Any:
        """As its link shows it."""
        path = self.page.get_by_role("link", name="Job JSON").get_attribute("href")
        return self.page.request.get(f"{self.url}{path}").json()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self._complaints.append(message.text)
