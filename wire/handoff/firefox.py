"""The same visitor with Firefox, driven by WebDriver BiDi, which needs nothing beside the browser itself."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from emulator import free_port
from handoff.chromium import BrowserFailed
from stand import clean_environment, wait_until

# Firefox as installed, but for what it would ask of servers that do not exist here.
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.proxy.type": 0,
    "network.trr.mode": 5,
    "services.settings.server": "",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


class Firefox:
    """Takes any certificate: it has no flag for one authority."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def __enter__(self) -> Firefox:
        browser = program()
        if not browser:
            raise FileNotFoundError("Firefox is not installed: sudo apt-get install firefox-esr")
        profile = self._folder / "profile"
        profile.mkdir(parents=True)
        lines = (f'user_pref("{name}", {json.dumps(value)});' for name, value in PREFERENCES.items())
        (profile / "user.js").write_text("\n".join(lines))
        port = free_port()
        self._log = (self._folder / "firefox.log").open("wb")
        self._process = subprocess.Popen(
            [browser, "--headless", "--no-remote", "--profile", str(profile), f"--remote-debugging-port={port}"],
            env={**clean_environment(), "HOME": str(self._folder)}, stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._socket: ClientConnection | None = None
            wait_until(lambda: self._connects(port), "Firefox", 60)
            self._ask("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
            self._tab = self._ask("browsingContext.create", type="tab")["context"]
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def open(self, url: str) -> None:
        self._ask("browsingContext.navigate", context=self._tab, url=url, wait="interactive")

    def run(self, script: str) -> str:
        """The text that an expression is worth in the page, once it is; empty where the page is just being left."""
        target = {"context": self._tab}
        try:
            asked = {"expression": script, "target": target, "awaitPromise": True, "userActivation": True}
            said = self._ask("script.evaluate", **asked)
        except BrowserFailed as error:
            if "no such frame" in str(error) or "AbortError" in str(error) or "discarded" in str(error):
                return ""
            raise
        if said["type"] != "success":
            raise BrowserFailed(str(said.get("exceptionDetails", {}).get("text")))
        return str(said["result"].get("value"))

    def press(self, identity: str) -> None:
        self.run(f"document.getElementById({json.dumps(identity)}).click()")

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def _ask(self, method: str, **parameters: Any) -> Any:
        assert self._socket
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(timeout=120))
            if said.get("id") == number:
                if said["type"] == "error":
                    raise BrowserFailed(f"{said['error']}: {said['message']}")
                return said["result"]

    def _connects(self, port: int) -> bool:
        if self._process.poll() is not None:
            said = (self._folder / "firefox.log").read_text(errors="replace")
            raise RuntimeError(f"Firefox ended at once: {said[-2000:]}")
        try:
            self._socket = connect(f"ws://127.0.0.1:{port}/session", max_size=None, proxy=None)
        except OSError:
            return False
        return True

    def _end(self) -> None:
        if self._socket:
            self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def is_installed() -> bool:
    return program() is not None


def program() -> str | None:
    return shutil.which("firefox-esr") or shutil.which("firefox")


def version() -> str:
    said = subprocess.run([program() or "firefox", "--version"], capture_output=True, text=True, timeout=60).stdout
    return said.strip()
