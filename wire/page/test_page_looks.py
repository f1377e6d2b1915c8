"""Every phase as people see it: its words, its bar and its steps; light and dark, phone and desktop, for everybody."""

from __future__ import annotations

import re
import time
from pathlib import Path

import axe_playwright_python
import pytest
from emulator import ROOT
from front import APP, HOME, SCENES, Front
from playwright.sync_api import Page
from tab import Tab

from tabs import NewPage

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
SHOTS = ROOT / "target" / "screenshots"
LOOK = {
    "CATNAP_APP_NAME": "Team Wiki", "CATNAP_ACCENT_COLOR": "#ffcc00", "CATNAP_SUPPORT_URL": "mailto:help@example.com",
}
LONGEST = {
    "CATNAP_APP_NAME": "<" * 80, "CATNAP_LOGO_URL": "data:image/png;base64," + "A" * 2_000,
    "CATNAP_SUPPORT_URL": "https://help.example.com/" + "x" * 100,
}

DONE, NOW, LATER = "done", "now", "later"
STARTS, BOOTS, APP_STARTS = [NOW, LATER, LATER, LATER], [DONE, NOW, LATER, LATER], [DONE, DONE, NOW, LATER]
# phase, steps, bar (how full; ? for one that does not say; nothing for none), button
TABLE: dict[str, tuple[str, list[str], str, str]] = {
    "asleep": ("asleep", [], "", "Wake it up"),
    "asleep-dry-run": ("asleep", [], "", ""),
    "falling-asleep": ("falling-asleep", [], "?", "Wake it up"),
    "waking": ("waking", STARTS, "0.0", ""),
    "booting": ("booting", BOOTS, "0.1", ""),
    "starting": ("starting", APP_STARTS, "0.5", ""),
    "longer": ("starting", APP_STARTS, "?", ""),
    "overdue": ("overdue", APP_STARTS, "?", ""),
    "ready": ("ready", [DONE] * 4, "", "Open Team Wiki"),
    "waiting-for-capacity": ("waiting", STARTS, "?", "Try again now"),
    "waiting-for-quota": ("waiting", STARTS, "?", "Try again now"),
    "already-waking": ("waking", STARTS, "0.0", ""),
    "start-refused": ("waiting", STARTS, "?", "Try again now"),
    "start-refused-for-good": ("failed", [], "", ""),
    "failed": ("failed", [], "", "Try again now"),
    "failed-for-good": ("failed", [], "", "Try again now"),
    "on-hold": ("on-hold", [], "", ""),
    "on-hold-until": ("on-hold", [], "", ""),
    "gone": ("failed", [], "", ""),
    "no-address": ("refused", [], "", ""),
    "checking": ("checking", [], "?", "Try again now"),
    "not-permitted": ("failed", [], "", ""),
    "unknown-host": ("refused", [], "", ""),
}


def begin(front: Front, scene: str, **variables: str) -> None:
    """Sets a scene that stays as it is: the page's script asks for nothing but where asking is part of the scene."""
    front.world.begin(scene, CATNAP_WAKE_ON="visit" if SCENES[scene].get("asks") else "click", **variables)


@pytest.fixture
def tab(page: Page, front: Front) -> Tab:
    return Tab(page, front)


def violations(page: Page) -> list[str]:
    """What axe finds. The page's clock stands, or has to be made to run for axe's own timers."""
    page.evaluate(f"void (globalThis.axe || (() => {{ {AXE} }})())")
    page.evaluate("""tags => {
        const told = it => it.nodes.map(node => `${it.id}: ${node.target} ${node.failureSummary}`);
        globalThis.found = null;
        axe.run({runOnly: tags, resultTypes: ["violations"]}).then(
            it => found = {rules: it.passes.length, wrong: it.violations.flatMap(told)});
    }""", WCAG)
    end = time.monotonic() + 20
    while not (found := page.evaluate("found")):
        assert time.monotonic() < end, "axe does not end"
        if page.evaluate("'__pwClock' in globalThis"):
            page.clock.run_for(1)
    assert found["rules"] > 10, "it did look"
    wrong: list[str] = found["wrong"]
    return wrong


