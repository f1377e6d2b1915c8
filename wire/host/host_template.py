"""host/template.yaml, as CloudFormation would be given it."""

from __future__ import annotations

from typing import Any

from samcli.yamlhelper import yaml_parse
from host_tools import DOMAIN, HOST

SOURCE = yaml_parse((HOST / "template.yaml").read_text())
PARAMETERS = SOURCE["Parameters"]
GIVEN = {"AppDomain": DOMAIN, "HostedZoneId": "Z0123456789ABC", "HealthCheckersPrefixList": "pl-0123456789abcdef0"}


def substituted(text: str, **given: str) -> str:
    """What Fn::Sub makes of a text with these parameters."""
    defaults = {name: str(parameter["Default"]) for name, parameter in PARAMETERS.items() if "Default" in parameter}
    for name, value in {**defaults, **GIVEN, "AWS::Region": "eu-central-1", **given}.items():
        text = text.replace(f"${{{name}}}", value)
    return text.replace("${!", "${")


def user_data(**given: str) -> str:
    """The instance's user data with these parameters."""
    return substituted(SOURCE["Resources"]["Instance"]["Properties"]["UserData"]["Fn::Base64"]["Fn::Sub"], **given)


def statements() -> dict[str, Any]:
    """Each action that the instance's role allows, with its statement, for GIVEN."""

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if isinstance(node, dict):
            return substituted(node["Fn::Sub"]) if "Fn::Sub" in node else {k: resolved(v) for k, v in node.items()}
        return node

    [policy] = SOURCE["Resources"]["Role"]["Properties"]["Policies"]
    found: dict[str, Any] = {}
    for statement in resolved(policy["PolicyDocument"]["Statement"]):
        actions = statement["Action"]
        found |= dict.fromkeys(actions if isinstance(actions, list) else [actions], statement)
    return found
