"""A real browser for pages; without one their tests are skipped, and say so."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 120_000  # milliseconds; beside other work on two cores, 30,000 were once too few


@contextmanager
def open_browser(*arguments: str) -> Iterator["Browser"]:
    """Yield Chromium, started with these arguments: the one of $CHROMIUM, or the first of the PATH."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no Chromium on the PATH: install one, or name it in $CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", *arguments])
        yield browser
        browser.close()


def new_context(browser: "Browser", **options: Any) -> "BrowserContext":
    """Return a context of its own, which waits long enough for a busy machine."""
    context = browser.new_context(**options)
    context.set_default_timeout(_PATIENCE)
    return context
