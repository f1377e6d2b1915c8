"""The templates as moto's CloudFormation makes them.

It lacks some types. What is of these, and nothing else, is made by the service's own call instead, which takes the
same properties; what refers to it gets the id that this call gave.
"""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from typing import Any

from moto.backends import get_backend, list_of_moto_modules
from moto.cloudformation.parsing import get_model_map
from samcli.yamlhelper import yaml_parse

from stack import GIVEN, PARAMETERS, RAW, ROOT, SOURCE, TRANSLATED, resolve, substituted
from stand import Moto

APP = yaml_parse((ROOT / "app/template.yaml").read_text())
HOST = yaml_parse((ROOT / "host/template.yaml").read_text())
HOST["Resources"]["Instance"]["Properties"]["ImageId"] = "ami-00000000"  # moto wants it there as well
BUCKET = "packages"
API, CERTIFICATE, DOMAIN = "AWS::ApiGatewayV2::Api", "AWS::CertificateManager::Certificate", "AWS::ApiGatewayV2::DomainName"
# The types that moto lacks: service, call, and what the answer to it has the id in. In an order in which they can be made.
CALLS = {
    API: ("apigatewayv2", "create_api", "ApiId"),
    CERTIFICATE: ("acm", "request_certificate", "CertificateArn"),
    DOMAIN: ("apigatewayv2", "create_domain_name", "DomainName"),
    "AWS::ApiGatewayV2::Integration": ("apigatewayv2", "create_integration", "IntegrationId"),
    "AWS::ApiGatewayV2::Route": ("apigatewayv2", "create_route", "RouteId"),
    "AWS::ApiGatewayV2::Stage": ("apigatewayv2", "create_stage", "StageName"),
    "AWS::ApiGatewayV2::ApiMapping": ("apigatewayv2", "create_api_mapping", "ApiMappingId"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "put_metric_alarm", None),
    "AWS::Logs::MetricFilter": ("logs", "put_metric_filter", None),
    "AWS::Scheduler::Schedule": ("scheduler", "create_schedule", "ScheduleArn"),
}
# What API Gateway tells of a domain, and moto does not.
REGIONAL = {
    "RegionalDomainName": "d-abc123def4.execute-api.eu-central-1.amazonaws.com", "RegionalHostedZoneId": "Z1U9ULNL0V5AJ3"}
FIRST = (API, CERTIFICATE, DOMAIN)  # what CloudFormation's own resources refer to
NAMED = {"AWS::CloudWatch::Alarm": "AlarmName", "AWS::Logs::MetricFilter": "FilterName", "AWS::Scheduler::Schedule": "Name"}


def known_to_moto() -> set[str]:
    """The types that moto's CloudFormation makes."""
    for module in list_of_moto_modules():
        try:
            get_backend(module)
        except (ImportError, AttributeError):
            pass  # no service of its own
    return set(get_model_map())


