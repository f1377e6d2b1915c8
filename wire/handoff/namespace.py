"""A network of its own for each cell, with its own resolver, and nothing of it left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Sequence

# Addresses for documentation (RFC 5737), as the internet would have them.
GATEWAY = "198.51.100.10"  # API Gateway for the app's own name
API_GATEWAY = "198.51.100.20"  # and for execute-api
INSTANCE = "203.0.113.10"
INSTANCE_FROM_LAMBDA = "203.0.113.11"  # the same web server, as the starter is told to reach it: tells the two apart
INSTANCE_BEHIND = "203.0.113.12"  # where it is when Caddy stands before it
ROUTE53 = "192.0.2.53"
RESOLVER = "192.0.2.153"  # the visitor's internet provider
NEIGHBOUR = "192.0.2.200"  # somebody else behind the same resolver
ADDRESSES = (
    GATEWAY, API_GATEWAY, INSTANCE, INSTANCE_FROM_LAMBDA, INSTANCE_BEHIND, ROUTE53, RESOLVER, NEIGHBOUR,
)

PREFIX = "catnap-"
ETC = Path("/etc/netns")
TMP = Path(tempfile.gettempdir())
WIRE = Path(__file__).resolve().parent.parent
TOOLS = ("ip", "unshare", "nginx", "dnsmasq", "chromium")

numbers = itertools.count(1)


def missing() -> str:
    """Why no cell can run here; empty if one can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if absent := [tool for tool in TOOLS if not shutil.which(tool)]:
        return f"not installed: {', '.join(absent)}"
    try:
        with Namespace():
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespace can be made here: {error}"


class Namespace:
    """A network without a way out. What runs in it ends with it, and it ends with whoever made it."""

    def __init__(self) -> None:
        self.name = f"{PREFIX}{os.getpid()}-{next(numbers)}"
        self._folder = TMP / self.name

    def __enter__(self) -> Namespace:
        sweep()
        self._folder.mkdir()
        etc = ETC / self.name  # `ip netns exec` puts these files in the place of the machine's own
        etc.mkdir(parents=True)
        (etc / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        (etc / "nsswitch.conf").write_text("hosts: files dns\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n")
        try:
            run("netns", "add", self.name)
            # Chromium takes a machine that has nothing but a loopback for one that is offline.
            self.ip("link", "add", "net0", "type", "veth", "peer", "name", "net1")
            for link in ("lo", "net0", "net1"):
                self.ip("link", "set", link, "up")
            for address in ADDRESSES:
                self.ip("addr", "add", f"{address}/32", "dev", "net0")
            self.ip("route", "add", "default", "dev", "net0")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        remove(self.name)

    def ip(self, *words: str) -> None:
        run("-n", self.name, *words)

    def start(self, module: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A Python module of ours in this network, first of its own process namespace: all that it starts ends with it.

        It also ends when its standard input does, which is when we do.
        """
        python: Sequence[str] = (sys.executable, "-m", module, *arguments)
        inside = ["ip", "netns", "exec", self.name, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        environment = {**os.environ, "PYTHONPATH": str(WIRE), "TMPDIR": str(self._folder)}
        return subprocess.Popen(
            [*inside, *python], env=environment, stdin=subprocess.PIPE, text=True, start_new_session=True, **options
        )


def run(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def remove_mine() -> None:
    """Ends all that runs in this process's networks, whichever thread waits for it."""
    for path in ETC.glob(f"{PREFIX}{os.getpid()}-*"):
        remove(path.name)


def remove(name: str) -> None:
    while pids := subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.02)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    for folder in (ETC / name, TMP / name):
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Takes away what runs before this one left because they were killed."""
    names = {path.name for path in ETC.glob(f"{PREFIX}*-*")} if ETC.is_dir() else set()
    for name in names:
        owner = name.removeprefix(PREFIX).split("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            remove(name)
