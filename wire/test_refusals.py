"""What AWS refuses, replayed over HTTP by error code: what a visitor sees, what a tick does, what the log tells."""

from __future__ import annotations

import time
from typing import Any

import pytest

from scene import (
    Target, add_idle_target, add_target, body, record_of, settings, starter, status_poll, stopper, tick, wake_call,
)
from emulator import FunctionFailed, Lambda, http_event
from stand import Moto, wait_until

CAPACITY = "InsufficientInstanceCapacity"


def last_record(function: Lambda, what: str, by: str) -> dict[str, Any]:
    """The newest record of an event of this request id or app; lines arrive a little later than answers."""
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        found[:] = [record for record in function.records() if record.get(what) == by]
        return bool(found)

    wait_until(arrived, f"a record with {what} {by}", 5)
    return found[-1]


@pytest.fixture
def asleep(moto: Moto) -> Target:
    target = add_target(moto)
    moto.client("ec2").stop_instances(InstanceIds=[target.instance])
    return target


# `WakeOn` is request here, so that a navigation asks for a start as well and its page tells what came of it.
@pytest.mark.parametrize("code, http, reason, page, words", [
    (CAPACITY, 500, "waiting-for-capacity", 503, "waits for a free server"),
    ("InstanceLimitExceeded", 400, "waiting-for-quota", 503, "waits for its turn"),
    ("VcpuLimitExceeded", 400, "waiting-for-quota", 503, "waits for its turn"),
    ("RequestLimitExceeded", 503, "already-waking", 503, "is already waking up"),
    ("InvalidInstanceID.NotFound", 400, "gone", 500, "cannot be woken"),
    ("InvalidInstanceID.Malformed", 400, "gone", 500, "cannot be woken"),
    ("UnauthorizedOperation", 403, "not-permitted", 500, "cannot be woken"),
    ("OperationNotPermitted", 400, "start-refused", 500, "cannot be woken"),
    ("UnsupportedOperation", 400, "start-refused", 500, "cannot be woken"),
    ("IncorrectSpotRequestState", 400, "start-refused", 500, "cannot be woken"),
    ("InternalError", 500, "start-refused", 503, "could not be started"),
])
def test_a_start_that_ec2_refuses(
    asleep: Target, code: str, http: int, reason: str, page: int, words: str
) -> None:
    moto = asleep.moto
    moto.refuse("StartInstances", code, http)
    with starter(asleep.settings(CATNAP_WAKE_ON="request")) as function:
        seen = function.invoke(http_event(requestId="by-navigation"))
        assert (seen["statusCode"], seen["headers"]["content-type"]) == (page, "text/html; charset=utf-8")
        assert words in seen["body"].split("</title>")[0]
        if page == 503:
            assert int(seen["headers"]["retry-after"]) <= 60
        record = last_record(function, "request_id", "by-navigation")
        assert record["error"] == f"StartInstances: {code}: The stand-in was told to refuse this."
        assert (record["reason"], record["action"], "Wakes" in record) == (reason, "wait", False)

        # Everybody is told the same for a while. EC2 is not asked again at once: the account has a bucket of five.
        answer = function.invoke(wake_call())
        assert (answer["statusCode"], body(answer)["reason"]) == (202 if page == 503 else page, reason)
        assert body(function.invoke(status_poll()))["reason"] == reason
        for told in (answer["body"], seen["body"]):
            assert not any(internal in told for internal in (code, asleep.instance, "StartInstances", "stand-in"))
        assert moto.calls("StartInstances") == ["StartInstances"]
        assert asleep.state == "stopped"

        assert body(function.invoke(wake_call("press")))["reason"] == "waking", "a person may try at once"
        assert moto.calls("StartInstances") == ["StartInstances"] * 2


def test_a_start_that_came_too_early_is_tried_at_the_next_call(asleep: Target) -> None:
    asleep.moto.refuse("StartInstances", "IncorrectInstanceState")
    with starter(asleep.settings()) as function:
        answer = function.invoke(wake_call())
        assert (answer["statusCode"], body(answer)["reason"]) == (202, "falling-asleep")
        assert body(function.invoke(wake_call()))["reason"] == "waking"
    assert asleep.moto.calls("StartInstances") == ["StartInstances"] * 2


def test_the_capacity_error_does_not_eat_lambda_s_time(asleep: Target) -> None:
    asleep.moto.refuse("StartInstances", CAPACITY, 500, times=9)
    with starter(asleep.settings()) as function:
        function.invoke(status_poll())  # what a cold start takes is not the question
        began = time.monotonic()
        answer = function.invoke(wake_call())
        took = time.monotonic() - began
    assert body(answer)["reason"] == "waiting-for-capacity"
    assert took < 1.5
    assert asleep.moto.calls("StartInstances") == ["StartInstances"]


@pytest.mark.parametrize("state_reason, lasting, page", [
    ("Client.InternalError", True, 500),
    ("Client.VolumeLimitExceeded", False, 503),
    ("Client.InvalidSnapshot.NotFound", True, 500),
    ("Server.InternalError", False, 503),
    ("Server.InsufficientInstanceCapacity", False, 503),
])
def test_a_start_that_failed_after_ec2_took_it(asleep: Target, state_reason: str, lasting: bool, page: int) -> None:
    moto = asleep.moto
    moto.client("ec2").start_instances(InstanceIds=[asleep.instance])  # renews LaunchTime
    moto.set_instance(asleep.instance, state="stopped", reason=state_reason)
    with starter(asleep.settings()) as function:
        said = body(function.invoke(wake_call()))
        assert (said["reason"], said["code"], said["lasting"]) == ("start-failed", state_reason, lasting)
        assert function.invoke(http_event())["statusCode"] == page
        assert moto.calls("StartInstances") == [], "five minutes are not over"
        assert body(function.invoke(wake_call("press")))["reason"] == "waking", "a person may try at once"
    assert moto.calls("StartInstances") == ["StartInstances"]


