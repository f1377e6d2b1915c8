"""Whole and half-broken fleets on the real wire, and that the fleets' stand-in does what it claims."""

from __future__ import annotations

import time
import urllib.request
from typing import Any, Iterator

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

import rpc_cbor
from emulator import FunctionFailed, Lambda, binary, direct
from fleet import Fleet, FleetThread, Instance
from stand import wait_until

IDLE, USED = 90, 30  # minutes since someone was there; 60 are enough
COUNT = 120


def fleet_of(count: int = COUNT, metered: bool = False, page: int = 50) -> Fleet:
    return Fleet([Instance(number, IDLE if number % 10 == 0 else USED) for number in range(count)], page, metered)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with FleetThread(fleet_of()) as fleet:
        yield fleet


def stopper(fleet: Fleet, timeout: int = 300) -> Lambda:
    environment = {
        "AWS_ENDPOINT_URL": fleet.endpoint, "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "CATNAP_APP_DOMAIN": "app.example.com",
    }
    return Lambda(binary("stopper"), environment, name="stopper", timeout=timeout)


def tick(fleet: Fleet) -> dict[str, Any]:
    with stopper(fleet) as function:
        return function.invoke({})


def idle(fleet: Fleet) -> list[str]:
    return [it.id for it in fleet.by_id.values() if it.quiet == IDLE]


def record_of(summary: dict[str, Any], number: int) -> dict[str, Any]:
    [record] = [record for record in summary["records"] if record["instance"] == f"i-{number:017x}"]
    return dict(record)


def test_each_target_of_several_pages_gets_its_decision(fleet: Fleet) -> None:
    summary = tick(fleet)
    assert (summary["targets"], summary["napped"], summary["kept"], summary["failed"]) == (120, 12, 108, 0)
    assert sorted(fleet.stopped) == idle(fleet)
    assert fleet.calls == {"DescribeInstances": 3, "ListHealthChecks": 3, "GetMetricData": 3, "StopInstances": 12}
    kept = record_of(summary, 1)
    assert (kept["reason"], kept["bytes"]) == ("active", 900_000)


def test_throttling_everywhere_is_waited_out(fleet: Fleet) -> None:
    fleet.refuse("DescribeInstances", "RequestLimitExceeded", 503, times=2, after=1)
    fleet.refuse("ListHealthChecks", "Throttling", 400)
    fleet.refuse("GetMetricData", "ThrottlingException", 400)
    fleet.refuse("StopInstances", "RequestLimitExceeded", 503, times=3)
    summary = tick(fleet)
    assert (summary["napped"], summary["kept"], summary["failed"]) == (12, 108, 0)
    assert sorted(fleet.stopped) == idle(fleet)
    assert fleet.calls == {"DescribeInstances": 5, "ListHealthChecks": 4, "GetMetricData": 4, "StopInstances": 15}


def test_one_bad_id_keeps_no_other_from_its_nap(fleet: Fleet) -> None:
    fleet.refuse("StopInstances", "InvalidInstanceID.NotFound", about=f"i-{20:017x}")
    summary = tick(fleet)
    assert (summary["napped"], summary["failed"]) == (11, 1)
    assert sorted(fleet.stopped) == [id for id in idle(fleet) if id != f"i-{20:017x}"]
    assert record_of(summary, 20)["error"].startswith("StopInstances: InvalidInstanceID.NotFound: ")


def test_metrics_for_some_only_nap_those_alone(fleet: Fleet) -> None:
    instances = list(fleet.by_id.values())
    lacking = {0: "NetworkIn", 10: "HealthCheckStatus"}
    for number, name in lacking.items():
        instances[number].silent = frozenset({name})
    for number, name in {20: "NetworkIn", 30: "Busy", 40: "Visits", 50: "HealthCheckStatus"}.items():
        instances[number].unreadable = frozenset({name})
    summary = tick(fleet)
    assert (summary["napped"], summary["failed"]) == (6, 0)
    assert sorted(fleet.stopped) == idle(fleet)[6:]
    missing = {number: record_of(summary, number)["missing"] for number in range(0, 60, 10)}
    assert missing == {
        0: "network-in", 10: "health-status", 20: "network-in", 30: "presence", 40: "presence", 50: "health-status"}


def test_a_page_that_fails_midway_leaves_those_before_it_to_their_decision(fleet: Fleet) -> None:
    fleet.refuse("DescribeInstances", "InternalError", 500, times=99, about="100")
    with stopper(fleet) as function:
        with pytest.raises(FunctionFailed, match="DescribeInstances: InternalError: "):
            function.invoke({})
        assert sorted(fleet.stopped) == idle(fleet)[:10]
        wait_until(lambda: any("TickFailed" in record for record in function.records()), "the tick's last record")
        kept = [record for record in function.records() if record.get("decision") == "keep"]
        assert len(kept) == 90
        [failure] = [record for record in function.records() if record.get("level") == "ERROR" and "TickFailed" in record]
        assert failure["message"].startswith("DescribeInstances: InternalError: ")


