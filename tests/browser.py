"""A real browser for tests: Debian's Chromium, driven by Playwright, which downloads nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tests.services import require_service

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")

#: Of assertions: machines that test are often busy.
PATIENCE_MS = 20_000

#: Nothing that it would look for outside of this machine.
OPTIONS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # Containers often have little of it.
)


def expect(thing: Any) -> Any:
    """Playwright's: assertions that wait. Imported here, so that tests can be collected without it."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    return expect(thing)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """There is no test without one."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    require_service(find_spec("playwright") is not None, "Playwright is not installed: make test does that")
    require_service(binary is not None, "no chromium on PATH (Debian and Ubuntu: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's sandbox refuses root, which tests in containers often are.
        browser = playwright.chromium.launch(
            executable_path=binary, args=list(OPTIONS), chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()
