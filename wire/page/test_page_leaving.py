"""How the waiting page leaves for the app: at once or after a while, and what it does when it is led back."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from front import API, APP, HOME, Front
from playwright.sync_api import Page
from stand import wait_until
from tab import Tab

AT_ONCE = [0, 65, 130]


@pytest.fixture
def tab(page: Page, front: Front) -> Tab:
    return Tab(page, front)


def with_delays(front: Front, delays: list[int]) -> None:
    """Sets what the strategy says: the seconds before the first, second … navigation."""

    def doctor(answer: dict[str, Any]) -> dict[str, Any]:
        head, mark, rest = answer["body"].partition('"navigate_after_seconds":')
        return {**answer, "body": head + mark + json.dumps(delays) + rest[rest.index("]") + 1:] if mark else head}

    front.doctor = doctor


def loaded(tab: Tab, times: int, path: str = "/") -> bool:
    """Whether the browser has asked for the path so often by now: a navigation takes a moment to begin."""
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: len(tab.front.of("GET", path)) >= times, "the navigation", 15)
    tab.settle()
    return len(tab.front.of("GET", path)) == times


def test_it_leaves_the_apps_origin_alone_for_65_seconds_and_then_goes(tab: Tab, front: Front) -> None:
    front.world.begin("ready")
    tab.open("/reports?team=ops#today")
    front.asked.clear()
    tab.wait(64, step=4)
    assert front.asked == [], "no poll, no navigation"
    assert tab.text("next").startswith("You are taken there in 1 s")
    front.pages["/reports?team=ops"] = "<title>Reports</title>"
    tab.wait(1)
    tab.page.wait_for_function("document.title === 'Reports'", polling=20)
    assert tab.page.url == f"https://{APP}/reports?team=ops#today"


def test_an_address_that_ends_in_a_bare_hash_is_left_for_the_app_too(tab: Tab, front: Front) -> None:
    front.world.begin("ready")
    tab.open("/#")
    front.pages["/"] = "<title>The app</title>"
    tab.wait(65, step=5)
    assert loaded(tab, 2)
    assert (tab.title, tab.page.url) == ("The app", HOME + "#")


def test_with_no_delay_it_goes_at_once_and_back_here_it_takes_its_time(tab: Tab, front: Front) -> None:
    with_delays(front, AT_ONCE)
    front.world.begin("starting")
    front.world.set(app="refused")
    tab.open()
    tab.page.evaluate(
        "new MutationObserver(() => sessionStorage.setItem('titles', document.title))"
        ".observe(document.querySelector('title'), {childList: true})")
    front.world.set(app="ready")
    tab.wait(1)
    assert loaded(tab, 2), "it went as soon as the poll said so"
    assert tab.page.evaluate("sessionStorage.getItem('titles')") == f"✓ {APP} is awake"
    assert tab.text("next").startswith("You are taken there in 65 s"), "led back here: it lets the connection close"
    tab.wait(65, step=5)
    assert loaded(tab, 3)
    assert tab.text("next").startswith("You are taken there in 2 min")
    tab.wait(130, step=10)
    assert loaded(tab, 4)
    tab.wait(600, step=60)
    assert loaded(tab, 4), "it went round three times, and nobody is there"
    assert tab.text("next") == "Your browser was led back here. Press the button to try again."
    tab.touch()
    tab.wait(130, step=10)
    assert loaded(tab, 5)


def test_where_one_answer_says_ready_and_the_next_does_not_it_does_not_spin(tab: Tab, front: Front) -> None:
    front.world.begin("starting")
    front.world.set(app="refused")
    with_delays(front, AT_ONCE)
    delayed = front.doctor

    def doctor(answer: dict[str, Any]) -> dict[str, Any]:
        if answer["headers"]["content-type"] == "application/json":  # the polls reach another Lambda than the page
            answer["body"] = answer["body"].replace('"ready":false', '"ready":true').replace('"waking"', '"ready"')
        return delayed(answer)

    front.doctor = doctor
    tab.open()
    assert loaded(tab, 2)
    tab.wait(60, step=5)
    assert loaded(tab, 2)
    tab.wait(600, step=10)
    assert loaded(tab, 4)


def test_the_next_nap_begins_anew(tab: Tab, front: Front) -> None:
    with_delays(front, AT_ONCE)
    front.world.begin("ready")
    tab.open()
    assert loaded(tab, 2) and tab.text("next").startswith("You are taken there in 65 s")
    tab.wait(50, step=10)  # say it got there, the app was used, and a while later it naps
    front.pages["/"] = "<title>The app</title>"
    tab.wait(20, step=10)
    tab.page.wait_for_function("document.title === 'The app'", polling=20)
    tab.page.clock.run_for(600_000)
    front.pages.clear()
    front.world.begin("starting")
    front.world.set(app="refused")
    tab.page.goto(HOME)
    tab.settle()
    before = len(front.of("GET", "/"))
    front.world.set(app="ready")
    tab.wait(3)
    assert loaded(tab, before + 1), "at once, as if for the first time"


def test_the_button_goes_at_once(tab: Tab, front: Front) -> None:
    front.world.begin("ready")
    tab.open()
    assert tab.text("go") == f"Open {APP}"
    tab.page.click("#go")
    tab.page.wait_for_load_state()
    tab.settle()
    assert loaded(tab, 2)
    assert tab.text("next").startswith("You are taken there in 2 min"), "that was a try"


def test_a_tab_first_looked_at_when_somebody_else_woke_the_app_and_dns_has_turned_leaves_as_well(
    tab: Tab, front: Front
) -> None:
    with_delays(front, AT_ONCE)
    tab.open(hidden=True)
    tab.wait(60, step=5)
    front.world.set(state="running", launched_seconds_ago=300)
    front.has_turned = True
    front.pages["/"] = "<title>The app</title>"
    front.asked.clear()
    tab.look_back()
    assert [(call.host, call.status) for call in front.wakes] == [(APP, 404)], "its wake call goes to the app itself"
    tab.wait(4)
    assert loaded(tab, 1) and tab.title == "The app"
    assert {poll.host for poll in front.polls} == {API}
    assert (len(front.wakes), front.world.starts) == (1, 0)


def test_what_was_sent_is_not_sent_again_by_itself(tab: Tab, front: Front) -> None:
    front.pages["/form"] = "<form method=post action=/save><button>Save</button></form>"
    tab.page.goto(HOME + "form")
    tab.page.click("button")
    tab.settle()
    assert (tab.page.url, tab.phase) == (HOME + "save", "booting"), "who sends something wakes it"
    assert "What you sent was not carried out." in tab.page.inner_text("main")
    tab.wait(60, step=3)
    assert (tab.phase, len(front.of("POST", "/save")), len(front.of("GET", "/save"))) == ("ready", 1, 0)
    assert tab.text("next") == "Go back to where you came from: opening this address is not the same as sending what you sent."


def test_where_nothing_may_be_kept_it_goes_all_the_same(tab: Tab, front: Front) -> None:
    tab.page.add_init_script("Object.defineProperty(window, 'sessionStorage', {get() { throw new Error('no') }})")
    front.world.begin("ready")
    tab.open()
    tab.wait(65, step=5)
    assert loaded(tab, 2)