def overflows(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_every_scene_has_its_row() -> None:
    assert TABLE.keys() == SCENES.keys()


@pytest.mark.parametrize("scene", SCENES)
def test_a_phase_is_told_in_words_steps_and_a_bar_and_axe_finds_nothing(tab: Tab, front: Front, scene: str) -> None:
    begin(front, scene, **LOOK)
    tab.open()
    tells_its_phase(tab, *TABLE[scene])
    title = tab.text("title")
    assert (title == "There is no app here") == ("Team Wiki" not in title) == (scene == "unknown-host"), "by its name"
    for scheme in ("light", "dark"):
        for name, size in (("phone", PHONE), ("desktop", DESKTOP)):
            tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            tab.page.set_viewport_size(size)
            assert violations(tab.page) == [], f"{scheme}, {name}"
            SHOTS.mkdir(parents=True, exist_ok=True)
            tab.page.screenshot(path=SHOTS / f"{scene}-{scheme}-{name}.png")
            assert not overflows(tab.page)
    tab.page.set_viewport_size({"width": 320, "height": 256})  # 1280 × 1024 at 400 %
    assert not overflows(tab.page)


def tells_its_phase(tab: Tab, phase: str, steps: list[str], bar: str, button: str) -> None:
    page = tab.page
    assert (tab.phase, tab.steps()) == (phase, steps)
    progress = page.get_by_role("progressbar", name="How far the waking is")
    assert progress.count() == (1 if bar else 0)
    if not bar:
        assert not tab.shows("bar")
    elif bar == "?":
        assert tab.shows("bar") and tab.bar is None and "so far" in tab.text("clock")
    else:
        assert tab.shows("bar") and f"{tab.bar:.1f}" == bar and "of usually about 90 s" in tab.text("clock")
    buttons = [it.inner_text() for it in page.locator("button, a.button").all() if it.is_visible()]
    assert buttons == ([button] if button else [])
    assert tab.title.endswith(tab.text("title"))
    assert APP in page.inner_text("main"), "by its host as well"
    assert len(tab.text("detail")) > 10
    assert page.get_attribute("text=Get help", "href") == LOOK["CATNAP_SUPPORT_URL"]


@pytest.mark.parametrize("scene", [scene for scene in SCENES if not SCENES[scene].get("asks")])
def test_axe_finds_nothing_where_the_script_does_not_run(page: Page, front: Front, scene: str) -> None:
    begin(front, scene, **LOOK)

    def no_script(answer: dict[str, Any]) -> dict[str, Any]:
        policy = re.sub("script-src [^;]*", "script-src 'none'", answer["headers"]["content-security-policy"])
        return {**answer, "headers": {**answer["headers"], "content-security-policy": policy}}

    front.doctor = no_script
    page.goto(HOME)
    assert page.evaluate("typeof moods") == "undefined", "the script did not run"
    assert violations(page) == []


@pytest.mark.parametrize("scene", SCENES)
def test_it_stays_below_20_kb_however_much_is_set(front: Front, scene: str) -> None:
    begin(front, scene, **LONGEST)
    if SCENES[scene].get("asks"):
        front.answer("POST", APP, "/.catnap/wake", {"x-catnap": "wake"})
    for path in ("/", "/" + "x" * 9_000):
        answer = front.answer("GET", APP, path, {"accept": "text/html", "user-agent": "Mozilla/5.0"})
        assert answer["body"].startswith("<!doctype html>") and len(answer["body"].encode()) < 20_000


@pytest.mark.parametrize("zoom", [2, 4])
def test_zoomed_in_with_wide_letters_and_a_long_name_it_can_all_be_read(
    new_page: NewPage, front: Front, zoom: int
) -> None:
    begin(front, "overdue", **{**LONGEST, "CATNAP_APP_NAME": "W" * 80})
    page = new_page(viewport={"width": 1280 // zoom, "height": 1024 // zoom}, device_scale_factor=zoom)
    page.goto(HOME)
    page.evaluate("""() => { const wide = new CSSStyleSheet(); document.adoptedStyleSheets.push(wide); wide.replaceSync(
        '* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }') }""")
    assert not overflows(page)
    cut = page.evaluate("[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1"
                        " && getComputedStyle(e).display !== 'inline').map(e => e.id || e.tagName)")
    assert cut == []


@pytest.mark.parametrize("accent", ["#000000", "#ffffff", "#ffcc00"])
def test_any_accent_can_be_read(tab: Tab, front: Front, accent: str) -> None:
    begin(front, "waiting-for-capacity", **{**LOOK, "CATNAP_ACCENT_COLOR": accent})
    tab.open()
    assert tab.shows("bar") and tab.shows("press")
    for scheme in ("light", "dark"):
        tab.page.emulate_media(color_scheme=scheme)
        assert violations(tab.page) == []


def test_motion_is_for_those_who_want_it(tab: Tab, front: Front) -> None:
    begin(front, "overdue")
    tab.open()
    moves = "document.getAnimations().filter(it => it.playState === 'running').length"
    for wish, expected in (("no-preference", True), ("reduce", False)):
        tab.page.emulate_media(reduced_motion=wish)
        assert (tab.page.evaluate(moves) > 0) == expected, wish


def test_in_forced_colours_the_bar_is_the_systems(tab: Tab, front: Front) -> None:
    begin(front, "starting")
    tab.open()
    appearance = "getComputedStyle(bar).appearance"
    assert tab.page.evaluate(appearance) == "none"
    tab.page.emulate_media(forced_colors="active")
    assert tab.page.evaluate(appearance) == "auto"
