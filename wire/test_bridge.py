"""The bridge against a real app: what comes through API Gateway and the starter is, byte for byte, what the app says.

The app is a web server behind nginx, as on an instance; each case is sent to it directly and through the bridge.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import random
import shutil
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import pytest

from emulator import Lambda, binary, free_port
from gateway import Environments, Gateway
from certificates import Authority
from handoff.nginx import Nginx
from scene import HOST, add_target, origin_at
from stand import Moto

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is missing: sudo apt-get install nginx-light")

BINARY = random.Random(1).randbytes(200_000)
TEXT = ("Grüße aus dem Schlaf. " * 400).encode()
LATIN = "Grüße".encode("latin-1")
LARGE_TEXT = 6_000_000  # bytes that get through as text
TOO_LARGE = 5_000_000  # bytes that do not as base64

CONF = """
daemon off; master_process off; error_log {folder}/error.log warn; pid {folder}/pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    client_max_body_size 20m;
    gzip on; gzip_types text/plain; gzip_min_length 100; gzip_proxied any;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {host};
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        root {root};
        default_type application/octet-stream;
        types {{ text/plain txt; image/png png; }}
        location /app/ {{
            proxy_pass http://127.0.0.1:{app};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_set_header Host $host;
        }}
    }}
}}
"""


class Echo(BaseHTTPRequestHandler):
    """Says what it got, or something of a special kind."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        what = self.path.split("?")[0].removeprefix("/app/").split("/")[0]
        match what:
            case "cookies":
                self.say(b"ok", ("Set-Cookie", "a=1; Path=/; HttpOnly"), ("Set-Cookie", "b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT"))
            case "redirect":
                self.say(b"", ("Location", "/elsewhere?x=1"), status=302)
            case "latin":
                self.say(LATIN, ("Content-Type", "text/plain; charset=iso-8859-1"))
            case "no-type":
                self.say(b"\x00\x01\x02")
            case "empty":
                self.say(b"", status=204)
            case "odd":
                self.say(b"odd", ("X-Name", "Gr\xfc\xdfe"), ("Vary", "Accept"), ("Vary", "Origin"),
                         ("Set-Cookie", "name=Gr\xfc\xdfe; Path=/"), status=299)
            case "error":
                self.say(b"broken", status=500)
            case "large-text":
                self.say(b"x" * LARGE_TEXT, ("Content-Type", "text/html"))
            case "too-large":
                self.say(BINARY * (TOO_LARGE // len(BINARY)), ("Content-Type", "application/zip"))
            case "stream":
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self.wfile.write(b"data: 1\n\n")
                time.sleep(3)
            case "cut":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"only this")
                self.close_connection = True
            case _:
                got = {
                    "method": self.command, "target": self.path, "body": hashlib.sha256(sent).hexdigest(),
                    "headers": sorted((name.lower(), value) for name, value in self.headers.items()),
                }
                self.say(json.dumps(got).encode(), ("Content-Type", "application/json"))

    def say(self, body: bytes, *headers: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Way:
    """One of the two ways to the app."""

    port: int
    tls: ssl.SSLContext | None = None

    def ask(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Got:
        with socket.create_connection(("127.0.0.1", self.port), 30) as plain:
            connection = http.client.HTTPConnection(HOST)
            connection.sock = self.tls.wrap_socket(plain, server_hostname=HOST) if self.tls else plain
            connection.putrequest(method, target, skip_accept_encoding=True)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Got(answer.status, answer.getheaders(), answer.read())


@dataclass
class Got:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    # Of one connection only, or of API Gateway itself.
    HOPS = {"connection", "keep-alive", "transfer-encoding", "date", "apigw-requestid"}

    def end_to_end(self, but: set[str] = set()) -> list[tuple[str, str]]:
        """Several of a name as the one list that they mean, but for cookies."""
        lists: dict[str, str] = {}
        cookies = []
        for name, value in self.headers:
            name = name.lower()
            if name == "set-cookie":
                cookies.append((name, value))
            elif name not in self.HOPS | but:
                lists[name] = f"{lists[name]}, {value}" if name in lists else value
        return sorted(lists.items()) + cookies


@dataclass
class Ways:
    direct: Way
    bridged: Way
    gateway: Gateway
    environments: Environments


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder: Path = tmp_path_factory.mktemp("bridge")
    www = folder / "www"
    www.mkdir()
    (www / "binary.png").write_bytes(BINARY)
    (www / "text.txt").write_bytes(TEXT)
    (www / "ready.txt").write_text("ready")
    authority = Authority(folder)
    port = free_port()
    app = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    app.daemon_threads = True
    app.request_queue_size = 128
    threading.Thread(target=app.serve_forever, args=(0.05,), daemon=True).start()
    of_nginx = {"root": www, "port": port, "certificate": authority.issue(HOST), "app": app.server_address[1]}
    trusting = ssl.create_default_context(cafile=str(authority.roots))
    with Moto() as moto, Nginx(folder / "nginx", CONF, host=HOST, **of_nginx):
        target = add_target(moto)
        environment = target.settings(
            **origin_at(port, "https"), CATNAP_HEALTH_PATH="/ready.txt", SSL_CERT_FILE=str(authority.roots),
        )
        with Environments(lambda: Lambda(binary("starter"), environment, "starter"), limit=6) as environments:
            with Gateway(environments) as gateway:
                yield Ways(Way(port, trusting), Way(gateway.port), gateway, environments)
    app.shutdown()


#     what                        method    target                    headers                                         body
SAME = [
    ("a page", "GET", "/app/page?a=1&b=%C3%A4|x", {}, None),
    ("an odd path", "GET", "/app/a%20b/%C3%A4/100%25", {}, None),
    ("a path that begins twice", "GET", "/app//evil.example.org/x", {}, None),
    ("cookies", "GET", "/app/echo", {"Cookie": "session=abc; theme=\"dark\"; n=1=2"}, None),
    ("authorization", "GET", "/app/echo", {"Authorization": "Bearer a.b-c_d"}, None),
    ("a form", "POST", "/app/echo", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&b=%20"),
    ("JSON", "PUT", "/app/echo", {"Content-Type": "application/json"}, '{"ä": "\\u0000"}'.encode()),
    ("a binary body", "POST", "/app/echo", {"Content-Type": "application/octet-stream"}, BINARY),
    ("an empty body", "POST", "/app/echo", {"Content-Type": "text/plain"}, b""),
    ("a patch", "PATCH", "/app/echo", {"Content-Type": "text/plain"}, b"x"),
    ("a deletion", "DELETE", "/app/echo", {}, None),
    ("options", "OPTIONS", "/app/echo", {"Origin": "https://other.example"}, None),
    ("several cookies are set", "GET", "/app/cookies", {}, None),
    ("a redirect", "GET", "/app/redirect", {}, None),
    ("another charset", "GET", "/app/latin", {}, None),
    ("bytes without a type", "GET", "/app/no-type", {}, None),
    ("nothing", "GET", "/app/empty", {}, None),
    ("an error of the app's own", "GET", "/app/error", {}, None),
    ("a file", "GET", "/binary.png", {}, None),
    ("a part of a file", "GET", "/binary.png", {"Range": "bytes=100-299"}, None),
    ("the end of a file", "GET", "/binary.png", {"Range": "bytes=-10"}, None),
    ("a part that is not there", "GET", "/binary.png", {"Range": "bytes=999999999-"}, None),
    ("text", "GET", "/text.txt", {}, None),
    ("compressed text", "GET", "/text.txt", {"Accept-Encoding": "gzip"}, None),
    ("what is not there", "GET", "/missing", {}, None),
    ("a head", "HEAD", "/binary.png", {}, None),
    ("text as large as it may be", "GET", "/app/large-text", {}, None),
]


@pytest.mark.parametrize("method, target, headers, body", [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_the_bridge_says_what_the_app_says(
    ways: Ways, method: str, target: str, headers: dict[str, str], body: bytes | None
) -> None:
    direct = ways.direct.ask(method, target, headers, body)
    bridged = ways.bridged.ask(method, target, headers, body)
    assert bridged.status == direct.status
    # How long a body is, is said by whoever sends it; here that is API Gateway, of which HEAD shows nothing.
    of_length = {"content-length"} if method == "HEAD" or direct.status in (204, 304) else set()
    if b'"target"' in direct.body:
        assert received(bridged) == received(direct)
        of_length = {"content-length"}
    else:
        assert bridged.body == direct.body
        chunked = ("transfer-encoding", "chunked") in [(name.lower(), value) for name, value in direct.headers]
        of_length |= {"content-length"} if chunked else set()
    assert bridged.end_to_end(of_length) == direct.end_to_end(of_length)


def received(got: Got) -> dict[str, Any]:
    """What the app got, without what the way there adds."""
    said: dict[str, Any] = json.loads(got.body)
    added = ("x-forwarded-", "x-amzn-trace-id", "connection", "content-length")
    said["headers"] = [header for header in said["headers"] if not header[0].startswith(added)]
    return said


def test_what_is_known_already_is_not_sent_again(ways: Ways) -> None:
    first = ways.bridged.ask("GET", "/binary.png")
    tag = dict(first.headers)["etag"]
    again = ways.bridged.ask("GET", "/binary.png", {"If-None-Match": tag})
    direct = ways.direct.ask("GET", "/binary.png", {"If-None-Match": tag})
    assert (again.status, again.body) == (direct.status, direct.body) == (304, b"")
    assert again.end_to_end() == direct.end_to_end()


def test_text_that_was_compressed_is_what_it_was(ways: Ways) -> None:
    got = ways.bridged.ask("GET", "/text.txt", {"Accept-Encoding": "gzip"})
    assert dict(got.headers)["content-encoding"] == "gzip" and gzip.decompress(got.body) == TEXT


def test_odd_headers_of_the_app_come_through_as_text(ways: Ways) -> None:
    got = ways.bridged.ask("GET", "/app/odd")
    headers = {name.lower(): value for name, value in got.headers}
    assert (got.status, got.body, headers["vary"]) == (299, b"odd", "Accept, Origin")
    assert headers["x-name"] == "Grüße", "Payload 2.0 knows text only"
    assert headers["set-cookie"] == "name=Grüße; Path=/"


def test_the_app_learns_who_asks(ways: Ways) -> None:
    got = ways.bridged.ask("GET", "/app/echo", {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example"})
    headers = dict(json.loads(got.body)["headers"])
    assert headers["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert (headers["x-forwarded-host"], headers["x-forwarded-proto"]) == (HOST, "https")
    assert headers["host"] == HOST


@pytest.mark.parametrize("target, headers, status, words", [
    ("/app/too-large", {}, 503, "too large"),
    ("/app/stream", {"Accept": "text/event-stream"}, 503, "stream"),
    ("/app/live", {"Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}, 503, "stays open"),
    ("/app/cut", {}, 502, "broke off"),
])
def test_what_cannot_be_bridged_is_said_clearly(
    ways: Ways, target: str, headers: dict[str, str], status: int, words: str
) -> None:
    began = time.monotonic()
    got = ways.bridged.ask("GET", target, headers)
    said = json.loads(got.body)
    assert (got.status, said["status"]) == (status, status)
    assert words in said["detail"] and int(dict(got.headers)["retry-after"]) > 0
    assert time.monotonic() - began < 3, "a stream is not waited for"


def event_with(ways: Ways, headers: dict[str, str], path: str = "/app/echo", body: str = "") -> dict[str, Any]:
    """A payload as no API Gateway would make it, straight to the function."""
    ways.bridged.ask("GET", "/app/echo")  # the function is warm and knows the app as ready
    event = json.loads(json.dumps(ways.gateway.exchanges[-1].event))
    event["headers"].update(headers)
    event.update(rawPath=path, body=body)
    answer: dict[str, Any] = ways.environments(event, 20)
    return answer


def test_a_request_never_becomes_two(ways: Ways) -> None:
    second = "GET /app/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    for headers in ({"transfer-encoding": "chunked"}, {"content-length": "5"}, {"te": "chunked", "connection": "te"}):
        said = json.loads(event_with(ways, headers, body=f"0\r\n\r\n{second}")["body"])
        assert said["body"] == hashlib.sha256(f"0\r\n\r\n{second}".encode()).hexdigest(), headers
        got = dict(said["headers"])
        assert got["content-length"] == str(len(f"0\r\n\r\n{second}")) and "transfer-encoding" not in got, headers


@pytest.mark.parametrize("headers", [
    {"x-evil": "a\r\nX-Injected: 1"}, {"x-evil": "a\n\nGET / HTTP/1.1"}, {"x-evil": "a\0b"}, {"x evil": "a"},
    {"x-evil\r\nx-injected": "1"},
])
def test_no_header_becomes_two(ways: Ways, headers: dict[str, str]) -> None:
    answer = event_with(ways, headers)
    assert answer["statusCode"] == 400 and "x-injected" not in answer["body"].lower()


def test_no_path_leads_elsewhere(ways: Ways) -> None:
    for path in ("http://evil.example.org/app/echo", "/app/echo HTTP/1.1\r\nHost: evil", "//evil.example.org/app/echo"):
        answer = event_with(ways, {"host": "evil.example.org"}, path=path)
        assert answer["statusCode"] in (200, 404), path
        if answer["statusCode"] == 200:
            assert dict(json.loads(answer["body"])["headers"])["host"] == HOST


def test_a_bridged_page_with_sixty_parallel_requests_is_served_whole(ways: Ways) -> None:
    with ThreadPoolExecutor(60) as pool:
        asked = [pool.submit(ways.bridged.ask, "GET", f"/binary.png?{number}") for number in range(60)]
        got = [future.result() for future in asked]
    assert [one.status for one in got] == [200] * 60
    assert all(one.body == BINARY for one in got)


def test_only_who_has_a_certificate_for_the_name_is_handed_a_visitors_cookies(tmp_path: Path) -> None:
    """A stranger answers at the address, with a certificate for another name: the probe fails, nothing is passed on."""
    authority = Authority(tmp_path)
    got: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("stranger.example.org"))
    with socket.create_server(("127.0.0.1", 0)) as listener, Moto() as moto:
        def serve() -> None:
            while True:
                try:
                    with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                        got.append(connection.recv(4096))
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        environment = add_target(moto).settings(
            **origin_at(listener.getsockname()[1], "https"), SSL_CERT_FILE=str(authority.roots)
        )
        with Environments(lambda: Lambda(binary("starter"), environment, "starter")) as one, Gateway(one) as gateway:
            answer = Way(gateway.port).ask("GET", "/", {"Cookie": "session=secret", "Accept": "text/html"})
        assert answer.status == 503 and b"TLS" in answer.body
        assert not any(b"secret" in sent for sent in got)
