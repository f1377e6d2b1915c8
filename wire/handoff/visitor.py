"""The visitor's browser, whichever it is."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Iterator, Union

from handoff.chromium import Chromium
from handoff.firefox import Firefox

Visitor = Union[Chromium, Firefox]


@contextlib.contextmanager
def visitor(browser: str, folder: Path, pin: str) -> Iterator[Visitor]:
    """A browser with one tab. Its profile and its log go into the folder, which is made."""
    started: Visitor = Firefox(folder) if browser == "firefox" else Chromium(folder, pin)
    with started as tab:
        yield tab
