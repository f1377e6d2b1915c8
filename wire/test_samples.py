"""Every file of `events/` through the real functions, as set by `events/env.json`; and odd input after it."""

from __future__ import annotations

import copy
import json
from typing import Any, Iterator

import pytest

from emulator import ROOT, FunctionFailed, Lambda, binary, http_event
from scene import HOST, Target, add_idle_target, add_target
from stand import Moto, wait_until

EVENTS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "events").glob("*.json")}
ENVIRONMENT = EVENTS.pop("env")
PAGE, PROBLEM, JSON = "text/html; charset=utf-8", "application/problem+json", "application/json"

# What each is answered with while the app naps: status, content type, reason, and whether it wakes.
ANSWERS = {
    "visit": (503, PAGE, "asleep", False),
    "wake": (202, JSON, "waking", True),
    "status": (200, JSON, "asleep", False),
    "api": (503, PROBLEM, "asleep", False),
    "webhook": (503, PROBLEM, "waking", True),
    "bot": (503, PROBLEM, "asleep", False),
    "prefetch": (503, PAGE, "asleep", False),
    "head": (503, PROBLEM, None, False),
}


def environment(moto: Moto, function: str) -> dict[str, str]:
    return {**ENVIRONMENT[function], "AWS_ENDPOINT_URL": moto.endpoint}


@pytest.fixture
def asleep(moto: Moto) -> Target:
    target = add_target(moto)
    moto.client("ec2").stop_instances(InstanceIds=[target.instance])
    return target


@pytest.fixture
def starter(asleep: Target) -> Iterator[Lambda]:
    with Lambda(binary("starter"), environment(asleep.moto, "Starter")) as function:
        yield function


