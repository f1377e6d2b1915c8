"""A tab with the waiting page, whose clock and whose world's clock go forward together and only when told to."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from front import APP, Front
from playwright.sync_api import Error, Page

BEGIN = datetime(2026, 3, 1, 8, tzinfo=timezone.utc)
HIDE = """for (const [name, of] of [["visibilityState", () => globalThis.catnapHidden ? "hidden" : "visible"],
                                   ["hidden", () => Boolean(globalThis.catnapHidden)]])
    Object.defineProperty(document, name, {get: of, configurable: true});"""
# A page of the app has nothing of that name.
AT_REST = "document.readyState === 'complete' && (typeof polling === 'undefined' || !polling)"


class Tab:
    def __init__(self, page: Page, front: Front) -> None:
        self.page, self.front = page, front
        page.clock.install(time=BEGIN)
        page.clock.pause_at(BEGIN.timestamp() + 1)

    def open(self, path: str = "/", hidden: bool = False) -> None:
        self.page.add_init_script(f"globalThis.catnapHidden = {str(hidden).lower()};{HIDE}")
        self.page.goto(f"https://{APP}{path}")
        self.settle()

    def settle(self) -> None:
        """Until what the page has asked for is answered, and its script has taken it in."""
        end = time.monotonic() + 15
        while True:
            try:
                if not self.front.busy and self.page.evaluate(AT_REST):
                    return
            except Error:  # it is just navigating
                pass
            assert time.monotonic() < end, "the page does not come to rest"
            time.sleep(0.003)

    def wait(self, seconds: float, step: float = 1) -> None:
        while seconds > 0:
            step = min(step, seconds)
            self.front.world.seconds(step)
            self.page.clock.run_for(int(step * 1000))
            self.settle()
            seconds -= step

    def look_away(self, away: bool = True) -> None:
        change = "document.dispatchEvent(new Event('visibilitychange'))"
        self.page.evaluate(f"globalThis.catnapHidden = {str(away).lower()}; {change}")
        self.settle()

    def look_back(self) -> None:
        self.look_away(False)

    def touch(self) -> None:
        """A hand on the mouse."""
        self.page.mouse.move(5, 5)
        self.page.mouse.move(9, 9)
        self.settle()

    def press(self) -> None:
        self.page.click("#press")
        self.settle()

    @property
    def phase(self) -> str:
        return str(self.page.get_attribute("main", "data-phase"))

    @property
    def title(self) -> str:
        return self.page.title()

    @property
    def icon(self) -> str:
        return str(self.page.get_attribute("#icon", "href"))

    def text(self, id: str) -> str:
        return self.page.inner_text(f"#{id}").strip()

    @property
    def bar(self) -> float | None:
        """How full the bar is; none when it does not say."""
        share: float | None = self.page.evaluate("bar.hasAttribute('value') ? bar.value : null")
        return share

    def shows(self, id: str) -> bool:
        return self.page.is_visible(f"#{id}")

    def steps(self) -> list[str]:
        """done, now or later for each step; empty when no steps are shown."""
        state = "li => li.ariaCurrent === 'step' ? 'now' : li.className || 'later'"
        states: list[str] = self.page.evaluate(f"steps.hidden ? [] : [...steps.children].map({state})")
        return states
