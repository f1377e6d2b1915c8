"""`catnap drill` in a network of its own, and what it said: `python -m drill_world`, in a `handoff.namespace`.

The true starter behind API Gateway's stand-in over TLS, an app on the instance's address while it runs, and a DNS that
follows it as Route 53's failover does, only sooner.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import tempfile
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from dnslib.server import DNSLogger, DNSServer

from certificates import Authority
from command_line import Catnap
from gateway import Environments, Gateway, Server, handler_of
from handoff import lab
from handoff.dns import Route53
from handoff.namespace import GATEWAY, INSTANCE, RESOLVER
from scene import HOST, settings, starter, utc_now
from set_up import SetUp
from stand import Moto, clean_environment

TURNS_AFTER = 3  # seconds until Route 53 has noticed
BOOT = 2  # seconds from running until the app answers


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>Team wiki</title>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve(server: ThreadingHTTPServer, tls: ssl.SSLContext) -> ThreadingHTTPServer:
    server.daemon_threads = True
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def follow(moto: Moto, instance: str, route53: Route53, tls: ssl.SSLContext) -> None:
    """The app answers while the instance runs, and DNS leads to whoever answers."""
    app: ThreadingHTTPServer | None = serve(ThreadingHTTPServer((INSTANCE, 443), Page), tls)
    while True:
        time.sleep(0.2)
        if moto.state(instance) == "running" and not app:
            time.sleep(BOOT)
            app = serve(ThreadingHTTPServer((INSTANCE, 443), Page), tls)
            time.sleep(TURNS_AFTER)
            route53.point(HOST, INSTANCE)
        elif moto.state(instance) != "running" and app:
            app.shutdown()
            app.server_close()
            app = None
            time.sleep(TURNS_AFTER)
            route53.point(HOST, GATEWAY)


def run() -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="catnap-")))
        authority = Authority(folder)
        route53 = stack.enter_context(Route53({HOST: INSTANCE}))
        # Nothing in between keeps an answer: that would be a minute's wait for each turn.
        DNSServer(route53, port=53, address=RESOLVER, logger=DNSLogger(logf=lambda _: None)).start_thread()
        moto = stack.enter_context(Moto(pending=2, stopping=2))
        set_up = SetUp(moto, INSTANCE)
        set_up.deploy()
        set_up.quiet()
        environment = settings(
            moto, CATNAP_INSTANCE_ID=set_up.instance, CATNAP_ORIGIN_ADDRESS=f"{INSTANCE}:443",
            SSL_CERT_FILE=str(authority.roots),
        )
        gateway = Gateway(stack.enter_context(Environments(lambda: starter(environment))))
        serve(Server((GATEWAY, 443), handler_of(gateway)), authority.server(HOST))
        beside = (moto, set_up.instance, route53, authority.server(HOST))
        threading.Thread(target=follow, args=beside, daemon=True).start()
        catnap = Catnap({**clean_environment(), **moto.environment(), "SSL_CERT_FILE": str(authority.roots)})
        said = []
        for number in range(2):
            if number:  # whoever drills may set no tags
                moto.refuse("CreateTags", "UnauthorizedOperation", 403, times=99)
            ended = catnap("drill", seconds=120)
            said.append([ended.returncode, ended.stdout, ended.stderr])
            # As if that had been hours ago.
            moto.set_instance(set_up.instance, launched=utc_now() - timedelta(hours=5))
        tags = {tag["Key"]: tag["Value"] for tag in moto.describe(set_up.instance).get("Tags", [])}
        return {"said": said, "tags": tags, "calls": moto.calls()}


if __name__ == "__main__":
    lab.end_with_parent()
    print(json.dumps(run()), flush=True)
