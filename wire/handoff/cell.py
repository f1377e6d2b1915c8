"""One cell: a visitor comes to a sleeping app, and what happens until the tab talks to the instance itself.

    python -m handoff.cell '{"strategy": "poll", "idle": 60, "kind": "quiet"}'

It is run inside of a `Namespace`, and prints its result as one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gateway import Environments, Event, Gateway
from certificates import Authority
from emulator import binary
from handoff import lab
from handoff.app import LAB_AGENT, LIVE, Instance
from handoff.dns import Neighbour, Resolver, Route53
from handoff.namespace import API_GATEWAY, GATEWAY, INSTANCE, INSTANCE_FROM_LAMBDA
from handoff.nginx import Line, Nginx, gateway_front
from handoff.visitor import Visitor, visitor
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

# Who served the app that the tab shows, and when it was painted; nothing while it shows something else.
SHOWN = """(() => {
  const app = document.querySelector("#app");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return app && paint ? app.dataset.via + " " + (performance.timeOrigin + paint.startTime) : "";
})()"""


@dataclass(frozen=True)
class Cell:
    strategy: str
    idle: int  # seconds after which the gateway closes an idle connection
    kind: str  # what the app's page does
    turns_after: float = 65  # seconds from the app's first answer until the health check turns
    boot: float = 20  # seconds from running until the app answers
    cap: float = 420  # seconds from the app's first answer after which nobody waits any longer
    browser: str = "chromium"  # or firefox
    http3: bool = False  # the instance serves it too
    neighbour: bool = False  # somebody else asks the same resolver all the time: what it remembers may be old
    keep: str = ""  # a folder for all logs, for a closer look


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
    views: list[str] = field(default_factory=list)  # who served each further page; none: the tab did not show the app
    asked: int = 0  # questions of the visitor's machine for the app's address
    route53: list[tuple[float, str]] = field(default_factory=list)  # when Route 53 was asked for it, and what it said
    connections: int = 0  # of the browser to the gateway, for the app's name
    bridged: int = 0  # requests that the starter answered for the app
    errors: int = 0  # answers of 500 and above to a tab that shows the app, but for its WebSocket
    starts: int = 0  # StartInstances
    failed: str = ""


def main() -> int:
    lab.end_with_parent()
    cell = Cell(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(run(cell))), flush=True)
    return 0


def run(cell: Cell) -> Result:
    result = Result(cell)
    with contextlib.ExitStack() as stack:
        folder = Path(cell.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="catnap-")))
        folder.mkdir(exist_ok=True, parents=True)
        authority = Authority(folder)
        certificate, api_certificate = authority.issue(HOST), authority.issue(API)
        route53 = stack.enter_context(Route53({HOST: GATEWAY, API: API_GATEWAY}))
        resolver = stack.enter_context(Resolver())
        if cell.neighbour:
            stack.enter_context(Neighbour(HOST))
        moto = stack.enter_context(Moto(pending=PENDING))
        sleeping = put_to_sleep(moto)
        function = stack.enter_context(answering(cell, moto, sleeping, authority.roots))
        gateway = stack.enter_context(Gateway(function))
        front = stack.enter_context(
            gateway_front(folder / "front", gateway.port, cell.idle, HOST, certificate, API, api_certificate)
        )
        instance = stack.enter_context(Instance(
            lambda: moto.state(sleeping) == "running", lambda: route53.point(HOST, INSTANCE), folder, HOST, cell.kind,
            certificate, authority.roots, cell.boot, cell.turns_after, cell.http3,
        ))
        tab = stack.enter_context(visitor(cell.browser, folder / "visitor", authority.pin))
        asked_before, visited_at = resolver.asked(HOST), time.time()
        try:
            watch(cell, tab, instance, result)
        except RuntimeError as error:
            result.failed = str(error)
        ended_at = time.time()
        time.sleep(0.3)  # the logs' last lines
        zero = instance.answered_at
        result.failed = result.failed or instance.failed
        result.visited, result.watched = round(visited_at - zero, 2), round(ended_at - zero, 2)
        result.turned = round(instance.turned_at - zero, 2) if instance.turned_at else None
        result.asked = resolver.asked(HOST) - asked_before
        result.route53 = [(round(q.at - zero, 2), q.told) for q in route53.queries if (q.name, q.kind) == (HOST, "A")]
        count(result, front, instance, zero)
        result.starts = len(moto.calls("StartInstances"))
    return result


def put_to_sleep(moto: Moto) -> str:
    instance = moto.run_instance({"catnap:host": HOST}, address=INSTANCE)
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


def knows_bridge() -> bool:
    """Whether the starter reads CATNAP_HANDOFF: then it ends at once, and says why, when that is nonsense."""
    environment = {"CATNAP_APP_DOMAIN": HOST, "CATNAP_HANDOFF": "nonsense"}
    ended = subprocess.run([binary("starter")], env=environment, capture_output=True, text=True, timeout=30)
    return "CATNAP_HANDOFF" in ended.stdout + ended.stderr


class Plain:
    """Starts the instance at each request, and answers each with the page."""

    def __init__(self, moto: Moto, instance: str) -> None:
        self._ec2, self._instance = moto.client("ec2", agent="plain"), instance

    def __call__(self, event: Event, timeout: float) -> Event:
        self._ec2.start_instances(InstanceIds=[self._instance])
        return {"statusCode": 200, "headers": {"content-type": "text/html"}, "body": PLAIN}


def watch(cell: Cell, tab: Visitor, instance: Instance, result: Result) -> None:
    """Opens the app and touches nothing until it is on the screen; then acts as its visitor would."""
    tab.open(f"https://{HOST}/")
    while not instance.answered.is_set():
        if instance.failed:
            return
        tab.wait(0.2)
    zero = instance.answered_at
    end = zero + cell.cap
    via, painted_at = until_shown(tab, end)
    if not via:
        return
    result.screen, result.screen_via = round(painted_at - zero, 2), via
    next_view = painted_at + VIEWS_EVERY
    while time.time() < end:
        if direct := went_direct(cell, instance):
            result.direct = round(direct - zero, 2)
            return
        tab.wait(0.5)
        if cell.kind == "quiet" and time.time() > next_view:
            next_view += VIEWS_EVERY
            if tab.run(SHOWN):
                tab.press("next")
            via, at = until_shown(tab, time.time() + 10, painted_at)
            painted_at = max(at, painted_at)
            result.views.append(via or "none")


def until_shown(tab: Visitor, end: float, after: float = 0.0) -> tuple[str, float]:
    """Who served the app that the tab shows, and when it was painted: after the moment given, if it is before `end`."""
    while time.time() < end:
        via, _, painted_at = tab.run(SHOWN).partition(" ")
        if via and float(painted_at) / 1000 > after:
            return via, float(painted_at) / 1000
        tab.wait(0.5)
    return "", 0.0


def went_direct(cell: Cell, instance: Instance) -> float | None:
    """When the tab's traffic first went to the instance itself: for a page with a WebSocket, when that came about."""
    if cell.kind == "websocket":
        return instance.live.opened[0] if instance.live.opened else None
    return next((line.at for line in app_lines(instance) if line.via == "direct"), None)


def count(result: Result, front: Nginx, instance: Instance, zero: float) -> None:
    at_the_gateway = [line for line in front.lines() if line.host == HOST]
    result.connections = len({line.connection for line in at_the_gateway})
    result.bridged = sum(line.via == "bridge" and not is_probe(line) for line in app_lines(instance))
    if result.screen is not None:
        since = zero + result.screen
        result.errors = sum(
            line.status >= 500 and line.at > since and line.target != LIVE for line in at_the_gateway
        )


def app_lines(instance: Instance) -> list[Line]:
    lines = instance.server.lines() if instance.server else []
    return [line for line in lines if line.agent != LAB_AGENT]


def is_probe(line: Line) -> bool:
    return line.agent == "Catnap"


if __name__ == "__main__":
    sys.exit(main())
