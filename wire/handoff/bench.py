"""Seconds from the app's first answer to the tab that shows it, by strategy, gateway and app: a table in Markdown.

    python -m handoff.bench [--strategies plain,poll,bridge] [--idle 10,60,350] [--kinds quiet,polling,websocket]

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
from pathlib import Path
from typing import Any

from handoff import lab
from handoff.app import KINDS
from handoff.cell import STRATEGIES, VIEWS_EVERY, Cell, Result
from handoff.chromium import version

BOOT_AND_REST = 120  # seconds of a cell before the app's first answer and after its end, at most


def main() -> int:
    options = argparse.ArgumentParser(description="Measures how a waiting visitor gets to the app, in Chromium.")
    options.add_argument("--strategies", default=",".join(STRATEGIES), type=lab.words)
    options.add_argument("--idle", default="10,60,350", type=lab.words, help="seconds until the gateway closes a connection")
    options.add_argument("--kinds", default=",".join(KINDS), type=lab.words, help="what the app's page does")
    options.add_argument("--turns-after", default="65", type=lab.words, help="seconds until the health check turns: 65, 22, 12")
    options.add_argument("--times", default=1, type=int, help="runs of each cell")
    options.add_argument("--cap", default=420, type=float, help="seconds after which nobody waits any longer")
    options.add_argument("--beside", default=9, type=int, help="cells that run side by side")
    options.add_argument("--raw", type=Path, help="a file for each cell's result, one line of JSON each")
    chosen = options.parse_args()
    lab.must_work()
    cells = [
        Cell(strategy, int(idle), kind, turns_after=float(turns_after), cap=chosen.cap)
        for _, turns_after, strategy, idle, kind in itertools.product(
            range(chosen.times), chosen.turns_after, chosen.strategies, chosen.idle, chosen.kinds)
    ]
    results = measure(cells, chosen.beside, chosen.raw)
    print(f"\nChromium {version()}, {chosen.beside} cells side by side, nobody waits for longer than {chosen.cap:g} s.\n")
    print(table(results))
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
    said, errors = lab.run_inside("handoff.cell", json.dumps(asdict(cell)), seconds=cell.cap + cell.boot + BOOT_AND_REST)
    try:
        return read(json.loads(said))
    except ValueError:
        return Result(cell, failed=f"no result: {errors.strip()[-2000:]}")


def read(result: dict[str, Any]) -> Result:
    return Result(**{**result, "cell": Cell(**result["cell"])})


def line(result: Result) -> str:
    cell = result.cell
    told = f"{cell.strategy}, gateway {cell.idle} s, {cell.kind}: "
    if result.failed:
        return told + f"FAILED: {result.failed}"
    screen = f"on screen after {result.screen} s ({result.screen_via})" if result.screen is not None else "never on screen"
    direct = f"direct after {result.direct} s" if result.direct is not None else "never direct"
    return told + f"{screen}, {direct}, in {result.watched:.0f} s"


def table(results: list[Result]) -> str:
    """Markdown. A cell that was run more than once has all its figures."""
    rows: dict[tuple[Any, ...], list[Result]] = {}
    for result in results:
        cell = result.cell
        rows.setdefault((cell.strategy, cell.turns_after, cell.idle, cell.kind), []).append(result)
    lines = [
        "| strategy | check turns after | gateway closes idle after | the app's page | app on screen | tab talks to the "
        "instance itself | connections to the gateway | requests bridged |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (strategy, turns_after, idle, kind), runs in rows.items():
        cells = [
            " / ".join(each(result) for result in runs) for each in (screen, direct, connections, bridged)
        ]
        lines.append(f"| {strategy} | {turns_after:g} s | {idle} s | {kind} | {' | '.join(cells)} |")
    reader = f"A quiet page is left for the next one every {VIEWS_EVERY} s once it is on the screen."
    return "\n".join([*lines, "", reader])


def screen(result: Result) -> str:
    return "failed" if result.failed else seconds(result.screen, result)


def direct(result: Result) -> str:
    return "failed" if result.failed else seconds(result.direct, result)


def connections(result: Result) -> str:
    return str(result.connections)


def bridged(result: Result) -> str:
    return str(result.bridged)


def seconds(value: float | None, result: Result) -> str:
    return f"never in {result.watched:.0f} s" if value is None else f"{value:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
