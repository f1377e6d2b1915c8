"""The sandbox's page as a person has it: the program, and a browser tab that looks at it."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import urllib.request
from typing import Any, Callable, Iterator

from emulator import ROOT
from playwright.sync_api import FrameLocator, Locator, Page, expect

BINARY = ROOT / "target" / "debug" / "sandbox"
OPENS = {"Open the app", "Open", "Reload"}  # buttons that lead the window somewhere; the others act on the world
ADDRESS = re.compile(r"http://[\d.]+:\d+")


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The program, and where its page is."""
    if not BINARY.is_file():
        raise FileNotFoundError(f"{BINARY} is missing: `cargo build -p sandbox` builds it")
    pipe = subprocess.PIPE
    with subprocess.Popen([BINARY, *arguments], stdout=pipe, stderr=pipe, text=True) as program:
        try:
            assert program.stdout
            told = program.stdout.readline()
            address = ADDRESS.search(told)
            assert address, told
            yield address[0], program
        finally:
            program.send_signal(signal.SIGINT)
            program.wait(10)


class Tab:
    """What is on the page, by the names that people see."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    def act(self, **command: Any) -> None:
        """Behind the page's back."""
        body = json.dumps(command).encode()
        request = urllib.request.Request(f"{self.url}/do", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200

    def open(self) -> None:
        self.page.goto(self.url)
        expect(self.page.locator("#clock")).not_to_have_text("–")

    def does(self, act: Callable[[], Any]) -> None:
        """Waits until the sandbox has taken what a person did: `act` behind the page's back must not overtake it."""
        with self.page.expect_response("**/do"):
            act()

    def press(self, name: str) -> None:
        button = self.page.get_by_role("button", name=name, exact=True)
        if name in OPENS:
            button.click()
        else:
            self.does(button.click)

    def choose(self, name: str) -> None:
        radio = self.page.get_by_role("radio", name=name, exact=True)
        if radio.get_attribute("name") == "range":  # the page's own
            radio.check()
        elif not radio.is_checked():
            self.does(radio.click)

    def turn(self, name: str, on: bool = True) -> None:
        expect(self.switch(name)).to_be_checked(checked=not on)
        self.does(self.switch(name).click)

    def select(self, name: str, value: str) -> None:
        self.does(lambda: self.field(name).select_option(value))

    def fill(self, name: str, value: str) -> None:
        self.field(name).fill(value)
        self.does(lambda: self.field(name).press("Enter"))

    def switch(self, name: str) -> Locator:
        return self.page.get_by_role("switch", name=name)

    def field(self, name: str) -> Locator:
        return self.page.get_by_label(name, exact=True)

    @property
    def window(self) -> FrameLocator:
        return self.page.frame_locator("#frame")

    @property
    def state(self) -> Locator:
        return self.page.locator("#state")

    def line(self, text: str | re.Pattern[str]) -> Locator:
        """The newest line of what happens that says this."""
        return self.page.locator("#lines li").filter(has_text=text).first

    def happens(self, text: str | re.Pattern[str], seconds: float = 15) -> None:
        expect(self.line(text)).to_be_visible(timeout=seconds * 1000)

    @property
    def clock(self) -> str:
        return self.page.locator("#clock").inner_text()


# Opens the page in a browser of its own.
NewTab = Callable[..., Tab]
