"""The pair's main job on the real wire: real binaries, the runtime emulator, real HTTP to AWS's stand-in."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from emulator import direct, free_port, http_event
from scene import (
    API, HOST, TICK, add_idle_target, add_target, body, origin_at, read_time, record_of, settings, starter,
    status_poll, tick, utc_now, wake_call,
)
from stand import App, Moto, wait_until

@pytest.mark.parametrize("found_by", ["id", "tag"])
def test_an_idle_instance_naps_and_a_visit_wakes_it(moto: Moto, found_by: str) -> None:
    moto.set_phases(pending=600, stopping=600)  # each ends when this test says so
    target = add_idle_target(moto)
    port = free_port()
    environment = target.settings(**origin_at(port))
    if found_by == "tag":
        del environment["CATNAP_INSTANCE_ID"]
    with App(moto, target.instance, port, boot_delay=0.2) as app, starter(environment) as woken:
        wait_until(lambda: app.listening, "the app")
        record = record_of(tick(environment), target)
        assert (record["decision"], record["reason"], record["outcome"]) == ("nap", "idle", "stopped")
        assert moto.calls("StopInstances") == ["StopInstances"]
        assert target.state == "stopping"
        moto.set_instance(target.instance, state="stopped")
        wait_until(lambda: not app.listening, "the app's end")

        page = woken.invoke(http_event())
        assert (page["statusCode"], page["headers"]["content-type"]) == (503, "text/html; charset=utf-8")
        assert "<title>app.example.com is asleep</title>" in page["body"]
        assert moto.calls("StartInstances") == [], "a GET wakes nothing"

        answer = woken.invoke(wake_call())
        assert (answer["statusCode"], body(answer)["reason"]) == (202, "waking")
        assert moto.calls("StartInstances") == ["StartInstances"]
        assert target.state == "pending"
        assert body(woken.invoke(status_poll()))["reason"] == "booting"
        moto.set_instance(target.instance, state="running")
        wait_until(lambda: body(woken.invoke(status_poll()))["ready"], "the app to be ready")
        assert app.requests, "the starter asked the app itself"
        assert direct.open(f"http://127.0.0.1:{port}/", timeout=5).status == 200
        assert moto.calls("StartInstances") == ["StartInstances"]


def test_a_visit_while_it_falls_asleep_wakes_it_once_it_has_stopped(moto: Moto) -> None:
    moto.set_phases(pending=0.2, stopping=600)
    target = add_idle_target(moto)
    environment = target.settings()
    tick(environment)
    with starter(environment) as function:
        assert body(function.invoke(wake_call()))["reason"] == "falling-asleep"
        assert moto.calls("StartInstances") == []
        moto.set_instance(target.instance, state="stopped")

        def asks_until_woken() -> bool:
            return body(function.invoke(status_poll()))["can_wake"] and (
                body(function.invoke(wake_call()))["reason"] == "waking"
            )

        wait_until(asks_until_woken, "the start")
    assert moto.calls("StartInstances") == ["StartInstances"]


def test_traffic_within_the_idle_time_keeps_it(moto: Moto) -> None:
    target = add_target(moto)
    target.traffic(lambda age: 900_000 if age == 20 else 0)
    target.health()
    record = record_of(tick(target.settings()), target)
    assert (record["decision"], record["reason"], record["bytes"]) == ("keep", "active", 900_000)
    at, earliest = (read_time(record[name]) for name in ("at", "naps_at_the_earliest"))
    assert timedelta(minutes=20) <= utc_now() - at < timedelta(minutes=26)
    # The idle time, and as late as the metrics are now.
    assert timedelta(minutes=60) <= earliest - at < timedelta(minutes=66)
    assert moto.calls("StopInstances") == [] and target.state == "running"
    # The same traffic is long ago for one who naps after a quarter of an hour.
    assert record_of(tick(target.settings(CATNAP_IDLE_MINUTES="15")), target)["reason"] == "idle"
    assert target.state == "stopped"


def test_a_dry_run_decides_and_touches_nothing(moto: Moto) -> None:
    target = add_idle_target(moto)
    environment = target.settings(CATNAP_DRY_RUN="true")
    summary = tick(environment)
    assert (summary["napped"], summary["dry_run"]) == (1, True)
    assert record_of(summary, target)["outcome"] == "dry-run"
    assert moto.calls("StopInstances") == [] and target.state == "running"
    moto.client("ec2").stop_instances(InstanceIds=[target.instance])
    with starter(environment) as function:
        assert body(function.invoke(wake_call()))["reason"] == "dry-run"
    assert moto.calls("StartInstances") == [] and target.state == "stopped"


@pytest.mark.parametrize("event", [TICK, {}], ids=["scheduler", "empty"])
def test_any_event_is_a_tick(moto: Moto, event: dict[str, Any]) -> None:
    target = add_idle_target(moto)
    summary = tick(target.settings(), event)
    counted = {name: summary[name] for name in ("targets", "napped", "kept", "skipped", "failed", "dry_run")}
    assert counted == {"targets": 1, "napped": 1, "kept": 0, "skipped": 0, "failed": 0, "dry_run": False}
    assert target.state == "stopped"


def test_one_target_s_trouble_is_not_the_others(moto: Moto) -> None:
    idle = add_idle_target(moto, "idle.example.com")
    bogus = add_idle_target(moto, "bogus.example.com")
    idle.tag_health_check()
    bogus.tag_health_check("00000000-0000-0000-0000-000000000000")
    summary = tick(settings(moto))
    assert (summary["targets"], summary["napped"], summary["kept"]) == (2, 1, 1)
    assert record_of(summary, idle)["reason"] == "idle" and idle.state == "stopped"
    kept = record_of(summary, bogus)
    assert (kept["decision"], kept["reason"], bogus.state) == ("keep", "failover-off", "running")
    assert kept["error"].startswith("GetHealthCheck: NoSuchHealthCheck: ")


def test_a_stop_that_is_refused_keeps_no_other_from_its_nap(moto: Moto) -> None:
    targets = [add_idle_target(moto, f"app{number}.example.com") for number in (1, 2)]
    for target in targets:
        target.tag_health_check()
    moto.refuse("StopInstances", "OperationNotPermitted")
    summary = tick(settings(moto))
    assert (summary["napped"], summary["kept"]) == (1, 1)
    assert sorted(target.state for target in targets) == ["running", "stopped"]


def test_each_service_is_asked_in_its_own_region(moto: Moto) -> None:
    target = add_idle_target(moto)
    assert moto.region == "eu-central-1"
    tick(target.settings())
    asked = {(call["service"], call["operation"], call["region"]) for call in moto.arrived()}
    assert asked == {
        ("ec2", "DescribeInstances", "eu-central-1"),
        ("route53", "GetHealthCheck", "us-east-1"),
        ("monitoring", "GetMetricData", "eu-central-1"),
        ("monitoring", "GetMetricData", "us-east-1"),
        ("ec2", "StopInstances", "eu-central-1"),
    }


def test_the_health_check_s_metrics_count_only_where_aws_has_them(moto: Moto) -> None:
    target = add_target(moto)
    target.traffic(lambda _: 0)
    minutes = [utc_now() - timedelta(minutes=minute) for minute in range(1, 240)]
    data = [{"MetricName": "HealthCheckStatus", "Dimensions": [{"Name": "HealthCheckId", "Value": target.check}],
             "Timestamp": at, "Value": 1} for at in minutes]
    moto.client("cloudwatch").put_metric_data(Namespace="AWS/Route53", MetricData=data)
    record = record_of(tick(target.settings()), target)
    assert (record["reason"], record["missing"]) == ("no-data", "health-status")
    target.health()
    assert record_of(tick(target.settings()), target)["reason"] == "idle"


def test_a_sick_instance_naps_unless_it_is_to_be_kept(moto: Moto) -> None:
    target = add_target(moto)
    target.traffic(lambda _: 0)
    target.health(0)
    record = record_of(tick(target.settings(CATNAP_ON_SICK="keep")), target)
    assert (record["decision"], record["reason"]) == ("keep", "sick")
    record = record_of(tick(target.settings()), target)
    assert (record["decision"], record["reason"], target.state) == ("nap", "sick", "stopped")


def test_the_status_has_all_its_fields(moto: Moto) -> None:
    moto.set_phases(pending=30)
    target = add_target(moto)
    moto.client("ec2").stop_instances(InstanceIds=[target.instance])
    with starter(target.settings()) as function:
        answer = function.invoke(status_poll())
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "application/json")
        assert answer["headers"]["access-control-allow-origin"] == f"https://{HOST}"
        assert (answer["headers"]["vary"], answer["headers"]["cache-control"]) == ("Origin", "no-store")
        assert body(answer) == {
            "app": HOST, "state": "stopped", "phase": "asleep", "reason": "asleep", "title": f"{HOST} is asleep",
            "detail": "It wakes up when you ask for it.", "since": None, "elapsed_seconds": None,
            "expected_seconds": 90, "ready": False, "can_wake": True, "retry_is_due": False,
            "navigate_after_seconds": [0, 3, 10, 65], "mood": "asleep", "steps_done": None,
        }
        function.invoke(wake_call())
        time.sleep(1)
        booting = body(function.invoke(status_poll()))
        assert booting.keys() == body(answer).keys()
        assert (booting["state"], booting["phase"], booting["can_wake"]) == ("pending", "booting", False)
        assert read_time(booting["since"]) == moto.describe(target.instance)["LaunchTime"]
        assert 1 <= booting["elapsed_seconds"] <= 10


def test_at_the_api_s_own_address_only_the_status_is_served(moto: Moto) -> None:
    target = add_target(moto)
    moto.client("ec2").stop_instances(InstanceIds=[target.instance])
    with starter(target.settings()) as function:
        query = f"?app={HOST}"
        wake = http_event("POST", f"/.catnap/wake{query}", API, {"x-catnap": "wake"})
        assert function.invoke(http_event("GET", f"/{query}", API))["statusCode"] == 404
        assert function.invoke(wake)["statusCode"] == 404
        assert function.invoke(status_poll("other.example.com"))["statusCode"] == 404
    assert moto.calls("StartInstances") == []
