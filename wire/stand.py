"""The local stand-in for AWS: moto's server, the instance's web app, and Lambda (in `emulator`).

Everything here listens on this machine only, and is gone when its `with` block ends.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

import boto3
from botocore.config import Config

from emulator import direct, free_port

__all__ = ["App", "FunctionFailed", "Lambda", "Moto", "binary", "free_port", "http_event", "wait_until"]

HERE = Path(__file__).resolve().parent
REGION = "eu-central-1"
HEALTH_REGION = "us-east-1"  # Route 53's metrics exist nowhere else
OWN_AGENT = "catnap-stand"  # how calls() tells the stand-in's own requests from those it is asked about


def wait_until(holds: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
    """Returns once `holds` is true, and raises TimeoutError with `what` was waited for when it never is."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.05)


class Moto:
    """moto's server in a process of its own. `pending` and `stopping` are the seconds that a start and a stop take."""

    def __init__(self, port: int | None = None, region: str = REGION, pending: float = 0, stopping: float = 0) -> None:
        self.port = port or free_port()
        self.region = region
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._log = tempfile.TemporaryFile()
        environment = {**clean_environment(), "MOTO_PORT": str(self.port), "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
        environment["MOTO_ACM_VALIDATION_WAIT"] = "0"  # certificates are issued at once
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "moto_server.py"), str(self.port)],
            env=environment, stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us to handle: it ends last, not first
        )
        try:
            wait_until(self._answers, "moto's server")
        except BaseException:
            self.close()
            raise
        self.set_phases(pending, stopping)

    def __enter__(self) -> Moto:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def environment(self) -> dict[str, str]:
        """What a Lambda function needs in its environment to take this for AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def client(self, service: str, region: str | None = None, agent: str = OWN_AGENT) -> Any:
        key = (service, region or self.region, agent)
        if key not in self._clients:
            session: Any = boto3.session.Session("test", "test", region_name=key[1])
            self._clients[key] = session.client(
                service, endpoint_url=self.endpoint, config=Config(user_agent=agent, proxies={})
            )
        return self._clients[key]

    def reset(self) -> None:
        direct.open(urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST"), timeout=10).close()
        self._control("forget")

    def set_phases(self, pending: float = 0, stopping: float = 0) -> None:
        self._control("phases", pending=pending, stopping=stopping)

    def arrived(self, operation: str | None = None) -> list[dict[str, str]]:
        """The calls to AWS that arrived, oldest first, without those that this class made itself.

        Each with its operation, service, region and user agent.
        """
        others = [call for call in self._control("calls") if not call["agent"].startswith(OWN_AGENT)]
        return [call for call in others if operation in (None, call["operation"])]

    def calls(self, operation: str | None = None) -> list[str]:
        """The names of the operations that arrived."""
        return [call["operation"] for call in self.arrived(operation)]

    def refuse(self, operation: str, code: str, status: int = 400, times: int = 1) -> None:
        """Answers the next calls of an operation with an error."""
        self._control("refuse", operation=operation, code=code, status=status, times=times)

    def throttle(self, operation: str, size: float, refill: float) -> None:
        """From now on takes `size` calls of an operation at once and `refill` more each second; refuses the others."""
        self._control("throttle", operation=operation, size=size, refill=refill)

    def gather(self, operation: str, calls: int) -> None:
        """Holds the next calls of an operation until so many have arrived, and takes these at the same moment."""
        self._control("gather", operation=operation, calls=calls)

    def run_instance(
        self, tags: Mapping[str, str] | None = None, launched: datetime | None = None, address: str | None = None
    ) -> str:
        """An instance that runs at an Elastic IP, optionally since a while ago and at this one."""
        ec2 = self.client("ec2")
        named = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        made = ec2.run_instances(
            ImageId="ami-00000000000000000", InstanceType="t3.micro", MinCount=1, MaxCount=1,
            NetworkInterfaces=[{"DeviceIndex": 0, "AssociatePublicIpAddress": False}],
            TagSpecifications=[{"ResourceType": "instance", "Tags": named}] if named else [],
        )
        instance_id: str = made["Instances"][0]["InstanceId"]
        elastic = ec2.allocate_address(Domain="vpc", **({"Address": address} if address else {}))
        ec2.associate_address(InstanceId=instance_id, AllocationId=elastic["AllocationId"])
        if launched:
            self.set_instance(instance_id, launched=launched)
        return instance_id

    def set_instance(
        self, instance_id: str, launched: datetime | None = None, state: str | None = None, reason: str | None = None
    ) -> None:
        """Changes what no call to EC2 could: the launch time, the state, the code of its StateReason."""
        wanted = {"state": state, "reason": reason, "launched": launched and naive_utc(launched).isoformat()}
        given = {name: value for name, value in wanted.items() if value is not None}
        self._control("instance", id=instance_id, region=self.region, **given)

    def describe(self, instance_id: str) -> dict[str, Any]:
        found = self.client("ec2").describe_instances(InstanceIds=[instance_id])
        instance: dict[str, Any] = found["Reservations"][0]["Instances"][0]
        return instance

    def state(self, instance_id: str) -> str:
        return str(self.describe(instance_id)["State"]["Name"])

    def create_health_check(
        self, ip: str, port: int = 8080, path: str = "/", interval: int = 30,
        regions: Sequence[str] = ("us-east-1", "eu-west-1", "ap-southeast-1"), kind: str = "HTTP",
    ) -> str:
        config = {
            "IPAddress": ip, "Port": port, "Type": kind, "RequestInterval": interval,
            "FailureThreshold": 3, "Regions": list(regions),
        }
        if kind != "TCP":
            config["ResourcePath"] = path
        reference = f"{ip}-{port}-{time.time_ns()}"
        made = self.client("route53").create_health_check(CallerReference=reference, HealthCheckConfig=config)
        return str(made["HealthCheck"]["Id"])

    def put_network_in(self, instance_id: str, values: Iterable[tuple[datetime, float]]) -> None:
        """Bytes received, each with the beginning of its period."""
        self._put("AWS/EC2", "NetworkIn", "InstanceId", instance_id, "Bytes", values, self.region)

    def put_health(self, check_id: str, values: Iterable[tuple[datetime, int]]) -> None:
        """1 for healthy, 0 for not, each with the beginning of its minute."""
        self._put("AWS/Route53", "HealthCheckStatus", "HealthCheckId", check_id, "None", values, HEALTH_REGION)

    def forget_metrics(self) -> None:
        self._control("forget-metrics")

    def _put(
        self, namespace: str, metric: str, dimension: str, of: str, unit: str,
        values: Iterable[tuple[datetime, float]], region: str,
    ) -> None:
        by = [{"Name": dimension, "Value": of}]
        data = [
            {"MetricName": metric, "Dimensions": by, "Timestamp": at, "Value": value, "Unit": unit}
            for at, value in values
        ]
        cloudwatch = self.client("cloudwatch", region)
        for first in range(0, len(data), 1000):
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=data[first : first + 1000])

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            self._log.seek(0)
            raise RuntimeError(f"moto's server ended at once:\n{self._log.read().decode(errors='replace')}")
        try:
            self._control("calls")
        except OSError:
            return False
        return True

    def _control(self, what: str, **wanted: Any) -> Any:
        request = urllib.request.Request(f"{self.endpoint}/stand/{what}", json.dumps(wanted).encode())
        with direct.open(request, timeout=10) as answer:
            return json.load(answer)


def naive_utc(at: datetime) -> datetime:
    return at.astimezone(timezone.utc).replace(tzinfo=None)


def clean_environment() -> dict[str, str]:
    """Ours without what would reach into a test: AWS settings, proxies."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(("AWS_", "HTTP", "MOTO"))}


