"""API Gateway's HTTP API on this machine: HTTP in, payload 2.0 to a function, its answer out.

TLS and HTTP/2 are the business of whoever stands in front (`handoff.nginx`), who tells the visitor's address in the
header `SOURCE_HEADER`. What AWS does not document is marked CNV: could not be verified.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

from emulator import OWN_ROUTES, EmulatorDied, FunctionFailed, Lambda

SOURCE_HEADER = "x-front-source-ip"
TIMEOUT = 30  # seconds that an HTTP API waits for its integration
MAX_HEAD = 10_240  # bytes of request line and headers
MAX_BODY = 10 * 1024 * 1024
MAX_PAYLOAD = 6 * 1024 * 1024 + 100  # bytes of JSON, to a function and back: Lambda's limit
HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    "proxy-authenticate", "proxy-authorization",
}
TEXT = re.compile(r"text/|application/(json|javascript|xml|[^;]*\+(json|xml))\b", re.IGNORECASE)

Event = dict[str, Any]
Function = Callable[[Event, float], Any]  # an event, and the seconds it may take


class Refusal(Exception):
    """What API Gateway answers by itself."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Environments:
    """A function as Lambda runs it: each request that comes while the others are busy gets an environment of its own.

    Above `limit` a request waits for one to get free, where Lambda would refuse it: the machine is small. One that
    failed or did not answer in time takes no further request, for it may be dead or busy still. Where the emulator
    itself died, which Lambda does not, the request is sent once more.
    """

    def __init__(self, start: Callable[[], Lambda], limit: int = 20) -> None:
        self.all: list[Lambda] = []
        self._start, self._limit = start, limit
        self._idle: list[Lambda] = []  # the last one is the warmest
        self._taken = 0  # places, by those that are idle, busy or about to start
        self._changed = threading.Condition()

    def __enter__(self) -> Environments:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.all:
            one.close()

    def __call__(self, event: Event, timeout: float) -> Any:
        end = time.monotonic() + timeout
        try:
            return self._invoke(event, end)
        except EmulatorDied as died:
            print(f"once more, for this was the emulator's failure: {died}", file=sys.stderr)
            return self._invoke(event, end)

    def records(self) -> list[Event]:
        return [record for one in list(self.all) for record in one.records()]

    def _invoke(self, event: Event, end: float) -> Any:
        one = self._take(end)
        try:
            answer = one.invoke(event, max(0.1, end - time.monotonic()))
        except BaseException:
            try:
                one.close()
            finally:
                self._free_place()
            raise
        with self._changed:
            self._idle.append(one)
            self._changed.notify()
        return answer

    def _take(self, end: float) -> Lambda:
        with self._changed:
            left = max(0.0, end - time.monotonic())
            if not self._changed.wait_for(lambda: self._idle or self._taken < self._limit, left):
                raise TimeoutError("all environments are busy")
            if self._idle:
                return self._idle.pop()
            self._taken += 1
        try:
            one = self._start()
        except BaseException:
            self._free_place()
            raise
        self.all.append(one)
        return one

    def _free_place(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify()


@dataclass(frozen=True)
class Arrived:
    """A request as it came over the wire, with its headers in their order and repeated where they were."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    source_ip: str

    def size(self) -> int:
        line = len(f"{self.method} {self.target} HTTP/1.1\r\n")
        return line + sum(len(name) + len(value) + 4 for name, value in self.headers)


@dataclass(frozen=True)
class Answered:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Exchange:
    """One line of the access log. Times are seconds since the epoch."""

    began: float
    host: str
    method: str
    target: str
    status: int = 0
    took: float = 0.0
    event: Event = field(default_factory=dict, repr=False)


class Gateway:
    """Listens on this machine, without TLS, and keeps an access log in `exchanges`."""

    def __init__(self, function: Function, port: int = 0) -> None:
        self.exchanges: list[Exchange] = []
        self._function = function
        self._numbers = itertools.count(1)
        self._server = Server(("127.0.0.1", port), handler_of(self))
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, arrived: Arrived) -> Answered:
        domain = next((value for name, value in arrived.headers if name.lower() == "host"), "")
        exchange = Exchange(time.time(), domain, arrived.method, arrived.target)
        self.exchanges.append(exchange)
        request_id = f"gw{next(self._numbers):06}EAMEag="
        try:
            check(arrived)
            exchange.event = event_of(arrived, domain.split(":")[0], request_id, exchange.began)
            answered = answer_of(self._invoke(exchange.event))
        except Refusal as refusal:
            body = json.dumps({"message": refusal.message}, separators=(",", ":")).encode()
            answered = Answered(refusal.status, [("Content-Type", "application/json")], body)
        exchange.status, exchange.took = answered.status, time.time() - exchange.began
        answered.headers.append(("Apigw-Requestid", request_id))
        return answered

    def _invoke(self, event: Event) -> Any:
        if payload_bytes(event) > MAX_PAYLOAD:
            raise Refusal(413, "Request Entity Too Large")
        try:
            answer = self._function(event, TIMEOUT)
        except TimeoutError:
            raise Refusal(503, "Service Unavailable") from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise Refusal(503, "Service Unavailable") from None
            raise Refusal(500, "Internal Server Error") from None
        except FunctionFailed as error:
            print(error, file=sys.stderr)  # the visitor is not told, but whoever reads a test's output
            raise Refusal(500, "Internal Server Error") from None
        if payload_bytes(answer) > MAX_PAYLOAD:
            raise Refusal(500, "Internal Server Error")
        return answer


def payload_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def check(arrived: Arrived) -> None:
    if arrived.size() > MAX_HEAD:
        raise Refusal(431, "Request Header Fields Too Large")
    if len(arrived.body) > MAX_BODY:
        raise Refusal(413, "Request Entity Too Large")


def event_of(arrived: Arrived, domain: str, request_id: str, now: float) -> Event:
    """API Gateway's payload 2.0. The path comes decoded, the query as it was sent."""
    path, _, query = arrived.target.partition("?")
    path = urllib.parse.unquote(path, errors="replace")  # not UTF-8: CNV
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in arrived.headers:
        name = name.lower()
        if name == "cookie":
            cookies += [cookie for cookie in value.split("; ") if cookie]
        elif name not in HOP_BY_HOP:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    via = [headers["x-forwarded-for"]] if "x-forwarded-for" in headers else []
    headers.update({
        "host": domain,
        "content-length": str(len(arrived.body)),
        "x-amzn-trace-id": f"Root=1-{int(now):08x}-{hash(request_id) & (1 << 96) - 1:024x}",
        "x-forwarded-for": ", ".join([*via, arrived.source_ip]),
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    })
    route = f"{arrived.method} {path}"
    route_key = route if route in OWN_ROUTES else "$default"
    event: Event = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123def4",
            "domainName": domain,
            "domainPrefix": domain.split(".")[0],
            "http": {
                "method": arrived.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": arrived.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        parameters: dict[str, str] = {}
        for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
            parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
        event["queryStringParameters"] = parameters
    if arrived.body:
        event["body"], event["isBase64Encoded"] = body_of(arrived.body, headers.get("content-type", ""))
    return event


def body_of(body: bytes, content_type: str) -> tuple[str, bool]:
    """Text of the types that API Gateway takes for text (which: CNV), else base64. A form post counts as binary."""
    if TEXT.match(content_type):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def answer_of(answer: Any) -> Answered:
    """Reads a function's answer. `multiValueHeaders` do not exist in payload 2.0: they are passed over."""
    if not isinstance(answer, dict) or "statusCode" not in answer:  # then all of it is the body
        return Answered(200, [("Content-Type", "application/json")], json.dumps(answer).encode())
    try:
        status = int(answer["statusCode"])
        body = answer.get("body") or ""
        raw = base64.b64decode(body, validate=True) if answer.get("isBase64Encoded") else body.encode()
        headers = [(name, header_text(value)) for name, value in (answer.get("headers") or {}).items()]
        headers += [("Set-Cookie", header_text(cookie)) for cookie in answer.get("cookies") or []]
    except (ValueError, TypeError, AttributeError):
        raise Refusal(500, "Internal Server Error") from None
    if not 200 <= status <= 599 or not all(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) for name, _ in headers):
        raise Refusal(500, "Internal Server Error")
    own = HOP_BY_HOP | {"content-length"}
    return Answered(status, [header for header in headers if header[0].lower() not in own], raw)


def header_text(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if re.search(r"[\0\r\n]", text):
        raise ValueError("a header of more than one line")
    return text


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # whoever asked may hang up; anything else is our mistake
            super().handle_error(request, client_address)


def handler_of(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline:
                self.close_connection = True
                return
            if not self.parse_request():
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = self.headers.items()
            source = next((value for name, value in headers if name.lower() == SOURCE_HEADER), self.client_address[0])
            headers = [(name, value) for name, value in headers if name.lower() not in {SOURCE_HEADER, "connection"}]
            target = self.requestline.split(" ")[1]  # `path` has been tidied up
            self._write(gateway.answer(Arrived(self.command, target, headers, body, source)))

        def _write(self, answered: Answered) -> None:
            has_body = answered.status not in (204, 304)
            headers = list(answered.headers)
            if has_body:
                headers.append(("Content-Length", str(len(answered.body))))
            try:
                phrase = HTTPStatus(answered.status).phrase
            except ValueError:
                phrase = "Unknown"
            head = [f"HTTP/1.1 {answered.status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
            sent = "\r\n".join([*head, "", ""]).encode("latin-1", "replace")
            try:
                self.wfile.write(sent + (answered.body if has_body and self.command != "HEAD" else b""))
            except (BrokenPipeError, ConnectionResetError, socket.timeout):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler

