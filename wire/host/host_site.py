"""The instance's nginx, with the very file of host/files, as a user's process on high ports; and an app behind it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import threading
from pathlib import Path
from typing import Any, Iterable

from flask import Flask, request
from simple_websocket import ConnectionClosed, Server
from werkzeug.serving import make_server
from host_tools import DOMAIN, HOST, PATH, run

from emulator import free_port
from stand import wait_until

MAIN = """
{user}
daemon off;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log;
events {{}}
http {{
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    access_log {prefix}/access.log;
    include {prefix}/catnap.conf;
}}
"""


def make_app() -> Flask:
    """An app that says what arrived."""
    app = Flask("app")

    @app.route("/")
    def headers() -> dict[str, str]:
        return dict(request.headers.items())

    @app.route("/upload", methods=["PUT", "POST"])
    def upload() -> dict[str, Any]:
        digest, size = hashlib.sha256(), 0
        while chunk := request.stream.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
        return {"sha256": digest.hexdigest(), "size": size}

    @app.route("/status/<int:code>")
    def status(code: int) -> Any:
        return "as asked", code, {"Location": "/elsewhere"}

    @app.route("/slow")
    def slow() -> str:
        threading.Event().wait(3)
        return "late"

    @app.route("/echo", websocket=True)
    def echo() -> str:
        socket = Server.accept(request.environ)
        try:
            while True:
                socket.send(socket.receive())
        except ConnectionClosed:
            return ""

    return app


class Site:
    """nginx in `prefix`, with the app behind it. `tls` and `app` begin as after the first boot's set-up."""

    def __init__(self, prefix: Path, health_path: str = "/", certified: bool = True, domain: str = DOMAIN) -> None:
        self.prefix = prefix
        self.http, self.https, self.health, self.app_port = (free_port() for _ in range(4))
        ports = {"80": self.http, "443": self.https, "@HEALTH_PORT@": self.health}
        self.log = prefix / "access.log"
        text = (HOST / "files/nginx.conf").read_text()
        # All that differs from the instance: which ports, and where the files are.
        text, listens = re.subn(r"listen (80|443|@HEALTH_PORT@)(?=[ ;])", lambda found: f"listen 127.0.0.1:{ports[found[1]]}", text)
        assert listens == 5
        for there, here in {"/etc/catnap": f"{prefix}/etc/catnap", "127.0.0.1:8000": f"127.0.0.1:{self.app_port}",
                            "@DOMAIN@": domain, "@HEALTH_PATH@": health_path}.items():
            assert there in text
            text = text.replace(there, here)
        (prefix / "catnap.conf").write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        (prefix / "nginx.conf").write_text(MAIN.format(prefix=prefix, user=user))
        self.tls = prefix / "etc/catnap/tls"
        self.tls.mkdir(parents=True, exist_ok=True)
        self.certify(certified)
        self._nginx: subprocess.Popen[bytes] | None = None
        self._app: Any = None

    def certify(self, yes: bool) -> None:
        (self.tls / "state.conf").write_text(f'map "" $catnap_certified {{ default "{"1" if yes else ""}"; }}\n')

    def test(self) -> str:
        return run("nginx", "-t", "-p", self.prefix, "-c", self.prefix / "nginx.conf").stdout

    def start(self) -> None:
        self._nginx = subprocess.Popen(["nginx", "-p", str(self.prefix), "-c", str(self.prefix / "nginx.conf")],
                                       env=os.environ | {"PATH": PATH}, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.curl(f"http://127.0.0.1:{self.http}").returncode != 7, "nginx")

    def reload(self) -> None:
        """Returns when new connections get the new configuration."""
        before = self.workers()
        said = run("nginx", "-p", self.prefix, "-c", self.prefix / "nginx.conf", "-s", "reload")
        assert said.returncode == 0, said.stdout
        self.wait_for_reload(before)

    def wait_for_reload(self, before: set[str]) -> None:
        """Returns when none of the workers of before takes new connections."""
        wait_until(lambda: not before & self.workers(), "nginx's new workers")

    def workers(self) -> set[str]:
        """The processes that take new connections."""
        assert self._nginx
        children = Path(f"/proc/{self._nginx.pid}/task/{self._nginx.pid}/children").read_text().split()
        return {child for child in children if "shutting down" not in Path(f"/proc/{child}/cmdline").read_text()}

    def start_app(self) -> None:
        self._app = make_server("127.0.0.1", self.app_port, make_app(), threaded=True)
        threading.Thread(target=self._app.serve_forever, daemon=True).start()

    def stop_app(self) -> None:
        if self._app:
            self._app.shutdown()
            self._app.server_close()
        self._app = None

    def stop(self) -> None:
        self.stop_app()
        if self._nginx:
            self._nginx.terminate()
            self._nginx.wait(10)

    def curl(self, url: str, *options: object) -> subprocess.CompletedProcess[str]:
        return run("curl", "--silent", "--show-error", "--max-time", 60, *options, url)

    def visit(self, path: str = "/", *options: object, agent: str = "Mozilla/5.0 (X11; Linux) Firefox/140.0",
              host: str = DOMAIN) -> subprocess.CompletedProcess[str]:
        """Asks the app's name over TLS, as a browser would."""
        return self.curl(f"https://{host}:{self.https}{path}", "--resolve", f"{host}:{self.https}:127.0.0.1",
                         "--cacert", self.prefix / "ca.pem", "--user-agent", agent, *options)

    def check(self, path: str = "/") -> tuple[int, str]:
        """What a health checker of Route 53 gets: status and body."""
        agent = "Amazon-Route53-Health-Check-Service (ref 12345678-1234-1234-1234-123456789012; report http://amzn.to/1vsZADi)"
        said = self.curl(f"http://127.0.0.1:{self.health}{path}", "--user-agent", agent, "--write-out", "%{http_code}")
        return int(said.stdout[-3:]), said.stdout[:-3]


def statuses(site: Site, paths: Iterable[str]) -> list[str]:
    return [site.visit(path, "--output", "/dev/null", "--write-out", "%{http_code}").stdout for path in paths]
