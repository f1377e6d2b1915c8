"""One cell: a visitor comes to a sleeping app, and what happens until the tab talks to the instance itself.

    python -m handoff.cell '{"strategy": "poll", "idle": 60, "kind": "quiet"}'

It is run inside of a `Namespace`, and prints its result as one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page

from gateway import Environments, Event, Gateway
from handoff.app import LAB_AGENT, Instance
from certificates import Authority
from handoff.chromium import Visitor
from handoff.dns import Resolver, Route53
from handoff.namespace import API_GATEWAY, GATEWAY, INSTANCE, INSTANCE_FROM_LAMBDA
from handoff.nginx import Line, gateway_front
from scene import API, HOST, settings, starter
from stand import Moto

STRATEGIES = ("plain", "poll", "bridge")
VIEWS_EVERY = 100  # seconds from one page view to the next, of a visitor who reads
PENDING = 2  # seconds from StartInstances to running

PLAIN = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Starting</title>
<h1 id="starting">The application is being started</h1>
<script>
setInterval(async () => {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!(await answer.text()).includes('id="starting"')) location.reload();
}, 5000);
</script>
"""


@dataclass(frozen=True)
class Cell:
    strategy: str
    idle: int  # seconds after which the gateway closes an idle connection
    kind: str  # what the app's page does
    turns_after: float = 65  # seconds from the app's first answer until the health check turns
    boot: float = 20  # seconds from running until the app answers
    cap: float = 420  # seconds from the app's first answer after which nobody waits any longer
    keep: str = ""  # a folder for Chromium's and nginx's logs, for a closer look


@dataclass
class Result:
    """Times are seconds since the app's first answer; none is never."""

    cell: Cell
    visited: float = 0.0
    screen: float | None = None  # the tab shows the app
    screen_via: str = ""  # direct, or bridge: through the starter
    direct: float | None = None  # the tab's traffic goes to the instance itself
    turned: float | None = None  # the health check turned, and with it what Route 53 answers
    watched: float = 0.0
    resolver: int = 0  # questions of the visitor's browser for the app's address
    route53: list[tuple[float, str]] = field(default_factory=list)  # and what Route 53 was asked and said
    connections: int = 0  # of the browser to the gateway, for the app's name
    bridged: int = 0  # requests that the starter answered for the app
    starts: int = 0  # StartInstances
    failed: str = ""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=end_with_parent, daemon=True).start()
    cell = Cell(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(run(cell))), flush=True)
    return 0


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def run(cell: Cell) -> Result:
    result = Result(cell)
    with contextlib.ExitStack() as stack:
        folder = Path(cell.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="catnap-")))
        folder.mkdir(exist_ok=True, parents=True)
        authority = Authority(folder)
        certificate, api_certificate = authority.issue(HOST), authority.issue(API)
        route53 = stack.enter_context(Route53({HOST: GATEWAY, API: API_GATEWAY}))
        resolver = stack.enter_context(Resolver())
        moto = stack.enter_context(Moto(pending=PENDING))
        sleeping = put_to_sleep(moto)
        function = stack.enter_context(answering(cell, moto, sleeping, authority.roots))
        gateway = stack.enter_context(Gateway(function))
        front = stack.enter_context(
            gateway_front(folder / "front", gateway.port, cell.idle, HOST, certificate, API, api_certificate)
        )
        instance = stack.enter_context(Instance(
            lambda: moto.state(sleeping) == "running", lambda: route53.point(HOST, INSTANCE), folder, HOST, cell.kind,
            certificate, authority.roots, cell.boot, cell.turns_after,
        ))
        net_log = folder / "net-log.json" if cell.keep else None
        visitor = stack.enter_context(Visitor(folder / "visitor", authority.pin, net_log))
        visited_at = time.time()
        try:
            watch(cell, visitor.page, instance, result)
        except (BrowserError, RuntimeError) as error:
            result.failed = f"{type(error).__name__}: {error}"
        ended_at = time.time()
        time.sleep(0.3)  # the logs' last lines
        zero = instance.answered_at
        result.failed = result.failed or instance.failed or ("" if zero else "the app was never started")
        result.visited, result.watched = round(visited_at - zero, 2), round(ended_at - zero, 1)
        result.turned = round(instance.turned_at - zero, 2) if instance.turned_at else None
        result.resolver = sum(f"query[A] {HOST} " in line for line in resolver.queries())
        result.route53 = [(round(q.at - zero, 1), q.told) for q in route53.queries if (q.name, q.kind) == (HOST, "A")]
        result.connections = len({line.connection for line in front.lines() if line.host == HOST})
        result.bridged = sum(line.via == "bridge" and not is_probe(line) for line in app_lines(instance))
        result.starts = len(moto.calls("StartInstances"))
    return result


