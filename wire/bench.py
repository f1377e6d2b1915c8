"""How fast the starter is: beside the proof of concept's function and beside a function that does nothing.

    python wire/bench.py [--runs 30] [--bin-dir target/lambda] [--build]

A function is started anew for each run, in turns with the other two, so that whatever else the machine does falls on
all of them. A shell holds each process ready until the clock runs: the time is that of exec, start, one event (a
browser's visit), one call to EC2 (none for the floor) and the answer. One run of each goes before, uncounted, so that
files are in memory and Python's bytecode is on disk. Figures are reported, never judged by the exit code.
At the end a crowd comes (`load.py`), and the wake filter is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Mapping

from bench_build import build_floor, measure_build
from bench_filter import measure_filter
from bench_fleet import measure_fleets, peak_memory
from bench_report import print_report
from bench_servers import Answer, Ec2, RuntimeApi, make_tls, record_ec2
from cpu_share import CpuShare, NotHere
from emulator import ROOT, binary, http_event
from load import measure_load

REGION = "eu-central-1"
HERE = Path(__file__).resolve().parent
MEMORY_MB = 256
CORES = MEMORY_MB / 1769  # Lambda gives one core for 1,769 MB
PATIENCE = 120  # seconds for one answer
VISITS, STARTERS = 1000, 20  # of the crowd


@dataclass
class Contender:
    name: str
    command: list[str]
    environment: dict[str, str]
    zipped: int
    calls: list[str]  # what it asks of EC2 for one visit
    roots: str = "everyday.pem"  # the bundle that is like its own in production
    starts: dict[str, list[float]] = field(default_factory=dict)  # by scenario, seconds
    warm: list[float] = field(default_factory=list)
    warm_calls: int = 0
    first_memory: list[int] = field(default_factory=list)  # peak up to the first answer, bytes
    warm_memory: int = 0
    status: int = 0


@dataclass
class Scenario:
    name: str
    runs: int
    ec2: Ec2
    trust: Path | None = None  # the folder of the bundles
    share: CpuShare | None = None


def main() -> None:
    options = argparse.ArgumentParser(description="Measures the starter beside the proof of concept and an empty one.")
    options.add_argument("--runs", type=int, default=30, help="starts of each function (default 30)")
    options.add_argument("--slow-runs", type=int, default=10, help="the same with little CPU (default 10)")
    options.add_argument("--warm", type=int, default=200, help="answers of a warm function (default 200)")
    options.add_argument("--bin-dir", type=Path, help="where the starter is (default target/lambda or target/release)")
    options.add_argument("--starter", type=Path, help="the starter itself, instead of --bin-dir")
    options.add_argument("--floor", type=Path, help="the built floor (default: built here when it is missing)")
    options.add_argument("--build", action="store_true", help="build the pair from nothing first, and measure that too: minutes")
    chosen = options.parse_args()
    bin_dir, build = measure_build() if chosen.build else (chosen.bin_dir, "")
    starter = chosen.starter or find("starter", bin_dir)
    floor = chosen.floor or build_floor()
    asyncio.run(bench(starter, floor, chosen.runs, chosen.slow_runs, chosen.warm))
    say("a crowd")
    print(f"\n{measure_load(VISITS, STARTERS, starter)}\n{measure_filter()}")
    if build:
        print(build)
    asyncio.run(measure_fleets(find("stopper", bin_dir)))


def find(name: str, given: Path | None) -> Path:
    folders = [given] if given else [ROOT / "target" / "lambda", ROOT / "target" / "release"]
    for folder in folders[:-1]:
        with contextlib.suppress(FileNotFoundError):
            return binary(name, folder)
    return binary(name, folders[-1], made_by="make build")


async def bench(starter: Path, floor: Path, runs: int, slow_runs: int, warm: int) -> None:
    say("recording EC2's answers")
    instance_id, recorded = record_ec2(REGION)
    contenders = line_up(starter, floor, instance_id)
    with tempfile.TemporaryDirectory() as folder:
        trust = Path(folder)
        async with Ec2(recorded) as plain, Ec2(recorded, make_tls(trust)) as secure:
            scenarios = [Scenario("http", runs, plain), Scenario("https", runs, secure, trust)]
            for scenario in scenarios:
                await measure_starts(contenders, scenario)
            await measure_warm(contenders, scenarios[1], warm)
            slow, missing = f"https on {CORES:.2f} of a core", ""
            try:
                with CpuShare(CORES) as share:
                    await measure_starts(contenders, Scenario(slow, slow_runs, secure, trust, share))
            except NotHere as reason:
                missing = f"{slow}: not measured here: {reason}"
    print_report(contenders, missing)


def line_up(starter: Path, floor: Path, instance_id: str) -> list[Contender]:
    common = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",  # nobody's ~/.aws
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        "CATNAP_APP_DOMAIN": "app.example.com",
        "CATNAP_INSTANCE_ID": instance_id,
    }
    baseline = HERE / "baseline"
    python = {**common, "PYTHONPATH": str(baseline), "LAMBDA_TASK_ROOT": str(baseline)}
    rust = {**common, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
    return [
        Contender("Catnap", [str(starter)], rust, zipped(starter, "bootstrap"), ["DescribeInstances"], "aws.pem"),
        Contender(
            f"Python {platform.python_version()}", [sys.executable, "-m", "awslambdaric", "poc_handler.handler"],
            python, zipped(baseline / "poc_handler.py", "poc_handler.py"), ["StartInstances"],
        ),
        Contender("floor", [str(floor)], rust, zipped(floor, "bootstrap"), []),
    ]


async def measure_starts(contenders: list[Contender], scenario: Scenario) -> None:
    for run in range(-1, scenario.runs):
        say(f"first answer, {scenario.name}", run + 1, scenario.runs)
        for contender in contenders:
            async with started(contender, scenario) as (_, first, pid):
                if run >= 0:
                    contender.starts.setdefault(scenario.name, []).append(first)
                    if scenario.trust and not scenario.share:  # over TLS, as it is in Lambda
                        contender.first_memory.append(peak_memory(pid))


async def measure_warm(contenders: list[Contender], scenario: Scenario, runs: int) -> None:
    for contender in contenders:
        say(f"warm answers, {contender.name}")
        async with started(contender, scenario) as (api, _, pid):
            for run in range(-20, runs):
                if run == 0:
                    scenario.ec2.calls.clear()
                began = time.perf_counter()
                api.offer(http_event())
                answered = await asyncio.wait_for(api.answer(), PATIENCE)
                if run >= 0:
                    contender.warm.append(answered.at - began)
            contender.warm_calls = len(scenario.ec2.calls)
            contender.warm_memory = peak_memory(pid)


@contextlib.asynccontextmanager
async def started(contender: Contender, scenario: Scenario) -> AsyncIterator[tuple[RuntimeApi, float, int]]:
    """The function after its first answer, how long that took, and its process."""
    scenario.ec2.calls.clear()
    async with RuntimeApi() as api:
        api.offer(http_event())
        environment = {
            **contender.environment,
            **({"AWS_CA_BUNDLE": str(scenario.trust / contender.roots)} if scenario.trust else {}),
            "AWS_ENDPOINT_URL": scenario.ec2.endpoint,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.port}",
        }
        with held(contender.command, environment, scenario.share) as (pid, release, failure):
            began = time.perf_counter()
            release()
            first = await first_answer(api, contender, failure)
            contender.status = first.value["statusCode"]
            if scenario.ec2.calls != contender.calls:
                note(f"{contender.name} asked EC2 for {scenario.ec2.calls}, expected {contender.calls}")
            yield api, first.at - began, pid


async def first_answer(api: RuntimeApi, contender: Contender, failure: Callable[[], str]) -> Answer:
    answer = asyncio.ensure_future(api.answer())
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done, _ = await asyncio.wait([answer], timeout=1)
        if done:
            return answer.result()
        if reason := failure():
            raise SystemExit(f"{contender.name} ended before its first answer: {reason}")
    raise SystemExit(f"{contender.name} did not answer in {PATIENCE} s")


@contextlib.contextmanager
def held(command: list[str], environment: Mapping[str, str], share: CpuShare | None) -> Any:
    """The command's process, forked but not yet executing: what Python needs to fork is not what is measured."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r go; exec "$@"', "sh", *command],
            env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors,
        )
        assert process.stdin

        def release() -> None:
            process.stdin.write(b"go\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

        def failure() -> str:
            if process.poll() is None:
                return ""
            errors.seek(0)
            return f"exit code {process.returncode}\n{errors.read().decode(errors='replace')[-2000:]}"

        try:
            if share:
                share.add(process.pid)
            time.sleep(0.03)  # the shell gets to its `read`
            yield process.pid, release, failure
        finally:
            process.kill()
            process.wait()
            process.stdin.close()


def zipped(path: Path, name: str) -> int:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(name, path.read_bytes())
    return len(packed.getvalue())


noted: set[str] = set()


def note(text: str) -> None:
    if text not in noted:
        noted.add(text)
        print(f"\nnote: {text}", file=sys.stderr)


def say(what: str, done: int = 0, of: int = 0) -> None:
    counted = f" {done}/{of}" if of else ""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}{counted}", end="", file=sys.stderr, flush=True)
    elif done % 10 == 0:
        print(f"{what}{counted}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
