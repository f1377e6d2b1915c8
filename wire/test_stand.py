"""The stand-in does what it claims, so that what is seen through it can be believed."""

from __future__ import annotations

import sys
import urllib.error
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import EmulatorDied, FunctionFailed, Lambda, direct, http_event, pids_of_session
from stand import HEALTH_REGION, App, Moto, wait_until

NOW = datetime.now(timezone.utc).replace(second=0, microsecond=0)


def code_of(error: Any) -> str:
    return str(error.value.response["Error"]["Code"])


def test_an_instance_has_an_address_that_stays_its_tags_and_the_launch_time_it_was_given(moto: Moto) -> None:
    launched = NOW - timedelta(hours=3)
    instance = moto.run_instance({"catnap:host": "app.example.com"}, launched)
    seen = moto.describe(instance)
    assert seen["State"]["Name"] == "running"
    assert seen["LaunchTime"] == launched
    assert {"Key": "catnap:host", "Value": "app.example.com"} in seen["Tags"]

    moto.client("ec2").stop_instances(InstanceIds=[instance])
    assert moto.state(instance) == "stopped"
    moto.client("ec2").start_instances(InstanceIds=[instance])
    woken = moto.describe(instance)
    assert woken["LaunchTime"] >= NOW, "a start renews it"
    assert woken["PublicIpAddress"] == seen["PublicIpAddress"]


def test_calls_of_others_are_recorded_in_order_and_its_own_are_not(moto: Moto) -> None:
    instance = moto.run_instance()
    check = moto.create_health_check("192.0.2.1")
    ec2, route53 = (moto.client(service, agent="someone-else") for service in ("ec2", "route53"))
    ec2.stop_instances(InstanceIds=[instance])
    route53.get_health_check(HealthCheckId=check)
    route53.get_health_check_status(HealthCheckId=check)
    moto.client("cloudwatch", agent="someone-else").list_metrics()
    ec2.start_instances(InstanceIds=[instance])
    arrived = ["StopInstances", "GetHealthCheck", "GetHealthCheckStatus", "ListMetrics", "StartInstances"]
    assert moto.calls() == arrived
    assert moto.calls("StartInstances") == ["StartInstances"]
    moto.reset()
    assert moto.calls() == []


def test_metrics_can_be_read_where_aws_has_them(moto: Moto) -> None:
    def read(region: str, namespace: str, metric: str, dimension: str, of: str, stat: str) -> list[float]:
        named = {"Namespace": namespace, "MetricName": metric, "Dimensions": [{"Name": dimension, "Value": of}]}
        query = {"Id": "q", "MetricStat": {"Metric": named, "Period": 300, "Stat": stat}}
        answer = moto.client("cloudwatch", region).get_metric_data(
            MetricDataQueries=[query], StartTime=NOW - timedelta(minutes=30), EndTime=NOW, ScanBy="TimestampAscending"
        )
        return list(answer["MetricDataResults"][0]["Values"])

    points = [NOW - timedelta(minutes=minutes) for minutes in (30, 25, 20)]
    moto.put_network_in("i-1", zip(points, (10, 20, 30)))
    moto.put_health("check-1", zip(points, (1, 1, 0)))
    assert read(moto.region, "AWS/EC2", "NetworkIn", "InstanceId", "i-1", "Sum") == [10, 20, 30]
    route53 = ("AWS/Route53", "HealthCheckStatus", "HealthCheckId", "check-1", "Minimum")
    assert read(HEALTH_REGION, *route53) == [1, 1, 0]
    assert read(moto.region, *route53) == []


def test_a_refused_call_changes_nothing_and_the_next_one_passes(moto: Moto) -> None:
    instance = moto.run_instance()
    ec2 = moto.client("ec2")
    moto.refuse("StopInstances", "OperationNotPermitted")
    with pytest.raises(ClientError) as error:
        ec2.stop_instances(InstanceIds=[instance])
    assert code_of(error) == "OperationNotPermitted"
    assert moto.state(instance) == "running"
    ec2.stop_instances(InstanceIds=[instance])
    assert moto.state(instance) == "stopped"


