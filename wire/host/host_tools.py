"""What the tests of the host run: programs of Debian's packages, and how they are asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from certificates import Authority

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "host"
DOMAIN = "app.example.com"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
UBUNTU = ROOT / ".tools/ubuntu/bin"  # certbot and boto3 in the versions of Ubuntu 24.04: wire/host/requirements.txt
PACKAGES = {
    "cloud-init": "cloud-init", "curl": "curl", "nginx": "nginx",
    "pebble": "pebble", "pebble-challtestsrv": "pebble", "shellcheck": "shellcheck", "sshd": "openssh-server",
    "systemd-analyze": "systemd",
}


def lacking(why: str) -> None:
    """Skips the test; fails it where all tools are promised."""
    if os.environ.get("CATNAP_REQUIRE_HOST_TOOLS") == "1":
        pytest.fail(why)
    pytest.skip(why)


def need(*programs: str) -> None:
    """Skips unless the programs are there."""
    missing = {PACKAGES[program] for program in programs if not shutil.which(program, path=PATH)}
    if missing:
        lacking(f"missing: apt-get install {' '.join(sorted(missing))}")


def need_ubuntus() -> None:
    """Skips unless what Ubuntu installs on the host is there."""
    if not (UBUNTU / "certbot").exists():
        lacking("missing: make .tools/ubuntu/ready")


def run(*command: object, seconds: float = 60, **more: object) -> subprocess.CompletedProcess[str]:
    """Runs a program and returns what it said, both streams in one."""
    more = {"env": os.environ | {"PATH": PATH}, **more}
    return subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=seconds, check=False, **more)  # type: ignore[call-overload]


def authority(folder: Path, domain: str = DOMAIN) -> Path:
    """Puts a certificate of an authority of our own, and its key, into `folder`; returns the authority's."""
    made = Authority(folder)
    key, end, chain = made.issue(domain).read_text().partition("-----END PRIVATE KEY-----\n")
    (folder / "privkey.pem").write_text(key + end)
    (folder / "fullchain.pem").write_text(chain)
    return made.roots
