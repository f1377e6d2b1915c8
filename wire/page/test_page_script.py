"""What the waiting page's script does with time: when it asks, how often, and when it leaves it be."""

from __future__ import annotations

from typing import Any

import pytest
from front import API, APP, Front
from playwright.sync_api import Page
from tab import Tab


@pytest.fixture
def tab(page: Page, front: Front) -> Tab:
    return Tab(page, front)


def test_from_the_first_look_to_the_app_without_a_reload_and_without_a_hand(tab: Tab, front: Front) -> None:
    tab.page.add_init_script(
        "globalThis.clocks = []; new MutationObserver(() => clocks.push(document.getElementById('clock')?.textContent))"
        ".observe(document, {subtree: true, childList: true})")
    tab.open("/reports?team=ops")
    seen = []
    for _ in range(45):
        now = (tab.phase, tab.title, tab.steps().count("done"))
        if now not in seen:
            seen.append(now)
        if tab.phase == "ready":
            break
        tab.wait(1)
    assert seen == [
        ("waking", f"{APP} is waking up", 0),
        ("booting", f"{APP} is waking up", 1),
        ("starting", f"{APP} is waking up", 2),
        ("ready", f"✓ {APP} is awake", 4),
    ]
    assert len(front.of("GET", "/reports")) == 1, "no reload"
    clocks = tab.page.evaluate("clocks")
    assert "9 s of usually about 90 s" in clocks and not any("Nobody" in (clock or "") for clock in clocks)
    assert (len(front.wakes), front.world.starts) == (1, 1)
    assert front.wakes[0].headers["x-catnap"] == "wake" and front.wakes[0].host == APP
    assert {poll.host for poll in front.polls} == {API}, "the app's own origin is left alone"
    assert "cookie" not in front.polls[-1].headers


def test_the_tabs_icon_tells_asleep_waking_and_ready_apart(tab: Tab, front: Front) -> None:
    front.world.begin(CATNAP_WAKE_ON="click")
    tab.open()
    icons = [tab.icon]
    tab.press()
    icons.append(tab.icon)
    tab.wait(45)
    icons.append(tab.icon)
    assert len(set(icons)) == 3 and tab.phase == "ready"
    for icon in icons:
        drawn = tab.page.evaluate(
            "url => new Promise(done => { const it = new Image(); it.onload = () => done(it.width);"
            "it.onerror = () => done(0); it.src = url })", icon)
        assert drawn > 0, f"the policy lets it through, and it is a picture: {icon}"


def test_the_bar_follows_the_expected_time_and_never_stands_at_nearly_done(tab: Tab, front: Front) -> None:
    expected = {"seconds": 40}

    def learned(answer: dict[str, Any]) -> dict[str, Any]:
        body = answer["body"].replace('"expected_seconds":90', f'"expected_seconds":{expected["seconds"]}')
        return {**answer, "body": body}

    front.doctor = learned
    front.world.begin("booting")
    front.world.set(app="refused")
    tab.open()
    assert tab.bar == pytest.approx(8 / 40, abs=0.03)
    assert tab.text("clock") == "8 s of usually about 40 s"
    tab.wait(10)
    assert tab.bar == pytest.approx(18 / 40, abs=0.03)
    expected["seconds"] = 100
    tab.wait(3)
    assert tab.bar == pytest.approx(21 / 100, abs=0.03)
    expected["seconds"] = 30
    tab.wait(12)
    assert tab.bar is None, "longer than expected: it does not say how far"
    assert tab.text("clock") == "33 s so far, longer than the usual 30 s"
    assert tab.page.evaluate("bar.matches(':indeterminate')")
    tab.wait(120, step=3)
    assert tab.text("clock").startswith("2 min so far")


def test_elapsed_time_is_that_of_the_boot_not_of_the_tab(tab: Tab, front: Front) -> None:
    front.world.begin(CATNAP_WAKE_ON="click")
    tab.open()
    tab.wait(300, step=60)
    assert not tab.shows("clock"), "nothing goes on"
    tab.press()
    tab.wait(6)
    assert tab.text("clock") == "6 s of usually about 90 s"


def test_polls_come_every_3_seconds_each_second_while_the_app_starts_and_after_two_minutes_every_8(
    tab: Tab, front: Front
) -> None:
    front.world.begin("booting")
    front.world.set(app="refused", launched_seconds_ago=0)
    tab.open()
    front.asked.clear()
    tab.wait(12)
    assert len(front.polls) == 4
    front.world.set(state="running")
    tab.wait(3)
    front.asked.clear()
    tab.wait(45)
    assert len(front.polls) == 45
    tab.wait(66, step=3)
    front.asked.clear()
    tab.wait(40)
    assert len(front.polls) == 5
    assert front.wakes == []


