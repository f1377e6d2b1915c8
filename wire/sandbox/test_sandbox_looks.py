"""For everybody: light and dark, phone and desktop, without motion, by keyboard and by ear."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect
from sandbox_page import NewTab, Tab

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    page.evaluate(f"void (globalThis.axe || (() => {{ {AXE} }})())")
    found = page.evaluate("""async tags => {
        const told = it => it.nodes.map(node => `${it.id}: ${node.target} ${node.failureSummary}`);
        const found = await axe.run({runOnly: tags, resultTypes: ["violations"]});
        return {rules: found.passes.length, wrong: found.violations.flatMap(told)};
    }""", WCAG)
    assert found["rules"] > 20, "it did look"
    wrong: list[str] = found["wrong"]
    return wrong


def overflows(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def a_day(tab: Tab) -> None:
    """Something of everything."""
    tab.act(do="visit")
    tab.act(do="bot", kind="scanner")
    tab.act(do="fault", name="metrics-late", on=True)
    tab.act(do="tag", tag="protect", on=True)
    tab.act(do="skip", minutes=120)
    tab.act(do="tag", tag="protect", on=False)
    tab.press("Open the app")
    expect(tab.page.locator("#answered")).to_contain_text("answered")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(360, 740), (800, 1000), (1440, 900)])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(new_tab: NewTab, scheme: str, width: int, height: int) -> None:
    tab = new_tab(color_scheme=scheme, viewport={"width": width, "height": height}, reduced_motion="reduce")
    assert violations(tab.page) == []
    assert not overflows(tab.page)
    a_day(tab)
    tab.page.get_by_label("requests, too").check()
    assert tab.page.locator("[data-topic=request]").first.is_visible()
    tab.fill("IdleMinutes", "soon")
    expect(tab.page.get_by_role("alert")).to_be_visible()
    assert violations(tab.page) == []
    assert not overflows(tab.page)


def test_at_400_percent_it_can_all_be_reached(new_tab: NewTab) -> None:
    tab = new_tab(viewport={"width": 320, "height": 256}, device_scale_factor=4)
    assert not overflows(tab.page)
    assert tab.page.evaluate("getComputedStyle(document.querySelector('.top')).position") == "static"
    tab.page.get_by_role("button", name="A visitor").scroll_into_view_if_needed()
    tab.press("A visitor")
    tab.happens("Ada opens the app")


def test_who_wants_no_motion_gets_none(new_tab: NewTab) -> None:
    for motion, moves in (("reduce", False), ("no-preference", True)):
        tab = new_tab(reduced_motion=motion)
        tab.act(do="act", act="start")
        expect(tab.state).to_contain_text("Waking")
        assert (tab.page.evaluate("document.getAnimations().length") > 0) == moves, motion
        tab.act(do="restart")


def test_a_screen_reader_hears_of_phases_and_not_of_each_line(tab: Tab) -> None:
    said = tab.page.get_by_role("status")
    tab.act(do="act", act="start")
    expect(said).to_have_text("08:00: Waking: EC2 starts it")
    tab.act(do="skip", minutes=1)
    expect(said).to_have_text("08:01: Awake")
    assert tab.page.locator("#lines[aria-live]").count() == 0
    chart = tab.page.get_by_role("img", name="KB in the newest five minutes")
    tab.act(do="skip", minutes=30)
    expect(chart).to_be_visible()


def test_all_is_reached_by_keyboard(tab: Tab) -> None:
    reached = set()
    for _ in range(80):
        tab.page.keyboard.press("Tab")
        reached.add(tab.page.evaluate("(it => it.dataset.act || it.dataset.set || it.dataset.tag || it.dataset.fault"
                                      " || it.id || it.name)(document.activeElement)"))
    wanted = {"speed", "skip", "restart", "path", "first", "visit", "bot-kind", "bot", "traffic", "range", "requests",
              "lines", "app-down", "stop", "start", "tick", "cold", "hold", "protect", "IdleMinutes", "schedule",
              "WakeOn", "Handoff", "Steer", "HourlyPrice", "DryRun", "KeepAwake"}
    assert wanted - reached == set()
