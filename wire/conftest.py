"""One server of moto for all tests, as new for each; and one Playwright, of which a process has no more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest
from playwright.sync_api import Playwright, sync_playwright

from stand import Moto

CHROMIUM = os.environ.get("CATNAP_CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="session")
def server() -> Iterator[Moto]:
    with Moto() as moto:
        yield moto


@pytest.fixture
def moto(server: Moto) -> Moto:
    server.reset()
    server.set_phases()
    return server


@pytest.fixture(scope="session")
def chromium() -> str:
    if not Path(CHROMIUM).exists():
        reason = f"no Chromium at {CHROMIUM}: sudo apt-get install chromium, or set CATNAP_CHROMIUM"
        if os.environ.get("CATNAP_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return CHROMIUM


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright
