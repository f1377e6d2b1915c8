"""Catnap's main job on one machine, without an AWS account: an app falls idle, naps, is visited and wakes.

    python wire/demo.py

The pair's real binaries run under AWS's own Lambda runtime emulator; moto's server answers in AWS's place. All that
is told here is read back: states from EC2's stand-in, reasons from what the functions answer.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import ssl
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from certificates import Authority
from emulator import ROOT, FunctionFailed, Lambda, binary, free_port, http_event
from narrator import Narrator
from scene import HOST, NOISE, TICK, Target, add_target, origin_at, read_time, settings
from stand import App, Moto, wait_until

PENDING, BOOT, STOPPING = 4.0, 4.0, 3.0  # seconds, so that there is something to see
HOURS_SHOWN = 3.0
PATIENCE = 30.0
PEOPLE = [95_000, 310_000, 180_000, 640_000, 820_000, 450_000, 700_000, 240_000, 520_000, 130_000]  # newest first
LAST_VISIT = 15  # minutes ago
VISIT = "/reports/weekly?team=ops"


class StoryWentWrong(Exception):
    pass


def expect(holds: object, what: str, seen: object = "") -> None:
    if not holds:
        raise StoryWentWrong(f"expected {what}" + (f", but saw: {seen}" if seen else ""))


class Demo:
    def __init__(
        self, say: Narrator, moto: Moto, target: Target, app: App, trusting: ssl.SSLContext, starter: Lambda,
        stopper: Lambda,
    ) -> None:
        self.narrator, self.moto, self.target, self.app, self.trusting = say, moto, target, app, trusting
        self.starter, self.stopper = starter, stopper
        self.say = say.say

    def tell(self) -> None:
        self.an_app_is_used()
        self.it_naps()
        self.a_bot_asks()
        self.a_person_visits()
        self.the_visitor_is_let_through()
        self.sum_up()

    def an_app_is_used(self) -> None:
        self.narrator.step("An app runs, and people use it")
        launched = self.moto.describe(self.target.instance)["LaunchTime"]
        self.say("EC2", f"{self.target.instance}, tagged catnap:host={HOST}, runs since {clock(launched)}")
        wait_until(lambda: self.app.listening, "the app", PATIENCE)
        status, title = self.open_app("/")
        expect(status == 200, "an answer from the app", status)
        self.say("app", f"answers at its own port {self.app.port}: {status}, {title!r}")
        self.narrator.note(
            "(The demo dates its metrics back, so that nobody has to wait an hour for the quiet one. All else is real.)"
        )
        record = self.tick(LAST_VISIT, f"people, until {LAST_VISIT} minutes ago")
        expect((record["decision"], record["reason"]) == ("keep", "active"), "a tick that keeps an app in use", record)
        at, earliest = clock(record["at"]), clock(record["naps_at_the_earliest"])
        self.say("stopper", f"keeps it. Reason: {record['reason']}, {kilo(record['bytes'])} came in up to {at}; "
                 f"more than {kilo(record['floor'])} in 5 minutes is use. It naps at {earliest} at the earliest.", "32")
        expect(self.target.state == "running" and not self.moto.calls("StopInstances"), "an instance left alone")

    def it_naps(self) -> None:
        self.narrator.step("An hour later nobody has come: it naps")
        record = self.tick(LAST_VISIT + 60, "the same, dated back by one hour more")
        expect((record["decision"], record["reason"], record["outcome"]) == ("nap", "idle", "stopped"),
               "a tick that naps an idle app", record)
        self.say("stopper", f"naps it. Reason: {record['reason']}, for {record['quiet_seconds'] // 60} minutes (since "
                 f"{clock(record['since'])}) never more than {kilo(record['floor'])} in 5 minutes, which the health "
                 "check itself may send.", "32")
        expect(self.moto.calls("StopInstances") == ["StopInstances"], "one StopInstances", self.moto.calls())
        expect(self.follow_state("stopped") == ["stopping", "stopped"], "stopping, then stopped")
        wait_until(lambda: not self.app.listening, "the app's end", PATIENCE)
        try:
            status, _ = self.open_app("/")
            raise StoryWentWrong(f"the app still answers: {status}")
        except OSError as error:
            self.say("app", f"does not answer any more: {error.strerror}")

    def a_bot_asks(self) -> None:
        self.narrator.step("A bot asks, and nothing wakes")
        answer, ms = self.ask(json.loads((ROOT / "events" / "bot.json").read_text()))
        said = json.loads(answer["body"])
        agent = "a link preview (Slackbot)"
        expect((answer["statusCode"], said["reason"]) == (503, "asleep"), "a refusal for the bot", answer)
        self.say("bot", f"GET / by {agent}: {answer['statusCode']} {answer['headers']['content-type']}, "
                 f"reason {said['reason']}, in {ms}")
        wait_until(lambda: any(it.get("IgnoredRequests") for it in self.starter.records()), "the record of the bot", 5)
        expect(not self.moto.calls("StartInstances") and self.target.state == "stopped", "an instance that sleeps on")
        self.say("EC2", "no StartInstances arrived; the instance is still stopped")

    def a_person_visits(self) -> None:
        self.narrator.step("A person opens the app, and it wakes")
        answer, ms = self.ask(http_event("GET", VISIT))
        html = answer["body"]
        expect(answer["statusCode"] == 503 and html.startswith("<!doctype html>"), "the waiting page", answer)
        self.say("visitor", f"GET {VISIT}: {answer['statusCode']}, the waiting page {title_of(html)!r}, in {ms}")
        self.page = json.loads(found(r'id="settings">(.*?)</script>', html))
        expect(self.page["wakes_by_itself"] and self.page["status"]["can_wake"], "a page that wakes", self.page)
        expect(not self.moto.calls("StartInstances"), "no start by the page alone", self.moto.calls())

        self.woken_at = time.monotonic()
        call = http_event("POST", self.page["wake_url"], headers={"x-catnap": "wake", "origin": f"https://{HOST}"})
        answer, ms = self.ask(call)
        said = json.loads(answer["body"])
        expect((answer["statusCode"], said["reason"]) == (202, "waking"), "a wake call that wakes", answer)
        self.say("page", f"POST {self.page['wake_url']}: {answer['statusCode']} {said['reason']}, in {ms}", "32")
        expect(self.moto.calls("StartInstances") == ["StartInstances"], "one StartInstances", self.moto.calls())
        self.say("EC2", f"StartInstances arrived; the instance is {self.target.state}")

        phases = self.poll_until_ready()
        expect(phases == ["booting", "starting", "ready"], "booting, starting, ready", phases)
        expect(self.target.state == "running", "a running instance", self.target.state)

    def poll_until_ready(self) -> list[str]:
        _, _, api, path = self.page["status_urls"][0].split("/", 3)
        phases: list[str] = []
        while time.monotonic() - self.woken_at < PATIENCE:
            answer, _ = self.ask(http_event("GET", f"/{path}", api, {"accept": "application/json"}))
            status = json.loads(answer["body"])
            if status["phase"] not in phases:
                phases.append(status["phase"])
                seconds = time.monotonic() - self.woken_at
                told = f"status: {status['phase']}, {seconds:.1f} s after the wake call. {status['detail']}"
                self.say("page", told, "32" if status["ready"] else "")
            if status["ready"]:
                return phases
            time.sleep(0.5)
        raise StoryWentWrong(f"the app was not ready within {PATIENCE:g} s; the status went through {phases}")

    def the_visitor_is_let_through(self) -> None:
        self.narrator.step("The visitor is let through")
        answer, ms = self.ask(http_event("GET", VISIT))
        seen = (answer["statusCode"], title_of(answer["body"]))
        expect(seen == (200, self.app.name), "the app itself", seen)
        expect(self.app.requests[-1] == VISIT, "the visitor's own path at the app", self.app.requests)
        self.say("starter", f"GET {VISIT}: {seen[0]}, {seen[1]!r}, in {ms}: it answers for the app, over TLS", "32")
        self.narrator.note(
            "(A minute or two later Route 53 and the browser's own DNS cache have turned back to the instance. There is "
            "no DNS here: the visitor goes straight to the app.)"
        )
        status, title = self.open_app(VISIT)
        expect((status, title) == (200, self.app.name), "the app itself", (status, title))
        self.say("visitor", f"GET {VISIT}: {status}, {title!r}, from the instance itself", "32")

    def sum_up(self) -> None:
        self.narrator.end_step()
        calls = Counter((call["operation"], call["region"]) for call in self.moto.arrived())
        expect([calls[name, self.moto.region] for name in ("StartInstances", "StopInstances")] == [1, 1],
               "one start and one stop", calls)
        rows = [[operation, region, str(count)] for (operation, region), count in sorted(calls.items())]
        self.narrator.table("What the two functions asked of AWS's stand-in: operation, region, times", rows)
        self.narrator.times()
        self.narrator.table("Next", [["make test", "runs all tests"], ["README.md, Deploy", "how to set it up on AWS"]])

    def tick(self, last_visit: int, label: str) -> dict[str, Any]:
        """Puts the last hours' metrics into CloudWatch in place of what was there, and runs the stopper."""
        people = {last_visit + 5 * number: float(sent) for number, sent in enumerate(PEOPLE)}
        self.moto.forget_metrics()
        self.target.traffic(lambda age: people.get(age, NOISE))
        self.target.health()
        [record] = self.stopper.invoke(TICK)["records"]
        ages = range(int(HOURS_SHOWN * 60) - 5, -1, -5)
        self.narrator.bars(f"bytes in, {label}", [people.get(age, NOISE) for age in ages], record["floor"])
        return dict(record)

    def follow_state(self, until: str) -> list[str]:
        states: list[str] = []
        began = time.monotonic()
        while not states or states[-1] != until:
            state = self.target.state
            if not states or states[-1] != state:
                states.append(state)
                self.say("EC2", f"the instance is {state}, {time.monotonic() - began:.1f} s after the stop")
            if time.monotonic() - began > PATIENCE:
                raise StoryWentWrong(f"the instance is still {state} after {PATIENCE:g} s, not {until}")
            time.sleep(0.1)
        return states

    def ask(self, event: dict[str, Any]) -> tuple[dict[str, Any], str]:
        began = time.monotonic()
        answer = self.starter.invoke(event)
        return answer, f"{(time.monotonic() - began) * 1000:.0f} ms"

    def open_app(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPSConnection(HOST, context=self.trusting)
        try:
            plain = socket.create_connection(("127.0.0.1", self.app.port), 5)
            connection.sock = self.trusting.wrap_socket(plain, server_hostname=HOST)
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, title_of(answer.read().decode())
        finally:
            connection.close()


def title_of(html: str) -> str:
    return found(r"<title>(.*?)</title>", html)


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.DOTALL)
    if not match:
        raise StoryWentWrong(f"nothing like {pattern} in: {text[:500]}")
    return match[1]


