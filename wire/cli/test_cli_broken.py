"""`catnap doctor` on a right set-up, and on one that is broken in one way: it finds that, and nothing else.

Not here, since moto cannot express them, but in the tables of `cli/src/doctor/tests.rs`: `NOT_HERE`, and two records of
which one routes otherwise (moto takes a failover pair and a simple record together, Route 53 does not).
"""

from __future__ import annotations

import re
from typing import Callable

import pytest
from aws_cli import prepared
from broken import (
    OFFICE, attribute, automatic_address, closed, closed_but_for_an_office, cname, deleted_by_hand,
    drop_schedule, failed_start, findings, gone, health, left_steered, mend, new_check, other_domain,
    own_check, own_key, refused, remap, routes_of_the_root, simple, simple_record, tagged, two_names,
    two_of_a_name, without_zone,
)
from command_line import Catnap
from emulator import ROOT
from set_up import HOST, SetUp

# Something has to be chosen or waited for, or is done elsewhere.
CHOICE = ("unread", "zone", "tags", "failed-start", "settings")
# moto has no MonitorInstances, makes no names of regional domains, and knows the group's tag but no group.
MOTO_LACKS = ("monitoring", "domain", "domain-regional", "certificate-region", "auto-scaling")

# Of a check, of EC2, of ACM and of CloudFormation what moto never says.
NOT_HERE = {"unhealthy", "spot", "root-device", "certificate-status", "stack"}

BROKEN: list[tuple[str, Callable[[SetUp], None]]] = [
    ("unread", refused("ListHostedZones")),
    ("unread", refused("DescribeSecurityGroups")),
    ("zone", without_zone),
    ("cname", cname),
    ("aaaa", lambda it: it.put_record(simple("AAAA", "2001:db8::1"))),
    ("other-routing", simple_record),
    ("primary", lambda it: it.drop_record(it.primary())),
    ("secondary", lambda it: it.drop_record(it.secondary())),
    ("primary-address", lambda it: it.put_record(it.primary(ResourceRecords=[{"Value": "203.0.113.99"}]))),
    ("ttl", lambda it: it.put_record(it.primary(TTL=300))),
    ("secondary-target", lambda it: it.put_record(it.secondary(AliasTarget={
        "DNSName": "abc123def4.execute-api.eu-central-1.amazonaws.com", "HostedZoneId": "Z1U9ULNL0V5AJ3",
        "EvaluateTargetHealth": False}))),
    ("secondary-health-check", lambda it: it.put_record(it.secondary(HealthCheckId=it.check))),
    ("health-check", lambda it: it.put_record(it.primary(HealthCheckId=None))),
    ("health-check", lambda it: it.route53.delete_health_check(HealthCheckId=it.check)),
    ("health-check-loop", new_check(IPAddress=None, FullyQualifiedDomainName=HOST)),
    ("health-check-loop", new_check(IPAddress=None, FullyQualifiedDomainName="origin.example.com")),
    ("health-check-address", health(IPAddress="203.0.113.99")),
    ("health-check-type", new_check(
        Type="CALCULATED", IPAddress=None, Port=None, RequestInterval=None, FailureThreshold=None)),
    ("health-check-disabled", health(Disabled=True)),
    ("health-check-inverted", health(Inverted=True)),
    ("health-check-steered", left_steered),
    ("health-check-protocol", health(Port=443)),
    ("health-check-sni", own_check(Type="HTTPS", Port=443)),
    ("health-check-of-stopper", new_check()),
    ("health-check-of-stopper", deleted_by_hand),
    ("domain", lambda it: it.api.delete_domain_name(DomainName=HOST)),
    ("domain-regional", other_domain(kind="EDGE")),
    ("mapping", remap(None)),
    ("mapping", remap("v1")),
    ("route", routes_of_the_root),
    ("certificate-region", other_domain("arn:aws:acm:us-east-1:123456789012:certificate/1")),
    ("validation-record", lambda it: it.drop_record(it.validation_record())),
    ("validation-record", two_names),
    ("instance", gone),
    ("instance", lambda it: it.deploy(InstanceId="")),
    ("instance", lambda it: (it.tag("catnap:host", HOST), it.deploy(InstanceId="", Fleet="prod"))),
    ("one-instance", two_of_a_name),
    ("elastic-ip", automatic_address),
    ("auto-scaling", tagged("aws:autoscaling:groupName", "web")),
    ("stop-protection", attribute(DisableApiStop={"Value": True})),
    ("volume-key", own_key),
    ("failed-start", failed_start),
    ("tags", tagged("catnap:idle-minutes", "soon")),
    ("hold", tagged("catnap:hold", "true")),
    ("monitoring", lambda it: (it.deploy(IdleMinutes="10"), it.change_schedule(expression="rate(5 minutes)"))),
    ("health-port", closed(8080)),
    ("health-port", closed_but_for_an_office),
    ("visitors-port", closed(443)),
    ("visitors-port", closed(443, OFFICE)),
    ("settings", lambda it: it.deploy(IdleMinutes="soon")),
    ("schedule", drop_schedule),
    ("schedule-enabled", lambda it: it.change_schedule(state="DISABLED")),
    ("idle-minutes", lambda it: it.deploy(Schedule="rate(2 hours)")),
    ("idle-minutes", tagged("catnap:idle-minutes", "30")),
    ("dry-run", lambda it: it.deploy(DryRun="true")),
]


def test_each_check_is_broken_here_or_said_to_be_broken_elsewhere() -> None:
    sources = [file.read_text() for file in (ROOT / "cli" / "src").glob("doctor*/*.rs")]
    sources.append((ROOT / "cli" / "src" / "doctor.rs").read_text())
    checks = {"unread", *re.findall(r'Finding::(?:error|warning)\(\s*"([a-z-]+)"', "".join(sources))}
    here = {name for name, _ in BROKEN} | {"certificate-names", "certificate-end", "waiting-page"}
    assert checks == here | NOT_HERE and not here & NOT_HERE


@pytest.mark.parametrize("name, break_it", BROKEN, ids=[f"{number}-{name}" for number, (name, _) in enumerate(BROKEN)])
def test_a_broken_set_up_is_found_and_nothing_else(
    name: str, break_it: Callable[[SetUp], None], set_up: SetUp, catnap: Catnap
) -> None:
    break_it(set_up)
    [finding] = findings(catnap)
    assert finding["check"] == name
    commands = [line for line in finding["mend"] if not line.startswith("#") and "aws logs tail" not in line]
    for command in commands:
        if command.startswith("aws "):
            prepared(set_up.moto, command)
    is_open = any("INSTANCE_ID" in command for command in commands)
    if name in CHOICE or name in MOTO_LACKS or not commands or is_open:
        return
    for _ in range(3):  # what is mended may show what else there is to do
        for found in findings(catnap):
            mend(set_up, found)
    assert findings(catnap) == [], "the commands do not mend it"