def put_to_sleep(moto: Moto) -> str:
    instance = moto.run_instance({"catnap:host": HOST})
    moto.client("ec2").stop_instances(InstanceIds=[instance])
    return instance


def answering(cell: Cell, moto: Moto, instance: str, roots: Path) -> Any:
    """What API Gateway invokes: the starter, or a stand-in for the hand-made function."""
    if cell.strategy == "plain":
        return contextlib.nullcontext(Plain(moto, instance))
    environment = settings(
        moto, CATNAP_INSTANCE_ID=instance, CATNAP_ORIGIN=f"https://{HOST}", CATNAP_HANDOFF=cell.strategy,
        CATNAP_ORIGIN_ADDRESS=f"{INSTANCE_FROM_LAMBDA}:443", SSL_CERT_FILE=str(roots),
    )
    return Environments(lambda: starter(environment))


class Plain:
    """Starts the instance at each request, and answers each with the page."""

    def __init__(self, moto: Moto, instance: str) -> None:
        self._ec2, self._instance = moto.client("ec2", agent="plain"), instance

    def __call__(self, event: Event, timeout: float) -> Event:
        self._ec2.start_instances(InstanceIds=[self._instance])
        return {"statusCode": 200, "headers": {"content-type": "text/html"}, "body": PLAIN}


def watch(cell: Cell, page: Page, instance: Instance, result: Result) -> None:
    """Opens the app and touches nothing until it is on the screen; then acts as its visitor would."""
    page.goto(f"https://{HOST}/", wait_until="commit", timeout=60_000)
    while not instance.answered.is_set():
        if instance.failed:
            raise RuntimeError(instance.failed)
        page.wait_for_timeout(100)
    zero = instance.answered_at
    left = zero + cell.cap - time.time()
    try:
        page.wait_for_selector("#app", timeout=left * 1000)
    except BrowserError as error:
        if "Timeout" in str(error):
            return
        raise
    on_screen = time.time()
    result.screen = round(on_screen - zero, 2)
    result.screen_via = page.get_attribute("#app", "data-via") or ""
    views = 0
    while time.time() < zero + cell.cap:
        if direct := went_direct(cell, instance):
            result.direct = round(direct - zero, 2)
            return
        page.wait_for_timeout(500)
        if cell.kind == "quiet" and time.time() > on_screen + VIEWS_EVERY * (views + 1):
            views += 1
            page.click("#next")


def went_direct(cell: Cell, instance: Instance) -> float | None:
    """When the tab's traffic first went to the instance itself: for a page with a WebSocket, when that came about."""
    if cell.kind == "websocket":
        return instance.live.opened[0] if instance.live.opened else None
    return next((line.at for line in app_lines(instance) if line.via == "direct"), None)


def app_lines(instance: Instance) -> list[Line]:
    lines = instance.server.lines() if instance.server else []
    return [line for line in lines if line.agent != LAB_AGENT]


def is_probe(line: Line) -> bool:
    return line.agent == "Catnap"


if __name__ == "__main__":
    sys.exit(main())
