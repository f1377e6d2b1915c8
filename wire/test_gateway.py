"""The gateway turns HTTP into payload 2.0 and back as API Gateway does."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator

import pytest

from emulator import ROOT, EmulatorDied, FunctionFailed
from gateway import MAX_PAYLOAD, SOURCE_HEADER, Environments, Event, Gateway
from scene import HOST, add_idle_target, starter
from stand import Moto


class Echo:
    """Keeps the last event, and answers with what it was given to answer with."""

    def __init__(self) -> None:
        self.event: Event = {}
        self.answer: Any = {"statusCode": 204}

    def __call__(self, event: Event, timeout: float) -> Any:
        self.event = event
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def gateway(echo: Echo) -> Iterator[Gateway]:
    with Gateway(echo) as gateway:
        yield gateway


def ask(
    gateway: Gateway, target: str = "/", method: str = "GET", body: bytes = b"",
    headers: tuple[tuple[str, str], ...] = (),
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in (("Host", HOST), (SOURCE_HEADER, "203.0.113.24"), *headers):
        connection.putheader(name, value)
    if body:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None)
    answer = connection.getresponse()
    said = answer.status, answer.getheaders(), answer.read()
    connection.close()
    return said


def test_a_request_becomes_the_event_that_api_gateway_makes_of_it(gateway: Gateway, echo: Echo) -> None:
    headers = (
        ("Accept", "text/html"), ("X-Twice", "a"), ("X-Twice", "b"), ("Cookie", "one=1; two=2"), ("Cookie", "three=3"),
        ("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "http"), ("Connection", "keep-alive"),
        ("TE", "trailers"),
    )
    ask(gateway, "//a%20b/%C3%BC?q=%20x&q=y&empty=", headers=headers)
    event = echo.event
    assert (event["rawPath"], event["rawQueryString"]) == ("//a b/ü", "q=%20x&q=y&empty=")
    assert event["queryStringParameters"] == {"q": " x,y", "empty": ""}
    assert event["cookies"] == ["one=1", "two=2", "three=3"]
    sent = {name: value for name, value in event["headers"].items() if name != "x-amzn-trace-id"}
    assert sent == {
        "host": HOST, "accept": "text/html", "x-twice": "a,b", "content-length": "0",
        "x-forwarded-for": "192.0.2.1, 203.0.113.24", "x-forwarded-port": "443", "x-forwarded-proto": "https",
    }
    context = event["requestContext"]
    assert (context["domainName"], context["http"]["sourceIp"]) == (HOST, "203.0.113.24")
    assert (context["http"]["path"], context["routeKey"]) == ("//a b/ü", "$default")
    assert "body" not in event


def test_its_events_have_the_fields_of_the_samples(gateway: Gateway, echo: Echo) -> None:
    sample = json.loads((ROOT / "events" / "status.json").read_text())
    added = ("x-", "host", "content-length")
    headers = tuple((name, value) for name, value in sample["headers"].items() if not name.startswith(added))
    ask(gateway, f"{sample['rawPath']}?{sample['rawQueryString']}", headers=headers)
    assert echo.event["headers"].keys() == sample["headers"].keys()
    assert echo.event.keys() == sample.keys()
    assert echo.event["requestContext"].keys() == sample["requestContext"].keys()
    assert echo.event["requestContext"]["http"].keys() == sample["requestContext"]["http"].keys()
    assert echo.event["routeKey"] == sample["routeKey"] == "GET /.catnap/status"


@pytest.mark.parametrize(("content_type", "body", "is_text"), [
    ("application/json; charset=utf-8", b'{"a": "\xc3\xbc"}', True),
    ("text/plain", b"x", True),
    ("text/plain", b"\xff\xfe", False),
    ("application/octet-stream", b"plain enough", False),
    ("application/x-www-form-urlencoded", b"a=b", False),
    ("multipart/form-data; boundary=x", b"--x--", False),
])
def test_a_body_comes_as_text_or_in_base64(
    gateway: Gateway, echo: Echo, content_type: str, body: bytes, is_text: bool
) -> None:
    ask(gateway, method="POST", body=body, headers=(("Content-Type", content_type),))
    assert echo.event["isBase64Encoded"] is not is_text
    assert echo.event["body"] == (body.decode() if is_text else base64.b64encode(body).decode())
    assert echo.event["headers"]["content-length"] == str(len(body))


def test_an_answer_goes_out_with_its_cookies_and_without_what_belongs_to_one_connection(
    gateway: Gateway, echo: Echo
) -> None:
    raw = bytes(range(256))
    hop_by_hop = {"connection": "close", "transfer-encoding": "chunked", "content-length": "9"}
    echo.answer = {
        "statusCode": 206, "isBase64Encoded": True, "body": base64.b64encode(raw).decode(),
        "headers": {"content-type": "image/png", **hop_by_hop}, "cookies": ["a=1", "b=2; Secure"],
        "multiValueHeaders": {"x-never": ["sent"]},
    }
    status, headers, body = ask(gateway)
    assert (status, body) == (206, raw)
    names = [name.lower() for name, _ in headers]
    assert [value for name, value in headers if name.lower() == "set-cookie"] == ["a=1", "b=2; Secure"]
    assert sorted(names) == ["apigw-requestid", "content-length", "content-type", "set-cookie", "set-cookie"]
    assert ask(gateway, method="HEAD")[2] == b""


def test_what_is_too_large_is_refused_before_the_function_sees_it(gateway: Gateway, echo: Echo) -> None:
    assert ask(gateway, "/" + "x" * 10_050)[0] == 204
    echo.event = {}
    assert ask(gateway, "/" + "x" * 10_240)[0] == 431
    assert ask(gateway, headers=(("X-Long", "x" * 10_240),))[0] == 431
    assert ask(gateway, method="POST", body=b"x" * (10 * 1024 * 1024 + 1))[0] == 413
    assert ask(gateway, method="POST", body=b"x" * (5 * 1024 * 1024))[0] == 413, "6 MB of base64 for Lambda"
    assert echo.event == {}


@pytest.mark.parametrize("answer", [
    {"statusCode": 200, "body": "x" * MAX_PAYLOAD},
    {"statusCode": 200, "body": "not base64", "isBase64Encoded": True},
    {"statusCode": 200, "headers": {"x": "a\r\nset-cookie: b"}},
    {"statusCode": 200, "headers": {"not a name": "a"}},
    {"statusCode": "soon"},
    {"statusCode": 42},
    FunctionFailed("it fell over"),
])
def test_a_function_that_fails_or_answers_nonsense_is_an_internal_server_error(
    gateway: Gateway, echo: Echo, answer: Any
) -> None:
    echo.answer = answer
    status, _, body = ask(gateway)
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})


def test_a_function_that_takes_too_long_is_unavailable(gateway: Gateway, echo: Echo) -> None:
    echo.answer = TimeoutError()
    assert ask(gateway)[0] == 503


def test_an_answer_that_is_no_answer_is_a_body(gateway: Gateway, echo: Echo) -> None:
    echo.answer = {"hello": "there"}
    assert ask(gateway)[::2] == (200, b'{"hello": "there"}')


def test_each_concurrent_request_has_an_environment_of_its_own(moto: Moto) -> None:
    target = add_idle_target(moto)
    with Environments(lambda: starter(target.settings()), limit=3) as function, Gateway(function) as gateway:
        assert ask(gateway, headers=(("Accept", "application/json"),))[0] == 503
        assert ask(gateway)[0] == 503
        assert len(function.all) == 1, "one after the other they share it"
        seen: list[int] = []
        threads = [threading.Thread(target=lambda: seen.append(ask(gateway)[0])) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert seen == [503] * 12
        assert len(function.all) == 3, "at most as many as there may be"
        assert len(gateway.exchanges) == 14 and all(exchange.took > 0 for exchange in gateway.exchanges)


class Warm:
    """An environment that does what it is told with each event: answers, or fails."""

    def __init__(self) -> None:
        self.closed = False

    def invoke(self, event: Event, timeout: float) -> Any:
        assert not self.closed, "nobody is sent to one that is gone"
        if failure := event.pop("failure", None):
            raise failure
        return self

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("failure", [FunctionFailed("it ended"), TimeoutError(), EmulatorDied("nil dereference")])
def test_an_environment_that_failed_takes_no_further_request_and_gives_up_its_place(failure: Exception) -> None:
    with Environments(Warm, limit=1) as function:  # type: ignore[arg-type]
        first = function({}, 1)
        assert function({}, 1) is first
        if isinstance(failure, EmulatorDied):
            second = function({"failure": failure}, 1)  # the stand-in's failure is not the function's: once more
        else:
            with pytest.raises(type(failure)):
                function({"failure": failure}, 1)
            second = function({}, 1)
        assert (first.closed, second.closed, len(function.all)) == (True, False, 2)
        assert function({}, 1) is second


def test_an_emulator_that_dies_twice_is_told() -> None:
    class Dying(Warm):
        def invoke(self, event: Event, timeout: float) -> Any:
            raise EmulatorDied("nil dereference")

    with Environments(Dying, limit=1) as function:  # type: ignore[arg-type]
        with pytest.raises(EmulatorDied):
            function({}, 1)
        assert len(function.all) == 2


def test_an_environment_that_does_not_start_gives_up_its_place() -> None:
    starts = iter([FunctionFailed("no memory"), None])

    def start() -> Any:
        if failure := next(starts):
            raise failure
        return Warm()

    with Environments(start, limit=1) as function:
        with pytest.raises(FunctionFailed):
            function({}, 1)
        assert not function({}, 1).closed


def test_who_waits_gets_the_place_of_one_that_failed() -> None:
    fails, begun = threading.Event(), threading.Event()

    class Slow(Warm):
        def invoke(self, event: Event, timeout: float) -> Any:
            if "slow" in event:
                begun.set()
                fails.wait(10)
                raise FunctionFailed("at last")
            return "answered"

    with Environments(Slow, limit=1) as function:  # type: ignore[arg-type]
        with ThreadPoolExecutor(2) as pool:
            failing = pool.submit(function, {"slow": True}, 10)
            assert begun.wait(10)
            with pytest.raises(TimeoutError):
                function({}, 0.05)
            waiting = pool.submit(function, {}, 10)
            fails.set()
            assert waiting.result(10) == "answered"
            assert isinstance(failing.exception(10), FunctionFailed)