def test_metrics_that_cannot_be_read_keep_their_own_targets() -> None:
    with FleetThread(fleet_of(1_000, page=1_000)) as fleet:
        # Eight calls are to come: with the fifth go some of the second half's.
        fleet.refuse("GetMetricData", "AccessDeniedException", 403, after=4)
        with stopper(fleet) as function, pytest.raises(FunctionFailed, match="GetMetricData: AccessDeniedException: "):
            function.invoke({})
        assert 0 < len(fleet.stopped) < 100 and set(fleet.stopped) < set(idle(fleet))
        assert fleet.calls["GetMetricData"] == 8


def test_what_lambda_leaves_no_time_for_is_stopped_by_the_next_tick() -> None:
    with FleetThread(Fleet([Instance(number, IDLE) for number in range(80)], metered=True)) as fleet:
        with stopper(fleet, timeout=8) as function:
            summary = function.invoke({})
        assert (summary["failed"], summary["napped"] + summary["postponed"]) == (0, 80)
        assert 50 <= summary["napped"] == len(fleet.stopped) <= 66
        assert {record["outcome"] for record in summary["records"]} == {"stopped", "postponed"}
        assert not fleet.refused, "nothing is asked faster than AWS's buckets are refilled"
        again = tick(fleet)
        assert (again["napped"], again["postponed"], len(fleet.stopped)) == (summary["postponed"], 0, 80)


def client(fleet: Fleet, service: str) -> Any:
    session: Any = boto3.session.Session("test", "test", region_name="eu-central-1")
    once = Config(retries={"total_max_attempts": 1}, proxies={})
    return session.client(service, endpoint_url=fleet.endpoint, config=once)


def test_the_stand_in_answers_another_client_as_aws_does(fleet: Fleet) -> None:
    pages = list(client(fleet, "ec2").get_paginator("describe_instances").paginate(MaxResults=1000))
    found = [instance for page in pages for one in page["Reservations"] for instance in one["Instances"]]
    assert (len(pages), len(found), found[7]["InstanceId"], found[7]["State"]["Name"]) == (3, 120, f"i-{7:017x}", "running")
    assert {"Key": "catnap:host", "Value": "app7.example.com"} in found[7]["Tags"]
    by_name = [{"Name": "tag:catnap:host", "Values": ["app7.example.com"]}]
    [one] = client(fleet, "ec2").describe_instances(Filters=by_name)["Reservations"]
    assert one["Instances"][0]["InstanceId"] == f"i-{7:017x}"

    route53 = client(fleet, "route53")
    checks = [check for page in route53.get_paginator("list_health_checks").paginate() for check in page["HealthChecks"]]
    assert (len(checks), checks[7]["HealthCheckConfig"]["Type"]) == (120, "HTTP")
    assert route53.get_health_check(HealthCheckId=checks[7]["Id"])["HealthCheck"] == checks[7]

    def read(region: str, namespace: str, name: str, dimension: str, of: str, period: int) -> list[float]:
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": dimension, "Value": of}]}
        query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum"}}
        now = time.time() // 300 * 300
        asked = rpc_cbor.write({"MetricDataQueries": [query], "StartTime": now - 7_200, "EndTime": now})
        scope = {"Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{region}/monitoring/aws4_request"}
        path = f"{rpc_cbor.PATH}GraniteServiceVersion20100801/operation/GetMetricData"
        with direct.open(urllib.request.Request(fleet.endpoint + path, asked, scope), timeout=10) as said:
            answer = {"body": said.read(), "headers": dict(said.headers), "status_code": said.status}
        model = botocore.session.get_session().get_service_model("cloudwatch").operation_model("GetMetricData")
        read = create_parser("smithy-rpc-v2-cbor").parse(answer, model.output_shape)
        return list(read["MetricDataResults"][0]["Values"])

    network_in = read("eu-central-1", "AWS/EC2", "NetworkIn", "InstanceId", found[7]["InstanceId"], 300)
    assert 23 <= len(network_in) <= 24 and sorted(network_in)[-2:] == [31_000, 900_000]
    assert network_in.index(900_000) in (17, 18), "half an hour ago"
    assert set(read("us-east-1", "AWS/Route53", "HealthCheckStatus", "HealthCheckId", checks[7]["Id"], 60)) == {1}
    assert read("eu-central-1", "AWS/Route53", "HealthCheckStatus", "HealthCheckId", checks[7]["Id"], 60) == []


def test_the_stand_in_s_buckets_run_empty_as_aws_s_do() -> None:
    with FleetThread(fleet_of(metered=True)) as fleet:
        ec2, ids = client(fleet, "ec2"), list(fleet.by_id)
        began, taken = time.monotonic(), 0
        with pytest.raises(ClientError) as refused:
            for taken in range(120):
                ec2.stop_instances(InstanceIds=[ids[taken]])
        assert refused.value.response["Error"]["Code"] == "RequestLimitExceeded"
        assert 50 <= taken <= 51 + 5 * (time.monotonic() - began)
        assert fleet.refused == {"StopInstances": 1} and len(fleet.stopped) == taken
