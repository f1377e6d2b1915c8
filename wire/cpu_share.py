"""Holds a process to a part of a core, with Linux's control groups: version 2 or 1, as root."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 20_000  # shorter than the kernel's 100 ms, in which a whole fast start would fit before the limit bites


class NotHere(Exception):
    """This machine does not allow it; the message says why."""


class CpuShare:
    """A control group with so many `cores` for the processes that are added, which must end before it does."""

    def __init__(self, cores: float) -> None:
        self.quota_us = int(cores * PERIOD_US)
        self._group: Path | None = None

    def __enter__(self) -> CpuShare:
        name = f"catnap-bench-{os.getpid()}"
        try:
            if "cpu" in read(ROOT / "cgroup.controllers").split():
                if "cpu" not in read(ROOT / "cgroup.subtree_control").split():
                    (ROOT / "cgroup.subtree_control").write_text("+cpu")
                group = self._make(ROOT / name)
                (group / "cpu.max").write_text(f"{self.quota_us} {PERIOD_US}")
            elif (ROOT / "cpu" / "cpu.cfs_quota_us").exists():
                group = self._make(ROOT / "cpu" / name)
                (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (group / "cpu.cfs_quota_us").write_text(str(self.quota_us))
            else:
                raise NotHere(f"no CPU controller of control groups under {ROOT}")
        except OSError as error:
            self.__exit__()
            raise NotHere(f"control groups cannot be changed: {error}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._group:
            self._group.rmdir()
            self._group = None

    def add(self, pid: int) -> None:
        assert self._group
        try:
            (self._group / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            raise NotHere(f"no process can be put into {self._group}: {error}") from None

    def _make(self, group: Path) -> Path:
        group.mkdir()
        self._group = group
        return group


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
