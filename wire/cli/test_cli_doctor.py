"""`catnap doctor` on a right set-up, and on one that is broken in one way: it finds that, and nothing else.

Not here, since moto cannot express them, but in the tables of `cli/src/doctor/tests.rs`: `NOT_HERE`, and two records of
which one routes otherwise (moto takes a failover pair and a simple record together, Route 53 does not).
"""

from __future__ import annotations

import contextlib
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

import pytest
from aws_cli import call, prepared, sam_parameters
from command_line import Catnap
from set_up import API_DOMAIN, HOST, SCHEDULE, Front, SetUp
from certificates import Authority
from emulator import ROOT

from scene import utc_now
from stand import Moto

EVERYONE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
OFFICE = {"IpRanges": [{"CidrIp": "192.0.2.0/24"}]}


def findings(catnap: Catnap, *arguments: str) -> list[dict[str, Any]]:
    result = catnap("doctor", *arguments, "--output", "json")
    assert result.stderr == "", result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    return found


def health(**changes: object) -> Callable[[SetUp], None]:
    return lambda it: it.route53.update_health_check(HealthCheckId=it.check, **changes)


def new_check(**changes: object) -> Callable[[SetUp], None]:
    """What of a health check cannot be changed later."""

    def make(it: SetUp) -> None:
        config = {"Type": "HTTP", "IPAddress": it.address, "Port": 8080, "RequestInterval": 30, "FailureThreshold": 3}
        config = {key: value for key, value in {**config, **changes}.items() if value is not None}
        made = it.route53.create_health_check(CallerReference="another", HealthCheckConfig=config)
        it.put_record(it.primary(HealthCheckId=made["HealthCheck"]["Id"]))

    return make


def own_check(**changes: object) -> Callable[[SetUp], None]:
    """The same, of the stack's own."""

    def make(it: SetUp) -> None:
        new_check(**changes)(it)
        [it.check] = {found["Id"] for found in it.route53.list_health_checks()["HealthChecks"]} - {it.check}
        it.deploy(**it.parameters)

    return make


def deleted_by_hand(it: SetUp) -> None:
    """The stack's own health check, after the record was given another."""
    new_check()(it)
    it.route53.delete_health_check(HealthCheckId=it.check)


def closed(port: int, *instead: dict[str, object]) -> Callable[[SetUp], None]:
    def close(it: SetUp) -> None:
        it.close_port(port, EVERYONE if port == 443 else {"PrefixListIds": [{"PrefixListId": it.checkers}]})
        for source in instead:
            it.open_port(port, source)

    return close


def closed_but_for_an_office(it: SetUp) -> None:
    """And nobody says whether the checkers get in: moto's own always do."""
    closed(8080, OFFICE)(it)
    it.moto.refuse("GetHealthCheckStatus", "AccessDenied", 403, times=99)


def without_zone(it: SetUp) -> None:
    for record in (it.primary(), it.secondary(), it.validation_record()):
        it.drop_record(record)
    it.route53.delete_hosted_zone(Id=it.zone)


def simple(kind: str, value: str) -> dict[str, Any]:
    return {"Name": HOST, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}


def simple_record(it: SetUp) -> None:
    it.drop_record(it.primary())
    it.drop_record(it.secondary())
    it.put_record(simple("A", it.address))


def cname(it: SetUp) -> None:
    it.drop_record(it.primary())
    it.drop_record(it.secondary())
    it.put_record(simple("CNAME", API_DOMAIN))


def other_domain(certificate: str | None = None, kind: str = "REGIONAL") -> Callable[[SetUp], None]:
    def make(it: SetUp) -> None:
        it.api.delete_domain_name(DomainName=HOST)
        it.make_domain(certificate, kind)
        it.map()

    return make


def imported(authority: Authority, host: str = HOST, days: int = 200) -> Callable[[SetUp], None]:
    """A certificate of someone else's, which ACM does not renew."""

    def make(it: SetUp) -> None:
        whole = authority.issue(host, timedelta(days=days)).read_bytes()
        key, _, rest = whole.partition(b"-----BEGIN CERTIFICATE-----")
        certificate, _, chain = (b"-----BEGIN CERTIFICATE-----" + rest).partition(b"-----END CERTIFICATE-----\n")
        end = b"-----END CERTIFICATE-----\n"
        made = it.acm.import_certificate(Certificate=certificate + end, PrivateKey=key, CertificateChain=chain)
        other_domain(made["CertificateArn"])(it)

    return make


