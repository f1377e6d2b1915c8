"""What the tests of the host run: programs of Debian's packages, and how they are asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "host"
DOMAIN = "app.example.com"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
UBUNTU = ROOT / ".tools/ubuntu/bin"  # certbot and boto3 in the versions of Ubuntu 24.04: wire/host/requirements.txt
PACKAGES = {
    "cloud-init": "cloud-init", "curl": "curl", "nginx": "nginx", "openssl": "openssl",
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


def authority(folder: Path, domain: str = DOMAIN, days: int = 90) -> Path:
    """A certificate authority of our own, and in `folder` a certificate of it; returns the authority's."""
    ca, key, request = folder / "ca.pem", folder / "ca.key", folder / "request.pem"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    made = [
        ["req", "-x509", *new, "-days", 365, "-subj", "/CN=Test authority", "-keyout", key, "-out", ca],
        ["req", *new, "-subj", f"/CN={domain}", "-addext", f"subjectAltName=DNS:{domain}",
         "-keyout", folder / "privkey.pem", "-out", request],
        ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-CAcreateserial", "-days", days,
         "-copy_extensions", "copy", "-out", folder / "fullchain.pem"],
    ]
    for arguments in made:
        said = run("openssl", *arguments)
        assert said.returncode == 0, said.stdout
    return ca
