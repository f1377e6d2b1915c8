"""moto's server, brought closer to EC2 where Catnap can tell the two apart.

`stand.Moto` runs it as a process of its own: `python moto_server.py PORT`. Beside moto's API it

- remembers which AWS operations arrived, and from whom;
- gives starting and stopping a duration, renews LaunchTime on a start and refuses to start what is still stopping;
- can set an instance's launch time back and its state, can refuse the next calls of one operation, can throttle one
  as EC2 does, can let several calls arrive at the same moment, and can forget all metrics;
- counts a health check's version up with each change, and refuses a change of an older one;
- understands CloudWatch's newest protocol, which the Rust SDK speaks.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import threading
import time
from datetime import datetime
from typing import Any, Callable, Iterable
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import botocore.session
from moto.backends import get_backend
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance, StateReason
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.route53.exceptions import Route53ClientError
from moto.route53.responses import Route53
from werkzeug.serving import run_simple

import rpc_cbor

ACCOUNT = "123456789012"
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def set_state(instance: Instance, name: str) -> None:
    instance._state.name, instance._state.code = name, CODES[name]


class Phases:
    """Makes EC2's state changes take time, as they do there. In moto they are instant."""

    def __init__(self) -> None:
        self.seconds = {"pending": 0.0, "stopping": 0.0}
        self._start, self._stop = Instance.start, Instance.stop

    def install(self) -> None:
        phases = self

        def start(instance: Instance) -> Any:
            if instance.state in ("running", "pending"):
                return phases._unchanged(instance)
            if instance.state != "stopped":
                message = f"The instance '{instance.id}' is not in a state from which it can be started."
                raise EC2ClientError("IncorrectInstanceState", message)
            before = phases._start(instance)
            instance.launch_time = utcnow()
            phases._pass_through(instance, "pending", "running")
            return before

        def stop(instance: Instance) -> Any:
            if instance.state in ("stopped", "stopping"):
                return phases._unchanged(instance)
            before = phases._stop(instance)
            phases._pass_through(instance, "stopping", "stopped")
            return before

        setattr(Instance, "start", start)
        setattr(Instance, "stop", stop)

    @staticmethod
    def _unchanged(instance: Instance) -> Any:
        return type(instance._state)(instance._state.name, instance._state.code)

    def _pass_through(self, instance: Instance, through: str, to: str) -> None:
        seconds = self.seconds[through]
        if seconds <= 0:
            return
        set_state(instance, through)

        def arrive() -> None:
            if instance.state == through:
                set_state(instance, to)

        timer = threading.Timer(seconds, arrive)
        timer.daemon = True
        timer.start()


class HealthCheckVersionMismatch(Route53ClientError):
    code = 409

    def __init__(self) -> None:
        super().__init__("HealthCheckVersionMismatch", "The health check has been changed since it was read.")


def count_versions() -> None:
    """In moto a health check's version is always 1."""
    update = Route53.update_health_check

    def update_and_count(response: Any) -> Any:
        check = response.backend.get_health_check(response._get_param("HealthCheckId"))
        if response._get_param("HealthCheckVersion") not in (None, check.health_check_version):
            raise HealthCheckVersionMismatch
        check.health_check_version += 1
        return update(response)

    setattr(Route53, "update_health_check", update_and_count)