def test_every_file_has_its_answer_here() -> None:
    assert EVENTS.keys() == ANSWERS.keys() | {"tick"}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_event_gets_its_answer(asleep: Target, starter: Lambda, name: str) -> None:
    status, content_type, reason, wakes = ANSWERS[name]
    answer = starter.invoke(EVENTS[name])
    headers = answer["headers"]
    assert (answer["statusCode"], headers["content-type"]) == (status, content_type)
    assert (headers["cache-control"], headers["x-robots-tag"]) == ("no-store", "noindex")
    assert int(headers["retry-after"]) > 0
    assert answer["isBase64Encoded"] is False
    if name == "head":
        assert not answer.get("body")
    elif content_type == PAGE:
        assert answer["body"].startswith("<!doctype html>") and f"<title>{HOST} is asleep</title>" in answer["body"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    else:
        assert json.loads(answer["body"])["reason"] == reason
    assert asleep.moto.calls("StartInstances") == ["StartInstances"] * wakes
    assert asleep.state == ("running" if wakes else "stopped")
    wait_until(lambda: [r for r in starter.records() if r.get("App") == HOST], "its record", 5)


def test_the_tick_gets_its_summary(moto: Moto) -> None:
    target = add_idle_target(moto)
    target.tag_health_check()  # env.json cannot know its id
    with Lambda(binary("stopper"), environment(moto, "Stopper")) as function:
        summary = function.invoke(EVENTS["tick"])
    assert (summary["targets"], summary["napped"], summary["failed"]) == (1, 1, 0)
    assert target.state == "stopped"


def changed(name: str, **fields: Any) -> dict[str, Any]:
    """A sample with other fields: `None` takes one away, and headers are put beside what there is."""
    event = copy.deepcopy(EVENTS[name])
    headers = fields.pop("headers", {})
    for field, value in {**fields, **({"headers": None} if headers is None else {})}.items():
        event.pop(field, None)
        if value is not None:
            event[field] = value
    for header, value in (headers or {}).items():
        event["headers"][header] = value
    return event


LONG = "x" * 10_000

ODD = {
    "no headers": (changed("visit", headers=None, cookies=None), 503, PROBLEM),
    "headers are null": ({**changed("visit"), "headers": None}, 503, PROBLEM),
    "a cookie of 10 KB": (changed("visit", cookies=[f"session={LONG}"]), 503, PAGE),
    "a cookie header of 10 KB": (changed("visit", headers={"cookie": f"session={LONG}"}), 503, PAGE),
    "bytes beyond ASCII": (changed("visit", headers={"accept-language": "日本語 \x7f\x01\x80ÿ"}), 503, PAGE),
    "an odd user agent": (changed("visit", headers={"user-agent": "Größe \x00 \U0001f634"}), 503, PAGE),
    "a header name that cannot be": (changed("visit", headers={"bad name\n": "x", "": "y", "ü": "z"}), 503, PAGE),
    "header values that are no text": (changed("visit", headers={"x-number": 1, "x-list": ["a"]}), 503, PAGE),
    "a path with odd bytes": (changed("visit", rawPath="/日本語/\x00 <script>%zz"), 503, PAGE),
    "a path that is none": (changed("visit", rawPath="https://evil.example.org/"), 503, PAGE),
    "an empty path": (changed("visit", rawPath=""), 503, PAGE),
    "an odd query": (changed("visit", rawQueryString="a=%zz&\x00=ü&" + LONG), 503, PAGE),
    "a wrong content type": (changed("webhook", headers={"content-type": "image/png; charset=klingon"}), 503, PROBLEM),
    "a body that is no base64": (changed("webhook", body="§§§", isBase64Encoded=True), 503, PROBLEM),
    "a body of 5 MB": (changed("webhook", body="x" * 5_000_000), 503, PROBLEM),
    "no body": (changed("webhook", body=None), 503, PROBLEM),
    "a wake call without a body and with an odd type": (changed("wake", headers={"content-type": "\x00"}), 202, JSON),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_input_gets_a_proper_answer(starter: Lambda, name: str) -> None:
    event, status, content_type = ODD[name]
    answer = starter.invoke(event)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (status, content_type)
    if content_type == PAGE:
        assert answer["body"].count("<script") == 2, "the page's own two, none of the visitor's"
    assert starter.invoke(EVENTS["visit"])["statusCode"] == 503, "and the next one its own"


@pytest.mark.parametrize("domain", [None, "", "not a host", "evil.example.org", "*.example.com", "app.example.com:443"])
def test_a_domain_that_is_not_the_app_s_is_answered_and_wakes_nothing(
    asleep: Target, starter: Lambda, domain: str | None
) -> None:
    for name in ("visit", "wake", "webhook"):
        event = changed(name)
        event["requestContext"].pop("domainName")
        if domain is not None:
            event["requestContext"]["domainName"] = domain
        answer = starter.invoke(event)
        assert answer["statusCode"] == 404
    assert asleep.moto.calls("StartInstances") == [] and asleep.state == "stopped"


NO_REQUEST: dict[str, Any] = {
    "an empty event": {},
    "a tick": EVENTS["tick"],
    "a list": [1, 2],
    "a text": "GET /",
    "null": None,
    "without requestContext": {name: value for name, value in EVENTS["visit"].items() if name != "requestContext"},
    "API Gateway's format 1.0": {"httpMethod": "GET", "path": "/", "headers": {"Host": HOST}, "requestContext": {}},
}


@pytest.mark.parametrize("name", NO_REQUEST)
def test_what_is_no_request_is_a_clear_error_and_the_function_goes_on(starter: Lambda, name: str) -> None:
    with pytest.raises(FunctionFailed) as failed:
        starter.invoke(NO_REQUEST[name])
    assert "expects a JSON payload from Amazon API Gateway" in str(failed.value)
    assert "panicked" not in str(failed.value)
    assert starter.invoke(http_event())["statusCode"] == 503
    assert not any("Runtime.ExitError" in line for line in starter.logs), "it is the same process"


def test_the_error_of_what_is_no_request_has_a_name(starter: Lambda) -> None:
    with pytest.raises(FunctionFailed) as failed:
        starter.invoke({})
    assert "NotAnHttpRequest: " in str(failed.value)


def test_the_error_of_what_is_no_request_is_in_the_log(starter: Lambda) -> None:
    with pytest.raises(FunctionFailed):
        starter.invoke({})
    starter.invoke(EVENTS["visit"])
    wait_until(lambda: any(record.get("App") == HOST for record in starter.records()), "the record of the visit", 5)
    [error] = [record for record in starter.records() if record.get("level") == "ERROR"]
    assert "API Gateway" in error["message"]


@pytest.mark.parametrize("event", [None, [], "tick", {"detail": {"a": 1}}, http_event()],
                         ids=["null", "list", "text", "detail", "request"])
def test_the_stopper_takes_any_event_for_a_tick(moto: Moto, event: Any) -> None:
    add_idle_target(moto)
    with Lambda(binary("stopper"), environment(moto, "Stopper")) as function:
        assert function.invoke(event)["targets"] == 1
