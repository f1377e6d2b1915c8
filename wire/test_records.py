"""What the functions really write, against what the alarms and the dashboard read of it."""

import json
import re

import pytest
from scene import (
    NOISE, TICK, add_idle_target, add_target, settings, starter, status_poll, stopper, wake_call,
)
from emulator import http_event
from stack import deployed, substituted
from stand import wait_until
from test_watching import COUNTED, alarms, queries


def records_with(function, field, count):
    """The function's records that have this field, once so many are there: lines arrive later than answers."""
    def found():
        return [record for record in function.records() if field in record]

    wait_until(lambda: len(found()) >= count, f"{count} records with {field}", 5)
    assert len(found()) == count
    return found()


def fields(steps):
    """The fields that a query of Logs Insights reads: its words without texts, what it names itself, and its language."""
    words = set(re.findall(r"[@\w]+", re.sub(r'"[^"]*"', "", steps)))
    own = set(re.findall(r" as (\w+)", steps))
    language = "filter fields stats sort limit by as desc bin 1h ispresent strcontains concat avg max min least greatest sum count"
    return {word for word in words - own - set(language.split()) if not word.isdigit() and word != "@timestamp"}


def matches(pattern, record):
    """Whether a JSON filter pattern of CloudWatch Logs, joined by && alone, takes a record."""
    terms = re.findall(r"\(\$\.(\w+) (=|!=|>) (\S+)\)", pattern)
    assert pattern.strip("{ }") == " && ".join(f"($.{field} {by} {value})" for field, by, value in terms)
    compare = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b}
    assert all(field in record for field, _, _ in terms), record
    return all(compare[by](record[field], json.loads(value)) for field, by, value in terms)


def test_the_functions_write_what_the_dashboard_and_the_fleets_alarm_read(moto):
    target = add_idle_target(moto)
    awake = settings(moto, CATNAP_HOURLY_PRICE="0.05", CATNAP_HEALTH_CHECK_ID=target.check)
    with stopper(awake) as function:
        function.invoke(TICK)  # naps
        function.invoke(TICK)  # asleep
        busy, window, fresh = (add_target(moto, f"{name}.example.com", hours) for name, hours in [
            ("busy", 30), ("window", 30), ("fresh", 20)])
        window_tag = [{"Key": "catnap:keep-awake", "Value": "0:00-24:00 UTC"}]
        moto.client("ec2").create_tags(Resources=[window.instance], Tags=window_tag)
        function.invoke(TICK)
        ticks = records_with(function, "outcome", 1 + 1 + 4)
    with starter(awake) as function:
        function.invoke(wake_call())
        visits = records_with(function, "class", 1)
    written = {"Stopper": set().union(*ticks), "Starter": set().union(*visits)}
    for title, source, steps in queries():
        assert fields(steps) and fields(steps) <= written[source], title
    assert {r["outcome"] for r in ticks} >= {"stopped", "left"} and visits[-1]["action"] == "start"

    newest = {record["App"]: record for record in ticks}
    pattern = substituted(deployed(AlarmEmail="ops@example.com")["AwakeTooLong"]["FilterPattern"])
    assert {app for app, record in newest.items() if record["state"] == "running" and matches(pattern, record)} == {busy.host}
    assert newest[window.host]["reason"] == "window" and newest[fresh.host]["awake_minutes"] == 20 * 60


def metrics(function):
    """The metrics that CloudWatch would read out of the function's records: name and dimensions, with their sums."""
    sums = {}
    for record in function.records():
        for directive in record.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"]:
                for names in directive["Dimensions"]:
                    by = frozenset((name, record[name]) for name in names)
                    key = (directive["Namespace"], metric["Name"], by)
                    sums[key] = sums.get(key, 0) + record[metric["Name"]]
    return sums


def read_by_alarms():
    """The metrics of ours that the alarms read, by the alarms' names."""
    return {
        (alarm["Namespace"], alarm["MetricName"], frozenset((d["Name"], d["Value"]) for d in alarm["Dimensions"])): name
        for name, alarm in alarms().items() if alarm["Namespace"] == "Catnap"}


def ringing(*functions):
    """The alarms whose threshold the metrics of these functions are above."""
    written = {}
    for function in functions:
        written |= metrics(function)
    return {name for metric, name in read_by_alarms().items() if written.get(metric, 0) > 0}


def test_an_ordinary_day_and_night_ring_nothing(moto):
    target = add_idle_target(moto)
    environment = settings(moto, CATNAP_HEALTH_CHECK_ID=target.check)
    with stopper(environment) as naps, starter(environment) as wakes:
        for _ in range(3):
            naps.invoke(TICK)  # it naps, and is found asleep
        for event in (http_event(), wake_call(), status_poll()):
            wakes.invoke(event)
        records_with(naps, "outcome", 3)
        records_with(wakes, "class", 3)
        assert {name for _, name, _ in metrics(naps)} == {"Naps"}
        assert {name for _, name, _ in metrics(wakes)} >= {"Visits", "Wakes"}
        assert ringing(naps, wakes) == set()


def no_metrics(moto, target):
    moto.forget_metrics()


def nobody_watches(moto, target):
    moto.client("route53").delete_health_check(HealthCheckId=target.check)


def nobody_reaches_it(moto, target):
    moto.forget_metrics()
    target.traffic(lambda _: NOISE)
    target.health(0)


def ec2_keeps_it(moto, target):
    moto.refuse("StopInstances", "UnauthorizedOperation", 403)


@pytest.mark.parametrize("trouble, alarm", [
    (no_metrics, "NoData"), (nobody_watches, "FailoverOff"), (nobody_reaches_it, "Sick"), (ec2_keeps_it, "TickFailed"),
])
def test_a_tick_in_trouble_rings_for_it_alone(moto, trouble, alarm):
    target = add_idle_target(moto, "wiki.example.com")  # not the name that the pair is deployed with
    target.tag_health_check()
    trouble(moto, target)
    with stopper(settings(moto)) as function:
        function.invoke(TICK)
        records_with(function, "outcome", 1)
        assert alarm in COUNTED and ringing(function) == {alarm}


def test_a_wake_that_cannot_be_rings(moto):
    target = add_target(moto)
    moto.client("ec2").stop_instances(InstanceIds=[target.instance])
    moto.refuse("StartInstances", "UnauthorizedOperation", 403)
    with starter(settings(moto)) as function:
        function.invoke(wake_call())
        records_with(function, "class", 1)
        assert ringing(function) == {"WakeFailed"}