def remap(path: str | None) -> Callable[[SetUp], None]:
    def change(it: SetUp) -> None:
        it.api.delete_api_mapping(DomainName=HOST, ApiMappingId=it.mapping)
        if path is not None:
            it.map(path)

    return change


def routes_of_the_root(it: SetUp) -> None:
    for route in it.routes.values():
        it.api.delete_route(ApiId=it.api_id, RouteId=route)
    it.add_route("ANY /")


def left_steered(it: SetUp) -> None:
    """As the stopper does before a nap; and then Steer was set back."""
    it.route53.update_health_check(HealthCheckId=it.check, Disabled=True, Inverted=True)
    version = it.route53.get_health_check(HealthCheckId=it.check)["HealthCheck"]["HealthCheckVersion"]
    mark = f"away {version} {utc_now().strftime('%Y-%m-%dT%H:%M:%SZ')}"
    it.route53.change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=it.check, AddTags=[{"Key": "catnap:steered", "Value": mark}])


def two_names(it: SetUp) -> None:
    """The first of the certificate's names has its record, and the other has not."""
    made = it.acm.request_certificate(
        DomainName=HOST, ValidationMethod="DNS", SubjectAlternativeNames=[HOST, f"www.{HOST}"])
    described = it.acm.describe_certificate(CertificateArn=made["CertificateArn"])["Certificate"]
    other_domain(made["CertificateArn"])(it)
    it.drop_record(it.validation_record())
    it.validation = described["DomainValidationOptions"][0]["ResourceRecord"]
    it.put_record(it.validation_record())


def gone(it: SetUp) -> None:
    it.ec2.terminate_instances(InstanceIds=[it.instance])


def two_of_a_name(it: SetUp) -> None:
    it.deploy(InstanceId="")
    it.tag("catnap:host", HOST)
    it.moto.run_instance({"catnap:host": HOST})


def automatic_address(it: SetUp) -> None:
    it.ec2.disassociate_address(AssociationId=it.association)
    it.moto.set_instance(it.instance, launched=utc_now() - timedelta(hours=5))


def attribute(**changes: object) -> Callable[[SetUp], None]:
    return lambda it: it.ec2.modify_instance_attribute(InstanceId=it.instance, **changes)


def failed_start(it: SetUp) -> None:
    it.ec2.stop_instances(InstanceIds=[it.instance])
    it.moto.set_instance(it.instance, reason="Server.InsufficientInstanceCapacity")


def own_key(it: SetUp) -> None:
    key = it.moto.client("kms").create_key()["KeyMetadata"]["Arn"]
    zone = it.moto.describe(it.instance)["Placement"]["AvailabilityZone"]
    volume = it.ec2.create_volume(AvailabilityZone=zone, Size=8, Encrypted=True, KmsKeyId=key)["VolumeId"]
    it.ec2.attach_volume(VolumeId=volume, InstanceId=it.instance, Device="/dev/sdf")
    it.names["key"] = key


def drop_schedule(it: SetUp) -> None:
    it.scheduler.delete_schedule(Name=SCHEDULE)


def tagged(key: str, value: str) -> Callable[[SetUp], None]:
    return lambda it: it.tag(key, value)


def refused(operation: str) -> Callable[[SetUp], None]:
    return lambda it: it.moto.refuse(operation, "AccessDenied", 403, times=10)


def resource(logical: str) -> Callable[[dict[str, Any]], str]:
    def read(it: dict[str, Any]) -> str:
        [name] = [of["PhysicalResourceId"] for of in it["StackResources"] if of["LogicalResourceId"] == logical]
        return str(name)

    return read


# What a command prints and a later one takes.
PRINTED: dict[str, Callable[[dict[str, Any]], str]] = {
    "SCHEDULE_NAME": resource("StopperTick"),
    "ROLE_NAME": resource("StopperTickRole"),
    "HEALTH_CHECK_ID": lambda it: str(it["HealthCheck"]["Id"]),
    "ALLOCATION_ID": lambda it: str(it["AllocationId"]),
    "CERTIFICATE_ARN": lambda it: str(it["CertificateArn"]),
    "INTEGRATION_ID": lambda it: str(it["Items"][0]["IntegrationId"]),
}


