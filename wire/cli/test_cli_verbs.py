"""`catnap wake`, `nap`, `keep-awake`, `protect`, `hold` and `status`, on the stand-in for AWS."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from typing import IO, Any

import pytest
from command_line import Catnap
from set_up import HOST, SetUp

from scene import NOISE, last_whole_five_minutes, read_time, tick, record_of, utc_now
from stand import Moto, wait_until

WRITES = ("StartInstances", "StopInstances", "CreateTags", "DeleteTags")


def tags(set_up: SetUp) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in set_up.moto.describe(set_up.instance).get("Tags", [])}


def said(catnap: Catnap, *arguments: str) -> str:
    result = catnap(*arguments)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout


def refusal(catnap: Catnap, *arguments: str) -> str:
    result = catnap(*arguments)
    assert (result.returncode, result.stdout) == (3, "")
    return result.stderr


def timeless(text: str) -> str:
    """Without the time, which goes on between two calls."""
    return re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d", "TIME", text)


class Lines:
    """What a program that goes on has printed until now."""

    def __init__(self, stream: IO[str]) -> None:
        self.lines: list[str] = []
        threading.Thread(target=lambda: self.lines.extend(stream), daemon=True).start()

    def count(self, begin: str) -> int:
        return sum(line.startswith(begin) for line in list(self.lines))


def status(catnap: Catnap, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(said(catnap, "status", "--output", "json", *arguments))
    return found


def test_an_idle_instance_naps_and_wakes(set_up: SetUp, catnap: Catnap) -> None:
    set_up.quiet()
    assert said(catnap, "nap", "--dry-run") == f"{HOST} would be stopped\n"
    assert set_up.target().state == "running"
    assert said(catnap, "nap") == f"{HOST} is falling asleep\n"
    assert set_up.target().state == "stopped"
    assert said(catnap, "nap") == f"{HOST} is asleep already\n"
    assert said(catnap, "wake", "--dry-run") == f"{HOST} would be started\n"
    assert set_up.target().state == "stopped"
    assert said(catnap, "wake") == f"{HOST} is waking up\n"
    assert set_up.target().state == "running"
    assert said(catnap, "wake") == f"{HOST} is awake already\n"


def test_one_in_use_is_not_stopped_and_the_reason_is_the_stopper_s(set_up: SetUp, catnap: Catnap) -> None:
    target = set_up.target()
    target.traffic(lambda age: 900_000 if age == 20 else NOISE)
    target.health()
    text = refusal(catnap, "nap")
    record = record_of(tick(target.settings()), target)
    assert (record["decision"], record["reason"]) == ("keep", "active")
    at = read_time(record["at"]).strftime("%H:%M UTC")
    assert "keep: active (900 KB came in up to " in text and at in text
    assert timeless(record["would_change"]) in timeless(text) and "--force" in text
    assert target.state == "running"
    assert said(catnap, "nap", "--force") == f"{HOST} is falling asleep\n"
    assert target.state == "stopped"


def test_an_app_goes_by_its_stack_s_settings_however_it_is_named(set_up: SetUp, catnap: Catnap) -> None:
    set_up.quiet()
    set_up.deploy(KeepAwake="Mon-Sun 00:00-24:00 UTC", DryRun="true")
    for arguments in (("--domain", HOST), ("--instance", set_up.instance), ("catnap", "--domain", HOST)):
        assert "keep: window" in refusal(catnap, "nap", "--dry-run", *arguments)
        assert "is in a dry run" in refusal(catnap, "drill", "--dry-run", *arguments)
        assert status(catnap, *arguments)[0]["reason"] == "window"
    set_up.deploy(KeepAwake="Mon-Sun 00:00-24:00 UTC", InstanceId="")
    set_up.tag("catnap:host", HOST)
    for arguments in (("--domain", HOST), ("--instance", set_up.instance)):
        assert "keep: window" in refusal(catnap, "nap", "--dry-run", *arguments)


def test_who_stops_an_instance_without_a_stack_is_told_that_the_defaults_are_used(set_up: SetUp, catnap: Catnap) -> None:
    set_up.quiet()
    says = f"there is no stack none in eu-central-1: {HOST} is taken for a set-up made by hand, by the defaults of "
    for verb, would in (("nap", "would be stopped"), ("drill", "would be drilled")):
        result = catnap(verb, "--domain", HOST, "--dry-run", CATNAP_STACK="none")
        assert result.stdout == f"{HOST} {would}\n" and result.stderr.startswith(says)
    set_up.moto.refuse("DescribeStacks", "AccessDenied", 403)
    unread = catnap("nap", "--domain", HOST, "--dry-run")
    assert unread.returncode == 0 and unread.stderr.startswith("cloudformation:DescribeStacks cannot be called: AccessD")
    set_up.moto.refuse("DescribeStacks", "ValidationFailed", 400)
    assert "cloudformation:DescribeStacks cannot be called" in refusal(catnap, "nap", "--domain", HOST, "--dry-run")
    other = catnap("nap", "--domain", "other.example.com", "--dry-run").stderr
    assert other.startswith("the stack catnap is not for other.example.com: ")
    assert "the stack catnap is for app.example.com (i-" in refusal(catnap, "nap", "catnap", "--domain", "other.example.com")


def test_the_stack_s_own_app_is_one_of_many_by_its_name(set_up: SetUp, catnap: Catnap) -> None:
    set_up.quiet()
    set_up.deploy(InstanceId="")
    set_up.tag("catnap:host", HOST)
    wiki = set_up.moto.run_instance({"catnap:host": "wiki.example.com", "catnap:protect": "true"})
    for arguments in ((), ("--domain", HOST), ("catnap", "--domain", HOST)):
        assert said(catnap, "nap", "--dry-run", *arguments) == f"{HOST} would be stopped\n"
        assert said(catnap, "drill", "--dry-run", *arguments) == f"{HOST} would be drilled\n"
    assert len(status(catnap)) == 2 and len(status(catnap, "--domain", HOST)) == 1
    # An instance is acted on under the name that it carries.
    assert refusal(catnap, "nap", "catnap", "--instance", wiki).startswith("error: wiki.example.com is not stopped")
    assert said(catnap, "hold", "catnap", "--instance", wiki, "--dry-run").startswith("wiki.example.com would have ")
    assert [it["app"] for it in status(catnap, "--instance", wiki)] == ["wiki.example.com"]
    says = f"{wiki} carries the tag catnap:host=wiki.example.com: leave out --domain"
    assert says in refusal(catnap, "hold", "--domain", HOST, "--instance", wiki)


def test_one_of_another_fleet_is_not_touched(set_up: SetUp, catnap: Catnap) -> None:
    set_up.deploy(InstanceId="", Fleet="prod")
    set_up.tag("catnap:host", HOST)
    for verb in ("wake", "nap", "hold"):
        says = f"{set_up.instance} is not for this stack: it carries the name, but not catnap:fleet=prod"
        assert says in refusal(catnap, verb)
    set_up.tag("catnap:fleet", "prod")
    assert said(catnap, "wake") == f"{HOST} is awake already\n"


def test_an_instance_that_is_named_takes_no_route_53(moto: Moto, catnap: Catnap) -> None:
    set_up = SetUp(moto)
    set_up.quiet()
    set_up.moto.refuse("ListHostedZones", "AccessDenied", 403, times=99)
    named = ("--domain", HOST, "--instance", set_up.instance)
    assert said(catnap, "wake", *named) == f"{HOST} is awake already\n"
    assert said(catnap, "protect", *named) == f"{HOST} is protected: it never naps\n"
    assert catnap("plan", *named).returncode == 0
    assert "route53:ListHostedZones cannot be called" in refusal(catnap, "status", *named), "it decides by the check"


def test_a_member_of_an_auto_scaling_group_is_stopped_by_no_force(set_up: SetUp, catnap: Catnap) -> None:
    set_up.quiet()
    set_up.tag("aws:autoscaling:groupName", "web")
    for verb, says in (("nap", "is not stopped"), ("drill", "is not drilled")):
        for arguments in ((), ("--force",), ("--force", "--dry-run")):
            text = refusal(catnap, verb, *arguments)
            assert f"{HOST} {says}: keep: protected (in an Auto Scaling group)\n" in text and "--force" not in text
    set_up.tag("catnap:protect", "true")
    assert "--force" not in refusal(catnap, "nap")
    assert [name for name in set_up.moto.calls() if name == "StopInstances"] == []


def test_what_is_not_known_is_not_idleness(set_up: SetUp, catnap: Catnap) -> None:
    assert "keep: no-data (NetworkIn is missing or too old)" in refusal(catnap, "nap")


def test_a_wake_while_it_falls_asleep_waits_for_that(set_up: SetUp, catnap: Catnap) -> None:
    set_up.quiet()
    set_up.moto.set_phases(pending=0, stopping=2)
    said(catnap, "nap")
    assert set_up.target().state == "stopping"
    assert said(catnap, "wake") == f"{HOST} is waking up\n"
    wait_until(lambda: set_up.target().state == "running", "the start")


def test_keep_awake_protect_and_hold_are_tags_that_the_functions_read(set_up: SetUp, catnap: Catnap) -> None:
    set_up.quiet()
    said(catnap, "keep-awake", "--for", "3h", "--dry-run")
    assert tags(set_up) == {}
    assert said(catnap, "keep-awake", "--for", "3h").startswith(f"{HOST} is kept awake until ")
    until = read_time(tags(set_up)["catnap:keep-awake-until"])
    assert timedelta(hours=2.9) < until - utc_now() <= timedelta(hours=3)
    assert "keep: until" in refusal(catnap, "nap")
    was = f" (was: {tags(set_up)['catnap:keep-awake-until']})\n"
    assert said(catnap, "keep-awake", "--for", "1h", "--dry-run").endswith(was), "it would be shortened"
    assert said(catnap, "keep-awake", "--for", "1h").endswith(was)
    said(catnap, "keep-awake", "--off")
    said(catnap, "protect")
    assert "keep: protected (the tag catnap:protect)" in refusal(catnap, "nap")
    said(catnap, "protect", "--off")
    assert tags(set_up) == {}
    assert said(catnap, "nap") == f"{HOST} is falling asleep\n"
    said(catnap, "hold", "--until", "2099-01-31T06:00:00Z")
    assert tags(set_up) == {"catnap:hold": "2099-01-31T06:00:00Z"}
    assert "is on hold until 2099-01-31 06:00 UTC; --force" in refusal(catnap, "wake")
    said(catnap, "hold", "--off")
    said(catnap, "hold")
    assert tags(set_up) == {"catnap:hold": "true"}
    assert said(catnap, "wake", "--force") == f"{HOST} is waking up\n"


def test_what_makes_no_sense_is_refused_before_anything_is_asked(set_up: SetUp, catnap: Catnap) -> None:
    for arguments, says in [
        (("keep-awake",), "required"),
        (("keep-awake", "--for", "3 hours"), "it takes minutes, hours or days such as 90m, 3h or 2d"),
        (("keep-awake", "--until", "18:00"), "it takes a time with its zone"),
        (("keep-awake", "--for", "3h", "--off"), "cannot be used with"),
        (("wake", "--instance", "web-1"), "it takes an instance id"),
    ]:
        result = catnap(*arguments)
        assert result.returncode == 3 and says in result.stderr, result.stderr
    assert "is over" in refusal(catnap, "keep-awake", "--until", "2020-01-01T00:00:00Z")
    assert [name for name in set_up.moto.calls() if name in WRITES] == []


@pytest.mark.parametrize("by", ["stack", "hand"])
def test_status_says_what_the_stopper_s_record_says(by: str, moto: Moto, catnap: Catnap) -> None:
    set_up = SetUp(moto)
    if by == "stack":
        set_up.deploy()
    target = set_up.target()
    target.traffic(lambda age: 900_000 if age == 20 else NOISE)
    target.health()
    arguments = () if by == "stack" else ("--domain", HOST)
    [shown] = status(catnap, *arguments)
    record = record_of(tick(target.settings()), target)
    for key in ("app", "instance", "state", "decision", "reason", "at", "bytes"):
        assert shown[key] == record[key], key
    earliest = [read_time(it["naps_at_the_earliest"]) for it in (shown, record)]
    assert abs(earliest[0] - earliest[1]) < timedelta(seconds=20)
    assert timeless(shown["would_change"]) == timeless(record["would_change"])
    text = said(catnap, "status", *arguments)
    assert f"{HOST} ({set_up.instance}) is awake since " in text and ", 5 h 0 min" in text
    assert f"  {timeless(record['would_change'])}\n" in timeless(text)
    set_up.moto.client("ec2").stop_instances(InstanceIds=[set_up.instance])
    assert "a visit wakes it" in said(catnap, "status", *arguments)


def test_status_of_many_apps_and_of_one_of_them(set_up: SetUp, catnap: Catnap) -> None:
    set_up.deploy(InstanceId="")
    set_up.tag("catnap:host", HOST)
    set_up.moto.run_instance({"catnap:host": "wiki.example.com", "catnap:protect": "true"})
    assert [it["app"] for it in status(catnap)] == [HOST, "wiki.example.com"]
    [wiki] = status(catnap, "catnap", "--domain", "wiki.example.com")
    assert (wiki["reason"], wiki["by"]) == ("protected", "tag")


def test_status_of_nobody_says_so(set_up: SetUp, catnap: Catnap) -> None:
    assert "no instance belongs to typo.example.com" in refusal(catnap, "status", "--domain", "typo.example.com")
    set_up.deploy(InstanceId="")
    assert said(catnap, "status") == "no instance carries the tag catnap:host\n"
    assert status(catnap) == []


def test_the_month_s_hours_and_what_they_saved(set_up: SetUp, catnap: Catnap) -> None:
    set_up.deploy(HourlyPrice="0.5")
    end = last_whole_five_minutes()
    month = end.replace(day=1, hour=0, minute=0)
    # Awake for two hours before the month, and for the last hour.
    points = [month - timedelta(hours=2) + timedelta(minutes=5 * number) for number in range(24)]
    points += [end - timedelta(minutes=5 * number) for number in range(1, 13)]
    set_up.moto.put_network_in(set_up.instance, [(at, NOISE) for at in points])
    [shown] = status(catnap)
    hours = (utc_now() - month).total_seconds() / 3600
    assert read_time(shown["month"]["since"]) == month
    asleep = max(hours - 1, 0)
    assert shown["month"]["hours_awake"] == pytest.approx(hours - asleep, abs=0.2)
    assert shown["month"]["hours_asleep"] == pytest.approx(asleep, abs=0.2)
    assert shown["month"]["saved"] == pytest.approx(asleep * 0.5, abs=0.11)


def test_a_watched_status_goes_on_when_a_call_fails(set_up: SetUp, catnap: Catnap) -> None:
    with catnap.begin("status", "--watch=1") as watch:
        try:
            assert watch.stdout and watch.stderr
            shown, told = Lines(watch.stdout), Lines(watch.stderr)
            first = f"{HOST} ({set_up.instance}) is awake since "
            wait_until(lambda: shown.count(first) >= 2, "the second look")
            set_up.moto.refuse("DescribeInstances", "AccessDenied", 403)
            refused = "error: ec2:DescribeInstances cannot be called: AccessDenied"
            wait_until(lambda: told.count(refused) == 1, "the error")
            before = shown.count(first)
            wait_until(lambda: shown.count(first) > before, "the look after it")
        finally:
            watch.kill()
    assert "there is no stack none" in refusal(catnap, "status", "none", "--watch"), "the first look has to succeed"


def test_status_changes_nothing(set_up: SetUp, catnap: Catnap) -> None:
    set_up.quiet()
    [shown] = status(catnap)
    assert (shown["decision"], shown["reason"]) == ("nap", "idle")
    assert "the next tick stops it" in said(catnap, "status")
    assert [name for name in set_up.moto.calls() if name in WRITES] == []
    assert set_up.target().state == "running"


def test_a_drill_is_refused_when_someone_uses_it_or_nothing_would_wake_it(set_up: SetUp, catnap: Catnap) -> None:
    target = set_up.target()
    target.traffic(lambda age: 900_000 if age == 20 else NOISE)
    target.health()
    assert f"{HOST} is not drilled: keep: active (900 KB came in up to " in refusal(catnap, "drill")
    set_up.moto.forget_metrics()
    set_up.quiet()
    assert said(catnap, "drill", "--dry-run") == f"{HOST} would be drilled\n"
    set_up.tag("catnap:hold", "true")
    assert "is on hold, so nothing would wake it: catnap hold --off" in refusal(catnap, "drill")
    set_up.tag("catnap:hold", "false")
    set_up.deploy(DryRun="true")
    says = f"{HOST} is in a dry run, so nothing would wake it: deploy with DryRun=false"
    assert says in refusal(catnap, "drill", "--force") and says in refusal(catnap, "drill", "--dry-run")
    assert [name for name in set_up.moto.calls() if name in WRITES] == []
