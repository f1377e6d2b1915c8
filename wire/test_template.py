"""What template.yaml promises."""

import json
import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse
from stack import (
    GIVEN, NEW, NEW_INSTANCE, ONE, PARAMETERS, RAW, ROOT, SOURCE, TRANSLATED, deployed, references, resolve, snapshots,
)

BOTH = {"CATNAP_APP_DOMAIN", "CATNAP_INSTANCE_ID", "CATNAP_FLEET", "CATNAP_HEALTH_CHECK_ID",
        "CATNAP_BOOT_DEADLINE_SECONDS", "CATNAP_IDLE_MINUTES", "CATNAP_ORIGIN", "CATNAP_STEER", "CATNAP_DRY_RUN"}
ENVIRONMENT = {
    "Starter": BOTH | {"CATNAP_HEALTH_PATH", "CATNAP_WAKE_ON", "CATNAP_WAKE_PATHS",
                       "CATNAP_WAITING_STATUS", "CATNAP_STATUS_ORIGIN", "CATNAP_HANDOFF", "CATNAP_APP_NAME",
                       "CATNAP_ACCENT_COLOR", "CATNAP_LOGO_URL", "CATNAP_SUPPORT_URL"},
    "Stopper": BOTH | {"CATNAP_ACTIVITY_BYTES", "CATNAP_ON_SICK", "CATNAP_KEEP_AWAKE", "CATNAP_HOURLY_PRICE"},
}
HOST = yaml_parse((ROOT / "host/template.yaml").read_text())
NEW_ADDRESS = {"Fn::GetAtt": ["NewHostStack", "Outputs.ElasticIp"]}
IN_NO_FLEET = {"aws:ResourceTag/catnap:host": "false", "aws:ResourceTag/catnap:fleet": "true"}
OWN_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
ACTIONS = {
    "Starter": OWN_LOGS | {"ec2:DescribeInstances", "ec2:StartInstances", "ec2:CreateTags",
                           "route53:GetHealthCheckStatus"},
    "Stopper": OWN_LOGS | {"ec2:DescribeInstances", "ec2:StartInstances", "ec2:StopInstances",
                           "route53:GetHealthCheck", "cloudwatch:GetMetricData"},
}


def allowed(role):
    """Each action that the role allows, with its statement."""
    [policy] = role["Policies"]
    found = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = statement["Action"]
        found |= dict.fromkeys(actions if isinstance(actions, list) else [actions], statement)
    return found