def mend(it: SetUp, finding: dict[str, Any]) -> None:
    """Types the commands that a finding comes with, with the ids that earlier ones print."""
    known = {"API_ID": it.api_id}
    for command in (line for line in finding["mend"] if not line.startswith("#")):
        if command.startswith("sam "):
            it.deploy(**{**it.parameters, **sam_parameters(command)})
            continue
        for name, printed in known.items():
            command = command.replace(name, printed)
        answer = call(it.moto, command)
        for name, read in PRINTED.items():
            with contextlib.suppress(LookupError):
                known[name] = read(answer)


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


def test_a_right_set_up_is_well_by_stack_by_tag_and_by_hand(moto: Moto, catnap: Catnap) -> None:
    set_up = SetUp(moto)
    assert findings(catnap, "--domain", HOST) == [], "found by the Elastic IP of the primary record"
    for deploy in (lambda: None, set_up.deploy):
        deploy()
        assert findings(catnap, "--domain", HOST, "--instance", set_up.instance) == []
    assert findings(catnap) == [] and findings(catnap, "--instance", set_up.instance) == []
    set_up.tag("catnap:host", HOST)
    set_up.deploy(InstanceId="")
    assert findings(catnap) == [] and findings(catnap, "--instance", set_up.instance) == []
    assert findings(catnap, "catnap", "--domain", HOST) == []


def test_the_stopper_s_health_check_of_one_of_more_apps_is_in_a_tag(moto: Moto, catnap: Catnap) -> None:
    set_up = SetUp(moto)
    set_up.deploy(AppDomain="other.example.com", InstanceId="", Fleet="prod")
    [finding] = findings(catnap, "catnap", "--domain", HOST)
    assert finding["check"] == "instance", "nothing finds it"
    mend(set_up, finding)
    assert findings(catnap, "--domain", HOST) == []
    for spoil in (lambda: set_up.ec2.delete_tags(Resources=[set_up.instance], Tags=[{"Key": "catnap:health-check"}]),
                  lambda: set_up.tag("catnap:health-check", "another")):
        spoil()
        [finding] = findings(catnap, "--domain", HOST)
        assert (finding["check"], finding["severity"]) == ("health-check-of-stopper", "error")
        mend(set_up, finding)
        assert findings(catnap, "--domain", HOST) == []


def test_who_may_not_ask_route_53_is_not_told_that_there_is_no_instance(moto: Moto, catnap: Catnap) -> None:
    SetUp(moto)
    moto.refuse("ListHostedZones", "AccessDenied", 403, times=10)
    result = catnap("doctor", "--domain", HOST)
    assert result.returncode == 3 and "no instance" not in result.stdout.split("\n", 1)[1], result.stdout


def test_the_schedule_is_as_before_once_it_is_enabled(set_up: SetUp, catnap: Catnap) -> None:
    def all_of_it() -> dict[str, Any]:
        found = set_up.scheduler.get_schedule(Name=SCHEDULE)
        return {key: found[key] for key in found if key not in ("ResponseMetadata", "LastModificationDate")}

    before = all_of_it()
    set_up.change_schedule(state="DISABLED")
    [finding] = findings(catnap)
    mend(set_up, finding)
    assert all_of_it() == before
    drop_schedule(set_up)
    [finding] = findings(catnap)
    mend(set_up, finding)
    made = all_of_it()
    assert {key: made[key] for key in ("Name", "State", "Target", "ScheduleExpression")} == {
        key: before[key] for key in ("Name", "State", "Target", "ScheduleExpression")}


def test_the_stack_of_one_more_app_is_that_app_of_its_pair(moto: Moto, catnap: Catnap) -> None:
    set_up = SetUp(moto)
    set_up.deploy(AppDomain="other.example.com", InstanceId="", IdleMinutes="75")
    set_up.deploy_app("wiki")
    set_up.tag("catnap:host", HOST)
    set_up.tag("catnap:health-check", set_up.check)
    assert findings(catnap, "wiki") == []
    drop_schedule(set_up)
    [finding] = findings(catnap, "wiki")
    assert finding["check"] == "schedule" and "--stack-name catnap" in finding["mend"][0]
    set_up.quiet()
    assert HOST in catnap("status", "wiki").stdout
    assert json.loads(catnap("plan", "--stack", "wiki", "--output", "json").stdout)["idle_minutes"] == 75
    set_up.deploy_app("lost", Pair="gone")
    assert "there is no stack gone" in catnap("doctor", "lost").stderr


