"""Ten thousand instances in AWS's place: EC2, CloudWatch and Route 53 as far as the stopper asks them.

moto takes 7 ms for one instance; this answers for a thousand in about that time, from parts made beforehand. It counts
what arrives, gives no more than AWS does in one answer, meters calls as AWS's buckets do when asked, and fails as told.
"""

from __future__ import annotations

import asyncio
import io
import re
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import rpc_cbor
from bench_servers import Request, Server, response

HEALTH_REGION = "us-east-1"
NOISE, VISIT = 31_000.0, 900_000.0  # bytes in five minutes: of a health check, of someone who uses the app
METRICS, POINTS = 500, 100_800  # that CloudWatch takes and gives in one call
XML = {"Content-Type": "text/xml;charset=UTF-8"}
THROTTLED = {name: ("Throttling", 400) for name in ("GetHealthCheck", "ListHealthChecks")}
THROTTLED["GetMetricData"] = ("ThrottlingException", 400)
CBOR = {"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}


@dataclass
class Instance:
    """`quiet` is how many minutes ago someone used it; `silent` names metrics without datapoints."""

    number: int
    quiet: int = 30
    state: str = "running"
    launched: float = field(default_factory=lambda: time.time() - 86_400)
    host: str = ""
    check: str = ""
    silent: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.host = self.host or f"app{self.number}.example.com"
        self.check = self.check or f"{self.number:08x}-89ab-cdef-0123-456789abcdef"

    @property
    def id(self) -> str:
        return f"i-{self.number:017x}"


class Bucket:
    def __init__(self, holds: float, per_second: float) -> None:
        self.holds, self.per_second = holds, per_second
        self.tokens, self.at = holds, time.monotonic()

    def take(self, tokens: float = 1) -> bool:
        now = time.monotonic()
        self.tokens = min(self.holds, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if tokens > self.tokens:
            return False
        self.tokens -= tokens
        return True


@dataclass
class Refusal:
    operation: str
    code: str
    status: int
    times: int
    after: int
    about: str


class Refused(Exception):
    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class Fleet(Server):
    """Ever the same to who asks; `calls` counts operations, `refused` those that a bucket did not let through."""

    def __init__(self, instances: list[Instance], page: int = 1_000, metered: bool = False) -> None:
        super().__init__(self._handle)
        self.by_id = {instance.id: instance for instance in instances}
        self.by_host = {instance.host: instance for instance in instances}
        self.by_check = {instance.check: instance for instance in instances}
        self.page = page
        self.calls: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.stopped: list[str] = []
        self._refusals: list[Refusal] = []
        self._buckets = {
            "StopInstances": Bucket(50, 5), "DescribeInstances": Bucket(100, 20), "route53": Bucket(5, 5),
            "cloudwatch": Bucket(50, 50), "datapoints": Bucket(180_000, 180_000),
            "datapoints of us-east-1": Bucket(180_000, 180_000),
        } if metered else {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(
        self, operation: str, code: str, status: int = 400, times: int = 1, after: int = 0, about: str = ""
    ) -> None:
        """Refuses so many calls of an operation, after so many that it lets through, or those about one thing."""
        self._refusals.append(Refusal(operation, code, status, times, after, about))

    async def _handle(self, request: Request) -> bytes:
        if request.path.startswith(rpc_cbor.PATH):
            return self._cloudwatch(request)
        return self._route53(request) if request.path.startswith("/2013-04-01/") else self._ec2(request)

    def _admit(self, operation: str, about: str, tokens: dict[str, float]) -> None:
        self.calls[operation] += 1
        for refusal in self._refusals:
            if refusal.operation == operation and refusal.about in about and refusal.times > 0:
                if refusal.after > 0:
                    refusal.after -= 1
                else:
                    refusal.times -= 1
                    raise Refused(refusal.code, refusal.status)
        for name, count in tokens.items():
            if name in self._buckets and not self._buckets[name].take(count):
                self.refused[operation] += 1
                raise Refused(*THROTTLED.get(operation, ("RequestLimitExceeded", 503)))

    def _ec2(self, request: Request) -> bytes:
        asked = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        operation, named = asked["Action"], [value for name, value in asked.items() if name.startswith("InstanceId.")]
        try:
            self._admit(operation, ",".join(named) or asked.get("NextToken", ""), {operation: 1})
            answer = self._describe(asked, named) if operation == "DescribeInstances" else self._stop(named)
        except Refused as refused:
            error = f"<Error><Code>{refused.code}</Code><Message>The stand-in refuses this.</Message></Error>"
            body = f"<Response><Errors>{error}</Errors><RequestID>stand-in</RequestID></Response>"
            return response(f"{refused.status} Refused", body.encode(), XML)
        root = f"{operation}Response"
        body = f'<{root} xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>stand-in</requestId>{answer}</{root}>'
        return response("200 OK", body.encode(), XML)

    def _describe(self, asked: dict[str, str], named: list[str]) -> str:
        filters: dict[str, list[str]] = {}
        for name, value in asked.items():
            if match := re.fullmatch(r"Filter\.(\d+)\.Value\.\d+", name):
                filters.setdefault(asked[f"Filter.{match[1]}.Name"], []).append(value)
        hosts, states = filters.get("tag:catnap:host"), filters.get("instance-state-name")
        found = [self.by_id[id] for id in named] if named else list(self.by_id.values())
        found = [it for it in found if (not hosts or it.host in hosts) and (not states or it.state in states)]
        start = int(asked.get("NextToken", 0))
        end = start + min(self.page, int(asked.get("MaxResults", self.page)))
        items = "".join(f"<item><reservationId>r-{it.number:017x}</reservationId><ownerId>123456789012</ownerId><groupSet/>"
                        f"<instancesSet>{describe(it)}</instancesSet></item>" for it in found[start:end])
        token = f"<nextToken>{end}</nextToken>" if end < len(found) else ""
        return f"<reservationSet>{items}</reservationSet>{token}"

    def _stop(self, named: list[str]) -> str:
        for id in named:
            if id not in self.by_id:
                raise Refused("InvalidInstanceID.NotFound", 400)
        for id in named:
            self.by_id[id].state = "stopped"
            self.stopped.append(id)
        return "<instancesSet/>"

    def _route53(self, request: Request) -> bytes:
        url = urlsplit(request.path)
        one = url.path.removeprefix("/2013-04-01/healthcheck").strip("/")
        operation = "GetHealthCheck" if one else "ListHealthChecks"
        try:
            self._admit(operation, one, {"route53": 1})
            if one and one not in self.by_check:
                raise Refused("NoSuchHealthCheck", 404)
        except Refused as refused:
            error = f"<Error><Code>{refused.code}</Code><Message>The stand-in refuses this.</Message></Error>"
            body = f"<ErrorResponse>{error}<RequestId>stand-in</RequestId></ErrorResponse>"
            return response(f"{refused.status} Refused", body.encode(), XML)
        if one:
            answer = check(one)
        else:
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            start = int(asked.get("marker", 0))
            end = start + min(self.page, int(asked.get("maxitems", 100)))
            checks = "".join(map(check, list(self.by_check)[start:end]))
            more = end < len(self.by_check)
            answer = (f"<HealthChecks>{checks}</HealthChecks><Marker/><IsTruncated>{str(more).lower()}</IsTruncated>"
                      + (f"<NextMarker>{end}</NextMarker>" if more else "") + f"<MaxItems>{end - start}</MaxItems>")
        root = f"{operation}Response"
        body = f'<{root} xmlns="https://route53.amazonaws.com/doc/2013-04-01/">{answer}</{root}>'
        return response("200 OK", body.encode(), XML)

    def _cloudwatch(self, request: Request) -> bytes:
        operation, region = request.path.rsplit("/", 1)[1], request.headers["authorization"].split("/")[2]
        asked = rpc_cbor.read(io.BytesIO(request.body))
        queries, start, end = asked["MetricDataQueries"], int(asked["StartTime"]), int(asked["EndTime"])
        periods = Counter(query["MetricStat"]["Period"] for query in queries)
        points = sum(count * -(-(end - start) // period) for period, count in periods.items())
        datapoints = "datapoints of us-east-1" if region == HEALTH_REGION else "datapoints"
        try:
            self._admit(operation, region, {"cloudwatch": 1, datapoints: points})
            if len(queries) > METRICS or points > POINTS:  # real ones come in pages then, which costs calls as well
                raise Refused("InvalidParameterValue", 400)
        except Refused as refused:
            refusal = {"__type": refused.code, "message": "The stand-in refuses this."}
            return response(f"{refused.status} Refused", rpc_cbor.write(refusal), CBOR)
        results = b"".join(self._series(query, region, start, end) for query in queries)
        body = rpc_cbor.head(5, 1) + rpc_cbor.write("MetricDataResults") + rpc_cbor.head(4, len(queries)) + results
        return response("200 OK", body, CBOR)

    def _series(self, query: dict[str, Any], region: str, start: int, end: int) -> bytes:
        metric, period = query["MetricStat"]["Metric"], query["MetricStat"]["Period"]
        name, of = metric["MetricName"], metric["Dimensions"][0]["Value"]
        instance = {"InstanceId": self.by_id, "HealthCheckId": self.by_check, "App": self.by_host}[
            metric["Dimensions"][0]["Name"]].get(of)
        # Route 53's metrics exist nowhere else, and those of the others not there; nobody visits, and no job runs.
        here = (region == HEALTH_REGION) == (name == "HealthCheckStatus")
        there = bool(instance and here and name not in instance.silent and name in ("NetworkIn", "HealthCheckStatus"))
        status = "InternalError" if instance and name in instance.unreadable else "Complete"
        quiet = instance.quiet if instance and name == "NetworkIn" else None
        now = int(time.time()) // 60 * 60
        values = series(period, start, min(end, now), quiet, now) if there and status == "Complete" else NO_POINTS
        named = {"Id": query["Id"], "Label": name, "StatusCode": status}
        return rpc_cbor.head(5, 5) + b"".join(rpc_cbor.write(part) for pair in named.items() for part in pair) + values


def describe(instance: Instance) -> str:
    launched = datetime.fromtimestamp(instance.launched, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return ITEM.format(it=instance, launched=launched, address=f"203.0.{instance.number // 250 % 250}.{instance.number % 250}")


def check(id: str) -> str:
    regions = "".join(f"<Region>{region}</Region>" for region in ("us-east-1", "us-west-2", "eu-west-1"))
    return (f"<HealthCheck><Id>{id}</Id><CallerReference>{id}</CallerReference><HealthCheckConfig><IPAddress>203.0.113.9"
            "</IPAddress><Port>8080</Port><Type>HTTP</Type><ResourcePath>/</ResourcePath><RequestInterval>30"
            "</RequestInterval><FailureThreshold>3</FailureThreshold><MeasureLatency>false</MeasureLatency><Inverted>"
            f"false</Inverted><Disabled>false</Disabled><EnableSNI>false</EnableSNI><Regions>{regions}</Regions>"
            "</HealthCheckConfig><HealthCheckVersion>1</HealthCheckVersion></HealthCheck>")


@lru_cache(maxsize=256)
def series(period: int, start: int, end: int, quiet: int | None, now: int) -> bytes:
    """Times and values as an answer has them: whole periods that are over, the newest two minutes not there yet."""
    times = [at for at in range(-(-start // period) * period, end, period) if at + period <= now - 120]
    if quiet is None:
        values = [1.0] * len(times)
    else:
        used = (now - quiet * 60) // period
        values = [VISIT if at // period == used else NOISE * period / 300 for at in times]
    double = struct.Struct(">d").pack
    return b"".join([
        rpc_cbor.write("Timestamps"), rpc_cbor.head(4, len(times)), *(b"\xc1\xfb" + double(at) for at in times),
        rpc_cbor.write("Values"), rpc_cbor.head(4, len(values)), *(b"\xfb" + double(value) for value in values),
    ])


NO_POINTS = series(60, 0, 0, None, 0)


class FleetThread:
    """The stand-in in a thread, for tests that are not asyncio's."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Fleet:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.fleet.__aenter__(), self._loop).result(10)
        return self.fleet

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.fleet.__aexit__(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


# What EC2 says of an instance, with all that Catnap does not read but has to take in.
ITEM = """\
<item><instanceId>{it.id}</instanceId><imageId>ami-0abcdef1234567890</imageId><instanceState><code>16</code>\
<name>{it.state}</name></instanceState><privateDnsName>ip-10-0-1-9.eu-central-1.compute.internal</privateDnsName>\
<dnsName>ec2-203-0-113-9.eu-central-1.compute.amazonaws.com</dnsName><reason/><keyName>operators</keyName>\
<amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>t3.medium</instanceType><launchTime>{launched}</launchTime>\
<placement><availabilityZone>eu-central-1a</availabilityZone><availabilityZoneId>euc1-az2</availabilityZoneId><groupName/>\
<tenancy>default</tenancy></placement><monitoring><state>disabled</state></monitoring><subnetId>subnet-0123456789abcdef0\
</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><privateIpAddress>10.0.1.9</privateIpAddress><ipAddress>{address}</ipAddress>\
<sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>app</groupName>\
</item></groupSet><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda\
</rootDeviceName><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-0123456789abcdef0</volumeId>\
<status>attached</status><attachTime>2026-01-07T08:00:00.000Z</attachTime><deleteOnTermination>true</deleteOnTermination>\
</ebs></item></blockDeviceMapping><virtualizationType>hvm</virtualizationType><clientToken>01234567-89ab-cdef-0123-\
456789abcdef</clientToken><tagSet><item><key>Name</key><value>{it.host}</value></item><item><key>catnap:host</key><value>\
{it.host}</value></item><item><key>catnap:health-check</key><value>{it.check}</value></item><item><key>team</key><value>\
platform</value></item><item><key>cost-centre</key><value>4711</value></item></tagSet><hypervisor>xen</hypervisor>\
<networkInterfaceSet><item><networkInterfaceId>eni-0123456789abcdef0</networkInterfaceId><subnetId>subnet-0123456789abcdef0\
</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><description/><ownerId>123456789012</ownerId><status>in-use</status>\
<macAddress>02:00:00:00:00:01</macAddress><privateIpAddress>10.0.1.9</privateIpAddress><sourceDestCheck>true\
</sourceDestCheck><groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>app</groupName></item></groupSet>\
<attachment><attachmentId>eni-attach-0123456789abcdef0</attachmentId><deviceIndex>0</deviceIndex><status>attached</status>\
<attachTime>2026-01-07T08:00:00.000Z</attachTime><deleteOnTermination>true</deleteOnTermination><networkCardIndex>0\
</networkCardIndex></attachment><association><publicIp>{address}</publicIp><ipOwnerId>123456789012</ipOwnerId></association>\
<privateIpAddressesSet><item><privateIpAddress>10.0.1.9</privateIpAddress><primary>true</primary></item>\
</privateIpAddressesSet><ipv6AddressesSet/><interfaceType>interface</interfaceType></item></networkInterfaceSet>\
<iamInstanceProfile><arn>arn:aws:iam::123456789012:instance-profile/app</arn><id>AIPAABCDEFGHIJKLMNOPQ</id>\
</iamInstanceProfile><ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport><cpuOptions><coreCount>1</coreCount>\
<threadsPerCore>2</threadsPerCore></cpuOptions><capacityReservationSpecification><capacityReservationPreference>open\
</capacityReservationPreference></capacityReservationSpecification><hibernationOptions><configured>false</configured>\
</hibernationOptions><enclaveOptions><enabled>false</enabled></enclaveOptions><metadataOptions><state>applied</state>\
<httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>\
</metadataOptions><maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions><currentInstanceBootMode>\
legacy-bios</currentInstanceBootMode></item>"""