def test_a_nap_by_hand_is_no_failed_start(asleep: Target) -> None:
    asleep.moto.set_instance(asleep.instance, reason="Client.UserInitiatedShutdown")
    with starter(asleep.settings()) as function:
        assert body(function.invoke(wake_call()))["reason"] == "waking"


@pytest.mark.parametrize("code, http, reason, page", [
    ("UnauthorizedOperation", 403, "not-permitted", 500),
    ("InvalidInstanceID.Malformed", 400, "gone", 500),
    ("RequestLimitExceeded", 503, "unclear", 503),
    ("InternalError", 500, "unclear", 503),
])
def test_an_instance_that_cannot_be_looked_at(asleep: Target, code: str, http: int, reason: str, page: int) -> None:
    asleep.moto.refuse("DescribeInstances", code, http, times=9)
    with starter(asleep.settings()) as function:
        began = time.monotonic()
        answer = function.invoke(http_event())
        assert time.monotonic() - began < 3
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (page, "text/html; charset=utf-8")
        assert code not in answer["body"]
        record = last_record(function, "reason", reason)
        assert record["error"].startswith(f"DescribeInstances: {code}: ")
    assert asleep.moto.calls("StartInstances") == []


def test_an_unknown_instance_is_told_without_internals_and_logged_with_them(moto: Moto) -> None:
    unknown = "i-0ffffffffffffffff"
    with starter(settings(moto, CATNAP_INSTANCE_ID=unknown)) as function:
        page = function.invoke(http_event(requestId="visit-1"))
        assert (page["statusCode"], "does not exist any more" in page["body"]) == (500, True)
        assert "Request visit-1" in page["body"] and unknown not in page["body"] and "NotFound" not in page["body"]
        record = last_record(function, "request_id", "visit-1")
        assert record["error"].startswith("DescribeInstances: InvalidInstanceID.NotFound: ")
        assert unknown in record["error"]


@pytest.fixture
def idle(moto: Moto) -> Target:
    return add_idle_target(moto)


@pytest.mark.parametrize("code, http, decision, reason, by", [
    ("OperationNotPermitted", 400, "keep", "protected", "stop-protection"),
    ("UnsupportedOperation", 400, "keep", "protected", "instance-store"),
    ("IncorrectSpotRequestState", 400, "keep", "protected", "spot"),
    ("IncorrectInstanceState", 400, "nap", "idle", None),
    ("InvalidInstanceID.NotFound", 400, "nap", "idle", None),
    ("InvalidInstanceID.Malformed", 400, "nap", "idle", None),
    ("UnauthorizedOperation", 403, "nap", "idle", None),
])
def test_a_stop_that_ec2_refuses(
    idle: Target, code: str, http: int, decision: str, reason: str, by: str | None
) -> None:
    idle.moto.refuse("StopInstances", code, http)
    with stopper(idle.settings()) as function:
        summary = function.invoke({})
        record = record_of(summary, idle)
        assert (record["decision"], record["reason"], record.get("by")) == (decision, reason, by)
        assert record["outcome"] == "refused"
        assert record["error"] == f"StopInstances: {code}: The stand-in was told to refuse this."
        assert (summary["kept"], summary["napped"], summary["failed"]) == ((1, 0, 0) if by else (0, 0, 1))
        assert ("TickFailed" in last_record(function, "instance", idle.instance)) == (by is None)
        assert idle.moto.calls("StopInstances") == ["StopInstances"]
        assert idle.state == "running"
        assert record_of(function.invoke({}), idle)["outcome"] == "stopped", "the next tick makes up for it"
    assert idle.state == "stopped"


@pytest.mark.parametrize("operation, code, http", [
    ("StopInstances", "RequestLimitExceeded", 503),
    ("StopInstances", "InternalError", 500),
    ("DescribeInstances", "RequestLimitExceeded", 503),
    ("GetHealthCheck", "Throttling", 400),
    ("GetMetricData", "ThrottlingException", 400),
    ("GetMetricData", "InternalServiceFault", 500),
])
def test_what_passes_is_tried_again_within_the_tick(idle: Target, operation: str, code: str, http: int) -> None:
    idle.moto.refuse(operation, code, http)
    usual = 2 if operation == "GetMetricData" else 1  # it is asked in two regions
    assert record_of(tick(idle.settings()), idle)["outcome"] == "stopped"
    assert len(idle.moto.calls(operation)) == usual + 1


@pytest.mark.parametrize("operation, code", [
    ("DescribeInstances", "UnauthorizedOperation"),
    ("GetMetricData", "AccessDeniedException"),
])
def test_a_tick_that_cannot_look_fails_and_naps_nobody(idle: Target, operation: str, code: str) -> None:
    idle.moto.refuse(operation, code, 403)
    with stopper(idle.settings()) as function, pytest.raises(FunctionFailed, match=f"{operation}: {code}: "):
        function.invoke({})
    assert idle.moto.calls("StopInstances") == [] and idle.state == "running"


def test_a_health_check_that_may_not_be_read_keeps_it(idle: Target) -> None:
    idle.moto.refuse("GetHealthCheck", "AccessDenied", 403)
    record = record_of(tick(idle.settings()), idle)
    assert (record["reason"], record["missing"]) == ("no-data", "health-check")
    assert record["error"].startswith("GetHealthCheck: AccessDenied: ")
    assert idle.state == "running"
