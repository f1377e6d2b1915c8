"""A visitor: headless Chromium, as it starts on anybody's desk but for the window, looked at through Playwright.

Nothing is intercepted, emulated or kept from the cache: each of these changes how a browser connects.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

from scene import HOST
from stand import clean_environment, wait_until

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-proxy-server",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--password-store=basic", "--remote-debugging-port=0", "--window-size=1280,800",
)


class BrowserFailed(RuntimeError):
    """What a browser said to a command."""


class Chromium:
    """Takes certificates of the authority with the public key `pin` for good, beside those that it knows."""

    def __init__(self, folder: Path, pin: str) -> None:
        self._folder, self._pin = folder, pin

    def __enter__(self) -> Chromium:
        self._folder.mkdir()
        flags = [
            *FLAGS, f"--user-data-dir={self._folder / 'profile'}", f"--ignore-certificate-errors-spki-list={self._pin}",
            f"--user-agent={agent()}",
            # Over HTTP/3 it takes public authorities only, but for the hosts of this list; nothing is at that port.
            f"--origin-to-force-quic-on={HOST}:9",
        ]
        environment = {**clean_environment(), "HOME": str(self._folder)}
        self._log = (self._folder / "chromium.log").open("wb")
        self._process = subprocess.Popen(
            [program(), *flags, "about:blank"], env=environment, stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(self._listens, "Chromium", 60)
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.connect_over_cdp(self._endpoint(), timeout=60_000)
        except BaseException:
            self._end()
            raise
        self._page = self._browser.contexts[0].pages[0]
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()
        self._end()

    def open(self, url: str) -> None:
        try:
            self._page.goto(url, wait_until="commit", timeout=60_000)
        except Error as error:
            raise BrowserFailed(str(error)) from None

    def run(self, script: str) -> str:
        """The text that an expression is worth in the page, once it is; empty where the page is just being left."""
        try:
            return str(self._page.evaluate(script))
        except Error as error:
            if "Execution context was destroyed" in str(error) or "navigat" in str(error):
                return ""
            raise BrowserFailed(str(error)) from None

    def press(self, identity: str) -> None:
        try:
            self._page.click(f"#{identity}", timeout=10_000, no_wait_after=True)
        except Error as error:
            raise BrowserFailed(str(error)) from None

    def wait(self, seconds: float) -> None:
        self._page.wait_for_timeout(seconds * 1000)

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            said = (self._folder / "chromium.log").read_text(errors="replace")
            raise RuntimeError(f"Chromium ended at once: {said[-2000:]}")
        return bool(self._endpoint())

    def _endpoint(self) -> str:
        path = self._folder / "profile" / "DevToolsActivePort"
        lines = path.read_text().splitlines() if path.exists() else []
        return f"http://127.0.0.1:{lines[0]}" if lines else ""


def program() -> str:
    """The browser itself, without the shell script that Debian starts it by."""
    for path in ("/usr/lib/chromium/chromium", shutil.which("chromium")):
        if path and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError("Chromium is not installed: sudo apt-get install chromium")


def version() -> str:
    said = subprocess.run([program(), "--version"], capture_output=True, text=True, timeout=60).stdout
    return said.split(" built ")[0].strip()


def agent() -> str:
    """What the same browser says with a window; without one it says HeadlessChrome, which is no person's."""
    major = re.sub(r"\D*(\d+).*", r"\1", version())
    return f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"
