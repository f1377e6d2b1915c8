"""The AWS CLI's way of writing a call, made with boto3: whether a command is one, and what it does on the stand-in.

Only what the command line's own advice is written in: options by their API members, JSON, shorthand of one level, lists
of words, and the few customizations of `aws ec2`.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from botocore import xform_name
from botocore.model import Shape
from botocore.validate import ParamValidator
from samcli.cli.types import CfnParameterOverridesType

from stand import Moto


class NoSuchCommand(Exception):
    pass


def call(moto: Moto, command: str) -> dict[str, Any]:
    """Makes the call of a command such as `aws ec2 create-tags --resources i-1 --tags Key=a,Value=b`."""
    client, method, given_arguments = prepared(moto, command)
    return dict(getattr(client, method)(**given_arguments))


def prepared(moto: Moto, command: str) -> tuple[Any, str, dict[str, Any]]:
    """The client, its method and the arguments, held against the service's model."""
    aws, service, operation, *words = shlex.split(command)
    client = moto.client(service)
    methods = {xform_name(name, "-"): xform_name(name) for name in client.meta.service_model.operation_names}
    if aws != "aws" or operation not in methods:
        raise NoSuchCommand(command)
    name = client.meta.method_to_api_mapping[methods[operation]]
    shape = client.meta.service_model.operation_model(name).input_shape
    options = given(words)
    assert options.pop("region", [moto.region]) == [moto.region], command
    for of_the_cli in ("output", "query", "max-items"):
        options.pop(of_the_cli, None)
    found = arguments(service, options, shape, command)
    report = ParamValidator().validate(found, shape)
    if report.has_errors():
        raise NoSuchCommand(f"{command}: {report.generate_report()}")
    return client, methods[operation], found


def sam_parameters(command: str) -> dict[str, str]:
    """What SAM makes of a deployment's parameters, by its own reader."""
    sam, deploy, *words = shlex.split(command)
    assert (sam, deploy) == ("sam", "deploy"), command
    found = CfnParameterOverridesType().convert(tuple(given(words)["parameter-overrides"]), None, None)
    return {name: str(value) for name, value in found.items()}


def given(words: list[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            current = options.setdefault(word[2:], [])
        else:
            current.append(word)
    return options


def arguments(service: str, options: dict[str, list[str]], shape: Shape, command: str) -> dict[str, Any]:
    members = {xform_name(member, "-"): member for member in shape.members}
    found: dict[str, Any] = {}
    for option, words in options.items():
        if service == "ec2" and option in ("protocol", "port", "cidr"):
            continue
        is_no = option.startswith("no-") and option not in members
        member = members.get(option[3:] if is_no else option)
        if not member:
            raise NoSuchCommand(f"{command}: there is no option --{option}")
        kind = shape.members[member]
        if service == "ec2" and kind.type_name == "structure" and not words:
            found[member] = {"Value": not is_no}  # an attribute that is a boolean
        elif kind.type_name == "boolean":
            found[member] = not is_no
        else:
            found[member] = value(words, kind)
    if "cidr" in options:
        [port], [cidr], [protocol] = options["port"], options["cidr"], options["protocol"]
        rule = {"IpProtocol": protocol, "FromPort": int(port), "ToPort": int(port), "IpRanges": [{"CidrIp": cidr}]}
        found["IpPermissions"] = [rule]
    return found


def value(words: list[str], shape: Shape) -> Any:
    if words[0][:1] in "[{":
        return json.loads(words[0])
    if shape.type_name == "list":
        return [value([word], shape.member) for word in words]
    if shape.type_name == "structure":
        return dict(pair.split("=", 1) for pair in words[0].split(","))
    [word] = words
    return int(word) if shape.type_name in ("integer", "long") else word
