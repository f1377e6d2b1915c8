"""The templates, created by moto's CloudFormation for each branch, read back through AWS's APIs, and put to work."""

import json
import re

import pytest
from deployment import CALLS, REGIONAL, deploy, deploy_app, known_to_moto
from scene import (
    FIVE_MINUTES, HOST, NOISE, TICK, Target, body, origin_at, record_of, starter, stopper,
    utc_now,
)
from emulator import free_port, http_event
from stack import GIVEN, NEW, ONE, PARAMETERS, RAW, SOURCE, deployed, resolve
from stand import App, wait_until

MAIL = {"AlarmEmail": "ops@example.com"}
ARN = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012"
BRANCHES = {
    "by tag": {}, "by tag, with alarms": MAIL, "by id": ONE, "by id, with alarms": ONE | MAIL, "new host": NEW,
    "a certificate of one's own": ONE | {"CertificateArn": ARN},
    "checked over https": {"HealthCheckProtocol": "HTTPS", "HealthCheckPort": 443},
    "checked by its port": {"HealthCheckProtocol": "TCP", "HealthCheckPort": 443},
    "visitors are led, with alarms": ONE | MAIL | {"Steer": "true", "Schedule": "rate(5 minutes)"},
    "with limits and a key, in a fleet": {
        "Fleet": "staging", "ReservedConcurrency": 25, "VolumeKeyArn": KEY, "Dashboard": "false"},
}
UNNAMED = {"ApiMayInvokeStarter"}  # moto gives a permission no id


@pytest.fixture
def zone(moto):
    made = moto.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")
    return made["HostedZone"]["Id"].rsplit("/", 1)[1]


def test_only_what_moto_lacks_is_made_otherwise():
    assert {resource["Type"] for resource in RAW.values()} - known_to_moto() == CALLS.keys()


def test_the_branches_have_each_condition_both_ways():
    defaults = {name: p["Default"] for name, p in PARAMETERS.items() if "Default" in p} | GIVEN
    for name, condition in SOURCE["Conditions"].items():
        assert {resolve(condition, defaults | given) for given in BRANCHES.values()} == {True, False}, name


@pytest.mark.parametrize("branch", BRANCHES)
def test_what_is_made_and_where_the_name_leads(moto, zone, branch):
    given = BRANCHES[branch]
    stack = deploy(moto, HostedZoneId=zone, **given)
    assert stack.made.keys() == deployed(**given).keys() - UNNAMED
    address = stack.host.outputs["ElasticIp"] if stack.host else GIVEN["ElasticIp"]
    leads_by_failover(moto, zone, stack, HOST, address, given)

    gateway, api = moto.client("apigatewayv2"), stack.made["Api"]
    [integration] = gateway.get_integrations(ApiId=api)["Items"]
    function = moto.client("lambda").get_function_configuration(FunctionName=stack.made["Starter"])
    assert integration["IntegrationUri"] == function["FunctionArn"]
    routes = gateway.get_routes(ApiId=api)["Items"]
    assert {route["Target"] for route in routes} == {f"integrations/{integration['IntegrationId']}"} and len(routes) == 3
    [mapping] = gateway.get_api_mappings(DomainName=HOST)["Items"]
    assert (mapping["ApiId"], mapping["Stage"]) == (api, "$default")
    [domain] = gateway.get_domain_name(DomainName=HOST)["DomainNameConfigurations"]
    assert domain["CertificateArn"] == given.get("CertificateArn", stack.made.get("Certificate"))
    assert stack.environment("Starter")["CATNAP_STATUS_ORIGIN"] == f"https://{api}.execute-api.eu-central-1.amazonaws.com"

    schedule = moto.client("scheduler").get_schedule(Name="StopperTick")["Target"]
    ticked = moto.client("lambda").get_function_configuration(FunctionName=stack.made["Stopper"])
    assert (schedule["Arn"], schedule["RoleArn"].split("/")[-1]) == (ticked["FunctionArn"], stack.made["StopperTickRole"])
    assert schedule["DeadLetterConfig"]["Arn"].endswith(stack.made["LostTicks"].rsplit("/", 1)[1])