def rest_operations(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Method and path of each operation of a service whose requests do not carry the operation's name."""
    model = botocore.session.get_session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.sub(r"\\\{[^}]*\}", "[^/]+", re.escape(http["requestUri"].split("?")[0]))
        found.append((http["method"], re.compile(path + "/?$"), name))
    return found


class Bucket:
    """EC2's throttling of one operation: `size` calls at once, then `refill` a second (EC2 API Reference, "Throttling")."""

    def __init__(self, size: float, refill: float) -> None:
        self.size, self.refill = size, refill
        self.tokens, self.at = size, time.monotonic()

    def takes(self) -> bool:
        now = time.monotonic()
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.refill)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Stand:
    """moto as a WSGI application, with the record and the controls around it."""

    def __init__(self, phases: Phases) -> None:
        self.moto: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)
        self.phases = phases
        self.cloudwatch = rpc_cbor.CloudWatchInCbor(self.moto)
        self.rest = rest_operations("route53")
        self.lock = threading.Lock()
        self.calls: list[dict[str, str]] = []
        self.refusals: dict[str, list[tuple[str, int]]] = {}
        self.buckets: dict[str, Bucket] = {}
        self.gatherings: dict[str, threading.Barrier] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        body = b""
        if environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
        if path.startswith("/stand/"):
            answer = json.dumps(self.control(path[len("/stand/") :], json.loads(body or b"{}"))).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
            return [answer]
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        if scope:
            operation = self.operation(environ, path, body)
            call = {"operation": operation, "service": scope[2], "region": scope[1]}
            self.gather(operation)
            with self.lock:
                self.calls.append({**call, "agent": environ.get("HTTP_USER_AGENT", "")})
                refusals = self.refusals.get(operation)
                refusal = refusals.pop(0) if refusals else None
                bucket = self.buckets.get(operation)
                if not refusal and bucket and not bucket.takes():
                    refusal = ("RequestLimitExceeded", 503)
            if refusal:
                return self.refuse(start_response, path, scope[2], *refusal)
            if path.startswith(rpc_cbor.PATH):
                return self.cloudwatch(environ, start_response, operation, body)
        return self.moto(environ, start_response)

    def operation(self, environ: dict[str, Any], path: str, body: bytes) -> str:
        if "/operation/" in path:  # Smithy's RPC protocols
            return path.rsplit("/", 1)[1]
        if environ.get("HTTP_X_AMZ_TARGET"):  # AWS JSON
            return str(environ["HTTP_X_AMZ_TARGET"]).rsplit(".", 1)[-1]
        fields = parse_qs(body.decode("utf-8", "replace")) or parse_qs(environ.get("QUERY_STRING", ""))
        if "Action" in fields:  # AWS query and EC2
            return fields["Action"][0]
        method = environ["REQUEST_METHOD"]
        return next((name for verb, at, name in self.rest if verb == method and at.match(path)), f"{method} {path}")

    def gather(self, operation: str) -> None:
        """Holds the first calls of an operation until as many as are to come together have come."""
        gathering = self.gatherings.get(operation)
        if gathering:
            with contextlib.suppress(threading.BrokenBarrierError):  # somebody waited in vain, or it is over
                gathering.wait(20)
            gathering.abort()

    @staticmethod
    def refuse(
        start_response: Callable[..., Any], path: str, service: str, code: str, status: int
    ) -> Iterable[bytes]:
        message = "The stand-in was told to refuse this."
        if path.startswith(rpc_cbor.PATH):
            return rpc_cbor.refuse(start_response, f"{status} Refused", code, message)
        error = f"<Error><Code>{escape(code)}</Code><Message>{message}</Message></Error>"
        if service == "ec2":  # the other is for Route 53 and CloudFormation
            answer = f"<Response><Errors>{error}</Errors><RequestID>stand-in</RequestID></Response>"
        else:
            answer = f"<ErrorResponse>{error}<RequestId>stand-in</RequestId></ErrorResponse>"
        start_response(f"{status} Refused", [("Content-Type", "text/xml;charset=UTF-8")])
        return [answer.encode()]

    def control(self, what: str, wanted: dict[str, Any]) -> Any:
        with self.lock:
            if what == "calls":
                return self.calls
            if what == "forget":
                self.calls, self.refusals, self.buckets, self.gatherings = [], {}, {}, {}
            elif what == "forget-metrics":
                for region in get_backend("cloudwatch")[ACCOUNT].values():
                    region.metric_data = []
            elif what == "phases":
                self.phases.seconds.update(wanted)
            elif what == "refuse":
                self.refusals[wanted["operation"]] = [(wanted["code"], wanted["status"])] * wanted["times"]
            elif what == "throttle":
                self.buckets[wanted["operation"]] = Bucket(wanted["size"], wanted["refill"])
            elif what == "gather":
                self.gatherings[wanted["operation"]] = threading.Barrier(wanted["calls"])
            elif what == "instance":
                instance = get_backend("ec2")[ACCOUNT][wanted["region"]].get_instance(wanted["id"])
                if "launched" in wanted:
                    instance.launch_time = datetime.fromisoformat(wanted["launched"])
                if "state" in wanted:
                    set_state(instance, wanted["state"])
                if "reason" in wanted:
                    instance.state_reason = StateReason(wanted["reason"], wanted["reason"])
        return None


def end_with_parent() -> None:
    sys.stdin.read()  # until whoever started this process has gone, however it went
    os._exit(0)


def main() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    phases = Phases()
    phases.install()
    count_versions()
    run_simple("127.0.0.1", int(sys.argv[1]), Stand(phases), threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
