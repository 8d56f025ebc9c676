from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import open_browser
from tests.integration.page.service import PageService
from tests.integration.page.sheet import Sheet

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OpenSheet = Callable[..., Sheet]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="package")
def running(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageService]:
    """After the browser: without one nothing needs to be started."""
    service = PageService(tmp_path_factory.mktemp("page"))
    yield service
    service.stop()


@pytest.fixture
def service(running: PageService) -> Iterator[PageService]:
    yield running
    running.clear()


@pytest.fixture
def open_sheet(browser: Browser, service: PageService) -> Iterator[OpenSheet]:
    """Opens the page in a window of its own; takes what Playwright takes for a new one, and a `url`."""
    opened: list[Sheet] = []

    def open_one(url: str = service.url, **options: Any) -> Sheet:
        sheet = Sheet(browser.new_context(**options), url)
        opened.append(sheet)
        sheet.open()
        return sheet

    yield open_one
    complaints = [each for sheet in opened for each in sheet.close()]
    assert complaints == []


@pytest.fixture
def sheet(open_sheet: OpenSheet) -> Sheet:
    return open_sheet()
