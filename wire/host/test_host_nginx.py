"""nginx on the instance: the real one, with the real file, and an app behind it."""

import contextlib
import hashlib
import json
import os
import socket
import ssl

import pytest
from host_site import Site, statuses
from host_tools import DOMAIN, authority, need
from websockets.sync.client import connect


@contextlib.contextmanager
def uncertified(site):
    """As before browsers take its certificate."""
    site.certify(False)
    try:
        site.reload()
        yield
    finally:
        site.certify(True)
        site.reload()


def test_nginx_takes_the_file(site):
    assert "syntax is ok" in site.test() and "[warn]" not in site.test()


def test_nginx_takes_the_longest_name(tmp_path):
    longest = ".".join(["a" * 61] * 3) + "." + "b" * 63
    site = Site(tmp_path, domain=longest)
    authority(site.tls)  # for some name: it reads the certificate as well
    assert "syntax is ok" in site.test() and "[emerg]" not in site.test()


def test_the_app_learns_who_asks_and_how(site):
    got = json.loads(site.visit("/", "-H", "X-Forwarded-For: 198.51.100.7", "-H", "Cookie: a=b").stdout)
    assert (got["Host"], got["X-Forwarded-Host"], got["X-Forwarded-Proto"]) == (DOMAIN, DOMAIN, "https")
    assert (got["X-Real-Ip"], got["X-Forwarded-For"]) == ("127.0.0.1", "198.51.100.7, 127.0.0.1")
    assert got["Cookie"] == "a=b" and got.get("Connection", "") != "upgrade" and "Upgrade" not in got


def test_http_2_and_hsts_once_browsers_take_the_certificate(site):
    said = site.visit("/", "--http2", "--dump-header", "-", "--output", "/dev/null").stdout.lower()
    assert said.startswith("http/2 200") and "strict-transport-security: max-age=31536000" in said
    # Errors of the app as well, but never under a placeholder: it would lock people out.
    assert "strict-transport-security" in site.visit("/status/500", "--include").stdout.lower()
    with uncertified(site):
        assert "strict-transport-security" not in site.visit("/", "--include").stdout.lower()


def test_http_is_sent_to_https(site):
    said = site.curl(f"http://127.0.0.1:{site.http}/a?b=c", "--include", "-H", f"Host: {DOMAIN}").stdout
    assert said.startswith("HTTP/1.1 308") and f"Location: https://{DOMAIN}/a?b=c" in said


def test_another_name_and_the_bare_address_get_nothing_and_are_not_logged(site):
    before = site.log.read_text()
    assert site.visit(host="other.example.com").returncode == 35  # no handshake
    assert site.curl(f"https://127.0.0.1:{site.https}/", "--insecure").returncode == 35
    assert site.curl(f"http://127.0.0.1:{site.http}/wp-login.php").returncode == 52  # no answer
    assert site.log.read_text() == before


def test_150_mb_arrive_as_they_were_sent_and_more_than_200_are_refused(site, tmp_path):
    sent = tmp_path / "sent"
    block = os.urandom(1 << 20)
    with open(sent, "wb") as file:
        for n in range(150):
            file.write(n.to_bytes(8, "big") + block[8:])
    got = json.loads(site.visit("/upload", "--upload-file", sent).stdout)
    assert got == {"sha256": hashlib.sha256(sent.read_bytes()).hexdigest(), "size": 150 << 20}
    os.truncate(sent, 200 << 20)
    assert json.loads(site.visit("/upload", "--upload-file", sent).stdout)["size"] == 200 << 20
    os.truncate(sent, (200 << 20) + 1)
    refused = site.visit("/upload", "--upload-file", sent, "--output", "/dev/null", "--write-out", "%{http_code}")
    assert refused.stdout.endswith("413")


def test_a_websocket_gets_through_and_back(site):
    reached = socket.create_connection(("127.0.0.1", site.https))
    trusted = ssl.create_default_context(cafile=str(site.prefix / "ca.pem"))
    with connect(f"wss://{DOMAIN}/echo", sock=reached, ssl=trusted, proxy=None) as browser:
        for message in ("hello", "grüße", b"\0\1\2" * 10_000):
            browser.send(message)
            assert browser.recv(timeout=10) == message


def test_the_health_port_says_whether_the_app_answers(site):
    assert site.check() == (200, "up\n")
    assert site.check("/any/path?at=all") == (200, "up\n")
    before = site.log.read_text()
    site.stop_app()
    try:
        assert site.check() == (503, "the app does not answer\n")
        assert statuses(site, ["/"]) == ["502"]
    finally:
        site.start_app()
    assert site.check() == (200, "up\n")
    assert [line for line in site.log.read_text()[len(before):].splitlines() if "Route53" in line] == []


@pytest.mark.parametrize("path, status", [
    ("/status/204", 200), ("/status/302", 200), ("/status/401", 200), ("/status/403", 200), ("/status/404", 200),
    ("/status/500", 503), ("/status/503", 503), ("/slow", 503),
])
def test_any_answer_below_500_within_two_seconds_is_well(path, status, tmp_path):
    need("nginx", "curl")
    site = Site(tmp_path, health_path=path)
    authority(site.tls)
    try:
        site.start()
        site.start_app()
        assert site.check()[0] == status
        took = site.curl(f"http://127.0.0.1:{site.health}/", "-o", "/dev/null", "-w", "%{time_total}").stdout
        assert float(took) < 2
    finally:
        site.stop()


def test_nobody_is_sent_here_before_there_is_a_certificate(site):
    with uncertified(site):
        assert site.check() == (503, "no certificate yet\n")
    assert site.check() == (200, "up\n")
