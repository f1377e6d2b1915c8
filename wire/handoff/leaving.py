"""What gets a browser off a connection that it keeps using long after DNS has moved: a table in Markdown.

    python -m handoff.leaving [--browsers chromium,firefox] [--ways 421,alt-svc,…]

A page at the gateway asks its own origin every 5 s, so that the connection never idles. Once DNS has pointed to the
instance for longer than anybody may remember the old answer, the gateway tries to send the browser off, each run in
one way, and the page asks again.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway import Event, Gateway
from handoff import caddy, firefox, lab
from handoff.app import Live
from handoff.caddy import Caddy
from certificates import Authority
from handoff.chromium import BrowserFailed
from handoff.dns import Resolver, Route53
from handoff.namespace import API_GATEWAY, GATEWAY, INSTANCE
from handoff.nginx import gateway_front, web_server
from handoff.visitor import Visitor, visitor
from scene import API, HOST

STALE_AFTER = {"chromium": 130, "firefox": 190}  # seconds: the resolver's TTL and the browser's own cache, and a margin
LOOKS = (0.5, 1.5, 3, 5, 10)  # seconds between one look of the page at its origin and the next
PAGE = '<!doctype html><html lang="en"><title>Bridged</title><h1 id="app" data-via="gateway">Bridged</h1>'
VIA = 'document.querySelector("#app")?.dataset.via ?? "nothing"'
LOOK = 'fetch("/whoami", { cache: "no-store" }).then((answer) => answer.text())'
POLL = f"void (window.polls = setInterval(() => {LOOK}.catch(() => {{}}), 5000))"
ACT = 'fetch("/act", { cache: "no-store" }).then(async (answer) => [answer.status, await answer.text()].join(" "))'
BURST = f"(async () => {{ for (let asked = 0; asked < 60; asked += 1) await {LOOK}; return '60 requests'; }})()"
SOCKET = """new Promise((tell) => {
  const socket = window.socket = new WebSocket("wss://" + location.host + "/live");
  socket.onopen = () => tell("open, direct");
  socket.onerror = () => tell("refused by the gateway");
})"""


@dataclass(frozen=True)
class Way:
    """One attempt: how the gateway answers `/act`, or what the page does in its place."""

    what: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    script: str = ACT
    idle: int = 350  # seconds after which the gateway closes an idle connection
    requests: int = 10_000  # after which it closes a busy one
    silence: int = 0  # seconds in which the page asks for nothing
    http3: bool = False  # the instance serves it too; Firefox takes no authority of ours for it
    too_early: bool = False  # DNS still points to the gateway


ALT_SVC = {version: (("alt-svc", f'{version}="{INSTANCE}:443"; ma=600'),) for version in ("h2", "h3")}
WAYS = {
    "nothing": Way("nothing (control)"),
    "421": Way("status 421", 421),
    "421-early": Way("status 421 while DNS still points to the gateway", 421, too_early=True),
    "503": Way("status 503 with `Retry-After: 1`", 503, (("retry-after", "1"),)),
    "408": Way("status 408", 408),
    "clear-cache": Way('`Clear-Site-Data: "cache"`', 200, (("clear-site-data", '"cache"'),)),
    "clear-cookies": Way('`Clear-Site-Data: "cookies"`', 200, (("clear-site-data", '"cookies"'),)),
    "alt-svc": Way("`Alt-Svc: h2=` at the instance's address", 200, ALT_SVC["h2"]),
    "alt-svc-early": Way("that `h2=` while DNS still points to the gateway", 200, ALT_SVC["h2"], too_early=True),
    "alt-svc-h3": Way("`Alt-Svc: h3=` at the instance's address, which serves it", 200, ALT_SVC["h3"], http3=True),
    "alt-svc-h3-early": Way(
        "that `h3=` while DNS still points to the gateway", 200, ALT_SVC["h3"], http3=True, too_early=True,
    ),
    "goaway": Way("GOAWAY by the gateway, at its 60th request", script=BURST, requests=60),
    "silence": Way("15 s of silence, gateway closes after 10 s", idle=10, silence=15),
    "omit": Way("a fetch with `credentials: \"omit\"`", script=LOOK.replace("{ ", '{ credentials: "omit", ')),
    "websocket": Way("a WebSocket", script=SOCKET),
}


@dataclass
class Outcome:
    way: str
    browser: str
    before: str = ""  # who answered just before: the gateway, or the attempt says nothing
    itself: str = ""  # what the attempt was answered
    fetches: list[str] = field(default_factory=list)  # who answered the page's requests after it
    reload: str = ""  # who answered a reload after those
    document: str = ""  # who answered a page view that was itself the attempt
    after: str = ""  # and the next one
    connections: int = 0  # of the browser to the gateway
    failed: str = ""


def one(way_name: str, browser: str) -> Outcome:
    way, outcome = WAYS[way_name], Outcome(way_name, browser)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="catnap-")))
        authority = Authority(folder)
        certificate = authority.issue(HOST)
        route53 = stack.enter_context(Route53({HOST: GATEWAY, API: API_GATEWAY}))
        stack.enter_context(Resolver())
        live = stack.enter_context(Live())
        root = folder / "www"
        root.mkdir()
        (root / "index.html").write_text(PAGE.replace("gateway", "direct"))
        stack.enter_context(web_server(folder / "web", root, HOST, certificate, live.port, way.http3))
        if way.http3:
            stack.enter_context(Caddy(folder / "caddy", HOST, certificate))
        gateway = stack.enter_context(Gateway(lambda event, _: bridged(event, way)))
        front = stack.enter_context(gateway_front(
            folder / "front", gateway.port, way.idle, HOST, certificate, API, authority.issue(API), way.requests,
        ))
        tab = stack.enter_context(visitor(browser, folder / "visitor", authority.pin))
        try:
            tab.open(f"https://{HOST}/")
            tab.run(POLL)
            if not way.too_early:
                route53.point(HOST, INSTANCE)
                tab.wait(STALE_AFTER[browser])
            attempt(way, tab, outcome)
        except BrowserFailed as error:
            outcome.failed = str(error)
        time.sleep(0.3)  # the log's last lines
        outcome.connections = len({line.connection for line in front.lines() if line.host == HOST})
    return outcome


def attempt(way: Way, tab: Visitor, outcome: Outcome) -> None:
    outcome.before = tab.run(LOOK)
    if way.silence:
        tab.run("clearInterval(window.polls)")
        tab.wait(way.silence)
    outcome.itself = tab.run(way.script)
    for pause in LOOKS:
        tab.wait(pause)
        outcome.fetches.append(tab.run(LOOK))
    outcome.reload = view(tab, "/")
    if way.script == ACT and not way.silence:
        outcome.document = view(tab, "/act")
        tab.wait(1)
        outcome.after = view(tab, "/")


def view(tab: Visitor, path: str) -> str:
    tab.open(f"https://{HOST}{path}")
    tab.wait(1)
    return tab.run(VIA)


def bridged(event: Event, way: Way) -> Event:
    """The gateway's function: it answers for the app, and at `/act` in the way that is tried."""
    headers = {"content-type": "text/html", "cache-control": "no-store"}
    if event["rawPath"] == "/whoami":
        return {"statusCode": 200, "headers": headers, "body": "gateway"}
    if event["rawPath"] == "/act":
        return {"statusCode": way.status, "headers": {**headers, **dict(way.headers)}, "body": PAGE}
    return {"statusCode": 200, "headers": headers, "body": PAGE}


