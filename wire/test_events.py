"""The sample events are what this template's API would send, and env.json what its functions read."""

import json
from calendar import timegm
from time import strptime

import pytest
from stack import RAW, ROOT
from test_template import ENVIRONMENT

ROUTES = {r["Properties"]["RouteKey"] for r in RAW.values() if r["Type"] == "AWS::ApiGatewayV2::Route"}


def load(name):
    return json.loads((ROOT / f"events/{name}.json").read_text())


@pytest.mark.parametrize("name", ["visit", "wake", "status", "api", "webhook", "bot", "prefetch", "head"])
def test_an_http_event_agrees_with_itself_and_with_the_routes(name):
    event = load(name)
    context, headers = event["requestContext"], event["headers"]
    http = context["http"]
    asked = f"{http['method']} {http['path']}"
    assert event["version"] == "2.0" and event["rawPath"] == http["path"]
    assert event["routeKey"] == context["routeKey"] == (asked if asked in ROUTES else "$default")
    assert headers["host"] == context["domainName"]
    assert context["domainPrefix"] == context["domainName"].split(".")[0]
    assert headers["x-forwarded-for"] == http["sourceIp"] and headers["user-agent"] == http["userAgent"]
    assert headers.keys() == {key.lower() for key in headers} and "cookie" not in headers
    assert int(headers["content-length"]) == len(event.get("body", "").encode())
    assert timegm(strptime(context["time"], "%d/%b/%Y:%H:%M:%S +0000")) == context["timeEpoch"] // 1000


def test_the_tick_is_the_schedulers():
    tick = load("tick")
    assert (tick["source"], tick["detail-type"], tick["detail"]) == ("aws.scheduler", "Scheduled Event", "{}")
    assert tick["resources"][0].startswith("arn:aws:scheduler:eu-central-1:123456789012:schedule/")


def test_env_json_sets_what_the_functions_read():
    overrides = load("env")
    assert {f: {n for n in env if n.startswith("CATNAP_")} for f, env in overrides.items()} == ENVIRONMENT
    for function, env in overrides.items():  # sam local passes on only what the template declares
        declared = RAW[function]["Properties"]["Environment"]["Variables"]
        assert "AWS_ENDPOINT_URL" in declared.keys() & env.keys()
