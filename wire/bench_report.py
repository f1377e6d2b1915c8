"""The benchmark's table: figures, ratios, and the aims beside them."""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING, Callable, Sequence

if TYPE_CHECKING:
    from bench import Contender

TIMES_FASTER = 60  # than Python, to the first answer
TIMES_THE_FLOOR = 2.5
TIMES_LESS_MEMORY = 12
ZIP_BYTES = 2_800_000


def print_report(contenders: Sequence[Contender], missing: str) -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    catnap, python, floor = contenders
    rows = [["", *(contender.name for contender in contenders), "Python / Catnap", "Catnap / floor", "aim"]]

    def row(
        what: str, figures: Callable[[Contender], float], show: Callable[[float], str],
        faster: float | None = None, floor_times: float | None = None,
    ) -> None:
        ours, theirs, least = (figures(contender) for contender in contenders)
        aims = []
        if faster:
            aims.append(f"at least {faster:g} x: {verdict(theirs / ours >= faster)}")
        if floor_times:
            aims.append(f"at most {floor_times:g} x: {verdict(ours / least <= floor_times)}")
        ratios = [f"{theirs / ours:.1f} x", f"{ours / least:.2f} x"]
        rows.append([what, show(ours), show(theirs), show(least), *ratios, ", ".join(aims)])

    for scenario in catnap.starts:
        row(f"first answer, {scenario}", lambda it: statistics.median(it.starts[scenario]), milliseconds,
            TIMES_FASTER, TIMES_THE_FLOOR)
        row("  nine of ten within", lambda it: quantile(it.starts[scenario], 0.9), milliseconds)
    row("warm answer, https, p50", lambda it: statistics.median(it.warm), milliseconds)
    row("  p99", lambda it: quantile(it.warm, 0.99), milliseconds)
    row("peak memory at the first answer", lambda it: statistics.median(it.first_memory), megabytes, TIMES_LESS_MEMORY)
    row("  after the warm ones", lambda it: it.warm_memory, megabytes, TIMES_LESS_MEMORY)
    sizes = [megabytes(it.zipped) for it in contenders]
    small = f"below {megabytes(ZIP_BYTES)}: {verdict(catnap.zipped < ZIP_BYTES)}"
    rows.append(["zip", *sizes, "", f"{catnap.zipped / floor.zipped:.2f} x", small])

    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    for line in rows:
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths))
        print("  ".join([line[0].ljust(widths[0]), *others[:-1], line[-1]]).rstrip())

    print()
    runs = ", ".join(f"{len(times)} {scenario}" for scenario, times in catnap.starts.items())
    print(f"Starts of each: {runs}; medians. Warm answers of each: {len(catnap.warm)}.")
    for it in contenders:
        calls = it.warm_calls / len(it.warm)
        print(f"{it.name} answered {it.status}; EC2 calls for one warm answer: {calls:.2f}.")
    print(f"{python.name}'s zip is its handler alone: boto3 comes with Lambda's runtime.")
    print(f"{floor.name} is an empty lambda_http function: it asks EC2 for nothing, so https changes nothing for it.")
    if missing:
        print(missing)


def verdict(met: bool) -> str:
    return "met" if met else "missed"


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.001 else f"{seconds * 1000:.2f} ms"


def megabytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} KB"