def test_an_instance_of_the_stack_s_own_is_found(moto: Moto, catnap: Catnap) -> None:
    set_up = SetUp(moto)
    set_up.deploy(Host="new", InstanceId="", ElasticIp="")
    # By the address of this record it would not be found.
    set_up.put_record(set_up.primary(ResourceRecords=[{"Value": "203.0.113.99"}]))
    [finding] = findings(catnap)
    assert finding["check"] == "primary-address" and finding["what"].endswith(set_up.address)


def test_an_instance_with_two_elastic_ips_is_well_at_either(set_up: SetUp, catnap: Catnap) -> None:
    second = set_up.ec2.allocate_address(Domain="vpc")
    set_up.ec2.associate_address(AllocationId=second["AllocationId"], InstanceId=set_up.instance)
    assert findings(catnap) == []
    set_up.put_record(set_up.primary(ResourceRecords=[{"Value": second["PublicIp"]}]))
    health(IPAddress=second["PublicIp"])(set_up)
    assert findings(catnap) == []


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


def test_a_certificate_for_another_name_and_one_that_runs_out(
    set_up: SetUp, catnap: Catnap, authority: Authority
) -> None:
    imported(authority, "other.example.com")(set_up)
    assert [finding["check"] for finding in findings(catnap)] == ["certificate-names"]
    imported(authority, days=20)(set_up)
    [finding] = findings(catnap)
    assert (finding["check"], finding["severity"]) == ("certificate-end", "warning")
    imported(authority)(set_up)
    assert findings(catnap) == []


def test_each_name_of_a_certificate_is_looked_for_in_its_own_zone(set_up: SetUp, catnap: Catnap) -> None:
    names = ["www.wiki.example.com", "api.away.example.com"]
    made = set_up.acm.request_certificate(
        DomainName=HOST, ValidationMethod="DNS", SubjectAlternativeNames=[HOST, *names])
    described = set_up.acm.describe_certificate(CertificateArn=made["CertificateArn"])["Certificate"]
    records = {it["DomainName"]: it["ResourceRecord"] for it in described["DomainValidationOptions"]}
    other_domain(made["CertificateArn"])(set_up)
    set_up.put_record({**set_up.validation_record(), "Name": records[HOST]["Name"],
                       "ResourceRecords": [{"Value": records[HOST]["Value"]}]})
    wiki = set_up.route53.create_hosted_zone(Name="wiki.example.com", CallerReference="wiki")["HostedZone"]["Id"]
    # Whose zone this is, another account knows.
    set_up.put_record({"Name": "away.example.com", "Type": "NS", "TTL": 300,
                       "ResourceRecords": [{"Value": "ns.example.net"}]})
    [finding] = findings(catnap)
    lacks = records[names[0]]["Name"].rstrip(".")
    assert finding["check"] == "validation-record" and finding["what"].startswith(f"the record {lacks} is gone")
    assert wiki.rsplit("/", 1)[1] in finding["mend"][0]
    mend(set_up, finding)
    assert findings(catnap) == []


def test_what_answers_behind_the_gateway_has_to_be_the_starter(set_up: SetUp, catnap: Catnap, front: Front) -> None:
    front.status, front.body = 404, {"message": "Not Found"}
    [finding] = findings(catnap)
    assert finding["check"] == "waiting-page" and "404" in finding["what"]
    front.status = 200
    assert [finding["check"] for finding in findings(catnap)] == ["waiting-page"]
    front.status, front.body = 404, {"app": HOST, "reason": "unknown-host"}
    assert findings(catnap) == [], "it is the starter, whatever it says of the instance"
    front.body = {"message": "Not Found"}
    result = catnap("doctor", "--output", "json", CATNAP_GATEWAY_ADDRESS="127.0.0.1:1")
    [finding] = json.loads(result.stdout)["findings"]
    assert "the connection is refused" in finding["what"]


def test_the_grant_that_is_asked_for_mends_a_volume_of_one_s_own_key(set_up: SetUp, catnap: Catnap) -> None:
    own_key(set_up)
    [finding] = findings(catnap)
    [command] = finding["mend"]
    words = command.split()
    role, operations = words[words.index("--grantee-principal") + 1], words[words.index("--operations") + 1 : -2]
    kms = set_up.moto.client("kms")
    kms.create_grant(KeyId=set_up.names["key"], GranteePrincipal=role, Operations=operations)
    assert findings(catnap) == []


