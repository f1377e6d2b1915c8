"""The visitor's browser, whichever it is."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Iterator, Union

from handoff import chromium, firefox

Visitor = Union[chromium.Chromium, firefox.Firefox]


@contextlib.contextmanager
def visitor(browser: str, folder: Path, pin: str) -> Iterator[Visitor]:
    """A browser with one tab. Its profile and its log go into the folder, which is made."""
    started: Visitor = firefox.Firefox(folder) if browser == "firefox" else chromium.Chromium(folder, pin)
    with started as tab:
        yield tab


def version(browser: str) -> str:
    return firefox.version() if browser == "firefox" else chromium.version()
