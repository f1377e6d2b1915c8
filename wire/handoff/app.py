"""The instance behind the app: its web server, which answers a while after the start, and what its pages do."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection
from typing import Callable

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from handoff.caddy import Caddy
from handoff.namespace import INSTANCE
from handoff.nginx import Nginx, web_server

KINDS = ("quiet", "polling", "websocket")
POLLS_EVERY = 5  # seconds
LIVE = "/live"  # the path of its WebSocket
LAB_AGENT = "handoff-lab"  # of our own look at the app

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The app</title>
<h1 id="app" data-via="__VIA__">The app</h1>
<p><a id="next" href="/next">Another page</a></p>
<script>
"use strict";
const kind = "%(kind)s";
const again = () => setTimeout(act, %(every)d * 1000);
function act() {
  if (kind === "polling") fetch("/whoami", { cache: "no-store" }).catch(() => {}).finally(again);
  if (kind === "websocket") new WebSocket("wss://" + location.host + "/live").onclose = again;
}
act();
</script>
"""


class Live:
    """The app's WebSocket. `opened` has the time of each connection that came about."""

    def __init__(self) -> None:
        self.opened: list[float] = []
        self._server: Server = serve(self._keep, "127.0.0.1", 0)
        self.port = int(self._server.socket.getsockname()[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def _keep(self, connection: ServerConnection) -> None:
        self.opened.append(time.time())
        try:
            for message in connection:
                connection.send(message)
        except ConnectionClosed:
            pass


@dataclass
class Instance:
    """Follows what EC2 says of it until it runs, then boots for `boot` seconds, then its web server answers.

    `answered_at` is the moment of the first answer, seconds since the epoch; `turn` is called `turns_after` seconds
    later, as the health check would turn.
    """

    is_running: Callable[[], bool]
    turn: Callable[[], None]
    folder: Path
    host: str
    kind: str
    certificate: Path
    roots: Path
    boot: float
    turns_after: float
    http3: bool = False
    answered: threading.Event = field(default_factory=threading.Event)
    answered_at: float = 0.0
    turned_at: float = 0.0
    failed: str = ""
    server: Nginx | None = None
    before: Caddy | None = None
    live: Live = field(default_factory=Live)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Instance:
        self._root = self.folder / "www"
        self._root.mkdir()
        (self._root / "index.html").write_text(PAGE % {"kind": self.kind, "every": POLLS_EVERY})
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for server in (self.before, self.server):
            if server:
                server.__exit__()
        self.live.__exit__()

    def _follow(self) -> None:
        try:
            while not self.is_running():
                if self._ended.wait(0.5):
                    return
            if self._ended.wait(self.boot):
                return
            self.server = web_server(
                self.folder / "web", self._root, self.host, self.certificate, self.live.port, self.http3
            )
            if self.http3:
                self.before = Caddy(self.folder / "caddy", self.host, self.certificate)
            while not answers(self.host, self.roots):
                if self._ended.wait(0.05):
                    return
            self.answered_at = time.time()
            self.answered.set()
            if not self._ended.wait(self.turns_after):
                self.turn()
                self.turned_at = time.time()
        except Exception as error:
            self.failed = f"{type(error).__name__}: {error}"
            raise


def answers(host: str, roots: Path) -> bool:
    """Whether the instance answers at its own address, by the app's name."""
    context = ssl.create_default_context(cafile=str(roots))
    connection = http.client.HTTPSConnection(host, context=context)
    try:
        connection.sock = context.wrap_socket(create_connection((INSTANCE, 443), 3), server_hostname=host)
        connection.request("GET", "/", headers={"Host": host, "User-Agent": LAB_AGENT})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
