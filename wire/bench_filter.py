"""Who wakes the app: the report of `shared/tests/wake_filter.rs`, which needs no binary and no AWS."""

from __future__ import annotations

import subprocess

from emulator import ROOT

COMMAND = [
    "cargo", "test", "--quiet", "--locked", "--no-default-features", "-p", "shared", "--test", "wake_filter",
    "--", "--nocapture", "the_report",
]


def measure_filter() -> str:
    said = subprocess.run(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    return "\n".join(line for line in said.splitlines() if line.startswith("wake filter"))
