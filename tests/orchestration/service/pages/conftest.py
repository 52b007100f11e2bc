"""The pages alone, over an open home: what a test of a page starts from."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.service.pages.routes import router
from orchestration.serving import Lookup, Searcher
from warehouse.home import Home

PATIENCE_MS = 60_000
WIDTHS = {"desk": 1280, "telephone": 360}

TOO_WIDE = """() => {
    const root = document.documentElement;
    return root.scrollWidth > root.clientWidth ? `${root.scrollWidth} of ${root.clientWidth} px: ${location}` : '';
}"""


@dataclass(frozen=True)
class OpenHome:
    """A home whose release does not change: one searcher, opened when the first page needs it."""

    home: Home
    opened: list[Searcher]

    def searcher(self) -> Searcher:
        if not self.opened:
            self.opened.append(Searcher(self.home, load_settings(self.home.root).encoder))
        return self.opened[0]

    def lookup(self) -> Lookup:
        return Lookup(self.home)


def open_live(home: Path) -> OpenHome:
    return OpenHome(open_home(load_settings(home)), [])


@pytest.fixture(scope="session")
def live_of() -> Callable[[Path], OpenHome]:
    return open_live


@pytest.fixture(scope="session")
def live(built) -> OpenHome:
    return open_live(built.home)


@pytest.fixture(scope="session")
def client_of() -> Callable[..., TestClient]:
    """Return a function that returns a client of the pages over something live."""

    def make(live, **options) -> TestClient:
        app = FastAPI()
        app.include_router(router(live, **options))
        return TestClient(app, raise_server_exceptions=True, follow_redirects=False)

    return make


@pytest.fixture(scope="session")
def client(live, client_of) -> Iterator[TestClient]:
    """Return a client of the pages over the built home."""
    with client_of(live) as opened:
        yield opened


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., str]]:
    """Return a function that serves the pages over something live from a port of this machine, and returns the address."""
    import uvicorn

    running = []

    def start(live, **options) -> str:
        app = FastAPI()
        app.include_router(router(live, **options))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(60)


@pytest.fixture(scope="session")
def judged(live) -> tuple[str, str]:
    """Return a judged query and the key of a product that is judged Exact for it."""
    with live.home.lake.reading() as connection:
        row = connection.execute(
            "SELECT query, product_key FROM staging.judgements JOIN staging.queries USING (query_id, locale) "
            "WHERE label = 'E' AND locale = 'us' ORDER BY product_key LIMIT 1"
        ).fetchone()
    return row


@pytest.fixture(params=WIDTHS)
def page(request, browser, address, tmp_path):
    """Return a page that reports errors, requests to other hosts, and content wider than the screen."""
    context = browser.new_context(base_url=address, viewport={"width": WIDTHS[request.param], "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    faults = []
    opened.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda sent: None if sent.url.startswith(address) else faults.append(sent.url))
    yield opened
    opened.screenshot(path=tmp_path / "page.png", full_page=True)
    context.close()
    assert faults == []


@pytest.fixture
def assert_fits():
    """Return a function that asserts that nothing on a page is wider than the screen, closed parts included."""
    return _assert_fits


def _assert_fits(page):
    assert page.evaluate(TOO_WIDE) == ""
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.evaluate(TOO_WIDE) == ""