def test_polls_slow_down_in_a_hidden_tab_stop_after_15_minutes_and_go_on_when_looked_at(
    tab: Tab, front: Front
) -> None:
    front.world.begin("starting")
    front.world.set(app="refused")
    tab.open()
    tab.look_away()
    tab.wait(15)
    front.asked.clear()
    tab.wait(60)
    assert len(front.polls) == 4
    tab.wait(14 * 60, step=60)
    front.asked.clear()
    tab.wait(8 * 60 * 60, step=3600)
    assert front.asked == [], "a tab that is left open asks nothing all night"
    assert tab.text("clock").startswith("Nobody was looking")
    tab.look_back()
    assert len(front.polls) == 1 and "so far" in tab.text("clock")
    tab.wait(16)
    assert len(front.polls) == 3


def test_polls_stop_in_a_tab_that_is_visible_and_untouched_and_go_on_at_a_touch(tab: Tab, front: Front) -> None:
    front.world.begin("starting")
    front.world.set(app="refused")
    tab.open()
    tab.wait(14 * 60, step=60)
    tab.touch()
    tab.wait(14 * 60, step=60)
    front.asked.clear()
    tab.wait(32, step=8)
    assert len(front.polls) == 4, "14 minutes after a touch it goes on"
    tab.wait(60, step=8)
    front.asked.clear()
    tab.wait(8 * 60 * 60, step=3600)
    assert front.asked == []
    tab.touch()
    assert len(front.polls) == 1


def test_a_look_back_asks_at_once_but_not_at_every_switch(tab: Tab, front: Front) -> None:
    front.world.begin("booting")
    tab.open()
    tab.look_away()
    tab.wait(8)
    front.asked.clear()
    tab.look_back()
    assert len(front.polls) == 1
    for _ in range(5):
        tab.look_away()
        tab.look_back()
    assert len(front.polls) == 1
    tab.wait(3)
    assert len(front.polls) == 2


def test_a_tab_opened_in_the_background_wakes_when_it_is_looked_at(tab: Tab, front: Front) -> None:
    tab.open(hidden=True)
    tab.wait(60, step=5)
    assert (front.wakes, front.polls, front.world.starts) == ([], [], 0)
    tab.look_back()
    tab.wait(9)
    assert (len(front.wakes), front.world.starts) == (1, 1)


def test_by_click_nothing_but_the_button_wakes(tab: Tab, front: Front) -> None:
    front.world.begin(CATNAP_WAKE_ON="click")
    tab.open()
    tab.touch()
    tab.wait(60, step=3)
    assert (front.wakes, front.world.starts, tab.phase) == ([], 0, "asleep")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.settle()
    assert [call.headers["x-catnap"] for call in front.wakes] == ["press"]
    assert (front.world.starts, tab.phase, tab.shows("wake")) == (1, "waking", False)
    assert tab.page.evaluate("document.activeElement.id") == "title", "the focus is not lost with the button"
    tab.wait(45)
    assert (tab.phase, len(front.wakes)) == ("ready", 1)


@pytest.mark.parametrize("mode", ["visit", "click"])
def test_who_comes_while_it_stops_is_let_in_as_soon_as_it_has(tab: Tab, front: Front, mode: str) -> None:
    front.world.begin(CATNAP_WAKE_ON=mode)
    front.world.set(state="stopping")
    tab.open()
    assert tab.phase == "falling-asleep"
    if mode == "click":
        tab.wait(9)
        assert front.wakes == []
        tab.press()
    assert tab.text("next") == "It is woken as soon as it has stopped." and not tab.shows("wake")
    calls = len(front.wakes)
    tab.wait(6)
    assert (front.world.starts, len(front.wakes)) == (0, calls)
    front.world.set(state="stopped")
    tab.wait(3)
    assert (front.world.starts, tab.phase, len(front.wakes)) == (1, "waking", calls + 1)
    assert front.wakes[-1].headers["x-catnap"] == ("wake" if mode == "visit" else "press")


@pytest.mark.parametrize("trouble, words", [
    ("capacity", "AWS has no server of its kind free at the moment."),
    ("quota", "As many servers as its account may have are running."),
    ("throttled", "Many are asking for it just now."),
])
def test_a_refused_start_is_tried_again_every_15_seconds_until_it_is_taken(
    tab: Tab, front: Front, trouble: str, words: str
) -> None:
    for _ in range(3):
        front.world.set(refuses=trouble)
    tab.open()
    assert tab.text("detail").startswith(words)
    tab.wait(31)
    assert 3 <= len(front.wakes) <= 4 and front.world.starts == 3
    assert tab.text("detail").startswith(words)
    tab.wait(31)
    assert front.world.starts == 4 and tab.phase == "starting"


