"""Tabs of one browser that tests drive."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator

from playwright.sync_api import Browser, BrowserContext, Page

# The starter knows a headless browser by its name: this one has somebody in front of it.
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"

NewPage = Callable[..., Page]


@contextlib.contextmanager
def tabs(browser: Browser, **defaults: Any) -> Iterator[NewPage]:
    """Opens a tab in a context of its own. What goes wrong in its scripts fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def new(**options: Any) -> Page:
        context = browser.new_context(**{"user_agent": PERSON, **defaults, **options})
        contexts.append(context)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        page = context.new_page()
        page.set_default_timeout(15_000)
        return page

    yield new
    for context in contexts:
        context.close()
    assert not wrong, wrong
