"""One sandbox and one Chromium for all tests of its page; a world that has just begun, and stands, for each."""

from __future__ import annotations

from typing import Any, Iterator

import pytest
from playwright.sync_api import Browser, Playwright, expect
from sandbox_page import NewTab, Tab, running

from tabs import tabs

expect.set_options(timeout=15_000)  # a busy machine is slower than Playwright's 5 s


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    with running("--port", "0") as (url, _):
        yield url


@pytest.fixture(scope="session")
def sandbox_browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, timeout=120_000, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture
def new_tab(sandbox_browser: Browser, sandbox: str) -> Iterator[NewTab]:
    """Opens the page in a browser of its own, over a world that has just begun, and stands."""
    begin = Tab(None, sandbox)  # type: ignore[arg-type]
    begin.act(do="speed", factor=0)
    begin.act(do="restart")
    refused: list[str] = []
    with tabs(sandbox_browser, viewport={"width": 1280, "height": 800}) as new_page:

        def new(**options: Any) -> Tab:
            page = new_page(**options)
            page.on("console", lambda it: refused.append(it.text) if "Content Security Policy" in it.text else None)
            tab = Tab(page, sandbox)
            tab.open()
            return tab

        yield new
    assert not refused, refused


@pytest.fixture
def tab(new_tab: NewTab) -> Tab:
    return new_tab()
