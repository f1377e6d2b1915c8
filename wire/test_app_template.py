"""app/template.yaml: one more app for a pair, by the same rules as the pair's own."""

import pytest
from samcli.yamlhelper import yaml_parse
from stack import PARAMETERS, RAW, ROOT, SOURCE, deployed, references, resolve

APP = yaml_parse((ROOT / "app/template.yaml").read_text())
GIVEN = {"AppDomain": "app.example.com", "HostedZoneId": "Z0123456789ABC", "ElasticIp": "203.0.113.10"}
PAIRS_API = {"Fn::ImportValue": {"Fn::Sub": "${Pair}-api"}}


def made(**given):
    """The properties of each resource of the app's stack."""
    parameters = {name: p["Default"] for name, p in APP["Parameters"].items() if "Default" in p} | GIVEN | given
    return {name: resolve(resource["Properties"], parameters) for name, resource in APP["Resources"].items()
            if "Condition" not in resource or resolve(SOURCE["Conditions"][resource["Condition"]], parameters)}


@pytest.mark.parametrize("given", [
    {}, {"HealthCheckProtocol": "HTTPS", "HealthCheckPort": 443}, {"HealthCheckProtocol": "TCP"},
    {"CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"},
])
def test_its_name_is_made_as_the_pairs_own_is(given):
    ours, pairs = made(**given), deployed(**given)
    names = {"Domain", "HealthCheck", "InstanceRecord", "StarterRecord"} | {"Certificate"} & pairs.keys()
    assert ours.keys() == names | {"Mapping"}
    assert {name: ours[name] for name in names} == {name: pairs[name] for name in names}
    assert {n: r["Type"] for n, r in APP["Resources"].items()} == {n: RAW[n]["Type"] for n in APP["Resources"]}
    assert ours["Mapping"] == pairs["Mapping"] | {"ApiId": PAIRS_API, "Stage": RAW["Stage"]["Properties"]["StageName"]}
    assert "Mapping" in references(APP["Resources"]["StarterRecord"])


def test_its_parameters_conditions_and_rules_are_the_pairs():
    for name, parameter in APP["Parameters"].items():
        if name == "ElasticIp":  # no other way to an address here
            assert "Default" not in parameter
            assert "^$|" + parameter["AllowedPattern"] == PARAMETERS[name]["AllowedPattern"]
        elif name != "Pair":
            more = parameter["Description"].removeprefix(PARAMETERS[name]["Description"].removesuffix("."))
            assert parameter | {"Description": PARAMETERS[name]["Description"]} == PARAMETERS[name], name
            # The pair's own health check is named by its stack, another app's by a tag.
            assert ("TagTheInstance" in more) == ("new health check" in parameter["Description"]), name
            assert "TagTheInstance" in more or more == ".", name
    assert {n: SOURCE["Conditions"][n] for n in APP["Conditions"]} == APP["Conditions"]
    of_the_check = {n: rule for n, rule in SOURCE["Rules"].items() if references(rule) <= APP["Parameters"].keys()}
    assert APP["Rules"] == of_the_check and len(of_the_check) == 2


def test_only_a_pair_that_finds_instances_by_tag_takes_more_apps():
    export = SOURCE["Outputs"]["ApiForMoreApps"]
    assert export["Condition"] == "FoundByTag" and export["Value"] == {"Ref": "Api"}
    assert export["Export"]["Name"] == {"Fn::Sub": PAIRS_API["Fn::ImportValue"]["Fn::Sub"].replace("Pair", "AWS::StackName")}
    tags = APP["Outputs"]["TagTheInstance"]["Value"]["Fn::Sub"][0]
    assert "Key=catnap:host,Value=${AppDomain} Key=catnap:health-check,Value=${HealthCheck}" in tags
