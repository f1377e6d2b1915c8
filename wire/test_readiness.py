"""When is the app ready? The starter's own probe against a real server: over TLS, refused, unwell, hanging."""

from __future__ import annotations

import contextlib
import ssl
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Iterator

import pytest

from certificates import Authority
from emulator import free_port, http_event
from scene import HOST, Target, add_target, body, origin_at, settings, starter, status_poll, utc_now
from stand import App, Moto, wait_until

LONG_AGO = timedelta(hours=1)  # a boot that is overdue


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextlib.contextmanager
def serving(target: Target, tls: ssl.SSLContext | None = None) -> Iterator[App]:
    with App(target.moto, target.instance, boot_delay=0, tls=tls) as app:
        wait_until(lambda: app.listening, "the app")
        yield app


def status(target: Target, app: App | None = None, **more: str) -> dict[str, Any]:
    """What a cold starter says of an app at its port; of one where nothing listens when there is none."""
    scheme = "https" if app and app._tls else "http"
    origin = origin_at(app.port if app else free_port(), scheme)
    with starter({**settings(target.moto), **origin, **more}) as function:
        said: dict[str, Any] = body(function.invoke(status_poll()))
        return said


@pytest.fixture
def target(moto: Moto) -> Target:
    return add_target(moto, hours=0)


def launched(target: Target, ago: timedelta) -> None:
    target.moto.set_instance(target.instance, launched=utc_now() - ago)


def test_an_app_over_tls_is_ready_when_its_certificate_holds_for_its_name(target: Target, authority: Authority) -> None:
    trust = {"SSL_CERT_FILE": str(authority.roots)}
    with serving(target, authority.server(HOST)) as app:
        said = status(target, app, CATNAP_HEALTH_PATH="/health?deep=1", **trust)
        assert (said["reason"], said["phase"], said["ready"], said["can_wake"]) == ("ready", "ready", True, False)
        assert app.requests == ["/health?deep=1"]


@pytest.mark.parametrize("ago, reason, page", [
    (timedelta(0), "starting-app", "is waking up"), (LONG_AGO, "overdue", "takes longer than usual"),
])
def test_a_certificate_for_another_name_is_not_the_app(
    target: Target, authority: Authority, ago: timedelta, reason: str, page: str
) -> None:
    launched(target, ago)
    with serving(target, authority.server("other.example.com")) as app:
        environment = {**settings(target.moto), **origin_at(app.port, "https"), "SSL_CERT_FILE": str(authority.roots)}
        with starter(environment) as function:
            said = body(function.invoke(status_poll()))
            assert (said["reason"], said["probe"], said["ready"]) == (reason, {"seen": "tls-failed"}, False)
            shown = function.invoke(http_event())
            assert shown["statusCode"] == 503 and f"<title>{HOST} {page}</title>" in shown["body"]
            assert ("the TLS handshake fails" in shown["body"]) == (reason == "overdue")
        assert app.requests == [], "nothing was sent to whoever this is"


@pytest.mark.parametrize("certificate", ["run out", "of an unknown authority"])
def test_a_certificate_that_does_not_hold_is_not_the_app(
    target: Target, authority: Authority, tmp_path: Path, certificate: str
) -> None:
    if certificate == "run out":
        tls = authority.server(HOST, ends_in=timedelta(hours=-1))
    else:
        tls = Authority(tmp_path).server(HOST)
    with serving(target, tls) as app:
        said = status(target, app, SSL_CERT_FILE=str(authority.roots))
        assert (said["probe"], said["ready"]) == ({"seen": "tls-failed"}, False)
        assert app.requests == []


def test_a_server_without_tls_is_not_an_app_over_tls(target: Target, authority: Authority) -> None:
    with serving(target) as app:
        said = status(target, app, SSL_CERT_FILE=str(authority.roots), **origin_at(app.port, "https"))
        assert (said["probe"]["seen"], said["ready"]) == ("tls-failed", False)


@pytest.mark.parametrize("code, ready", [(204, True), (302, True), (401, True), (404, True), (499, True),
                                         (500, False), (502, False), (503, False)])
def test_any_answer_below_500_is_the_app(target: Target, code: int, ready: bool) -> None:
    with serving(target) as app:
        app.status = code
        said = status(target, app)
        assert said["ready"] == ready
        assert said.get("probe") == (None if ready else {"seen": "unwell", "status": code})


def test_502_for_too_long_is_overdue_and_counted(target: Target) -> None:
    launched(target, LONG_AGO)
    with serving(target) as app:
        app.status = 502
        with starter({**settings(target.moto), **origin_at(app.port)}) as function:
            page = function.invoke(http_event())
            assert (page["statusCode"], "it answers with HTTP status 502" in page["body"]) == (503, True)
            wait_until(lambda: any(record.get("Overdue") == 1 for record in function.records()), "its count", 5)
        said = status(target, app)
        assert (said["reason"], said["probe"]) == ("overdue", {"seen": "unwell", "status": 502})
        assert 3600 <= said["running_seconds"] < 3700


def test_where_nothing_listens_the_app_is_starting(target: Target) -> None:
    said = status(target)
    assert (said["reason"], said["state"], said["probe"]) == ("starting-app", "running", {"seen": "refused"})


def test_an_app_that_hangs_is_as_well_as_route_53_says(target: Target) -> None:
    with serving(target) as app:
        app.hangs = True
        began = time.monotonic()
        said = status(target, app)
        assert time.monotonic() - began < 5, "the visitor waits for this"
        assert (said["reason"], said["probe"]) == ("starting-app", {"seen": "timed-out"})
        assert target.moto.calls("GetHealthCheckStatus") == [], "no health check, nobody to ask"

        said = status(target, app, CATNAP_HEALTH_CHECK_ID=target.check)
        assert (said["reason"], said["ready"]) == ("ready", True)
        [asked] = target.moto.arrived("GetHealthCheckStatus")
        assert asked["region"] == "us-east-1"

        target.moto.refuse("GetHealthCheckStatus", "Throttling", times=9)
        said = status(target, app, CATNAP_HEALTH_CHECK_ID=target.check)
        assert (said["reason"], said["ready"]) == ("starting-app", False), "an error is no success"


def test_a_refused_connection_is_an_answer_of_its_own(target: Target) -> None:
    said = status(target, CATNAP_HEALTH_CHECK_ID=target.check)
    assert said["ready"] is False
    assert target.moto.calls("GetHealthCheckStatus") == []
