"""Seconds from the app's first answer to the tab that shows it, by strategy, gateway and app: a table in Markdown.

    PYTHONPATH=wire python -m handoff.bench [--strategies plain,poll,bridge] [--idle 10,60,350] [--kinds quiet,polling]
        [--browsers chromium,firefox] [--http3] [--neighbour] [--times 24] [--cap 420]

Each cell takes up to `--cap` real seconds, since a browser's own caches are what is measured, and most of that is
waiting: `--beside` cells run at a time, each in a network of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import time
from dataclasses import asdict
from itertools import repeat
from pathlib import Path
from typing import Any

from handoff import lab
from handoff.app import KINDS
from handoff.cell import STRATEGIES, VIEWS_EVERY, Cell, Result, knows_bridge
from handoff.visitor import version

# Seconds from running until the app answers: spread evenly over what lies between two polls of a page, so that no
# strategy has the luck of always asking at the right moment.
BOOT, SPREAD, GOLDEN = 20.0, 5.0, 0.618034
REST = 120  # seconds that a cell may take beside: browsers start slowly where the machine is busy


def main() -> int:
    options = argparse.ArgumentParser(description="Measures how a waiting visitor gets to the app, in Chromium.")
    options.add_argument("--strategies", default=",".join(STRATEGIES), type=lab.words)
    options.add_argument("--idle", default="10,60,350", type=lab.words, help="seconds after which the gateway closes")
    options.add_argument("--kinds", default=",".join(KINDS), type=lab.words, help="what the app's page does")
    options.add_argument("--turns-after", default="65", type=lab.words, help="seconds: 65, 22 or 12")
    options.add_argument("--browsers", default="chromium", type=lab.words, help="chromium, firefox")
    options.add_argument("--http3", action="store_true", help="the instance serves HTTP/3 too (needs Caddy)")
    options.add_argument("--neighbour", action="store_true", help="somebody else asks the same resolver all the time")
    options.add_argument("--times", default=1, type=int, help="runs of each cell")
    options.add_argument("--cap", default=420, type=float, help="seconds after which nobody waits any longer")
    options.add_argument("--beside", default=9, type=int, help="cells that run side by side")
    options.add_argument("--raw", type=Path, help="a file for each cell's result, one line of JSON each")
    chosen = options.parse_args()
    lab.must_work()
    strategies = [name for name in chosen.strategies if name != "bridge" or knows_bridge()]
    if strategies != chosen.strategies:
        print("This starter has no strategy to choose: the cells of bridge are left out.", file=sys.stderr)
    cells = [
        Cell(
            strategy, int(idle), kind, float(turns_after), boot=BOOT + SPREAD * (number * GOLDEN % 1), cap=chosen.cap,
            browser=browser, http3=chosen.http3, neighbour=chosen.neighbour,
        )
        for number, (browser, strategy, turns_after, idle, kind, _) in enumerate(itertools.product(
            chosen.browsers, strategies, chosen.turns_after, chosen.idle, chosen.kinds, range(chosen.times)))
    ]
    results = measure(cells, chosen.beside, chosen.raw)
    print(table(results))
    browsers = ", ".join(version(name) for name in chosen.browsers)
    print(f"\n{browsers}; {chosen.beside} cells side by side, nobody waits for longer than {chosen.cap:g} s.")
    return 1 if any(result.failed for result in results) else 0


def measure(cells: list[Cell], beside: int = 1, raw: Path | None = None) -> list[Result]:
    """Runs the cells, tells of each as it ends, and gives their results in the cells' order."""
    began, done, turn = time.monotonic(), itertools.count(1), threading.Lock()

    def one(cell: Cell) -> Result:
        result = run(cell)
        with turn:
            took = time.monotonic() - began
            print(f"[{took:5.0f} s] {next(done)}/{len(cells)} {line(result)}", file=sys.stderr, flush=True)
            if raw:
                with raw.open("a") as file:
                    file.write(json.dumps(asdict(result)) + "\n")
        return result

    return lab.side_by_side(one, cells, beside)


def run(cell: Cell) -> Result:
    """One cell, in a network of its own."""
    seconds = cell.cap + cell.boot + REST
    said, errors = lab.run_inside("handoff.cell", json.dumps(asdict(cell)), seconds=seconds)
    try:
        return read(json.loads(said))
    except ValueError:
        return Result(cell, failed=f"no result: {errors.strip()[-2000:]}")


def read(result: dict[str, Any]) -> Result:
    return Result(**{**result, "cell": Cell(**result["cell"])})


def line(result: Result) -> str:
    cell = result.cell
    told = f"{cell.browser}, {cell.strategy}, gateway {cell.idle} s, {cell.kind}: "
    if result.failed:
        return told + f"FAILED: {result.failed}"
    screen, direct = "never on screen", "never direct"
    if result.screen is not None:
        screen = f"on screen after {result.screen} s ({result.screen_via})"
    if result.direct is not None:
        direct = f"direct after {result.direct} s"
    return told + f"{screen}, {direct}, in {result.watched:.0f} s"


HEAD = (
    "browser", "strategy", "check turns after", "gateway closes idle after", "the app's page", "app on screen",
    "tab talks to the instance itself", "requests bridged", "errors",
)


def table(results: list[Result]) -> str:
    """Markdown. A cell that was run more than once has all its figures."""
    rows: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        cell = result.cell
        browser = cell.browser + ", HTTP/3" * cell.http3 + ", shared resolver" * cell.neighbour
        key: tuple[str, ...] = browser, cell.strategy, f"{cell.turns_after:g} s", f"{cell.idle} s", cell.kind
        rows.setdefault(key, []).append(result)
    lines = [f"| {' | '.join(HEAD)} |", "| --- " * len(HEAD) + "|"]
    for key, runs in rows.items():
        figures = zip(*map(figures_of, runs))
        lines.append(f"| {' | '.join([*key, *(' / '.join(each) for each in figures)])} |")
    lines += ["", *map(summary, dict.fromkeys((it.cell.browser, it.cell.strategy) for it in results), repeat(results))]
    reader = f"A quiet page is left for the next one every {VIEWS_EVERY} s once it is on the screen."
    return "\n".join([*lines, "", reader])


def summary(of: tuple[str, str], results: list[Result]) -> str:
    """How long one strategy takes in one browser, over all cells: those that never arrive count as the longest."""
    times = [it.screen for it in results if (it.cell.browser, it.cell.strategy) == of]
    arrived = sorted(time for time in times if time is not None)
    if not arrived:
        return f"{', '.join(of)}: never on screen in {len(times)} runs."
    middle = (len(times) - 1) // 2
    median = f"{arrived[middle]:.1f} s" if middle < len(arrived) else "never"
    worst = f"{arrived[-1]:.1f} s" if len(arrived) == len(times) else f"never in {len(times) - len(arrived)} runs"
    return f"{', '.join(of)}: on screen in the median after {median}, at worst {worst}, over {len(times)} runs."


def figures_of(result: Result) -> list[str]:
    if result.failed:
        return ["failed"] * 4
    screen, direct = (
        f"never in {result.watched:.0f} s" if at is None else f"{at:.1f} s" for at in (result.screen, result.direct)
    )
    return [screen, direct, str(result.bridged), str(result.errors)]


if __name__ == "__main__":
    sys.exit(main())
