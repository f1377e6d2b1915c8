"""Caddy before the instance's web server: it brings HTTP/3, which nginx's packages mostly do not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from handoff.namespace import INSTANCE, INSTANCE_BEHIND
from stand import wait_until

CONFIG = """{{
  admin off
  auto_https off
}}
https://{host} {{
  bind {instance}
  tls {certificate} {certificate}
  reverse_proxy https://{behind} {{
    header_up Host {host}
    transport http {{
      tls_server_name {host}
      tls_insecure_skip_verify
    }}
  }}
}}
"""


def is_installed() -> bool:
    return shutil.which("caddy") is not None


class Caddy:
    """Listens at the instance's address, and asks the web server at `INSTANCE_BEHIND`."""

    def __init__(self, folder: Path, host: str, certificate: Path) -> None:
        folder.mkdir()
        config, self._log = folder / "Caddyfile", folder / "caddy.log"
        config.write_text(CONFIG.format(host=host, instance=INSTANCE, behind=INSTANCE_BEHIND, certificate=certificate))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "HOME": str(folder)},
            )
        try:
            wait_until(self._serves, "Caddy")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Caddy:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _serves(self) -> bool:
        said = self._log.read_text(errors="replace")
        if self._process.poll() is not None:
            raise RuntimeError(f"Caddy ended at once: {said[-2000:]}")
        return "serving initial configuration" in said
