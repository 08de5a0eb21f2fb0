"""Chromium, in which pages and pictures are looked at."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium() -> Iterator[Any]:
    """Chromium while the context is open; where there is none, the test is skipped."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason='no Playwright: pip install ".[browser]"'
    )
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        # Without a sandbox, as containers have none; the pages are our own.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """For no longer than a module: meanwhile its event loop is in the way of any other."""
    with chromium() as started:
        yield started
