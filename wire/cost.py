"""What Catnap costs, by formula: prices, what of each is used, and the tables of the README that come of it.

    python wire/cost.py           prints the tables
    python wire/cost.py --write   puts them into the README

A month has 730 hours. No free tier is counted. Prices are AWS's list prices of us-east-1 in US dollars, as of 2022 and 2023.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
HOURS = 730
BEGIN, END = "<!-- by wire/cost.py -->\n", "<!-- end -->\n"


@dataclass(frozen=True)
class Price:
    dollars: float
    per: str
    of: float = 1  # so many are in `per`
    sure: bool = False  # read in AWS's own documents; the others are to be checked


PRICES = {
    "health check of an endpoint in AWS": Price(0.50, "month"),
    "HTTPS or 10 s, each": Price(1.00, "month"),
    "public IPv4 address": Price(0.005, "hour"),
    "GetMetricData": Price(0.01, "1,000 metrics asked for", 1e3, sure=True),
    "custom metric": Price(0.30, "month, for the hours in which it reports", HOURS, sure=True),
    "alarm": Price(0.10, "month"),
    "dashboard": Price(3.00, "month from the account's fourth on"),
    "Lambda": Price(0.20, "million requests", 1e6),
    "its memory": Price(1.66667, "100,000 GB-seconds", 1e5),
    "HTTP API": Price(1.00, "million requests", 1e6),
    "Scheduler": Price(1.00, "million ticks", 1e6),
    "logs": Price(0.50, "GB", 1e9),
}
MEMORY_GB = 0.25
TICK_SECONDS = 1.0  # of one app, with a cold start; measured below that
METRICS_A_TICK = 4  # NetworkIn, HealthCheckStatus, Visits, Busy: of an instance that is awake
REQUEST_SECONDS = 0.1
# Of one wake: the page, its call, a question every 3 s for 90 s, and a page of the app with 40 parts over the bridge.
REQUESTS_A_WAKE = 1 + 1 + 30 + 41
METRICS_A_WAKE = 4  # Visits, Wakes, WakeSeconds, and Naps afterwards: an hour each
RECORD_BYTES = 1_500  # a line of the function's log and one of the API's
SCHEDULES = {"rate(1 hour)": HOURS, "rate(5 minutes)": 12 * HOURS}
ALARMS = 11  # one more with Steer
INSTANCES = {"t3.small": 0.0208, "t3.medium": 0.0416, "m7i.large": 0.1008}


def price(name: str) -> float:
    return PRICES[name].dollars / PRICES[name].of


def call(seconds: float) -> float:
    """One run of a function."""
    return price("Lambda") + seconds * MEMORY_GB * price("its memory") + RECORD_BYTES * price("logs")


def tick(awake: bool) -> float:
    """One tick over one instance."""
    asked = METRICS_A_TICK if awake else 0
    return price("Scheduler") + call(TICK_SECONDS) + asked * price("GetMetricData")


def wake() -> float:
    """One wake, from the visit to the nap, without what the instance costs."""
    return REQUESTS_A_WAKE * (price("HTTP API") + call(REQUEST_SECONDS)) + METRICS_A_WAKE * price("custom metric")


def ticks(schedule: str, awake_hours: float) -> float:
    """All ticks of a month with so many hours awake."""
    awake = SCHEDULES[schedule] * awake_hours / HOURS
    return awake * tick(True) + (SCHEDULES[schedule] - awake) * tick(False)


def fixed(schedule: str, awake_hours: float) -> float:
    """A month's costs that an instance without Catnap would not have, but for wakes. (The address it has as well.)"""
    return price("health check of an endpoint in AWS") + ticks(schedule, awake_hours)


def month(hourly: float, schedule: str, awake_hours: float, wakes: float) -> float:
    """What an instance costs in a month with Catnap: its hours and Catnap's own."""
    return hourly * awake_hours + fixed(schedule, awake_hours) + wakes * wake()


def break_even(hourly: float, schedule: str, wakes: float) -> float:
    """The hours asleep in a month from which on Catnap pays."""
    low, high = 0.0, float(HOURS)
    while high - low > 0.01:
        middle = (low + high) / 2
        pays = month(hourly, schedule, HOURS - middle, wakes) <= hourly * HOURS
        low, high = (low, middle) if pays else (middle, high)
    return high


def dollars(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 0.10 else f"${amount:.4f}" if amount >= 0.001 else f"${amount:.6f}"


def table(rows: list[list[str]]) -> str:
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "| --- " * len(rows[0]) + "|", *others]) + "\n"


def tables() -> str:
    """Two Markdown tables: what each part costs, and from when on it pays."""
    some = HOURS / 4
    check, option = price("health check of an endpoint in AWS"), price("HTTPS or 10 s, each")
    parts = [
        ["a month", "costs", "formula"],
        ["health check over HTTP, every 30 s", dollars(check), "one"],
        ["… over HTTPS, or every 10 s", dollars(check + option), "one, and one option"],
        ["… over HTTPS every 10 s", dollars(check + 2 * option), "one, and two options"],
    ]
    for schedule, count in SCHEDULES.items():
        parts.append([f"ticks at `{schedule}`, awake 6 hours a day", dollars(ticks(schedule, some)),
                      f"{count:,} × {dollars(tick(False))}, while awake {dollars(tick(True))}"])
    parts += [
        ["one wake", dollars(wake()), f"{REQUESTS_A_WAKE} requests, {METRICS_A_WAKE} metrics for an hour"],
        ["a metric that reports in every hour", dollars(HOURS * price("custom metric")), f"{HOURS} hours"],
        ["alarms, with `AlarmEmail`", dollars(ALARMS * price("alarm")),
         f"{ALARMS} × {dollars(price('alarm'))}; with `Steer` one more"],
        ["dashboard", f"$0 or {dollars(price('dashboard'))}", "an account's first three are free"],
        ["Elastic IP, awake or not", dollars(HOURS * price("public IPv4 address")), "any public IPv4 address costs that"],
    ]
    pays = [["instance", "always on", "awake 6 hours a day, 60 wakes", "pays from"]]
    for name, hourly in INSTANCES.items():
        hours = break_even(hourly, "rate(1 hour)", 60)
        pays.append([f"{name} at ${hourly}", dollars(hourly * HOURS), dollars(month(hourly, "rate(1 hour)", some, 60)),
                     f"{hours:.0f} hours asleep a month"])
    unsure = "; ".join(f"{name} {dollars(it.dollars)} per {it.per}" for name, it in PRICES.items() if not it.sure)
    note = f"Check these prices before you rely on them: {unsure}; and the instances' own.\n"
    return f"{table(parts)}\n{table(pays)}\n{note}"


def written(readme: str) -> str:
    """The README with the tables in their place."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + tables() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        README.write_text(written(README.read_text()))
    else:
        print(tables())
