"""CloudWatch's newest protocol over its older one: AWS's Rust SDK asks in CBOR (Smithy's RPC v2), moto knows JSON.

The body of a request is turned into JSON and the answer back, by the shapes of botocore's service model. CBOR is
RFC 8949, as far as that protocol uses it.
"""

from __future__ import annotations

import io
import json
import struct
from typing import Any, Callable, Iterable

import botocore.session
from botocore.model import ServiceModel, Shape

PATH = "/service/"
BREAK = object()


class CloudWatchInCbor:
    def __init__(self, moto: Callable[..., Iterable[bytes]]) -> None:
        self.moto = moto
        self.model: ServiceModel = botocore.session.get_session().get_service_model("cloudwatch")

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any], operation: str, body: bytes
    ) -> Iterable[bytes]:
        asked = json.dumps(read(io.BytesIO(body)) if body else {}).encode()
        started: list[str] = []
        as_json = {
            **environ,
            "PATH_INFO": "/", "REQUEST_URI": "/", "RAW_URI": "/",
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(asked)),
            "HTTP_X_AMZ_TARGET": f"{self.model.metadata['targetPrefix']}.{operation}",
            "wsgi.input": io.BytesIO(asked),
        }
        said = b"".join(self.moto(as_json, lambda status, *_: started.append(status)))
        value = json.loads(said or b"{}")
        if not started[0].startswith("200"):
            return refuse(start_response, started[0], value.get("__type", ""), value.get("message", ""))
        return answer(start_response, started[0], write(value, self.model.operation_model(operation).output_shape))


def refuse(start_response: Callable[..., Any], status: str, code: str, message: str) -> Iterable[bytes]:
    return answer(start_response, status, write({"__type": code, "message": message}))


def answer(start_response: Callable[..., Any], status: str, body: bytes) -> Iterable[bytes]:
    headers = [("Content-Type", "application/cbor"), ("Smithy-Protocol", "rpc-v2-cbor")]
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]


def read(data: io.BytesIO) -> Any:
    first = data.read(1)[0]
    kind, argument = first >> 5, first & 31
    if kind == 7:
        return simple(data, argument)
    endless = argument == 31
    count = argument if argument < 24 or endless else int.from_bytes(data.read(1 << (argument - 24)), "big")
    if kind in (0, 1):
        return count if kind == 0 else -1 - count
    if kind in (2, 3):
        empty: Any = "" if kind == 3 else b""
        if endless:  # in pieces, each of the same kind
            return empty.join(until_break(data))
        text = data.read(count)
        return text.decode() if kind == 3 else text
    if kind == 6:
        return read(data)  # the one tag in use says that a number is a time, which JSON has as a number too
    values = list(until_break(data)) if endless else [read(data) for _ in range(count * (kind - 3))]
    return values if kind == 4 else dict(zip(values[::2], values[1::2]))


def until_break(data: io.BytesIO) -> Iterable[Any]:
    while (value := read(data)) is not BREAK:
        yield value


def simple(data: io.BytesIO, argument: int) -> Any:
    floats = {25: ">e", 26: ">f", 27: ">d"}
    if argument in floats:
        return struct.unpack(floats[argument], data.read(struct.calcsize(floats[argument])))[0]
    return {20: False, 21: True, 22: None, 23: None, 31: BREAK}[argument]


def write(value: Any, shape: Shape | None = None) -> bytes:
    """`shape` tells what JSON cannot: which numbers are times, and which are floating."""
    kind = shape.type_name if shape else ""
    if kind == "timestamp":
        return b"\xc1" + write(float(value))
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, float) or kind in ("double", "float"):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(write(item, getattr(shape, "member", None)) for item in value)
    members = getattr(shape, "members", {})
    parts = (write(key) + write(item, members.get(key)) for key, item in value.items())
    return head(5, len(value)) + b"".join(parts)


def head(kind: int, count: int) -> bytes:
    if count < 24:
        return bytes([kind << 5 | count])
    size = next(power for power in range(4) if count < 1 << (8 << power))
    return bytes([kind << 5 | 24 + size]) + count.to_bytes(1 << size, "big")