def test_states_pass_through_their_phases_and_the_app_follows_them() -> None:
    with Moto(pending=2, stopping=2) as moto:
        instance = moto.run_instance()
        ec2 = moto.client("ec2")
        with App(moto, instance, boot_delay=0.3, name="Orders") as app:
            wait_until(lambda: app.listening, "the app")
            url = f"http://127.0.0.1:{app.port}/"
            assert b"<h1>Orders</h1>" in direct.open(url, timeout=5).read()
            app.status = 500
            with pytest.raises(urllib.error.HTTPError, match="500"):
                direct.open(url, timeout=5)
            app.hangs = True
            with pytest.raises(TimeoutError):
                direct.open(url, timeout=0.3)

            ec2.stop_instances(InstanceIds=[instance])
            assert moto.state(instance) == "stopping"
            with pytest.raises(ClientError) as error:
                ec2.start_instances(InstanceIds=[instance])
            assert code_of(error) == "IncorrectInstanceState"
            wait_until(lambda: moto.state(instance) == "stopped" and not app.listening, "the app's end")
            with pytest.raises(urllib.error.URLError):
                direct.open(url, timeout=5)

            ec2.start_instances(InstanceIds=[instance])
            assert moto.state(instance) == "pending" and not app.listening
            wait_until(lambda: app.listening, "the app again")


FUNCTION = """
import json, os, sys, urllib.request as http
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with http.urlopen(api + "next") as work:
        event, request = json.load(work), work.headers["Lambda-Runtime-Aws-Request-Id"]
    print(json.dumps({"seen": event["rawPath"]}), flush=True)
    if event["rawPath"] == "/crash":
        sys.exit(1)
    if event["rawPath"] == "/emulator-dies":
        os.kill(os.getppid(), 9)
    http.urlopen(api + request + "/response", json.dumps({"statusCode": 200, "env": dict(os.environ)}).encode())
"""


def test_two_functions_run_side_by_side_and_leave_nothing_behind(tmp_path: Path) -> None:
    script = tmp_path / "function.py"
    script.write_text(FUNCTION)
    command = [sys.executable, str(script)]
    with Lambda(command, {"WHO": "one"}, name="one") as one, Lambda(command, {"WHO": "two"}, name="two") as two:
        assert one.invoke(http_event("GET", "/a"))["env"]["WHO"] == "one"
        environment = two.invoke(http_event("GET", "/b"))["env"]
        assert environment["WHO"] == "two"
        assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "two"
        assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
        wait_until(lambda: {"seen": "/a"} in one.records(), "the function's own log line")
        with pytest.raises(FunctionFailed):
            one.invoke(http_event("GET", "/crash"))
        sessions = [one._process.pid, two._process.pid]
        assert len(pids_of_session(sessions[1])) == 2, "the emulator and the function"
    assert [pids_of_session(session) for session in sessions] == [[], []]


def test_an_emulator_that_dies_is_told_from_a_function_that_fails(tmp_path: Path) -> None:
    script = tmp_path / "function.py"
    script.write_text(FUNCTION)
    with Lambda([sys.executable, str(script)], {}) as function:
        for _ in ("while it answers", "before it is asked"):
            with pytest.raises(EmulatorDied, match="the runtime emulator hung up"):
                function.invoke(http_event("GET", "/emulator-dies"))
        session = function._process.pid
    wait_until(lambda: not pids_of_session(session), "the function to be gone as well")
    with Lambda([sys.executable, str(script)], {}) as function:
        with pytest.raises(FunctionFailed) as failed:
            function.invoke(http_event("GET", "/crash"))
        assert not isinstance(failed.value, EmulatorDied)


def test_events_are_a_browser_s_navigation_unless_told_otherwise() -> None:
    visit = http_event("GET", "/a?b=c%20d")
    assert visit["headers"]["sec-fetch-mode"] == "navigate"
    assert (visit["rawPath"], visit["rawQueryString"]) == ("/a", "b=c%20d")
    assert visit["queryStringParameters"] == {"b": "c d"}
    sent = {"X-Catnap": "wake", "Cookie": "a=1; b=2", "X-Forwarded-For": "192.0.2.9"}
    call = http_event("POST", "/.catnap/wake", "b.example.com", sent, b"\xff", sourceIp="2001:db8::1")
    assert "sec-fetch-mode" not in call["headers"]
    assert call["headers"]["x-catnap"] == "wake"
    assert call["cookies"] == ["a=1", "b=2"]
    assert (call["body"], call["isBase64Encoded"], call["headers"]["content-length"]) == ("/w==", True, "1")
    assert call["requestContext"]["domainName"] == "b.example.com"
    assert call["requestContext"]["http"]["method"] == "POST"
    assert call["requestContext"]["http"]["sourceIp"] == "2001:db8::1"
    assert call["headers"]["x-forwarded-for"] == "192.0.2.9, 2001:db8::1", "API Gateway appends what it saw"
    assert (call["routeKey"], visit["routeKey"]) == ("POST /.catnap/wake", "$default")
