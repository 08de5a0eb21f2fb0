"""The playground, built and served as a visitor gets it."""

import runpy
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn.pictures.play.serve import playground_server

from ..conftest import chromium

SOURCE = Path(__file__).parents[3] / "docs" / "playground"
BUILD = runpy.run_path(str(SOURCE / "build.py"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the playground."""
    if shutil.which("npm") is None:
        pytest.skip("no npm: install Node.js")
    folder: Path = BUILD["build"](tmp_path_factory.mktemp("built") / "playground")
    return folder


@pytest.fixture(scope="session")
def address(built: Path) -> Iterator[str]:
    """The address of the playground, served on the loopback."""
    with playground_server(built, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


class Visit:
    """A visit to a page: Python is started once, and each test opens its own link."""

    def __init__(self, page: Any, address: str, host: str = "") -> None:
        self.page, self.host = page, host or address
        self.troubles: list[str] = []
        page.on("console", lambda message: self.troubles.append(message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", self._requested)
        page.goto(address)
        page.wait_for_selector("body.ready", timeout=90_000)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.host, "data:", "blob:")):
            self.troubles.append(f"asked for {request.url}")

    def open(self, link: str) -> Any:
        """The page, once it shows what the link says."""
        for target in ("#bits=0", f"#{link}"):
            self.page.evaluate(
                """link => new Promise(resolve => {
                    addEventListener("hashchange", resolve, { once: true });
                    location.hash = link;
                })""",
                target,
            )
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until the page has come to rest."""
        self.page.wait_for_selector("main[aria-busy=false]", timeout=60_000)


@pytest.fixture(scope="session")
def visit(browser: Any, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Visit(context.new_page(), address)
    context.close()


@pytest.fixture
def opened(visit: Visit) -> Iterator[Visit]:
    """The visit, which fails on any message, error or request to another host."""
    visit.troubles.clear()
    yield visit
    assert visit.troubles == []
