"""The ways to break a set-up, and how what is found is mended: by the commands that come with it."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any, Callable

from aws_cli import call, sam_parameters
from certificates import Authority
from command_line import Catnap
from set_up import API_DOMAIN, HOST, SCHEDULE, SetUp

from scene import utc_now

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
