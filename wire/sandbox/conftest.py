"""One sandbox and one Chromium for all tests of its page; a world that has just begun, and stands, for each."""

from __future__ import annotations

from typing import Any, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright
from sandbox_page import NewTab, Tab, running

PERSON = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
          "Chrome/156.0.0.0 Safari/537.36")  # the starter knows a headless browser by its name


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    with running("--port", "0") as (url, _):
        yield url


@pytest.fixture(scope="session")
def sandbox_browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture
def new_tab(sandbox_browser: Browser, sandbox: str) -> Iterator[NewTab]:
    """Opens the page in a browser of its own. What goes wrong in its scripts fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def new(**options: Any) -> Tab:
        context = sandbox_browser.new_context(**{"user_agent": PERSON, "viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("console", lambda it: wrong.append(it.text) if "Content Security Policy" in it.text else None)
        page = context.new_page()
        page.set_default_timeout(15_000)
        tab = Tab(page, sandbox)
        tab.open()
        return tab

    begin = Tab(None, sandbox)  # type: ignore[arg-type]
    begin.act(do="speed", factor=0)
    begin.act(do="restart")
    yield new
    for context in contexts:
        context.close()
    assert not wrong, wrong


@pytest.fixture
def tab(new_tab: NewTab) -> Tab:
    return new_tab()
