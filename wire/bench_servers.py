"""The two ends that a measured function talks to: Lambda's runtime API, and EC2 with recorded answers.

Both are bare socket servers in the measuring process. The runtime emulator would more than double the floor's figure
(3.6 ms instead of 1.5) and spread it seven times as wide, and moto takes 7 ms for one DescribeInstances.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
import time
from pathlib import Path
from typing import Any, Awaitable, Callable, NamedTuple, TypeVar
from urllib.parse import parse_qs

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from emulator import ROOT
from stand import Moto

AFTER_THE_BENCH = datetime.timedelta(days=2)
Self = TypeVar("Self", bound="Server")


class Request(NamedTuple):
    method: str
    path: str
    body: bytes
    headers: dict[str, str]  # names in lower case


class Server:
    """Keep-alive HTTP/1.1, as little of it as the measured clients use."""

    def __init__(self, answer: Callable[[Request], Awaitable[bytes]], tls: ssl.SSLContext | None = None) -> None:
        self._answer, self._tls = answer, tls
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self: Self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            while True:
                request = await read_request(reader)
                writer.write(await self._answer(request))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the client has gone, or we are closing
        finally:
            self._open.discard(task)
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
    elif length := int(headers.get("content-length", 0)):
        body = await reader.readexactly(length)
    return Request(method, path, body, headers)


def response(status: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class Answer(NamedTuple):
    at: float
    value: dict[str, Any]
    size: int


class FunctionError(Exception):
    """The function reported an error instead of an answer."""


class RuntimeApi(Server):
    """Lambda's runtime API for one function: hands out events and takes the answers, with the moment of each."""

    def __init__(self, timeout: int = 29) -> None:
        super().__init__(self._handle)
        self._timeout = timeout
        self._events: asyncio.Queue[bytes] = asyncio.Queue()
        self._answers: asyncio.Queue[tuple[float, bool, bytes]] = asyncio.Queue()

    def offer(self, event: dict[str, Any]) -> None:
        self._events.put_nowait(json.dumps(event).encode())

    async def answer(self) -> Answer:
        at, good, body = await self._answers.get()
        if not good:
            raise FunctionError(body.decode(errors="replace"))
        return Answer(at, json.loads(body), len(body))

    async def _handle(self, request: Request) -> bytes:
        if request.path.endswith("/next"):
            headers = {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self._timeout) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:bench",
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            }
            return response("200 OK", await self._events.get(), headers)
        self._answers.put_nowait((time.perf_counter(), request.path.endswith("/response"), request.body))
        return response("202 Accepted", b"", {})


def record_ec2(region: str) -> tuple[str, dict[str, bytes]]:
    """A stopped instance's id, and moto's answers to what the functions ask about it."""
    recorded: dict[str, bytes] = {}

    def keep(http_response: Any, model: Any, **_: Any) -> None:
        recorded[model.name] = http_response.content

    with Moto(region=region) as moto:
        instance_id = moto.run_instance({"Name": "bench", "catnap:host": "app.example.com"})
        ec2 = moto.client("ec2")
        ec2.stop_instances(InstanceIds=[instance_id])
        ec2.meta.events.register("after-call.ec2", keep)
        ec2.describe_instances(InstanceIds=[instance_id])
        ec2.start_instances(InstanceIds=[instance_id])
    return instance_id, recorded


class Ec2(Server):
    """EC2 with recorded answers. `calls` has the operations that arrived."""

    def __init__(self, recorded: dict[str, bytes], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._handle, tls)
        headers = {"Content-Type": "text/xml;charset=UTF-8"}
        self._recorded = {name: response("200 OK", body, headers) for name, body in recorded.items()}
        self.calls: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http{'s' if self._tls else ''}://localhost:{self.port}"

    async def _handle(self, request: Request) -> bytes:
        operation = parse_qs(request.body.decode()).get("Action", ["?"])[0]
        self.calls.append(operation)
        unknown = response("400 Bad Request", b"<Response/>", {"Content-Type": "text/xml"})
        return self._recorded.get(operation, unknown)


def make_tls(folder: Path) -> ssl.SSLContext:
    """A server's certificate, and for each kind of function a bundle that trusts it among the roots that it has in
    production: `everyday.pem` is botocore's own, `aws.pem` the few that are built into Catnap.
    """
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(name: str, issuer: str, key: Any, signed_by: Any, authority: bool) -> x509.Certificate:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - AFTER_THE_BENCH)
            .not_valid_after(now + AFTER_THE_BENCH)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key()), critical=False)
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signed_by, hashes.SHA256())

    authority_key, server_key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    authority = certificate("Bench authority", "Bench authority", authority_key, authority_key, True)
    server = certificate("localhost", "Bench authority", server_key, authority_key, False)

    pem = serialization.Encoding.PEM
    secret = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(server.public_bytes(pem) + secret)
    everyday = (Path(botocore.__file__).parent / "cacert.pem").read_bytes()
    built_in = (ROOT / "shared" / "src" / "aws" / "roots.pem").read_bytes()
    for name, roots in (("everyday.pem", everyday), ("aws.pem", built_in)):
        (folder / name).write_bytes(roots + b"\n" + authority.public_bytes(pem))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context