def main() -> int:
    if sys.argv[1:2] == ["--one"]:
        lab.end_with_parent()
        print(json.dumps(asdict(one(*sys.argv[2:4]))), flush=True)
        return 0
    options = argparse.ArgumentParser(description="Measures what gets a browser off a connection that it keeps using.")
    options.add_argument("--browsers", default="chromium,firefox", type=lab.words)
    options.add_argument("--ways", default=",".join(WAYS), type=lab.words)
    options.add_argument("--beside", default=6, type=int, help="runs side by side")
    chosen = options.parse_args()
    lab.must_work()
    runs = [(way, browser) for browser in chosen.browsers for way in chosen.ways if can_run(WAYS[way], browser)]
    outcomes = lab.side_by_side(lambda run: in_its_own_network(*run), runs, chosen.beside)
    print(table(outcomes))
    return 1 if any(outcome.failed for outcome in outcomes) else 0


def can_run(way: Way, browser: str) -> bool:
    if browser == "firefox":
        return firefox.is_installed() and not way.http3
    return caddy.is_installed() or not way.http3


def in_its_own_network(way: str, browser: str) -> Outcome:
    said, errors = lab.run_inside("handoff.leaving", "--one", way, browser, seconds=STALE_AFTER[browser] + 180)
    try:
        outcome = Outcome(**json.loads(said))
    except ValueError:
        outcome = Outcome(way, browser, failed=f"no result: {errors.strip()[-2000:]}")
    print(outcome, file=sys.stderr, flush=True)
    return outcome


HEAD = (
    "browser", "tried", "just before", "the attempt itself", "the page's requests after it", "a reload after those",
    "the attempt as a page view", "the next page view",
)


def table(outcomes: list[Outcome]) -> str:
    lines = [f"| {' | '.join(HEAD)} |", "| --- " * len(HEAD) + "|"]
    for outcome in outcomes:
        told = outcome.browser, WAYS[outcome.way].what, outcome.before, brief(outcome.itself)
        then = run_lengths(outcome.fetches), outcome.reload, outcome.document or "–", outcome.after or "–"
        lines.append(f"| {' | '.join([*told, *then])} | {outcome.failed}".rstrip())
    return "\n".join(lines)


def brief(said: str) -> str:
    """Status and who it was, of an answer with a whole page."""
    status, _, page = said.partition(" ")
    return f"{status}, {'direct' if 'direct' in page else 'gateway'}" if "<" in page else said


def run_lengths(answers: list[str]) -> str:
    told = [f"{len(list(same))} × {answer}" for answer, same in itertools.groupby(answers)]
    return ", ".join(told)


if __name__ == "__main__":
    sys.exit(main())
