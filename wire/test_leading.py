"""Leading visitors by the health check (`Steer`): the real binaries against moto's Route 53, which has both flags."""

from __future__ import annotations

import ssl
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import pytest

from certificates import Authority
from emulator import http_event
from scene import HOST, Target, add_idle_target, origin_at, record_of, starter, tick, utc_now
from stand import Moto


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def app(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An app over TLS, and how the starter finds it."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue(HOST))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield {**origin_at(server.server_address[1], "https"), "SSL_CERT_FILE": str(authority.roots)}
    server.shutdown()


def flags(target: Target) -> tuple[bool, bool]:
    check = target.moto.client("route53").get_health_check(HealthCheckId=target.check)["HealthCheck"]
    config = check["HealthCheckConfig"]
    return config.get("Disabled", False), config.get("Inverted", False)


def mark(target: Target, which: str = "catnap:steered") -> str:
    tags = target.moto.client("route53").list_tags_for_resource(ResourceType="healthcheck", ResourceId=target.check)
    found = {tag["Key"]: tag["Value"] for tag in tags["ResourceTagSet"]["Tags"]}
    return found[which]


def minutes_later(target: Target, minutes: int, which: str = "catnap:steered") -> None:
    """Nobody can turn the binaries' clock on: what is written beside the health check is set back instead."""
    lead, version, _ = mark(target, which).split(" / ")[0].split(" ")
    since = (utc_now() - timedelta(minutes=minutes)).isoformat(timespec="seconds").replace("+00:00", "Z")
    target.moto.client("route53").change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=target.check,
        AddTags=[{"Key": which, "Value": f"{lead} {version} {since}"}],
    )


def test_away_before_a_nap_home_after_a_wake_and_back_to_the_checkers(moto: Moto, app: dict[str, str]) -> None:
    target = add_idle_target(moto)
    environment = target.settings(CATNAP_STEER="true", **app)
    record = record_of(tick(environment), target)
    assert (record["reason"], record["outcome"]) == ("idle", "draining")
    assert (flags(target), mark(target).split()[0]) == ((True, True), "away")
    assert (target.state, moto.calls("StopInstances")) == ("running", [])

    minutes_later(target, 2)
    assert record_of(tick(environment), target)["outcome"] == "draining"
    minutes_later(target, 20)
    record = record_of(tick(environment), target)
    assert (record["outcome"], record["led"]["to"], target.state) == ("stopped", "away", "stopped")
    assert (flags(target), mark(target).split()[0]) == ((True, True), "closed")

    moto.client("ec2").start_instances(InstanceIds=[target.instance])
    with starter(environment) as function:
        page = function.invoke(http_event())
        assert (page["statusCode"], page["body"]) == (200, "hello"), page
    assert (flags(target), mark(target, "catnap:steered-home").split()[0]) == ((True, False), "home")
    tick(environment)
    assert flags(target) == (True, False), "for five minutes"
    minutes_later(target, 6, "catnap:steered-home")
    tick(environment)
    assert flags(target) == (False, False)


def test_a_visitor_ends_the_drain(moto: Moto, app: dict[str, str]) -> None:
    target = add_idle_target(moto)
    environment = target.settings(CATNAP_STEER="true", **app)
    tick(environment)
    with starter(environment) as function:
        assert function.invoke(http_event())["body"] == "hello"
    assert flags(target) == (True, False)
    record = record_of(tick(environment), target)
    assert (record["decision"], record["reason"], target.state) == ("keep", "visitors", "running")


def test_what_a_person_has_disabled_stays_so(moto: Moto, app: dict[str, str]) -> None:
    target = add_idle_target(moto)
    environment = target.settings(CATNAP_STEER="true", **app)
    moto.client("route53").update_health_check(HealthCheckId=target.check, Disabled=True, Inverted=True)
    record = record_of(tick(environment), target)
    assert (record["reason"], record["because"]) == ("failover-off", "health-check-disabled")
    with starter(environment) as function:
        assert function.invoke(http_event())["body"] == "hello"
    assert (flags(target), moto.calls("ChangeTagsForResource")) == ((True, True), [])
