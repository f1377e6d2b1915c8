"""The true starter over the simulated cloud, behind HTTP: `front` stands where API Gateway does.

The world (`starter/examples/page.rs`) is a process of its own with a clock of its own.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Iterator

from emulator import ROOT, http_event

APP = "app.example.com"
HOME = f"https://{APP}/"
API = "abc123def4.execute-api.eu-central-1.amazonaws.com"
BINARY = ROOT / "target" / "debug" / "examples" / "page"

# Every phase that a visitor can meet: what makes it, and whether the page's first wake call is part of it.
SCENES: dict[str, dict[str, Any]] = {
    "asleep": {},
    "asleep-dry-run": {"new": {"CATNAP_DRY_RUN": "true"}},
    "falling-asleep": {"set": {"state": "stopping"}},
    "waking": {"asks": True},
    "booting": {"set": {"state": "pending", "launched_seconds_ago": 8}},
    "starting": {"set": {"state": "running", "launched_seconds_ago": 41, "app": "refused"}},
    "longer": {"set": {"state": "running", "launched_seconds_ago": 150, "app": "refused"}},
    "overdue": {"set": {"state": "running", "launched_seconds_ago": 420, "app": "tls-failed"}},
    "ready": {"set": {"state": "running", "launched_seconds_ago": 60}},
    "waiting-for-capacity": {"asks": True, "set": {"refuses": "capacity"}},
    "waiting-for-quota": {"asks": True, "set": {"refuses": "quota"}},
    "already-waking": {"asks": True, "set": {"refuses": "throttled"}},
    "start-refused": {"asks": True, "set": {"refuses": "unreachable"}},
    "start-refused-for-good": {"asks": True, "set": {"refuses": "spot"}},
    "failed": {"set": {"state_reason": "Server.InternalError", "launched_seconds_ago": 60}},
    "failed-for-good": {"set": {"state_reason": "Client.InternalError", "launched_seconds_ago": 60}},
    "on-hold": {"set": {"tags": {"catnap:hold": "true"}}},
    "on-hold-until": {"set": {"tags": {"catnap:hold": "2099-03-01T12:00:00Z"}}},
    "gone": {"set": {"state": "terminated"}},
    "no-address": {"set": {"state": "running", "no_address": True}},
    "checking": {"set": {"unseen": "throttled"}},
    "not-permitted": {"set": {"unseen": "not-permitted"}},
    "unknown-host": {"new": {"CATNAP_INSTANCE_ID": "", "CATNAP_APP_DOMAIN": "other.example.com"},
                     "set": {"tags": {"catnap:host": "other.example.com"}}},
}


class World:
    """One instance that naps, and a warm starter in front of it."""

    def __init__(self) -> None:
        if not BINARY.is_file():
            raise FileNotFoundError(f"{BINARY} is missing: `make page-binary` builds it")
        self._lock = threading.Lock()
        self._process = subprocess.Popen([BINARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, **command: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        with self._lock:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["ok"]

    def begin(self, scene: str = "asleep", **variables: str) -> None:
        """A new world in which this scene is set."""
        made = SCENES[scene]
        # With the bridge there would be no page once the app is ready.
        self.tell(new={"CATNAP_STATUS_ORIGIN": f"https://{API}", "CATNAP_HANDOFF": "poll", **made.get("new", {}), **variables})
        if "set" in made:
            self.set(**made["set"])

    def set(self, **changes: Any) -> None:
        self.tell(set=changes)

    def seconds(self, seconds: float) -> None:
        self.tell(seconds=seconds)

    @property
    def starts(self) -> int:
        return int(self.tell(calls="StartInstances"))


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    host: str
    path: str
    headers: dict[str, str]
    status: int


@dataclass
class Front:
    """What the browser reaches. A test may put pages of the app in front of the starter, and doctor its answers."""

    world: World
    asked: list[Asked] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)  # in the app's role, by path; on any host
    doctor: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    is_down: bool = False
    has_turned: bool = False  # DNS leads the app's own host to the instance: `pages`, and 404 for all else
    busy: int = 0
    port: int = 0

    def forget(self) -> None:
        self.asked.clear()
        self.pages.clear()
        self.doctor, self.is_down, self.has_turned = lambda answer: answer, False, False

    def of(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method and one.path.partition("?")[0] == path]

    @property
    def wakes(self) -> list[Asked]:
        return self.of("POST", "/.catnap/wake")

    @property
    def polls(self) -> list[Asked]:
        return self.of("GET", "/.catnap/status")

    def answer(self, method: str, host: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
        page = self.pages.get(path) or self.pages.get(path.partition("?")[0])
        if page is not None or (self.has_turned and host == APP):
            status = 404 if page is None else 200
            answer = {"statusCode": status, "headers": {"content-type": "text/html; charset=utf-8"}, "body": page or ""}
        else:
            event = http_event(method, path, host, headers)
            answer = self.doctor(self.world.tell(ask=event, nonce=secrets.token_hex(16)))
        self.asked.append(Asked(method, host, path, headers, answer["statusCode"]))
        return answer


@contextlib.contextmanager
def serving(front: Front, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Front]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            front.busy += 1
            try:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                host = headers.pop("host", "").partition(":")[0]
                if front.is_down:
                    front.asked.append(Asked(self.command, host, self.path, headers, 0))
                    self.close_connection = True
                    return
                answer = front.answer(self.command, APP if host == "localhost" else host, self.path, headers)
                body = answer["body"].encode()
                self.send_response(answer["statusCode"])
                for name, value in answer["headers"].items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            finally:
                front.busy -= 1

        do_GET = do_POST = do_HEAD = do_OPTIONS = handle_any

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a browser hangs up whenever it likes

    server = Server(("127.0.0.1", port), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    front.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()


def chromium_arguments(front: Front) -> list[str]:
    """All the names of these tests lead to the front, and no other name leads anywhere."""
    names = [f"MAP {name} 127.0.0.1:{front.port}" for name in ("*.example.com", "*.example.org", API)]
    rules = ",".join([*names, "MAP * ~NOTFOUND"])
    return ["--no-sandbox", "--ignore-certificate-errors", f"--host-resolver-rules={rules}"]