def leads_by_failover(moto, zone, stack, host, address, given):
    """Two A records: the first at the instance as long as its own check is well, the second at the API without one."""
    route53 = moto.client("route53")
    records = {it["Failover"]: it for it in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
               if it["Name"].rstrip(".") == host}
    first, second = records.pop("PRIMARY"), records.pop("SECONDARY")
    assert not records and {first["Type"], second["Type"]} == {"A"}
    assert first["ResourceRecords"] == [{"Value": address}] and first["TTL"] <= 60
    assert first["HealthCheckId"] == stack.outputs["HealthCheckId"]
    assert not {"HealthCheckId", "ResourceRecords", "TTL"} & second.keys()
    assert second["AliasTarget"] == {"DNSName": REGIONAL["RegionalDomainName"], "EvaluateTargetHealth": False,
                                     "HostedZoneId": REGIONAL["RegionalHostedZoneId"]}
    check = route53.get_health_check(HealthCheckId=first["HealthCheckId"])["HealthCheck"]["HealthCheckConfig"]
    assert (check["IPAddress"], check["Port"]) == (address, given.get("HealthCheckPort", 8080))
    assert check["Type"] == given.get("HealthCheckProtocol", "HTTP")  # moto leaves the regions out


@pytest.mark.parametrize("given", [MAIL, ONE | MAIL, NEW | MAIL])
def test_cloudwatch_takes_the_alarms_and_the_dashboard(moto, zone, given):
    stack = deploy(moto, HostedZoneId=zone, **given)
    alarms = moto.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in alarms} == {n for n in deployed(**given) if n.endswith("Alarm")}
    instance = stack.host.outputs["InstanceId"] if stack.host else given.get("InstanceId")
    known = {HOST, stack.made["Starter"], stack.made["Stopper"], stack.made["LostTicks"].rsplit("/", 1)[1], instance}
    assert {dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]} == known - {None}
    assert {action for alarm in alarms for action in alarm["AlarmActions"]} == {stack.made["Alarms"]}
    assert not [alarm["AlarmDescription"] for alarm in alarms if "$" in alarm["AlarmDescription"]]
    shown = moto.client("cloudwatch").get_dashboard(DashboardName=stack.made["Overview"])["DashboardBody"]
    queries = [w["properties"]["query"] for w in json.loads(shown)["widgets"] if w["type"] == "log"]
    groups = {re.match(r"SOURCE '([^']+)'", query)[1] for query in queries}
    assert groups == {stack.made["StarterLogs"], stack.made["StopperLogs"]}
    assert ('App="app.example.com"' in json.loads(json.dumps(shown.replace("\\", "")))) == (given != MAIL)


def roles_lead_to(moto, stack, instance, check):
    """Which instances and checks the roles let the pair act on, as IAM was told."""
    named = set()
    for role in ("StarterRole", "StopperRole"):
        name = role.removesuffix("Role").lower()
        policy = moto.client("iam").get_role_policy(RoleName=stack.made[role], PolicyName=name)["PolicyDocument"]
        named |= set(re.findall(r":(?:instance|healthcheck)/([^'\"]+)", str(policy)))  # moto tells no JSON
    assert named == {instance, check}


def bring_to_life(moto, instance, check, host):
    """The metrics that EC2 and Route 53 would have of an instance that nobody visits."""
    target = Target(moto, host, instance, check)
    moto.set_instance(instance, launched=utc_now() - 60 * FIVE_MINUTES)
    target.traffic(lambda _: NOISE)
    target.health()
    return target


