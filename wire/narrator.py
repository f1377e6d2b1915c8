"""Prints the demo's story: numbered steps with the time of each line, and the tables at its end."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from datetime import datetime
from typing import Sequence

WIDTH = 100
BARS = "▁▂▃▄▅▆▇█"


class Narrator:
    def __init__(self) -> None:
        self.coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.took: list[tuple[str, float]] = []
        self.began = self.step_began = time.monotonic()
        self.current = ""

    def title(self, text: str) -> None:
        print(self.paint("1", text))

    def step(self, text: str) -> None:
        self.end_step()
        self.current, self.step_began = text, time.monotonic()
        print(f"\n{self.paint('1;36', f'{len(self.took) + 1}  {text}')}", flush=True)

    def end_step(self) -> None:
        if self.current:
            self.took.append((self.current, time.monotonic() - self.step_began))
            self.current = ""

    def say(self, who: str, text: str, colour: str = "") -> None:
        clock = self.paint("2", datetime.now().strftime("%H:%M:%S"))
        head = f"{who:<9}"
        for number, line in enumerate(textwrap.wrap(text, WIDTH - 23) or [""]):
            left = f"   {clock}  {self.paint(colour, head)}" if number == 0 else " " * 22
            print(f"{left}  {line}", flush=True)

    def note(self, text: str) -> None:
        for line in textwrap.wrap(text, WIDTH - 3):
            print(f"   {self.paint('2;3', line)}", flush=True)

    def bars(self, label: str, values: Sequence[float], line: float) -> None:
        """Each value as a bar; those above the line in colour."""
        if not (sys.stdout.encoding or "").lower().startswith("utf"):
            return
        top = max(values)
        shown = ""
        for value in values:
            bar = BARS[min(len(BARS) - 1, int(value / top * len(BARS)))]
            shown += self.paint("33", bar) if value > line else bar
        print(f"{' ' * 24}{shown}  {label}", flush=True)

    def table(self, title: str, rows: Sequence[Sequence[str]]) -> None:
        print(f"\n{self.paint('1', title)}")
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            cells = [f"{cell:>{width}}" if is_number(cell) else f"{cell:<{width}}" for cell, width in zip(row, widths)]
            print("   " + "  ".join(cells).rstrip())

    def times(self) -> None:
        self.end_step()
        rows = [[text, f"{took:.1f} s"] for text, took in self.took]
        self.table("How long it took", [*rows, ["all in all", f"{time.monotonic() - self.began:.1f} s"]])

    def paint(self, colour: str, text: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self.coloured and colour else text


def is_number(cell: str) -> bool:
    return cell.removesuffix(" s").replace(".", "").isdigit()
