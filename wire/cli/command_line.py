"""The command line as an operator runs it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from emulator import binary


@dataclass
class Catnap:
    """`catnap` with arguments, in a home of its own."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, seconds: float = 60, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(binary("catnap")), *arguments]
        return subprocess.run(
            command, env={**self.environment, **more}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """One that goes on until it is killed."""
        command = [str(binary("catnap")), *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