def test_sam_validate_finds_nothing():
    sam = Path(sys.executable).with_name("sam")
    run = subprocess.run(
        [sam, "validate", "--lint", "-t", ROOT / "template.yaml"], cwd=ROOT, text=True,
        env=os.environ | {"SAM_CLI_TELEMETRY": "0"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0 and "is a valid SAM Template" in run.stdout, run.stdout
    assert not re.search(r"^\[?[EWI]\d{4}", run.stdout, re.M), run.stdout


def test_cfn_lint_finds_nothing_in_what_cloudformation_is_given(tmp_path):
    told = json.loads(json.dumps(TRANSLATED))
    told["Resources"]["NewHostStack"]["Properties"]["TemplateURL"] = "https://s3.amazonaws.com/bucket/host.yaml"
    (tmp_path / "translated.json").write_text(json.dumps(told, indent=1))
    run = subprocess.run([Path(sys.executable).with_name("cfn-lint"), tmp_path / "translated.json"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("path, text", [pytest.param(*it, id=it[0].stem) for it in snapshots()])
def test_a_change_of_what_is_deployed_is_seen_in_review(path, text):
    assert path.read_text() == text, "if it is meant: make snapshots, and look at the difference"


def test_no_resource_waits_for_itself():
    graph = {name: references(resource) & RAW.keys() for name, resource in RAW.items()}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("Api") < order.index("Starter") < order.index("Integration")


def test_every_parameter_is_used_described_and_in_one_group():
    used = references({key: SOURCE[key] for key in ("Conditions", "Globals", "Resources")})
    groups = SOURCE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(sum((g["Parameters"] for g in groups), [])) == sorted(PARAMETERS)
    assert PARAMETERS.keys() - used == set()
    assert [n for n, p in PARAMETERS.items() if len(p.get("Description", "")) < 20] == []
    assert [n for n, p in PARAMETERS.items() if "AllowedPattern" in p and "ConstraintDescription" not in p] == []
    assert {n for n, p in PARAMETERS.items() if "Default" not in p} == GIVEN.keys() - {"ElasticIp"}
    assert GIVEN.keys() <= set(groups[0]["Parameters"])


@pytest.mark.parametrize("name, good, bad", [
    ("AppDomain", ["app.example.com", "a.xn--p1ai"],
     ["https://app.example.com", "App.example.com", "app.example.com.", "localhost", "*.example.com"]),
    ("ElasticIp", ["", "203.0.113.10", "3.64.0.1", "172.32.0.1", "100.128.0.1", "223.255.255.1"],
     ["10.0.0.4", "172.16.0.1", "172.31.9.9", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "224.0.0.1",
      "1.2.3", "1.2.3.4.", "1.2.3.256"]),
    ("InstanceId", ["", "i-0123456789abcdef0", "i-0a1b2c3d"], ["i-0123", "i-XYZ", "web"]),
    ("CertificateArn", ["", "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"],
     ["arn:aws:iam::123456789012:server-certificate/web"]),
    ("Fleet", ["", "staging", "team-2"], ["a b", "staging*", "x" * 65]),
    ("VolumeKeyArn", ["", "arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012",
                      "arn:aws:kms:eu-central-1:123456789012:key/mrk-12345678123412341234123456789012"],
     ["arn:aws:kms:eu-central-1:123456789012:alias/ebs", "12345678-1234-1234-1234-123456789012"]),
    ("HealthCheckRegions", ["us-east-1,us-west-1,us-west-2", PARAMETERS["HealthCheckRegions"]["Default"]],
     ["us-east-1,us-west-2", "us-east-1,us-west-2,us-east-1", "us-east-1,us-west-2,eu-central-1",
      "us-east-1, us-west-2, eu-west-1"]),
    ("AlarmEmail", ["", "ops@example.com"], ["ops", "ops@example", "a b@example.com"]),
    ("WakePaths", ["", "/hooks/", "/hooks/,/api/", "/hooks/, /api/"], ["hooks", "/", "/hooks/,", "/hooks/ /api/", "/hooks/*", "//", "/hooks/,//"]),
    ("Origin", ["", "https://app.example.com:8443", "http://app.example.com:65535"],
     ["app.example.com", "https://app.example.com/", "https://app.example.com:65536", "ftp://x"]),
    ("HealthPath", ["/", "/health?full=1"], ["health", "/a b", "/#top"]),
    ("AppName", ["", "Wiki & Co. <ü>", "x" * 80], ["two\nlines", "x" * 81]),
    ("AccentColor", ["", "#3559c7", "#FFFFFF"], ["3559c7", "#fff", "teal"]),
    ("LogoUrl", ["", "https://cdn.example.com/logo.svg?v=2", "data:image/png;base64,iVBORw0KGgo=",
                 "data:image/svg+xml,%3Csvg/%3E"],
     ["http://cdn.example.com/x", "https://a.example.com;script-src/x", "https://*.example.com/x", "data:text/html,x",
      "https://cdn.example.com/a b", 'https://cdn.example.com/"x', "data:image/png", "javascript:alert(1)"]),
    ("SupportUrl", ["", "https://help.example.com/?x=1", "mailto:help@example.com?subject=x"],
     ["help@example.com", "http://help.example.com", "mailto:", "mailto:@x", "javascript:alert(1)"]),
    ("KeepAwake",
     ["", "Mon-Fri 08:00-18:00 Europe/Berlin", "22:00-06:00 UTC", "Mon Wed 8:00-12:00 Etc/GMT+5 + Sat-Mon 10:00-24:00 UTC"],
     ["Mon-Fri", "Mon-Fri 08:00-18:00", "Mo 08:00-18:00 UTC", "Mon,Tue 08:00-18:00 UTC", "Mon 08:00-18:00 UTC + ",
      "Mon 08:00-18:00 UTC Tue 08:00-18:00 UTC", "always"]),
    ("HourlyPrice", ["", "0.0416", "12"], ["$1", "0,05", "-1", "1e3", "."]),
    ("ActivityBytes", ["auto", "50000"], ["", "0", "1e6", "-1"]),
    ("Schedule", ["rate(1 hour)", "rate(5 minutes)", "cron(0/10 * * * ? *)"], ["1 hour", "rate(0 hours)", "cron(0 * * *)"]),
])
def test_a_parameter_takes_what_it_should_and_nothing_else(name, good, bad):
    taken = [v for v in good + bad if re.fullmatch(PARAMETERS[name]["AllowedPattern"], v)]
    assert taken == good


def asserted(**parameters):
    """Whether the rules let a stack with these parameters be made."""
    defaults = {name: p["Default"] for name, p in PARAMETERS.items() if "Default" in p}
    parameters = defaults | GIVEN | parameters
    return all(
        resolve(assertion["Assert"], parameters)
        for rule in SOURCE["Rules"].values() if resolve(rule["RuleCondition"], parameters)
        for assertion in rule["Assertions"]
    )


@pytest.mark.parametrize("protocol, port, works", [
    ("HTTP", 8080, True), ("HTTP", 80, True), ("HTTPS", 443, True), ("HTTPS", 8080, True),
    ("TCP", 443, True), ("TCP", 80, True), ("HTTP", 443, False), ("HTTPS", 80, False),
])
def test_rules_refuse_a_check_in_the_wrong_protocol(protocol, port, works):
    assert asserted(HealthCheckProtocol=protocol, HealthCheckPort=port) == works


@pytest.mark.parametrize("given, works", [
    ({"Schedule": "rate(5 minutes)"}, True), ({"Schedule": "rate(10 minutes)"}, True), ({}, False),
    ({"Schedule": "rate(15 minutes)"}, False), ({"Schedule": "rate(5 minutes)", "Handoff": "poll"}, False),
])
def test_visitors_are_led_only_where_ticks_are_close_and_the_starter_answers_for_the_app(given, works):
    assert asserted(Steer="true", **given) == works


@pytest.mark.parametrize("steer, more", [("false", 0), ("true", 3)])
def test_a_role_may_steer_the_stacks_own_health_check_where_it_shall(steer, more):
    setting = {"route53:UpdateHealthCheck", "route53:ListTagsForResource", "route53:ChangeTagsForResource"}
    for role in ("StarterRole", "StopperRole"):
        for given in ({}, ONE):
            may = allowed(deployed(Steer=steer, **given)[role])
            assert len(setting & may.keys()) == more
            own = {"Fn::Sub": "arn:${AWS::Partition}:route53:::healthcheck/${HealthCheck}"}
            assert all(may[action]["Resource"] == own for action in setting & may.keys())


@pytest.mark.parametrize("given, works", [
    ({}, True), ({"ElasticIp": ""}, False), (NEW, True), (NEW | {"ElasticIp": "203.0.113.10"}, False),
    (NEW | {"InstanceId": "i-0123456789abcdef0"}, False), (NEW | {"HealthCheckersPrefixList": ""}, False),
    (NEW | {"HealthCheckProtocol": "HTTPS", "HealthCheckPort": 8443}, False), (NEW | {"HealthCheckPort": 8000}, False),
    (NEW | {"SubnetId": "subnet-0a1b2c3d"}, False), (NEW | {"VpcId": "vpc-0a1b2c3d"}, False),
    (NEW | {"SubnetId": "subnet-0a1b2c3d", "VpcId": "vpc-0a1b2c3d"}, True), ({"HealthCheckPort": 8000}, True),
])
def test_rules_refuse_half_a_host(given, works):
    assert asserted(**given) == works


def test_a_new_host_is_refused_before_anything_is_made():
    """What its own template would refuse, once the rest is half made."""
    says = ("AllowedPattern", "AllowedValues", "MinValue", "MaxValue", "MaxLength")
    for name, value in RAW["NewHostStack"]["Properties"]["Parameters"].items():
        ours = PARAMETERS[value["Ref"]]
        wanted = {key: rule for key, rule in HOST["Parameters"][name].items() if key in says}
        if ours.get("Default") == "" and not re.fullmatch(wanted.get("AllowedPattern", ""), ""):
            # It may be empty where there is no new host.
            wanted["AllowedPattern"] = wanted["AllowedPattern"].replace("^", "^(", 1).removesuffix("$") + ")?$"
        if name == "HealthPath":  # may have more than nginx's configuration bears
            assert re.fullmatch(ours["AllowedPattern"], "/a'b") and not re.fullmatch(wanted["AllowedPattern"], "/a'b")
            continue
        assert {key: rule for key, rule in ours.items() if key in says} == wanted, name


def test_with_a_new_host_the_pair_is_for_its_instance_and_address():
    stack = deployed(**NEW)
    assert "NewHostStack" not in deployed()
    host = HOST
    given = {name for name, parameter in host["Parameters"].items() if "Default" not in parameter}
    assert given <= stack["NewHostStack"]["Parameters"].keys() <= host["Parameters"].keys()
    assert {value["Fn::GetAtt"][1] for value in (NEW_INSTANCE, NEW_ADDRESS)} <= {f"Outputs.{name}" for name in host["Outputs"]}
    assert stack["InstanceRecord"]["ResourceRecords"] == [NEW_ADDRESS]
    assert stack["HealthCheck"]["HealthCheckConfig"]["IPAddress"] == NEW_ADDRESS
    assert stack["NewHostStack"]["Parameters"]["HealthPort"] == stack["HealthCheck"]["HealthCheckConfig"]["Port"]
    for function, act in [("Starter", "ec2:StartInstances"), ("Stopper", "ec2:StopInstances")]:
        assert stack[function]["Environment"]["Variables"]["CATNAP_INSTANCE_ID"] == NEW_INSTANCE
        statement = allowed(stack[f"{function}Role"])[act]
        assert statement["Resource"]["Fn::Sub"][1] == {"Which": NEW_INSTANCE} and "Condition" not in statement


def test_the_name_has_two_a_records_and_the_second_one_always_answers():
    stack = deployed()
    first, second = stack["InstanceRecord"], stack["StarterRecord"]
    assert sum(r["Type"] == "AWS::Route53::RecordSet" for r in RAW.values()) == 2
    names = {(r["Name"], r["Type"], r["HostedZoneId"]) for r in (first, second)}
    assert names == {("app.example.com", "A", "Z0123456789ABC")}
    assert (first["Failover"], second["Failover"]) == ("PRIMARY", "SECONDARY")
    assert first["SetIdentifier"] != second["SetIdentifier"]
    assert first["HealthCheckId"] == {"Ref": "HealthCheck"} and first["ResourceRecords"] == ["203.0.113.10"]
    assert first["TTL"] <= 60 and PARAMETERS["RecordTtl"]["MaxValue"] == 60
    assert second["AliasTarget"] == {
        "DNSName": {"Fn::GetAtt": ["Domain", "RegionalDomainName"]},
        "HostedZoneId": {"Fn::GetAtt": ["Domain", "RegionalHostedZoneId"]},
        "EvaluateTargetHealth": False,
    }
    assert not {"HealthCheckId", "TTL", "ResourceRecords"} & second.keys()
    assert "Mapping" in references(RAW["StarterRecord"])


@pytest.mark.parametrize("protocol, port, more", [
    ("HTTP", 8080, {"ResourcePath": "/", "FullyQualifiedDomainName": "app.example.com"}),
    ("HTTPS", 443, {"ResourcePath": "/", "FullyQualifiedDomainName": "app.example.com", "EnableSNI": True}),
    ("TCP", 443, {}),
])
def test_the_health_check_asks_the_address_and_not_the_name(protocol, port, more):
    check = deployed(HealthCheckProtocol=protocol, HealthCheckPort=port)["HealthCheck"]
    assert check["HealthCheckConfig"] == {
        "Type": protocol, "IPAddress": "203.0.113.10", "Port": port, "RequestInterval": 30,
        "FailureThreshold": 3, "Regions": ["us-east-1", "us-west-2", "eu-west-1"], **more}


@pytest.mark.parametrize("function, timeout", [("Starter", 29), ("Stopper", 300)])
def test_a_function_runs_and_reads_what_it_should(function, timeout):
    properties = deployed(Architecture="arm64")[function]
    assert properties["Environment"]["Variables"].keys() == ENVIRONMENT[function]  # no AWS_ENDPOINT_URL
    assert (properties["Runtime"], properties["Handler"]) == ("provided.al2023", "bootstrap")
    assert (properties["Architectures"], properties["MemorySize"], properties["Timeout"]) == (["arm64"], 256, timeout)
    assert properties["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": f"{function}Logs"}}
    assert deployed(LogRetentionDays=7)[f"{function}Logs"]["RetentionInDays"] == 7
    assert SOURCE["Resources"][function]["Metadata"] == {
        "BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": function.lower()}}


@pytest.mark.parametrize("function", ENVIRONMENT)
def test_a_variable_is_the_parameter_of_the_same_name(function):
    made = {"CATNAP_HEALTH_CHECK_ID": {"Ref": "HealthCheck"},
            "CATNAP_INSTANCE_ID": {"Fn::If": ["NewHost", NEW_INSTANCE, {"Ref": "InstanceId"}]},
            "CATNAP_STATUS_ORIGIN": {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}}
    for name, value in RAW[function]["Properties"]["Environment"]["Variables"].items():
        parameter = name.removeprefix("CATNAP_").title().replace("_", "")
        assert value == ({"Ref": "AWS::NoValue"} if name == "AWS_ENDPOINT_URL" else made.get(name, {"Ref": parameter}))


@pytest.mark.parametrize("function, act", [("Starter", "ec2:StartInstances"), ("Stopper", "ec2:StopInstances")])
def test_a_function_may_do_what_it_does_and_nothing_else(function, act):
    assert deployed()[function]["Role"] == {"Fn::GetAtt": [f"{function}Role", "Arn"]}
    for instance, check in [("", "*"), ("i-0123456789abcdef0", {"Ref": "HealthCheck"})]:
        role = deployed(InstanceId=instance)[f"{function}Role"]
        assert "ManagedPolicyArns" not in role
        may = allowed(role)
        listing = {"route53:ListHealthChecks"} if function == "Stopper" and not instance else set()
        assert may.keys() == ACTIONS[function] | listing
        anywhere = {action for action, s in may.items() if s["Resource"] == "*"}
        assert anywhere == ACTIONS[function] & {"ec2:DescribeInstances", "cloudwatch:GetMetricData"} | listing
        assert may[act]["Resource"]["Fn::Sub"] == [
            "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/${Which}",
            {"Which": instance or "*"}]
        assert may[act].get("Condition") == (None if instance else {"Null": IN_NO_FLEET})
        [route53] = [s for action, s in may.items() if action.startswith("route53:Get")]
        assert route53["Resource"]["Fn::Sub"] == [
            "arn:${AWS::Partition}:route53:::healthcheck/${Which}", {"Which": check}]
        assert may["logs:PutLogEvents"]["Resource"] == {"Fn::GetAtt": [f"{function}Logs", "Arn"]}


def test_the_starter_may_write_one_tag_where_it_may_start():
    key = {"ForAllValues:StringEquals": {"aws:TagKeys": "catnap:wake-seconds"}}
    for given, tagged in [({}, IN_NO_FLEET), (ONE, {}), (NEW, {})]:
        may = allowed(deployed(**given)["StarterRole"])
        assert may["ec2:CreateTags"]["Condition"] == key | {"Null": {"aws:TagKeys": "false"} | tagged}
        assert may["ec2:CreateTags"]["Resource"] == may["ec2:StartInstances"]["Resource"]


def test_a_pair_may_touch_its_own_fleet_alone():
    stack = deployed(Fleet="staging")
    for role, act in [
        ("StarterRole", "ec2:StartInstances"), ("StarterRole", "ec2:CreateTags"), ("StopperRole", "ec2:StopInstances"),
    ]:
        condition = allowed(stack[role])[act]["Condition"]
        assert condition["StringEquals"] == {"aws:ResourceTag/catnap:fleet": "staging"}
        assert set(condition["Null"].values()) == {"false"} and IN_NO_FLEET.keys() <= condition["Null"].keys()
        assert "StringEquals" not in allowed(deployed(Fleet="staging", **ONE)[role])[act].get("Condition", {})


def test_a_function_may_let_ec2_use_the_volumes_key_and_no_other():
    key = "arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012"
    for role in ("StarterRole", "StopperRole"):
        assert "kms:CreateGrant" not in allowed(deployed()[role])
        may = allowed(deployed(VolumeKeyArn=key)[role])["kms:CreateGrant"]
        assert (may["Resource"], may["Condition"]) == (key, {"Bool": {"kms:GrantIsForAWSResource": "true"}})


def test_concurrency_is_reserved_only_when_asked_for():
    assert "ReservedConcurrentExecutions" not in deployed()["Starter"]
    assert deployed(ReservedConcurrency=25)["Starter"]["ReservedConcurrentExecutions"] == 25
    assert "ReservedConcurrentExecutions" not in deployed(ReservedConcurrency=25)["Stopper"]


def test_each_request_to_the_api_is_logged_in_json_and_for_as_long_as_is_said():
    stack = deployed(LogRetentionDays=7)
    settings = stack["Stage"]["AccessLogSettings"]
    assert settings["DestinationArn"] == {"Fn::GetAtt": ["ApiLogs", "Arn"]}
    assert stack["ApiLogs"]["RetentionInDays"] == 7
    line = json.loads(settings["Format"])  # what stands in quotes is escaped by API Gateway
    assert all(value.startswith("$context.") for value in line.values())
    assert {"status", "path", "source_ip", "error"} <= line.keys() and len(settings["Format"]) <= 3072


def test_the_api_sends_everything_to_the_starter_and_is_throttled():
    stack = deployed()
    routes = {n: p["RouteKey"] for n, p in stack.items() if RAW[n]["Type"] == "AWS::ApiGatewayV2::Route"}
    assert set(routes.values()) == {"$default", "GET /.catnap/status", "POST /.catnap/wake"}
    assert all("Integration" in references(stack[name]) for name in routes)
    assert stack["Integration"]["PayloadFormatVersion"] == "2.0"
    assert stack["Integration"]["IntegrationUri"] == {"Fn::GetAtt": ["Starter", "Arn"]}
    assert not {"CorsConfiguration", "DisableExecuteApiEndpoint"} & stack["Api"].keys()
    stage, settings = stack["Stage"], stack["Stage"]["RouteSettings"]
    assert {n for n, key in routes.items() if key in settings} <= set(RAW["Stage"]["DependsOn"])
    for limits in (stage["DefaultRouteSettings"], *settings.values()):
        rate, burst = limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]
        assert rate <= 500 and burst + 3 * rate >= 1_000, "the crowd of wire/load.py gets through, a flood does not"
    assert stack["ApiMayInvokeStarter"]["FunctionName"] == {"Ref": "Starter"}
    assert "Api" in references(stack["ApiMayInvokeStarter"]["SourceArn"])


def test_a_certificate_is_made_only_when_none_is_given():
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
    [made] = deployed()["Domain"]["DomainNameConfigurations"]
    [given] = deployed(CertificateArn=arn)["Domain"]["DomainNameConfigurations"]
    assert (made["CertificateArn"], given["CertificateArn"]) == ({"Ref": "Certificate"}, arn)
    assert (made["EndpointType"], made["SecurityPolicy"]) == ("REGIONAL", "TLS_1_2")
    assert deployed()["Certificate"]["DomainValidationOptions"] == [
        {"DomainName": "app.example.com", "HostedZoneId": "Z0123456789ABC"}]
    assert "Certificate" not in deployed(CertificateArn=arn)


def test_the_stopper_ticks_and_a_lost_tick_is_kept():
    stack = deployed(Schedule="rate(5 minutes)")
    schedule, queue = stack["StopperTick"], stack["LostTicks"]
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    assert "Name" not in schedule  # two stacks may live in one account
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": ["Stopper", "Arn"]}
    assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert schedule["Target"]["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["LostTicks", "Arn"]}
    assert queue["SqsManagedSseEnabled"] is True and queue["MessageRetentionPeriod"] >= 4 * 86400

