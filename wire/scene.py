"""One app with its instance, its health check and its metrics on the stand-in, as the demo and the tests want it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from emulator import ROOT, Lambda, binary, http_event
from stand import Moto

HOST = "app.example.com"
API = "abc123def4.execute-api.eu-central-1.amazonaws.com"
NOISE = 31_000.0  # bytes that an HTTP check from three regions every 30 s sends in five minutes
FIVE_MINUTES = timedelta(minutes=5)
TICK: dict[str, Any] = json.loads((ROOT / "events" / "tick.json").read_text())


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def read_time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 does not know the Z


def last_whole_five_minutes() -> datetime:
    now = utc_now().replace(second=0, microsecond=0)
    return now - timedelta(minutes=now.minute % 5)


@dataclass(frozen=True)
class Target:
    """An instance that has been running for a while, and the health check that watches it."""

    moto: Moto
    host: str
    instance: str
    check: str

    @property
    def state(self) -> str:
        return self.moto.state(self.instance)

    def traffic(self, bytes_by_age: Callable[[int], float], hours: float = 4) -> None:
        """NetworkIn of the last hours, for each five minutes: the bytes by the minutes since they ended."""
        end = last_whole_five_minutes()
        ages = range(0, int(hours * 60), 5)
        points = [(end - FIVE_MINUTES - timedelta(minutes=age), bytes_by_age(age)) for age in ages]
        self.moto.put_network_in(self.instance, points)

    def health(self, value: int = 1, hours: float = 4) -> None:
        now = utc_now().replace(second=0, microsecond=0)
        ages = range(1, int(hours * 60) + 1)
        self.moto.put_health(self.check, [(now - timedelta(minutes=age), value) for age in ages])

    def tag_health_check(self, check: str | None = None) -> None:
        """For a function that finds its instances by tag and has no health check of its own."""
        tags = [{"Key": "catnap:health-check", "Value": check or self.check}]
        self.moto.client("ec2").create_tags(Resources=[self.instance], Tags=tags)

    def settings(self, **more: str) -> dict[str, str]:
        """A function's environment for this one instance, by its id."""
        own = {"CATNAP_INSTANCE_ID": self.instance, "CATNAP_HEALTH_CHECK_ID": self.check}
        return settings(self.moto, self.host, **own, **more)


def add_target(moto: Moto, host: str = HOST, hours: float = 5) -> Target:
    """One that runs since some hours ago, whose metrics are still to be put."""
    instance = moto.run_instance({"catnap:host": host}, utc_now() - timedelta(hours=hours))
    check = moto.create_health_check(moto.describe(instance)["PublicIpAddress"])
    return Target(moto, host, instance, check)


def add_idle_target(moto: Moto, host: str = HOST) -> Target:
    """One that nobody has visited for hours."""
    target = add_target(moto, host)
    target.traffic(lambda _: NOISE)
    target.health()
    return target


def settings(moto: Moto, host: str = HOST, **more: str) -> dict[str, str]:
    """A function's environment, finding its instances by tag."""
    return {**moto.environment(), "CATNAP_APP_DOMAIN": host, "CATNAP_STATUS_ORIGIN": f"https://{API}", **more}


def origin_at(port: int, scheme: str = "http", host: str = HOST) -> dict[str, str]:
    """Lets the starter find the app of `stand.App`, whose instance's address exists only in the stand-in."""
    return {"CATNAP_ORIGIN": f"{scheme}://{host}:{port}", "CATNAP_ORIGIN_ADDRESS": f"127.0.0.1:{port}"}


def wake_call(by: str = "wake", **context: str) -> dict[str, Any]:
    return http_event("POST", "/.catnap/wake", headers={"x-catnap": by, "accept": "application/json"}, **context)


def status_poll(app: str = HOST) -> dict[str, Any]:
    return http_event("GET", f"/.catnap/status?app={app}", API, {"accept": "application/json"})


def starter(environment: dict[str, str]) -> Lambda:
    return Lambda(binary("starter"), environment, name="starter")


def stopper(environment: dict[str, str]) -> Lambda:
    return Lambda(binary("stopper"), environment, name="stopper")


def tick(environment: dict[str, str], event: Any = TICK) -> dict[str, Any]:
    """One tick of a cold stopper."""
    with stopper(environment) as function:
        return function.invoke(event)


def body(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])


def record_of(summary: dict[str, Any], target: Target) -> dict[str, Any]:
    [record] = [record for record in summary["records"] if record["instance"] == target.instance]
    return dict(record)
