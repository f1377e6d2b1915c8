"""A set-up as `template.yaml` deploys it, on the stand-in for AWS: whole and right, to be broken by a test.

moto's CloudFormation knows neither API Gateway nor the Scheduler, so the resources are made by their own calls, and the
stack has what the command line reads of it: parameters, outputs and the starter's role.
"""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scene import NOISE, Target, utc_now
from stand import Moto

HOST = "app.example.com"
STACK = "catnap"
API_DOMAIN = "d-abcdef0123.execute-api.eu-central-1.amazonaws.com"
API_ZONE = "Z1U9ULNL0V5AJ3"
PARAMETERS = {
    "AppDomain": HOST, "Host": "existing", "IdleMinutes": "60", "Schedule": "rate(1 hour)", "DryRun": "false",
    "HealthCheckInterval": "30",
}
SCHEDULE = f"{STACK}-StopperTick-1"


@dataclass
class SetUp:
    """`names` has the ids that moto chose by chance, each with the one that a transcript shows."""

    moto: Moto
    at: str | None = None  # the instance's address; else moto chooses
    parameters: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ec2 = self.moto.client("ec2")
        self.route53 = self.moto.client("route53")
        self.api = self.moto.client("apigatewayv2")
        self.acm = self.moto.client("acm")
        self.scheduler = self.moto.client("scheduler")
        self.cloudformation = self.moto.client("cloudformation")
        made = self.route53.create_hosted_zone(Name="example.com", CallerReference="zone")
        self.zone = self.known(made["HostedZone"]["Id"].rsplit("/", 1)[1], "Z0123456789ABC")
        self._make_instance()
        self.check = self.known(self.moto.create_health_check(self.address), "11111111-aaaa-4aaa-8aaa-111111111111")
        self._make_gateway()
        self.put_record(self.primary())
        self.put_record(self.secondary())

    def known(self, name: str, as_: str) -> str:
        self.names[name] = as_
        return name

    # ---- EC2

    def _make_instance(self) -> None:
        self.instance = self.moto.run_instance({}, utc_now() - timedelta(hours=5), self.at)
        self.known(self.instance, "i-0123456789abcdef0")
        described = self.moto.describe(self.instance)
        self.address = self.known(described["PublicIpAddress"], "203.0.113.10")
        [found] = self.ec2.describe_addresses(PublicIps=[self.address])["Addresses"]
        self.association, self.allocation = found["AssociationId"], found["AllocationId"]
        made = self.ec2.create_security_group(GroupName="app", Description="app", VpcId=described["VpcId"])
        self.group = self.known(made["GroupId"], "sg-0123456789abcdef0")
        self.ec2.modify_instance_attribute(InstanceId=self.instance, Groups=[self.group])
        made = self.ec2.create_managed_prefix_list(
            PrefixListName="com.amazonaws.eu-central-1.route53-healthchecks", MaxEntries=10, AddressFamily="IPv4"
        )
        self.checkers = self.known(made["PrefixList"]["PrefixListId"], "pl-0123456789abcdef0")
        self.open_port(443, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
        self.open_port(8080, {"PrefixListIds": [{"PrefixListId": self.checkers}]})

    def open_port(self, port: int, source: dict[str, Any]) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[rule])

    def close_port(self, port: int, source: dict[str, Any]) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        self.ec2.revoke_security_group_ingress(GroupId=self.group, IpPermissions=[rule])

    def tag(self, key: str, value: str) -> None:
        self.ec2.create_tags(Resources=[self.instance], Tags=[{"Key": key, "Value": value}])

    def target(self) -> Target:
        return Target(self.moto, HOST, self.instance, self.check)

    def quiet(self) -> None:
        """Metrics of some hours in which nobody came."""
        target = self.target()
        target.traffic(lambda _: NOISE)
        target.health()

    # ---- Route 53

    def primary(self, **changes: Any) -> dict[str, Any]:
        record = {
            "Name": HOST, "Type": "A", "SetIdentifier": "instance", "Failover": "PRIMARY", "TTL": 60,
            "ResourceRecords": [{"Value": self.address}], "HealthCheckId": self.check,
        }
        return {key: value for key, value in {**record, **changes}.items() if value is not None}

    def secondary(self, **changes: Any) -> dict[str, Any]:
        alias = {"DNSName": API_DOMAIN, "HostedZoneId": API_ZONE, "EvaluateTargetHealth": False}
        record = {"Name": HOST, "Type": "A", "SetIdentifier": "starter", "Failover": "SECONDARY", "AliasTarget": alias}
        return {key: value for key, value in {**record, **changes}.items() if value is not None}

    def put_record(self, record: dict[str, Any], action: str = "UPSERT") -> None:
        changes = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch=changes)

    def drop_record(self, record: dict[str, Any]) -> None:
        self.put_record(record, "DELETE")

    # ---- API Gateway

    def _make_gateway(self) -> None:
        made = self.acm.request_certificate(DomainName=HOST, ValidationMethod="DNS")
        self.certificate = made["CertificateArn"]
        self.known(self.certificate.rsplit("/", 1)[1], "22222222-bbbb-4bbb-8bbb-222222222222")
        described = self.acm.describe_certificate(CertificateArn=self.certificate)["Certificate"]
        self.validation = described["DomainValidationOptions"][0]["ResourceRecord"]
        self.known(self.validation["Name"].split(".")[0], "_validation")
        self.known(self.validation["Value"].rstrip("."), "_value.acm-validations.aws")
        self.put_record(self.validation_record())
        self.api_id = self.known(self.api.create_api(Name=STACK, ProtocolType="HTTP")["ApiId"], "abc123def4")
        function = f"arn:aws:lambda:eu-central-1:123456789012:function:{STACK}-Starter-1"
        made = self.api.create_integration(
            ApiId=self.api_id, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
        )
        self.integration = self.known(made["IntegrationId"], "int3gr4")
        self.routes = {key: self.add_route(key) for key in ("$default", "GET /.catnap/status", "POST /.catnap/wake")}
        self.api.create_stage(ApiId=self.api_id, StageName="$default", AutoDeploy=True)
        self.make_domain()
        self.map()

    def validation_record(self) -> dict[str, Any]:
        value = [{"Value": self.validation["Value"]}]
        return {"Name": self.validation["Name"], "Type": "CNAME", "TTL": 300, "ResourceRecords": value}

    def add_route(self, key: str) -> str:
        route = self.api.create_route(ApiId=self.api_id, RouteKey=key, Target=f"integrations/{self.integration}")
        return str(route["RouteId"])

    def make_domain(self, certificate: str | None = None, kind: str = "REGIONAL") -> None:
        self.api.create_domain_name(DomainName=HOST, DomainNameConfigurations=[{
            "ApiGatewayDomainName": API_DOMAIN, "HostedZoneId": API_ZONE, "EndpointType": kind,
            "CertificateArn": certificate or self.certificate,
        }])

    def map(self, path: str = "") -> None:
        made = self.api.create_api_mapping(DomainName=HOST, ApiId=self.api_id, Stage="$default", ApiMappingKey=path)
        self.mapping = made["ApiMappingId"]

    # ---- The stack

    def deploy(self, **parameters: str) -> None:
        """The stack around it, and the schedule. A second call changes parameters."""
        first = not self.parameters
        before = {**PARAMETERS, **self.parameters}["HealthCheckInterval"]
        self.parameters = {**PARAMETERS, "InstanceId": self.instance, "ElasticIp": self.address, **parameters}
        if self.parameters["HealthCheckInterval"] != before:  # then CloudFormation makes a new one
            self.check = self.moto.create_health_check(self.address)
            self.put_record(self.primary())
        outputs = {
            "HealthCheckId": self.check, "StopperFunction": f"{STACK}-Stopper-1",
            "LostTicksQueue": f"https://sqs.eu-central-1.amazonaws.com/123456789012/{STACK}-LostTicks-1",
        }
        template: dict[str, Any] = {
            "Parameters": {name: {"Type": "String"} for name in self.parameters},
            "Resources": {
                "StarterRole": role(), "StopperTickRole": role("tick"),
                "StopperTick": role(SCHEDULE),  # any kind will do: only its name is read
            },
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        if self.parameters["Host"] == "new":
            template["Resources"]["NewHostStack"] = self._new_host()
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        call = self.cloudformation.create_stack if first else self.cloudformation.update_stack
        call(StackName=STACK, TemplateBody=json.dumps(template), Parameters=given)
        if first:
            self.add_schedule()
        elif "Schedule" in parameters:
            self.change_schedule(expression=parameters["Schedule"])

    def deploy_app(self, name: str, **parameters: str) -> None:
        """A stack of `app/template.yaml`: one more app of this pair."""
        given = {"Pair": STACK, "AppDomain": HOST, **parameters}
        template = {
            "Parameters": {key: {"Type": "String"} for key in given},
            "Resources": {"Wait": {"Type": "AWS::SQS::Queue"}},
            "Outputs": {"HealthCheckId": {"Value": self.check}},
        }
        self.cloudformation.create_stack(
            StackName=name, TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )

    def _new_host(self) -> dict[str, Any]:
        """The instance as a stack of its own brings it: by its outputs."""
        outputs = {"InstanceId": {"Value": self.instance}}
        template = {"Resources": {"Wait": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
        s3 = self.moto.client("s3", "us-east-1")
        s3.create_bucket(Bucket="templates")
        s3.put_object(Bucket="templates", Key="host", Body=json.dumps(template))
        at = {"TemplateURL": "https://s3.amazonaws.com/templates/host"}
        return {"Type": "AWS::CloudFormation::Stack", "Properties": at}

    def add_schedule(self, state: str = "ENABLED", expression: str = "rate(1 hour)") -> None:
        self.scheduler.create_schedule(**self._schedule(state, expression))

    def change_schedule(self, state: str = "ENABLED", expression: str = "rate(1 hour)") -> None:
        self.scheduler.update_schedule(**self._schedule(state, expression))

    @staticmethod
    def _schedule(state: str, expression: str) -> dict[str, Any]:
        function = f"arn:aws:lambda:eu-central-1:123456789012:function:{STACK}-Stopper-1"
        return {
            "Name": SCHEDULE, "ScheduleExpression": expression, "State": state, "Description": "Lets the stopper look.",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": function, "RoleArn": "arn:aws:iam::123456789012:role/tick",
                "RetryPolicy": {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 5},
                "DeadLetterConfig": {"Arn": f"arn:aws:sqs:eu-central-1:123456789012:{STACK}-LostTicks-1"},
            },
        }


def role(name: str | None = None) -> dict[str, Any]:
    service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    properties = {"AssumeRolePolicyDocument": {"Statement": [service]}, **({"RoleName": name} if name else {})}
    return {"Type": "AWS::IAM::Role", "Properties": properties}


class Front:
    """In the place of API Gateway's own servers: TLS by the app's name, and the starter's word on how the app is."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        front = self
        self.status, self.body = 200, {"app": HOST}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(front.body).encode()
                self.send_response(front.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.address = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
