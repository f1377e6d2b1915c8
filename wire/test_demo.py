"""The demo tells its story to the end, and leaves nothing behind when it is stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from emulator import ROOT, pids_of_session, pids_where

DEMO = [sys.executable, str(ROOT / "wire" / "demo.py")]


def test_it_tells_the_story_to_the_end() -> None:
    told = subprocess.run(DEMO, capture_output=True, text=True, timeout=90)
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stderr == ""
    story = [
        r"stopper +keeps it\. Reason: active", r"stopper +naps it\. Reason: idle", r"EC2 +the instance is stopping",
        r"EC2 +the instance is stopped", r"app +does not answer any more", r"bot +.*: 503 application/problem\+json",
        r"visitor +.*: 503, the waiting page", r"page +POST /\.catnap/wake: 202 waking", r"EC2 +StartInstances arrived",
        r"page +status: booting", r"page +status: starting", r"page +status: ready", r"visitor +.*: 200, 'Demo app'",
        r"StartInstances +eu-central-1 +1", r"StopInstances +eu-central-1 +1",
    ]
    assert re.search(".*".join(story), told.stdout, re.DOTALL), told.stdout
    assert "\033" not in told.stdout, "colours are for terminals"


def test_stopped_in_the_middle_it_leaves_nothing_behind() -> None:
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if "tagged catnap:host" in line:  # by now everything has been started
                break
        started = [pid for child in pids_where(1, demo.pid) for pid in pids_of_session(child)]
        assert len(started) >= 3, "moto and two emulators at least"
        demo.send_signal(signal.SIGTERM)
        _, errors = demo.communicate(timeout=20)
    assert (demo.returncode, errors) == (128 + signal.SIGTERM, "")
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def test_without_the_binaries_it_says_what_builds_them(tmp_path: Path) -> None:
    elsewhere = {**os.environ, "CATNAP_BIN_DIR": str(tmp_path)}
    told = subprocess.run(DEMO, capture_output=True, text=True, timeout=30, env=elsewhere)
    assert told.returncode == 1
    assert told.stderr == f"\nThe demo went wrong: starter is not in {tmp_path}: `make demo-wire` builds it\n"
