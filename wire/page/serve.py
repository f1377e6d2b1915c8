"""`make page`: the waiting page on this machine, in every phase. `make screenshots`: the two in the README.

CATNAP_APP_NAME, CATNAP_ACCENT_COLOR, CATNAP_LOGO_URL and the others hold here too.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from emulator import ROOT
from front import SCENES, Front, World, serving

IMAGES = ROOT / "docs" / "images"
GALLERY = "/scenes/"


class Gallery(Front):
    """A front whose scenes are set by links, and in which time passes as it does outside."""

    began = time.monotonic()

    def begin(self, scene: str) -> None:
        here = {name: value for name, value in os.environ.items() if name.startswith("CATNAP_")}
        wake_on = "visit" if SCENES[scene].get("asks") else "click"
        self.world.begin(scene, **{"CATNAP_WAKE_ON": wake_on, **here, "CATNAP_STATUS_ORIGIN": ""})
        self.began = time.monotonic()

    def answer(self, method: str, host: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
        if path == GALLERY:
            links = "".join(f'<li><a href="{GALLERY}{scene}">{scene}</a>' for scene in SCENES)
            body = f'<!doctype html><meta charset="utf-8"><title>Scenes</title><ul>{links}</ul>'
            return {"statusCode": 200, "headers": {"content-type": "text/html"}, "body": body}
        if path.removeprefix(GALLERY) in SCENES:
            self.begin(path.removeprefix(GALLERY))
            return {"statusCode": 303, "headers": {"location": "/"}, "body": ""}
        now = time.monotonic()
        self.world.seconds(now - self.began)
        self.began = now
        return super().answer(method, host, path, headers)


def show(port: int) -> None:
    with World() as world, serving(Gallery(world), port) as front:
        front.begin("asleep")
        print(f"Every phase: http://localhost:{front.port}{GALLERY}   (Ctrl-C ends it)")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print()


def take_screenshots() -> None:
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(parents=True, exist_ok=True)
    os.environ["CATNAP_APP_NAME"] = "Team Wiki"
    with World() as world, serving(Gallery(world)) as front, sync_playwright() as playwright:
        chromium = os.environ.get("CATNAP_CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, scheme, width in (("waking", "light", 640), ("waking-phone", "dark", 390)):
            size = {"width": width, "height": 600}
            page = browser.new_page(viewport=size, color_scheme=scheme, device_scale_factor=1.5)
            page.goto(f"http://localhost:{front.port}{GALLERY}starting")
            page.screenshot(path=IMAGES / f"{name}.png")
            print(IMAGES / f"{name}.png", (IMAGES / f"{name}.png").stat().st_size, "bytes")
        browser.close()


if __name__ == "__main__":
    if "--screenshots" in sys.argv:
        take_screenshots()
    else:
        show(int(os.environ.get("PORT", "8000")))
