"""template.yaml as CloudFormation would be given it, for whichever parameters. `make snapshots` runs this file."""

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import yaml

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # no call is made; boto wants to know
from samcli.yamlhelper import yaml_parse  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402

ROOT = Path(__file__).parents[1]
SOURCE = yaml_parse((ROOT / "template.yaml").read_text())
PARAMETERS = SOURCE["Parameters"]
GIVEN = {"AppDomain": "app.example.com", "HostedZoneId": "Z0123456789ABC", "ElasticIp": "203.0.113.10"}
# Of three kinds: without these, instances are found by tag.
ONE = {"InstanceId": "i-0123456789abcdef0"}
NEW = {"Host": "new", "ElasticIp": "", "HealthCheckersPrefixList": "pl-0123456789abcdef0"}
NEW_INSTANCE = {"Fn::GetAtt": ["NewHostStack", "Outputs.InstanceId"]}


def translated():
    source = yaml_parse((ROOT / "template.yaml").read_text())
    source["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"  # the translator wants a package
    return transform(source, {}, SimpleNamespace(load=dict))


TRANSLATED = translated()
RAW = TRANSLATED["Resources"]


def resolve(node, parameters):
    """Puts parameters in and decides conditions; references to resources stay."""
    if isinstance(node, list):
        items = [resolve(item, parameters) for item in node]
        return [item for item in items if item != {"Ref": "AWS::NoValue"}]
    if not isinstance(node, dict):
        return node
    if "Fn::If" in node:
        name, yes, no = node["Fn::If"]
        holds = resolve(SOURCE["Conditions"][name], parameters)
        return resolve(yes if holds else no, parameters)
    if node.get("Ref") in parameters:
        return parameters[node["Ref"]]
    out = {key: resolve(value, parameters) for key, value in node.items()}
    match out:
        case {"Fn::Equals": [a, b]}:
            return str(a) == str(b)
        case {"Fn::Not": [value]}:
            return not value
        case {"Fn::And": [*values]}:
            return all(values)
        case {"Fn::Or": [*values]}:
            return any(values)
        case {"Fn::Contains": [[*values], value]}:
            return str(value) in values
        case {"Condition": str(name)} if len(out) == 1:
            return resolve(SOURCE["Conditions"][name], parameters)
        case {"Fn::Split": [by, str(text)]}:
            return text.split(by)
        case {"Fn::FindInMap": [of, str() as key, name]}:
            return SOURCE["Mappings"][of][key][name]
    return {key: value for key, value in out.items() if value != {"Ref": "AWS::NoValue"}}


def deployed(**given):
    """The properties of each resource that a stack with these parameters has."""
    defaults = {name: p["Default"] for name, p in PARAMETERS.items() if "Default" in p}
    parameters = defaults | GIVEN | given
    return {
        name: resolve(resource["Properties"], parameters) for name, resource in RAW.items()
        if resolve(SOURCE["Conditions"].get(resource.get("Condition"), True), parameters)
    }


def substituted(node, **values):
    """What Fn::Sub makes of a node that `resolve` has been over: a resource that has no value here stays as (Name)."""
    text, own = node["Fn::Sub"] if isinstance(node["Fn::Sub"], list) else (node["Fn::Sub"], {})
    own = {name: substituted(value, **values) if isinstance(value, dict) else value for name, value in own.items()}
    return re.sub(r"\$\{([\w.:]+)}", lambda found: str({**values, **own}.get(found[1], f"({found[1]})")), text)


def references(node):
    """Every name that a Ref, GetAtt, Sub or DependsOn below this node mentions."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = set()
    for key, value in node.items():
        if key == "Ref":
            found.add(value)
        elif key == "Fn::GetAtt":
            found.add(value.split(".")[0] if isinstance(value, str) else value[0])
        elif key == "DependsOn":
            found.update([value] if isinstance(value, str) else value)
        elif key == "Fn::Sub":
            text = value if isinstance(value, str) else value[0]
            found.update(name.split(".")[0] for name in re.findall(r"\$\{([\w.]+)}", text))
        found |= references(value)
    return found


SNAPSHOTS = ROOT / "wire/snapshots"


class Readable(yaml.SafeDumper):
    """Texts of several lines stay so."""


Readable.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def snapshots():
    """What each template comes to, by the file that has it."""
    app = yaml_parse((ROOT / "app/template.yaml").read_text())["Resources"]
    host = yaml_parse((ROOT / "host/template.yaml").read_text())["Resources"]
    host["Instance"]["Properties"]["UserData"] = "as host/cloud-init.yaml and host/files say"
    for name, resources in {"template": RAW, "app": app, "host": host}.items():
        plain = json.loads(json.dumps(resources))  # without aliases and types of its own
        yield SNAPSHOTS / f"{name}.yaml", yaml.dump(plain, Dumper=Readable, width=118, allow_unicode=True)


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for path, text in snapshots():
        path.write_text(text)
