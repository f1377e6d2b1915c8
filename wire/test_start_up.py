"""A function that is set up wrong says so at once, by name, and does not start."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from emulator import FunctionFailed, Lambda, binary, http_event
from scene import settings
from stand import Moto

WELL = {
    "CATNAP_APP_DOMAIN": "app.example.com",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",  # nobody listens: what starts all the same ends otherwise
}
BOTH = ("starter", "stopper")


def refusal(function: str, **changed: str | None) -> str:
    """What the function says as it ends for a setting that it cannot use."""
    environment = {name: value for name, value in {**WELL, **changed}.items() if value is not None}
    began = time.monotonic()
    ended = subprocess.run([str(binary(function))], env=environment, capture_output=True, text=True, timeout=10)
    assert time.monotonic() - began < 2
    assert ended.returncode == 1, ended.stderr
    assert "panicked" not in ended.stderr, ended.stderr
    [line] = ended.stdout.splitlines()
    record = json.loads(line)
    assert record["level"] == "ERROR"
    return str(record["message"])


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("value", [None, "", "  "], ids=["missing", "empty", "blank"])
def test_the_app_s_name_must_be_set(function: str, value: str | None) -> None:
    said = refusal(function, CATNAP_APP_DOMAIN=value)
    assert said == "CATNAP_APP_DOMAIN is not set: it takes a host name such as app.example.com"


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("variable, value, takes", [
    ("CATNAP_APP_DOMAIN", "https://app.example.com", "a host name such as app.example.com"),
    ("CATNAP_INSTANCE_ID", "web-1", "an instance id such as i-0123456789abcdef0"),
    ("CATNAP_HEALTH_CHECK_ID", "a b", "a health check id such as 01234567-89ab-cdef-0123-456789abcdef"),
    ("CATNAP_HEALTH_PATH", "health", "a path that begins with /"),
    ("CATNAP_ORIGIN", "app.example.com", "a URL without a path such as https://app.example.com:8443"),
    ("CATNAP_ORIGIN_ADDRESS", "localhost", "an address and a port such as 127.0.0.1:8080"),
    ("CATNAP_WAKE_ON", "visits", "visit, click or request"),
    ("CATNAP_WAKE_PATHS", "/hooks/*", "paths that begin with /, go on after it and have no wildcard, with commas between them"),
    ("CATNAP_STATUS_ORIGIN", "ftp://x", "a URL without a path such as https://app.example.com:8443"),
    ("CATNAP_WAITING_STATUS", "404", "503 or 200"),
    ("CATNAP_BOOT_DEADLINE_SECONDS", "5m", "seconds, a whole number from 10 to 3600"),
    ("CATNAP_IDLE_MINUTES", "soon", "minutes, a whole number from 5 to 10080 (a week)"),
    ("CATNAP_ACTIVITY_BYTES", "-1", "auto, or bytes in five minutes as a whole number"),
    ("CATNAP_ON_SICK", "stop", "nap or keep"),
    ("CATNAP_DRY_RUN", "yes", "true or false"),
])
def test_a_value_that_cannot_be_read_is_named(function: str, variable: str, value: str, takes: str) -> None:
    assert refusal(function, **{variable: value}) == f'{variable} is "{value}": it takes {takes}'


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_what_lambda_always_sets_is_named_where_it_is_missing(function: str, variable: str) -> None:
    said = refusal(function, **{variable: None})
    assert said == f"{variable} is not set: in Lambda it always is, elsewhere set it by hand"


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("content", [
    pytest.param(None, id="no such file"),
    pytest.param(b"", id="empty"),
    pytest.param(b"no certificate\n", id="no PEM"),
    pytest.param(bytes(range(256)), id="binary"),
    pytest.param(b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", id="no base64"),
    pytest.param(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", id="no certificate in it"),
])
def test_a_file_of_certificates_that_cannot_be_used_is_named(
    function: str, content: bytes | None, tmp_path: Path
) -> None:
    bundle = tmp_path / "roots.pem"
    if content is not None:
        bundle.write_bytes(content)
    said = refusal(function, AWS_CA_BUNDLE=str(bundle))
    assert said.startswith(f'AWS_CA_BUNDLE is "{bundle}": ') and len(said) > len(str(bundle)) + 22


def test_under_lambda_the_reason_is_in_the_log(moto: Moto) -> None:
    environment = settings(moto, CATNAP_IDLE_MINUTES="soon")
    with Lambda(binary("stopper"), environment) as function, pytest.raises(FunctionFailed) as failed:
        function.invoke({})
    assert 'CATNAP_IDLE_MINUTES is \\"soon\\": it takes minutes' in str(failed.value)


@pytest.mark.parametrize("unset", ["CATNAP_INSTANCE_ID", "CATNAP_ORIGIN", "CATNAP_WAKE_PATHS", "CATNAP_STATUS_ORIGIN"])
def test_an_empty_optional_setting_is_as_good_as_none(moto: Moto, unset: str) -> None:
    with Lambda(binary("starter"), settings(moto, **{unset: ""})) as function:
        assert function.invoke(http_event())["statusCode"] == 404  # nobody has put an instance there
