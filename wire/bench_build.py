"""What a clean release build costs, and the build of the benchmark's floor."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from emulator import ROOT, pids_of_session

FLOOR = Path(__file__).resolve().parent / "baseline" / "floor"
PAIR = ["cargo", "build", "--release", "--locked", "--package", "starter", "--package", "stopper"]


def build_floor() -> Path:
    built = FLOOR / "target" / "release" / "floor"
    if not built.exists():
        print("building the floor, about a minute", file=sys.stderr)
        manifest = str(FLOOR / "Cargo.toml")
        command = ["cargo", "build", "--release", "--locked", "--manifest-path", manifest]
        subprocess.run([*command, "--target-dir", str(FLOOR / "target")], check=True)
    return built


def measure_build() -> tuple[Path, str]:
    """Builds the pair from nothing: where its binaries are, and what it took. Downloads are done before the clock runs."""
    subprocess.run(["cargo", "fetch", "--locked"], cwd=ROOT, check=True)
    target = ROOT / "target" / "bench"
    shutil.rmtree(target, ignore_errors=True)
    began = time.monotonic()
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    build = subprocess.Popen(PAIR, cwd=ROOT, env=environment, start_new_session=True)
    peak = [0]
    watch = threading.Thread(target=watch_memory, args=(build.pid, peak), daemon=True)
    watch.start()
    if code := build.wait():
        raise SystemExit(code)
    took = time.monotonic() - began
    watch.join()
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    said = (
        f"Clean release build of the pair: {took / 60:.1f} minutes on {os.cpu_count()} cores, peak memory "
        f"{peak[0] / 1e9:.1f} GB in all its processes together, {largest / 1e9:.1f} GB in the largest."
    )
    return target / "release", said


def watch_memory(session: int, peak: list[int]) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while pids := pids_of_session(session):
        used = 0
        for pid in pids:
            try:
                used += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
            except (OSError, IndexError):
                pass  # it has just ended
        peak[0] = max(peak[0], used)
        time.sleep(0.5)
