"""`make screenshots`: the sandbox's pictures in the README, one for each step of its tour."""

from __future__ import annotations

import os

from emulator import ROOT
from playwright.sync_api import Browser, expect, sync_playwright
from sandbox_page import Tab, running

from tabs import PERSON

IMAGES = ROOT / "docs" / "images"
LONGEST = 150_000


def keep(tab: Tab, name: str) -> None:
    file = IMAGES / f"{name}.png"
    tab.page.mouse.move(0, 0)
    tab.page.screenshot(path=file)
    size = file.stat().st_size
    print(file, size, "bytes")
    assert size <= LONGEST, "too large for the README"
    tab.page.close()


def open_tab(browser: Browser, url: str, width: int, height: int, scheme: str) -> Tab:
    size = {"width": width, "height": height}
    page = browser.new_page(viewport=size, color_scheme=scheme, user_agent=PERSON, reduced_motion="reduce")
    tab = Tab(page, url)
    tab.act(do="speed", factor=0)
    tab.act(do="restart")
    tab.open()
    return tab


def waking(browser: Browser, url: str) -> None:
    tab = open_tab(browser, url, 1280, 840, "light")
    tab.act(do="traffic", level="some")
    tab.act(do="skip", minutes=4 * 60)
    tab.act(do="traffic", level="quiet")
    tab.act(do="skip", minutes=2 * 60)
    tab.choose("×60")
    tab.press("Open the app")
    expect(tab.window.get_by_text("the app itself is starting")).to_be_visible(timeout=15_000)
    keep(tab, "sandbox-waking")


def a_day_later(browser: Browser, url: str) -> None:
    tab = open_tab(browser, url, 1280, 860, "dark")
    tab.act(do="traffic", level="some")
    tab.act(do="skip", minutes=24 * 60)
    tab.act(do="traffic", level="quiet")
    tab.act(do="visit")
    tab.act(do="skip", minutes=2)
    tab.press("Open the app")
    expect(tab.window.get_by_role("heading", name="Today")).to_be_visible()
    tab.act(do="bot", kind="scanner")
    tab.act(do="skip", minutes=120)
    tab.choose("24 h")
    keep(tab, "sandbox-day")


def broken(browser: Browser, url: str) -> None:
    tab = open_tab(browser, url, 390, 760, "light")
    tab.turn("AWS has no room for this instance type")
    tab.press("Open the app")
    expect(tab.window.get_by_role("heading", name="waits for a free server")).to_be_visible()
    tab.page.evaluate("scrollTo(0, 0)")
    keep(tab, "sandbox-broken-phone")


def main() -> None:
    with running("--port", "0") as (url, _), sync_playwright() as playwright:
        chromium = os.environ.get("CATNAP_CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for take in (waking, a_day_later, broken):
            take(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
