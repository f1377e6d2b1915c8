"""AWS Lambda on this machine: a function's bootstrap under AWS's own runtime emulator, and events to send it."""

from __future__ import annotations

import base64
import copy
import http.client
import importlib.util
import itertools
import json
import os
import platform
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
OWN_ROUTES = ("GET /.catnap/status", "POST /.catnap/wake")  # the others come through $default
INVOKE = "/2015-03-31/functions/function/invocations"

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy stands between us and ourselves


class FunctionFailed(Exception):
    """The function answered with an error, ended, or took longer than its time-out."""


class EmulatorDied(FunctionFailed):
    """AWS's emulator hung up or is gone. That is the stand-in's failure: Lambda itself loses no invocation so."""


# Below those that the system gives to outgoing connections, which could take one before it is listened on. Each is
# handed out once before any comes again, so that two who start at the same time never get the same.
PORTS = itertools.cycle(random.sample(range(20_000, 32_768), 12_768))


def free_port() -> int:
    """One that nobody listens on, and that nobody else is about to."""
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a cycle does not end")


def binary(name: str, directory: Path | str | None = None, made_by: str = "make test") -> Path:
    """One of the pair's executables, in CATNAP_BIN_DIR or where a debug build leaves it."""
    folder = Path(directory or os.environ.get("CATNAP_BIN_DIR") or ROOT / "target" / "debug")
    for path in (folder / name, folder / name / "bootstrap"):
        if path.is_file():
            return path.resolve()
    raise FileNotFoundError(f"{name} is not in {folder}: `{made_by}` builds it")


def emulator() -> Path:
    """It comes inside the package of the SAM command line. Linux only, as Lambda is."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
    package = importlib.util.find_spec("samcli")
    if platform.system() != "Linux" or not machine or not package or not package.origin:
        raise RuntimeError("the runtime emulator needs Linux on x86_64 or arm64, and the Python package aws-sam-cli")
    return Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"


class Lambda:
    """One function, kept warm between invocations. Its environment is what is given and nothing of ours.

    `logs` has every line that the function and the emulator wrote, `records` the function's JSON ones.
    """

    def __init__(
        self, command: Path | str | Sequence[str], env: Mapping[str, str], name: str = "catnap",
        timeout: int = 29, memory: int = 256,
    ) -> None:
        self.name = name
        self.logs: list[str] = []
        self._port = free_port()
        self._closed = False
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            **env,
        }
        bootstrap = [str(command)] if isinstance(command, (str, Path)) else list(command)
        self._process = subprocess.Popen(
            [
                str(emulator()),
                "--log-level", "warn",
                "--runtime-interface-emulator-address", f"127.0.0.1:{self._port}",
                "--runtime-api-address", f"127.0.0.1:{free_port()}",
                *bootstrap,
            ],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_logs, daemon=True)
        self._reader.start()
        try:
            self._wait_for_port()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Lambda:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def invoke(self, event: Mapping[str, Any], timeout: float = 60) -> dict[str, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{INVOKE}", json.dumps(event).encode())
        try:
            with direct.open(request, timeout=timeout) as answer:
                said = answer.read()
        except urllib.error.HTTPError as error:
            raise self._failed(f"the function ended without an answer (HTTP {error.code})") from None
        except (http.client.HTTPException, ConnectionError, urllib.error.URLError) as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                raise
            raise self._failed(f"the runtime emulator hung up: {error!r}", EmulatorDied) from None
        try:
            result: dict[str, Any] = json.loads(said)
        except ValueError:
            raise self._failed(said.decode(errors="replace")) from None
        if isinstance(result, dict) and "errorType" in result:
            raise self._failed(f"{result['errorType']}: {result.get('errorMessage')}")
        return result

    def records(self) -> list[dict[str, Any]]:
        found = []
        for line in list(self.logs):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                found.append(record)
        return found

    def close(self) -> None:
        """Ends the emulator and then whatever it started: each has a process group of its own in one session."""
        if self._closed:  # its session's number may be somebody else's by now
            return
        self._closed = True
        session = self._process.pid
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in pids_of_session(session):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._reader.join(3)

    def _failed(self, why: str, kind: type[FunctionFailed] = FunctionFailed) -> FunctionFailed:
        time.sleep(0.2)  # its last lines are still on their way
        return kind("\n".join([f"{self.name}: {why}", *self.logs[-20:]]))

    def _read_logs(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.logs.append(line.decode(errors="replace").rstrip("\n"))

    def _wait_for_port(self, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise self._failed("the runtime emulator does not answer", EmulatorDied) from None
                time.sleep(0.02)


def pids_of_session(session: int) -> list[int]:
    return pids_where(3, session)


def pids_where(field: int, value: int) -> list[int]:
    """Processes by a field of /proc/PID/stat, counted from the state on: 1 is the parent, 3 the session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            if int(fields[field]) == value:
                found.append(int(entry.name))
    return found


def http_event(
    method: str = "GET", path: str = "/", host: str = "app.example.com", headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None, **context: Any,
) -> dict[str, Any]:
    """An event of API Gateway's payload format 2.0.

    Without `headers` it carries those of a browser's navigation (`events/visit.json`); with them it carries these
    alone, beside what API Gateway adds. `context` goes into requestContext, or into its `http` part: `sourceIp="…"`.
    """
    event: dict[str, Any] = copy.deepcopy(json.loads((ROOT / "events" / "visit.json").read_text()))
    added = {name: value for name, value in event["headers"].items() if name.startswith("x-")}
    browser = {name: value for name, value in event["headers"].items() if name not in added}
    sent = {name.lower(): value for name, value in (browser if headers is None else headers).items()}
    cookies = sent.pop("cookie", None)
    event["headers"] = {**added, **sent, "host": host}
    event.pop("cookies", None)
    if cookies:
        event["cookies"] = cookies.split("; ")

    route, _, query = path.partition("?")
    event["rawPath"], event["rawQueryString"] = route, query
    event.pop("queryStringParameters", None)
    if query:
        event["queryStringParameters"] = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    raw = body.encode() if isinstance(body, str) else body or b""
    if body is not None:
        event["isBase64Encoded"] = isinstance(body, bytes)
        event["body"] = base64.b64encode(raw).decode() if isinstance(body, bytes) else body

    request = event["requestContext"]
    own = f"{method} {route}" in OWN_ROUTES
    event["routeKey"] = request["routeKey"] = f"{method} {route}" if own else "$default"
    request["domainName"], request["domainPrefix"] = host, host.split(".")[0]
    request["http"].update(method=method, path=route, userAgent=sent.get("user-agent", ""))
    for name, value in context.items():
        (request["http"] if name in request["http"] else request)[name] = value
    via = [sent["x-forwarded-for"]] if "x-forwarded-for" in sent else []
    event["headers"]["x-forwarded-for"] = ", ".join([*via, request["http"]["sourceIp"]])
    event["headers"]["content-length"] = str(len(raw))
    return event
