"""`catnap doctor` on set-ups of other kinds, and on what takes more than one look."""

from __future__ import annotations

import json
from typing import Any

from aws_cli import prepared
from broken import drop_schedule, findings, health, imported, left_steered, mend, other_domain, own_key, refused
from certificates import Authority
from command_line import Catnap
from set_up import HOST, SCHEDULE, Front, SetUp

from stand import Moto


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


def test_of_two_zones_of_a_name_the_stack_s_is_meant(moto: Moto, catnap: Catnap) -> None:
    for reference in ("before", "after"):  # whichever the list begins with
        moto.client("route53").create_hosted_zone(Name="example.com", CallerReference=reference)
        if reference == "before":
            set_up = SetUp(moto)
    set_up.deploy(HostedZoneId=set_up.zone)
    assert findings(catnap) == []


def test_whose_doing_a_disabled_check_is_is_not_guessed(set_up: SetUp, catnap: Catnap) -> None:
    left_steered(set_up)
    refused("ListTagsForResource")(set_up)
    [finding] = findings(catnap)
    assert finding["check"] == "unread" and finding["what"].startswith("route53:ListTagsForResource could not be called")


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