def clock(at: str | datetime) -> str:
    """The local time of a moment that AWS or a function tells."""
    moment = read_time(at) if isinstance(at, str) else at
    return moment.astimezone().strftime("%H:%M")


def kilo(count: float) -> str:
    return f"{count / 1000:,.0f} KB"


def run() -> None:
    starter, stopper = (binary(name, made_by="make demo-wire") for name in ("starter", "stopper"))
    narrator = Narrator()
    narrator.title("Catnap: an app naps when nobody uses it, and wakes when somebody comes")
    with contextlib.ExitStack() as stack:
        moto = stack.enter_context(Moto(pending=PENDING, stopping=STOPPING))
        narrator.say("moto", f"answers as EC2, CloudWatch and Route 53 at {moto.endpoint}")
        target = add_target(moto, hours=4)
        authority = Authority(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        port = free_port()
        environment = settings(moto, **origin_at(port, "https"), SSL_CERT_FILE=str(authority.roots))
        app = stack.enter_context(App(moto, target.instance, port, boot_delay=BOOT, tls=authority.server(HOST)))
        # By its tag, as with an empty InstanceId; the stack would also tell the health check that it made.
        environment["CATNAP_HEALTH_CHECK_ID"] = target.check
        pair = [stack.enter_context(Lambda(path, environment, name=path.name)) for path in (starter, stopper)]
        narrator.say("Lambda", "the starter and the stopper run under AWS's runtime emulator")
        trusting = ssl.create_default_context(cafile=str(authority.roots))
        Demo(narrator, moto, target, app, trusting, *pair).tell()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        run()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except (StoryWentWrong, FunctionFailed, BotoCoreError, ClientError, OSError, RuntimeError) as error:
        print(f"\nThe demo went wrong: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