def test_a_failed_start_is_tried_again_by_the_button_and_after_its_time(tab: Tab, front: Front) -> None:
    front.world.begin("failed")
    tab.open()
    assert (tab.phase, tab.text("press"), front.world.starts) == ("failed", "Try again now", 0)
    assert tab.title.startswith("⚠ ")
    tab.wait(60, step=3)
    assert front.world.starts == 0, "it waits its time"
    tab.press()
    assert (front.world.starts, tab.phase) == (1, "waking")
    assert front.wakes[-1].headers["x-catnap"] == "press"
    tab.wait(16, step=4)
    front.world.set(state="stopped", state_reason="Server.InternalError", launched_seconds_ago=1)
    tab.wait(60, step=3)
    assert (tab.phase, front.world.starts) == ("failed", 1), "a press is one try"
    tab.wait(270, step=30)
    assert front.world.starts == 2, "five minutes after the last one it goes on by itself"


def test_by_click_a_start_that_failed_after_a_press_is_tried_again_when_it_says_so(tab: Tab, front: Front) -> None:
    front.world.begin(CATNAP_WAKE_ON="click")
    tab.open()
    tab.press()
    tab.wait(16, step=4)
    front.world.set(state="stopped", state_reason="Server.InternalError", launched_seconds_ago=20)
    tab.wait(270, step=15)
    assert (tab.phase, front.world.starts) == ("failed", 1), "a press is one try"
    tab.wait(30, step=15)
    assert front.world.starts == 2


def test_a_press_while_a_poll_is_under_way_is_not_lost(tab: Tab, front: Front) -> None:
    front.world.begin(CATNAP_WAKE_ON="click")
    tab.open()
    tab.page.evaluate("poll(); press.click()")
    tab.settle()
    assert (len(front.wakes), front.world.starts) == (1, 1)
    front.world.begin("failed")
    tab.open()
    tab.page.evaluate("press.click(); press.click()")
    tab.settle()
    tab.wait(0.01)
    assert [call.headers["x-catnap"] for call in front.wakes[-2:]] == ["press", "press"]


def test_without_a_connection_it_says_so_slows_down_and_recovers_by_the_other_way(tab: Tab, front: Front) -> None:
    front.world.begin("starting")
    front.world.set(app="refused")
    tab.open()
    front.is_down = True
    tab.wait(3)
    assert tab.text("detail") == "No answer just now. Trying again."
    front.asked.clear()
    tab.wait(60, step=3)
    assert 4 <= len(front.polls) <= 6, "it slows down"
    front.is_down = False
    tab.wait(15, step=3)
    assert tab.text("detail") == "Its server is on, the app itself is starting."

    def throttled(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "statusCode": 429, "body": '{"message":"Too Many Requests"}'}

    front.doctor = throttled  # what API Gateway says by itself
    front.asked.clear()
    tab.wait(60, step=3)
    assert tab.text("detail") == "No answer just now. Trying again."
    assert len(front.polls) <= 7, "it does not add to the crowd"
    assert {poll.host for poll in front.polls} == {API, APP}, "in turns"


def test_text_that_did_not_change_is_not_read_out_again(tab: Tab, front: Front) -> None:
    front.world.begin("starting")
    front.world.set(app="refused")
    tab.open()
    tab.page.evaluate(
        "globalThis.changes = 0; for (const live of document.querySelectorAll('[role=status]'))"
        "new MutationObserver(all => changes += live.ariaLive === 'off' ? 0 : all.length)"
        ".observe(live, {subtree: true, childList: true, characterData: true})")
    tab.wait(30)
    assert tab.page.evaluate("changes") == 0
    front.world.set(app="ready")
    tab.wait(1)
    told = tab.page.evaluate("changes")
    assert told > 0
    tab.wait(10)
    assert tab.text("next").startswith("You are taken there in 55 s") and tab.page.evaluate("changes") == told


def test_headless_chrome_that_says_so_wakes_nothing(new_page: Any, front: Front, playwright: Any) -> None:
    plain = new_page(user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                                "HeadlessChrome/156.0.0.0 Safari/537.36")
    tab = Tab(plain, front)
    tab.open()
    tab.touch()
    tab.wait(60, step=3)
    assert (front.wakes, front.world.starts) == ([], 0)
    assert tab.shows("wake"), "who does sit there finds the button"
    tab.press()
    assert front.world.starts == 1


def test_a_page_that_the_browser_kept_is_loaded_anew(tab: Tab, front: Front) -> None:
    tab.open()
    front.asked.clear()
    with tab.page.expect_navigation():
        tab.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    tab.settle()
    assert len(front.of("GET", "/")) == 1
