"""A crowd at a sleeping app: many visits at once over independent starters, as Lambda gives each request its own.

    python wire/load.py [--visits 1000] [--starters 20]

A visit is what a browser does: the page, the wake call of its script, one look at the status. Each starter is a process
of its own under AWS's runtime emulator and takes one request at a time; what they share is EC2, with its bucket for
StartInstances. Each answer is held against what a visitor may see while an app wakes up.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Sequence

from emulator import FunctionFailed, Lambda, binary, http_event
from scene import add_target, body, status_poll, wake_call
from stand import Moto

START_BUCKET = {"size": 5, "refill": 2}  # EC2 API Reference, "Throttling"
PENDING = 60.0  # seconds: longer than the crowd stays
GOOD = {"asleep", "waking", "already-waking", "booting"}  # as reasons; all others are a failure or another state


@dataclass
class Crowd:
    """What came of the visits."""

    visits: int
    starters: int
    seconds: float = 0
    took: list[float] = field(default_factory=list)  # of each answer, seconds
    seen: Counter[str] = field(default_factory=Counter)  # kind of answer and reason
    errors: list[str] = field(default_factory=list)
    starts: int = 0

    def quantile(self, part: float) -> float:
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    def __str__(self) -> str:
        throttled = sum(count for what, count in self.seen.items() if what.endswith("already-waking"))
        return (
            f"load: {self.visits:,} visits ({len(self.took):,} answers) in {self.seconds:.1f} s over {self.starters} "
            f"starters on {os.cpu_count()} cores: {self.starts} StartInstances, {throttled} answers \"already waking\", "
            f"{len(self.errors)} visitors saw an error; an answer took p50 {self.quantile(0.5) * 1000:.0f} ms, "
            f"p99 {self.quantile(0.99) * 1000:.0f} ms, at most {self.quantile(1) * 1000:.0f} ms"
        )


def measure_load(visits: int, starters: int, command: Path) -> Crowd:
    with Moto() as moto:
        return crowd(moto, visits, starters, command)


def crowd(moto: Moto, visits: int, starters: int, command: Path) -> Crowd:
    """Lets the visits come, all at once, to an app that sleeps."""
    target = add_target(moto)
    moto.client("ec2").stop_instances(InstanceIds=[target.instance])
    moto.set_phases(pending=PENDING)
    moto.throttle("StartInstances", **START_BUCKET)
    environment = target.settings()
    found = Crowd(visits, starters)
    with contextlib.ExitStack() as open_ones:
        names = [f"starter {number}" for number in range(starters)]
        functions = [open_ones.enter_context(Lambda(command, environment, name)) for name in names]
        began = time.perf_counter()
        in_turns(functions, visits, lambda function: visit(function, found))
        found.seconds = time.perf_counter() - began
    found.starts = len(moto.calls("StartInstances"))
    return found


def in_turns(functions: Sequence[Lambda], visits: int, come: Callable[[Lambda], None]) -> None:
    """Each function takes the next visit when it has done with one."""
    left = iter(range(visits))
    lock = threading.Lock()

    def serve(function: Lambda) -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            come(function)

    threads = [threading.Thread(target=serve, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def visit(function: Lambda, found: Crowd) -> None:
    requests = (http_event(), wrong_page), (wake_call(), wrong_json(202)), (status_poll(), wrong_json(200))
    try:
        for event, wrong in requests:
            began = time.perf_counter()
            answer = function.invoke(event)
            found.took.append(time.perf_counter() - began)
            kind = f"{answer['statusCode']} {reason_of(answer)}"
            found.seen[kind] += 1
            if wrong(answer):
                found.errors.append(kind)
                return
    except FunctionFailed as error:
        found.errors.append(str(error))


def reason_of(answer: dict[str, Any]) -> str:
    """The reason in a page's settings or in the JSON."""
    said = re.search(r'"reason":"([a-z-]+)"', answer["body"])
    return said[1] if said else "none"


def wrong_page(answer: dict[str, Any]) -> bool:
    page = answer["statusCode"] == 503 and answer["headers"]["content-type"].startswith("text/html")
    return not page or reason_of(answer) not in GOOD


def wrong_json(code: int) -> Callable[[dict[str, Any]], bool]:
    return lambda answer: answer["statusCode"] != code or body(answer)["reason"] not in GOOD


def main() -> None:
    options = argparse.ArgumentParser(description="A crowd at a sleeping app.")
    options.add_argument("--visits", type=int, default=1000)
    options.add_argument("--starters", type=int, default=20)
    chosen = options.parse_args()
    found = measure_load(chosen.visits, chosen.starters, binary("starter"))
    print(found)
    print(", ".join(f"{count} x {what}" for what, count in found.seen.most_common()))
    for error in found.errors[:5]:
        print(error)


if __name__ == "__main__":
    main()
