"""What must not happen: code from outside, frames, a wake that nobody looked at."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from front import APP, HOME, Front, chromium_arguments
from playwright.sync_api import Page
from stand import wait_until

from tabs import PERSON, NewPage

BAD = "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"


def test_code_in_the_name_the_path_and_the_query_never_runs(page: Page, front: Front) -> None:
    support = "mailto:x@\"onclick='document.title=`hacked`'"
    front.world.begin("asleep", CATNAP_APP_NAME=BAD[:80], CATNAP_SUPPORT_URL=support)
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    page.goto(f"{HOME}{BAD.replace(' ', '%20')}?q={BAD}#{BAD}")
    assert BAD[:80] in page.inner_text("h1"), "shown as it is"
    assert "hacked" not in page.evaluate("document.title").replace(BAD[:80], "")
    assert page.evaluate("document.scripts.length") == 2 and page.locator("img").count() == 1, "its own and no other"
    handlers = "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/.test(a.name))).length"
    assert page.evaluate(handlers) == 0
    assert not any("hacked" in text for text in seen)


def test_even_a_script_that_got_in_would_not_run(page: Page, front: Front) -> None:
    front.doctor = lambda answer: {**answer, "body": answer["body"].replace(
        "<main", "<script>globalThis.hacked = 1</script><img src=x onerror='hacked = 2'><main")}
    page.goto(HOME)
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'hacked = 3'}))")
    assert page.evaluate("globalThis.hacked") is None


@pytest.mark.parametrize("logo, allowed", [
    ("", "img-src data: ;"),
    ("https://cdn.example.com:8443/a/logo.svg", "img-src data: https://cdn.example.com:8443;"),
    ("data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20width='9'%20height='9'/%3E", "img-src data: ;"),
])
def test_pictures_come_from_the_logos_own_origin_and_nowhere_else(
    page: Page, front: Front, logo: str, allowed: str
) -> None:
    front.world.begin("asleep", CATNAP_LOGO_URL=logo)
    policies: list[str] = []
    page.on("response", lambda got: policies.append(got.headers.get("content-security-policy", "")))
    page.goto(HOME)
    assert allowed in policies[0], policies
    picture, icon = page.evaluate(  # at once: the script may change both at any time
        "() => [document.querySelector('main img').getAttribute('src'),"
        " document.querySelector('#icon').getAttribute('href')]")
    assert picture == (logo or icon)
    for origin in ("https://cdn.example.com", "https://evil.example.org", HOME):
        page.evaluate(
            "url => new Promise(done => { const it = new Image(); it.onload = it.onerror = done; it.src = url })",
            f"{origin}/other.png")
    # Another port of the logo's host is another origin, and the app's own is none of a picture's.
    assert not any("other.png" in asked.path for asked in front.asked)


def test_a_logo_is_loaded_without_telling_where_from(page: Page, front: Front) -> None:
    front.world.begin("asleep", CATNAP_LOGO_URL="https://cdn.example.com/logo.svg")
    front.pages["/logo.svg"] = "<svg xmlns='http://www.w3.org/2000/svg'/>"
    page.goto(f"{HOME}secret")
    [asked] = front.of("GET", "/logo.svg")
    assert asked.host == "cdn.example.com" and "referer" not in asked.headers


@pytest.mark.parametrize("host", ["evil.example.org", "www.example.com", APP])
def test_it_cannot_be_framed_and_does_not_wake_in_a_frame(page: Page, front: Front, host: str) -> None:
    front.pages["/frames"] = f"<title>Frames</title><iframe src='{HOME}' width=600 height=600></iframe>"
    page.goto(f"https://{host}/frames")
    [frame] = page.frames[1:]
    wait_until(lambda: front.of("GET", "/"), "the frame", 15)
    frame.wait_for_url("chrome-error://**")  # refused by the browser
    page.wait_for_timeout(200)
    assert (front.wakes, front.world.starts) == ([], 0)


def test_it_would_not_wake_in_a_frame_even_without_the_policy(page: Page, front: Front) -> None:
    front.doctor = lambda answer: {**answer, "headers": {
        **answer["headers"], "content-security-policy": "frame-ancestors *"}}
    front.pages["/frames"] = f"<iframe src='{HOME}'></iframe>"
    page.goto(f"https://{APP}/frames")
    page.frame_locator("iframe").locator("h1").wait_for()
    page.wait_for_timeout(200)
    assert (front.wakes, front.world.starts) == ([], 0)


OPEN_TAB = """<title>An open tab of the app</title><a href="/">Home</a>
<script type="speculationrules">{"prerender": [{"urls": ["/"], "eagerness": "immediate"}]}</script>
<script>setInterval(async () => (await fetch("/may-click")).ok && document.querySelector("a").click(), 100)</script>"""
TELLS = '"use strict"; fetch("/tells?" + (document.prerendering ? "prerendering" : "shown"));'


@pytest.fixture
def open_tab(chromium: str, front: Front, tmp_path: Path) -> Iterator[None]:
    """A browser of its own with an open tab of the app, which has the page prerendered and then clicks on it.

    Without Playwright: where DevTools are attached as it does, Chromium prerenders nothing.
    """
    front.pages["/open-tab"] = OPEN_TAB
    own = ["--headless=new", f"--user-data-dir={tmp_path}", f"--user-agent={PERSON}", f"{HOME}open-tab"]
    browser = subprocess.Popen([chromium, *chromium_arguments(front), *own], stderr=subprocess.DEVNULL, start_new_session=True)
    yield
    os.killpg(browser.pid, signal.SIGKILL)
    browser.wait(10)


@pytest.mark.parametrize("status, tells", [(503, ["shown"]), (200, ["prerendering"])])
def test_a_prerender_wakes_nothing_until_it_is_looked_at(
    front: Front, status: int, tells: list[str], request: pytest.FixtureRequest
) -> None:
    # Chromium drops a prerender that is answered with 503, and loads the page at the click. Where something in
    # between makes it 200, the page is run out of sight.
    front.doctor = lambda answer: {
        **answer, "body": answer["body"].replace('"use strict";', TELLS, 1),
        "statusCode": status if answer["body"].startswith("<!doctype") else answer["statusCode"]}
    front.pages["/tells"] = "thanks"
    request.getfixturevalue("open_tab")
    wait_until(lambda: front.of("GET", "/"), "the prerender", 20)
    assert front.of("GET", "/")[0].headers["sec-purpose"] == "prefetch;prerender"
    if status == 200:
        wait_until(lambda: front.of("GET", "/tells"), "the page to run", 20)
    time.sleep(0.5)
    assert (front.wakes, front.polls, front.world.starts) == ([], [], 0)
    front.pages["/may-click"] = "yes"
    wait_until(lambda: front.wakes, "the wake call", 20)
    time.sleep(0.5)
    assert [asked.path.partition("?")[2] for asked in front.of("GET", "/tells")] == tells
    assert (len(front.wakes), front.world.starts) == (1, 1)


@pytest.fixture
def without_script(new_page: NewPage) -> Callable[..., Page]:
    def open_page(path: str = "") -> Page:
        page = new_page(java_script_enabled=False)
        page.goto(HOME + path)
        return page

    return open_page


def test_without_script_the_button_wakes_and_leads_back(without_script: Callable[..., Page], front: Front) -> None:
    page = without_script("reports?team=ops")
    assert page.locator("meta[http-equiv=refresh]").count() == 0, "asleep it waits for the button"
    page.click("text=Wake it up")
    assert page.url == f"{HOME}reports?team=ops"
    assert page.inner_text("[aria-current=step]") == "Server boots"
    assert front.world.starts == 1


def test_without_script_it_reloads_by_itself_until_the_app_is_there(
    without_script: Callable[..., Page], front: Front
) -> None:
    front.world.begin("booting")
    front.doctor = lambda answer: {
        **answer, "body": answer["body"].replace('"refresh" content="15"', '"refresh" content="2"')}
    page = without_script()
    assert page.locator("progress").get_attribute("value") and "reloads by itself" in page.inner_text("main")
    front.world.set(state="running", launched_seconds_ago=80)
    front.world.seconds(3)  # a warm starter looks again
    page.wait_for_selector("[data-phase=ready]")
    assert page.is_visible(f"text=Open {APP}")
    [refresh] = page.locator("meta[http-equiv=refresh]").all()
    assert refresh.get_attribute("content") == "75"