class App:
    """The web app on the instance: it answers on its port while, and only while, AWS says that the instance runs.

    `status` is what it answers with, and as long as `hangs` is set it does not answer.
    """

    def __init__(
        self, moto: Moto, instance_id: str, port: int | None = None, boot_delay: float = 1.0,
        name: str = "Demo app", tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port = port or free_port()
        self.name = name
        self.status = 200
        self.hangs = False
        self.requests: list[str] = []
        self._moto, self._instance_id = moto, instance_id
        self._boot_delay, self._tls = boot_delay, tls
        self._server: ThreadingHTTPServer | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def listening(self) -> bool:
        return self._server is not None

    def _follow(self) -> None:
        running_since: float | None = None
        try:
            while not self._ended.wait(0.2):
                if self._moto.state(self._instance_id) != "running":
                    running_since = None
                    self._stop()
                elif self._server is None:
                    running_since = running_since or time.monotonic()
                    if time.monotonic() - running_since >= self._boot_delay:
                        self._start()
        finally:
            self._stop()

    def _start(self) -> None:
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                app.requests.append(self.path)
                while app.hangs and app.listening:
                    time.sleep(0.05)
                body = f"<!doctype html><title>{app.name}</title><h1>{app.name}</h1><p>Awake.</p>".encode()
                self.send_response(app.status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        if self._tls:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def _stop(self) -> None:
        if self._server:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()