def test_without_a_stack_it_is_not_known_whether_the_starter_may_use_a_key(moto: Moto, catnap: Catnap) -> None:
    set_up = SetUp(moto)
    own_key(set_up)
    [finding] = findings(catnap, "--domain", HOST)
    assert (finding["check"], finding["severity"]) == ("volume-key", "warning") and "cannot be told" in finding["what"]
    prepared(set_up.moto, finding["mend"][0])


def test_the_exit_status_says_how_bad_it_is(set_up: SetUp, catnap: Catnap) -> None:
    assert catnap("doctor", "--strict").returncode == 0
    set_up.put_record(set_up.primary(TTL=300))
    assert [catnap("doctor").returncode, catnap("doctor", "--strict").returncode] == [0, 1]
    refused("DescribeSecurityGroups")(set_up)
    assert [catnap("doctor").returncode, catnap("doctor", "--strict").returncode] == [3, 3], "who knows?"
    health(Disabled=True)(set_up)
    assert catnap("doctor").returncode == 2
    assert [catnap("doctor", "--loud").returncode, catnap("doctor", "--help").returncode] == [3, 0]


def test_colours_are_for_terminals_and_for_who_wants_them(set_up: SetUp, catnap: Catnap) -> None:
    assert "\x1b[" not in catnap("doctor").stdout
    assert "\x1b[32m" in catnap("doctor", CLICOLOR_FORCE="1").stdout.replace("\x1b[1m", "")
    assert "\x1b[" not in catnap("doctor", NO_COLOR="1").stdout


def test_help_teaches_by_examples_and_shells_complete(catnap: Catnap) -> None:
    for command in ("doctor", "status", "plan", "wake", "nap", "keep-awake", "protect", "hold", "drill", "completions"):
        text = catnap(command, "--help").stdout
        assert f"Examples:\n  catnap {command}" in text, command
        for shell in ("bash", "zsh", "fish"):
            assert command in catnap("completions", shell).stdout


def test_it_changes_nothing(set_up: SetUp, catnap: Catnap) -> None:
    catnap("doctor")
    reads = ("Describe", "Get", "List")
    assert [name for name in set_up.moto.calls() if not name.split()[0].startswith(reads) and "GET" not in name] == []


def test_who_cannot_look_is_told_what_to_do(set_up: SetUp, catnap: Catnap) -> None:
    def error(*arguments: str, **more: str) -> str:
        result = catnap("doctor", *arguments, **more)
        assert (result.returncode, result.stdout) == (3, "")
        return result.stderr

    assert "there is no stack other in eu-central-1" in error("other") and "--domain" in error("other")
    assert "no region: give --region" in error(AWS_REGION="")
    assert "no credentials" in error(AWS_ACCESS_KEY_ID="", PATH="/nowhere")
    assert "there is no profile work: there is none" in error("--profile", "work")


def test_profiles_regions_and_endpoints_come_from_where_the_aws_cli_has_them(
    set_up: SetUp, catnap: Catnap, tmp_path: Path
) -> None:
    nothing = dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"), "")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        f"[profile work]\nregion = eu-central-1\nendpoint_url = {set_up.moto.endpoint}\n"
        f"[profile sso]\nregion = eu-central-1\nendpoint_url = {set_up.moto.endpoint}\nsso_session = x\n"
    )
    (tmp_path / ".aws" / "credentials").write_text("[work]\naws_access_key_id = a\naws_secret_access_key = b\n")
    assert catnap("doctor", "--profile", "work", **nothing).returncode == 0
    assert catnap("doctor", **{**nothing, "AWS_PROFILE": "work"}).returncode == 0
    # What is more than keys is asked of the AWS CLI.
    (tmp_path / "aws").write_text(
        '#!/bin/sh\necho "$@" > "$HOME/asked"\necho \'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"}\'\n'
    )
    (tmp_path / "aws").chmod(0o755)
    assert catnap("doctor", "--profile", "sso", **nothing, PATH=f"{tmp_path}:/usr/bin:/bin").returncode == 0
    assert (tmp_path / "asked").read_text() == "configure export-credentials --format process --profile sso\n"
    # A container, an instance or CloudShell has no profile at all.
    at = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": set_up.moto.endpoint, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert catnap("doctor", **{**nothing, **at}).returncode == 0
    assert (tmp_path / "asked").read_text() == "configure export-credentials --format process\n"
    health(Disabled=True)(set_up)
    said = catnap("doctor", "--profile", "work", **nothing).stdout
    assert "--no-disabled --region eu-central-1 --profile work\n" in said, "what it says to type is for that profile"
