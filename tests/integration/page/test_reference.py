"""The reference at /docs, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import expect
from tests.integration.page.service import PageService
from tests.integration.page.test_access import DESKTOP, FAINT, NARROW, PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@contextmanager
def opened(browser: Browser, service: PageService, **options: Any) -> Iterator[Page]:
    """Fails where the page asks for anything elsewhere, or the browser complains."""
    with browser.new_context(**options) as context:
        page = context.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{service.url}/docs")
        yield page
    assert [each for each in asked if not each.startswith(service.url)] == []
    assert complaints == []


@pytest.mark.parametrize("options", [DESKTOP, PHONE, pytest.param(NARROW, marks=pytest.mark.slow)])
def test_nothing_is_wider_than_the_window(
    browser: Browser, service: PageService, options: dict[str, Any]
) -> None:
    with opened(browser, service, **options) as page:
        for each in page.locator("summary").all():
            each.click()
        widths = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_either_scheme(browser: Browser, service: PageService, scheme: str) -> None:
    with opened(browser, service, color_scheme=scheme) as page:
        assert page.evaluate(FAINT) == []


def test_a_type_is_one_click_away_and_has_an_address(browser: Browser, service: PageService) -> None:
    with opened(browser, service) as page:
        page.locator("#predict").get_by_role("link", name="PredictRequest").click()
        assert page.url == f"{service.url}/docs#type-PredictRequest"
        expect(page.locator("#type-PredictRequest h3")).to_be_in_viewport()
        expect(page.locator("#type-PredictRequest")).to_contain_text("num_return_sequences")


def test_the_page_leads_to_the_reference_and_back(browser: Browser, service: PageService) -> None:
    with opened(browser, service) as page:
        page.get_by_role("link", name="NeoServe").click()
        page.get_by_role("link", name="API reference").click()
        expect(page).to_have_title("NeoServe API")