def naps_and_wakes(moto, stack, target, port, api):
    """The pair as it was deployed, with AWS's stand-in for AWS and the app's port on this machine."""
    here = moto.environment() | {"CATNAP_ORIGIN_ADDRESS": f"127.0.0.1:{port}"}
    with App(moto, target.instance, port, boot_delay=0.2) as app, \
            stopper(stack.environment("Stopper") | here) as naps, starter(stack.environment("Starter") | here) as wakes:
        wait_until(lambda: app.listening, "the app")
        record = record_of(naps.invoke(TICK), target)
        assert (record["app"], record["reason"], record["outcome"]) == (target.host, "idle", "stopped"), record
        wait_until(lambda: target.state == "stopped" and not app.listening, "the nap")
        assert wakes.invoke(http_event(host=target.host))["statusCode"] == 503 and target.state == "stopped"
        call = http_event("POST", "/.catnap/wake", target.host, {"x-catnap": "wake", "accept": "application/json"})
        assert body(wakes.invoke(call))["reason"] == "waking"
        poll = http_event("GET", f"/.catnap/status?app={target.host}", f"{api}.execute-api.eu-central-1.amazonaws.com",
                          {"accept": "application/json"})
        wait_until(lambda: body(wakes.invoke(poll))["ready"], "the app to be ready", 10)
        assert target.state == "running"


@pytest.mark.parametrize("kind", ["by id", "by tag", "in a fleet", "new host"])
def test_the_pair_works_with_what_its_deployment_made(moto, zone, kind):
    moto.set_phases(pending=0.3, stopping=0.3)
    port = free_port()
    given = {"HostedZoneId": zone, "Origin": origin_at(port)["CATNAP_ORIGIN"], "Handoff": "poll"}
    if kind == "new host":
        stack = deploy(moto, **NEW | given)
        instance = stack.host.outputs["InstanceId"]
    else:
        instance = moto.run_instance()
        given |= {"ElasticIp": moto.describe(instance)["PublicIpAddress"]}
        more = {"by id": {"InstanceId": instance}, "by tag": {}, "in a fleet": {"Fleet": "staging"}}
        stack = deploy(moto, **given, **more[kind])
    check = stack.outputs["HealthCheckId"]
    by_tag = kind in ("by tag", "in a fleet")
    roles_lead_to(moto, stack, *(("*", "*") if by_tag else (instance, check)))
    if by_tag:
        tag(moto, instance, stack.outputs["TagTheInstance"])
    assert {tag["Key"] for tag in moto.describe(instance).get("Tags", [])} >= (
        {"catnap:host", "catnap:fleet"} if kind == "in a fleet" else {"catnap:host"} if by_tag else set())
    naps_and_wakes(moto, stack, bring_to_life(moto, instance, check, HOST), port, stack.made["Api"])


def tag(moto, instance, command):
    """Does what an output says."""
    to = "aws ec2 create-tags --region eu-central-1 --resources INSTANCE_ID --tags "
    assert re.match(to + r"(Key=\S+,Value=\S+ ?)+$", command)
    tags = [{"Key": key, "Value": value} for key, value in re.findall(r"Key=([^,\s]+),Value=(\S+)", command)]
    moto.client("ec2").create_tags(Resources=[instance], Tags=tags)


def test_one_more_app_works_with_the_same_pair(moto, zone):
    moto.set_phases(pending=0.3, stopping=0.3)
    port = free_port()
    pair = deploy(moto, HostedZoneId=zone, Origin=origin_at(port)["CATNAP_ORIGIN"], Handoff="poll")
    instance = moto.run_instance()
    address = moto.describe(instance)["PublicIpAddress"]
    wiki = deploy_app(moto, "wiki", Pair="catnap", AppDomain="wiki.example.com", HostedZoneId=zone, ElasticIp=address)
    assert wiki.made.keys() == {"Certificate", "Domain", "Mapping", "HealthCheck", "InstanceRecord", "StarterRecord"}
    leads_by_failover(moto, zone, wiki, "wiki.example.com", address, {})
    [mapping] = moto.client("apigatewayv2").get_api_mappings(DomainName="wiki.example.com")["Items"]
    assert (mapping["ApiId"], mapping["Stage"]) == (pair.made["Api"], "$default")
    tag(moto, instance, wiki.outputs["TagTheInstance"])
    target = bring_to_life(moto, instance, wiki.outputs["HealthCheckId"], "wiki.example.com")
    naps_and_wakes(moto, pair, target, port, pair.made["Api"])