def filled(node: Any, answers: dict[str, str]) -> Any:
    """A part of a template in which references to what was made elsewhere (`Name`, `Name.Attribute`) are answered."""
    if isinstance(node, list):
        return [filled(item, answers) for item in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Ref"} and node["Ref"] in answers:
        return answers[node["Ref"]]
    if node.keys() == {"Fn::GetAtt"} and ".".join(node["Fn::GetAtt"]) in answers:
        return answers[".".join(node["Fn::GetAtt"])]
    if node.keys() == {"Fn::Sub"}:
        text, *own = node["Fn::Sub"] if isinstance(node["Fn::Sub"], list) else [node["Fn::Sub"]]
        text = re.sub(r"\$\{([\w.]+)}", lambda found: answers.get(found[1], found[0]), text)
        return {"Fn::Sub": [text, *filled(own, answers)] if own else text}
    return {key: filled(value, answers) for key, value in node.items()}


class Deployed:
    """One stack: the ids of its resources by their names in the template, and its outputs."""

    def __init__(
        self, moto: Moto, name: str, template: dict[str, Any], given: dict[str, Any], host: Deployed | None = None
    ) -> None:
        self._moto, self.host = moto, host
        self.made: dict[str, str] = {}
        self._answers = {f"NewHostStack.Outputs.{key}": value for key, value in host.outputs.items()} if host else {}
        resources = copy.deepcopy(template["Resources"])
        by_call = {n: resources.pop(n) for n in list(resources) if resources[n]["Type"] in CALLS}
        if host:
            self.made["NewHostStack"] = f"{name}-host"
            del resources["NewHostStack"]
        for it in resources.values():
            it.pop("DependsOn", None)  # all that is named so is made by a call
        later = {n: it for n, it in by_call.items() if it["Type"] not in FIRST}
        self._make_first(name, {n: it for n, it in by_call.items() if n not in later}, template, given)
        # CloudFormation itself puts values into the properties of what is made by a call.
        names = {n: f"@{n}@" for n in later}
        body = {**template, "Resources": resources, "Outputs": {**template.get("Outputs", {}), **{
            f"Properties{n}": {"Value": {"Fn::ToJsonString": it["Properties"]}} | (
                {"Condition": it["Condition"]} if "Condition" in it else {})
            for n, it in later.items()}}}
        body["Outputs"] = {k: filled(v, self._answers | names) for k, v in body["Outputs"].items()}
        body["Resources"] = filled(body["Resources"], self._answers)
        outputs = self._create(name, body, given)
        self.outputs = {key: value for key, value in outputs.items() if not key.startswith("Properties")}
        for of in CALLS:
            for n in (n for n, it in later.items() if it["Type"] == of and f"Properties{n}" in outputs):
                told = re.sub("@(\\w+)@", lambda found: self.made[found[1]], outputs[f"Properties{n}"])
                self._call(n, of, json.loads(told))

    def _make_first(
        self, stack: str, resources: dict[str, Any], template: dict[str, Any], given: dict[str, Any]
    ) -> None:
        defaults = {n: p["Default"] for n, p in template["Parameters"].items() if "Default" in p}
        parameters = {**defaults, **given, "AWS::StackName": stack}
        for of in FIRST:
            for n in (n for n, it in resources.items() if it["Type"] == of):
                if resolve(SOURCE["Conditions"].get(resources[n].get("Condition"), True), parameters):
                    properties = filled(resolve(resources[n]["Properties"], parameters), self._answers)
                    self._call(n, of, {
                        key: substituted(value, **parameters) if isinstance(value, dict) and "Fn::Sub" in value else value
                        for key, value in properties.items()})

    def _call(self, name: str, of: str, properties: dict[str, Any]) -> None:
        service, call, key = CALLS[of]
        if of in NAMED:
            properties = {NAMED[of]: name, **properties}
        if "EvaluationPeriods" in properties:
            properties["EvaluationPeriods"] = int(properties["EvaluationPeriods"])  # as CloudFormation does with a text
        if of == CERTIFICATE:
            del properties["DomainValidationOptions"]  # CloudFormation's own
        if service == "logs":
            properties = {k[0].lower() + k[1:]: v for k, v in properties.items()}
            properties["metricTransformations"] = [
                {k[0].lower() + k[1:]: v for k, v in it.items()} for it in properties["metricTransformations"]]
        answer = getattr(self._moto.client(service), call)(**properties)
        self.made[name] = answer[key] if key else name
        self._answers[name] = self.made[name]
        if of == DOMAIN:
            self._answers |= {f"{name}.{attribute}": value for attribute, value in REGIONAL.items()}

    def _create(self, name: str, template: dict[str, Any], given: dict[str, Any]) -> dict[str, str]:
        cloudformation = self._moto.client("cloudformation")
        cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": str(value)} for key, value in given.items()])
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        listed = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        # moto lists what a condition left out, too, but without an id.
        self.made |= {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in listed if "PhysicalResourceId" in it}
        return {it["OutputKey"]: it["OutputValue"] for it in stack.get("Outputs", [])}

    def environment(self, function: str) -> dict[str, str]:
        """A function's variables, as Lambda was told them."""
        found = self._moto.client("lambda").get_function_configuration(FunctionName=self.made[function])
        return {name: str(value) for name, value in found["Environment"]["Variables"].items()}


def deploy(moto: Moto, name: str = "catnap", **given: Any) -> Deployed:
    """The main template, as SAM hands it to CloudFormation; with `Host: new` the nested stack first."""
    s3 = moto.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": moto.region})
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as files:
        files.writestr("bootstrap", "the tests run the real one")
    s3.put_object(Bucket=BUCKET, Key="key", Body=package.getvalue())
    template = copy.deepcopy(TRANSLATED)
    for it in template["Resources"].values():
        if it["Type"] == "AWS::Lambda::Function":
            it["Properties"]["Code"] = {"S3Bucket": BUCKET, "S3Key": "key"}
    given = GIVEN | given
    if given.get("Host") != "new":
        return Deployed(moto, name, template, given)
    defaults = {n: p["Default"] for n, p in PARAMETERS.items() if "Default" in p}
    told = resolve(RAW["NewHostStack"]["Properties"]["Parameters"], defaults | given)
    return Deployed(moto, name, template, given, Deployed(moto, f"{name}-host", HOST, told))


def deploy_app(moto: Moto, name: str, **given: Any) -> Deployed:
    """One more app for a pair."""
    return Deployed(moto, name, APP, given)
