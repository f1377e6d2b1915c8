"""What one tick of the stopper costs for a fleet: calls, time, memory, and how they grow.

    python wire/bench_fleet.py [--stopper target/lambda/stopper/bootstrap] [--targets 100 1000 10000]

Every fiftieth instance has been idle for long enough and is stopped, each other one was used half an hour ago. The
stand-in meters calls as AWS's buckets do, so the time has in it what the stopper waits to stay within them. Where
this machine allows it, the stopper has no more of a core than Lambda gives it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench_servers import RuntimeApi
from cpu_share import CpuShare, NotHere
from emulator import binary
from fleet import Fleet, Instance

TARGETS = (100, 200, 1_000, 10_000)
IDLE = 50  # one in so many
MEMORY_MB = 256
CORES = MEMORY_MB / 1769  # Lambda gives one core for 1,769 MB
TIMEOUT = 300  # the function's, in seconds
OPERATIONS = ("DescribeInstances", "ListHealthChecks", "GetMetricData", "StopInstances")
AIMS = {"DescribeInstances": 10, "GetMetricData": 90}  # at most, for 10,000


@dataclass
class Tick:
    targets: int
    calls: Counter[str]
    throttled: int
    seconds: float
    cpu: float
    memory: int
    answer: int


def main() -> None:
    options = argparse.ArgumentParser(description="Measures a tick of the stopper over fleets.")
    options.add_argument("--stopper", type=Path, help="its binary (default: in CATNAP_BIN_DIR or target/debug)")
    options.add_argument("--targets", type=int, nargs="+", default=TARGETS)
    chosen = options.parse_args()
    asyncio.run(measure_fleets(chosen.stopper or binary("stopper"), chosen.targets))


async def measure_fleets(stopper: Path, targets: tuple[int, ...] = TARGETS) -> None:
    with contextlib.ExitStack() as stack:
        share, cores = None, "a whole core"
        try:
            share = stack.enter_context(CpuShare(CORES))
            cores = f"{CORES:.2f} of a core, as with {MEMORY_MB} MB of memory in Lambda"
        except NotHere as reason:
            cores += f" ({reason})"
        ticks = [await measure(stopper, count, share) for count in targets]
    report(ticks, cores)


async def measure(stopper: Path, count: int, share: CpuShare | None) -> Tick:
    instances = [Instance(number, quiet=90 if number % IDLE == 0 else 30) for number in range(count)]
    async with Fleet(instances, metered=True) as fleet, RuntimeApi(TIMEOUT) as api:
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "AWS_ENDPOINT_URL": fleet.endpoint, "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB), "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.port}",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench", "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            "CATNAP_APP_DOMAIN": "app.example.com",
        }
        api.offer({})
        began = time.perf_counter()
        with subprocess.Popen([str(stopper)], env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                if share:
                    share.add(process.pid)
                answer = await asyncio.wait_for(api.answer(), TIMEOUT)
                tick = Tick(
                    count, fleet.calls, sum(fleet.refused.values()), answer.at - began, cpu_seconds(process.pid),
                    peak_memory(process.pid), answer.size,
                )
            finally:
                process.kill()
                process.wait()
    due = [instance.id for instance in instances if instance.quiet > 60]
    summary = answer.value
    if sorted(fleet.stopped) != due or (summary["napped"], summary["kept"]) != (len(due), count - len(due)):
        raise SystemExit(f"{count} targets: stopped {len(fleet.stopped)} of {len(due)}, and said {summary}"[:2000])
    return tick


def report(ticks: list[Tick], cores: str) -> None:
    print(f"\nOne tick of the stopper over a fleet, of which one in fifty is idle, on {cores}:")
    head = ["targets", "calls: instances", "health checks", "metrics", "stops", "throttled", "time", "CPU", "peak memory", "answer"]
    rows = [head, *([
        f"{it.targets:,}", *(str(it.calls[operation]) for operation in OPERATIONS), str(it.throttled),
        f"{it.seconds:.1f} s", f"{it.cpu:.2f} s", f"{it.memory / 1e6:.0f} MB", f"{it.answer / 1e3:.0f} KB",
    ] for it in ticks)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)))
    most = ticks[-1]
    if len(ticks) > 1:
        before = ticks[-2]
        reads = [sum(it.calls.values()) - it.calls["StopInstances"] for it in (before, most)]
        print(f"{most.targets / before.targets:g} times the targets: {reads[1] / reads[0]:.1f} times the calls that read, "
              f"{most.cpu / before.cpu:.1f} times the CPU, {most.memory / before.memory:.1f} times the memory.")
    if most.targets == 10_000:
        print("Aims: " + ", ".join(
            f"{name} at most {aim}: {'met' if most.calls[name] <= aim else 'missed'}" for name, aim in AIMS.items())
            + f", one StopInstances for each stop: {'met' if most.calls['StopInstances'] == 10_000 // IDLE else 'missed'}.")
    print("Cloud Custodian asks CloudWatch once an instance: 204 calls for 200 instances, before it stops any.")


def peak_memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell a process's peak memory")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
