"""A certificate authority and DNS on this machine: pebble with its challenge server, and moto for Route 53."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from host_tools import DOMAIN, PATH, authority

from emulator import free_port
from stand import Moto, wait_until

LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
CHALLENGE = f"_acme-challenge.{DOMAIN}."


def post(url: str, **said: Any) -> None:
    LOCAL.open(url, json.dumps(said).encode(), timeout=10).close()


class Dns:
    """pebble-challtestsrv: the DNS that the authority asks."""

    def __init__(self) -> None:
        self.port, management = free_port(), free_port()
        self.management = f"http://127.0.0.1:{management}"
        self._process = subprocess.Popen(
            ["pebble-challtestsrv", "-dns01", f"127.0.0.1:{self.port}", "-management", f"127.0.0.1:{management}",
             "-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""],
            env=os.environ | {"PATH": PATH}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, "pebble-challtestsrv")

    def _answers(self) -> bool:
        try:
            self.point_to("127.0.0.1")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def point_to(self, address: str) -> None:
        """The A record of the app's name."""
        post(f"{self.management}/clear-a", host=f"{DOMAIN}.")
        post(f"{self.management}/add-a", host=f"{DOMAIN}.", addresses=[address])

    def set_texts(self, texts: list[str]) -> None:
        post(f"{self.management}/clear-txt", host=CHALLENGE)
        for text in texts:
            post(f"{self.management}/set-txt", host=CHALLENGE, value=text)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Authority:
    """pebble. Its certificates hold for `seconds`; HTTP-01 asks at `http_port`."""

    def __init__(self, folder: Path, dns: Dns, seconds: int = 90 * 86400) -> None:
        folder.mkdir()
        self.folder, self.http_port = folder, free_port()
        port, management = free_port(), free_port()
        self.directory = f"https://localhost:{port}/dir"
        self.own_ca = authority(folder, "localhost")  # of its API; what it issues has another root
        config = {
            "listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(folder / "fullchain.pem"), "privateKey": str(folder / "privkey.pem"),
            "httpPort": self.http_port, "tlsPort": free_port(), "ocspResponderURL": "",
            "externalAccountBindingRequired": False, "certificateValidityPeriod": seconds,
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        self._log = open(folder / "log", "wb")
        self._process = subprocess.Popen(
            ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{dns.port}"],
            # At once, each time anew, and without the errors that it makes up.
            env=os.environ | {"PATH": PATH, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "0"},
            stdout=self._log, stderr=subprocess.STDOUT)
        self._trust = ssl.create_default_context(cafile=str(self.own_ca))
        self._root = f"https://localhost:{management}/roots/0"
        wait_until(lambda: "ACME directory available" in self.log(), "pebble")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def root(self) -> Path:
        """The root of the certificates that it issues."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._trust))
        (self.folder / "root.pem").write_bytes(opener.open(self._root, timeout=10).read())
        return self.folder / "root.pem"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


class Route53:
    """Passes calls on to moto, and what they make of the challenge's record to the DNS before they are answered.

    `changes` has each change that was asked for: action, name, type.
    """

    def __init__(self, moto: Moto, dns: Dns) -> None:
        self.changes: list[tuple[str, str, str]] = []
        zone = moto.client("route53").create_hosted_zone(Name="example.com", CallerReference="host")["HostedZone"]["Id"]
        moto.client("route53").create_hosted_zone(Name="example.org", CallerReference="another")
        route53 = self

        def texts() -> list[str]:
            records = moto.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
            return [value["Value"].strip('"') for record in records
                    if (record["Type"], record["Name"]) == ("TXT", CHALLENGE) for value in record["ResourceRecords"]]

        class Bridge(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name: value for name, value in self.headers.items() if name != "Host"}
                headers.setdefault("Content-Type", "text/xml")  # without one urllib says that it is a form
                asked = urllib.request.Request(moto.endpoint + self.path, body or None, headers, method=self.command)
                try:
                    answer = LOCAL.open(asked, timeout=30)
                except urllib.error.HTTPError as refused:
                    answer = refused
                with answer:
                    status, said, kind = answer.status, answer.read(), answer.headers["Content-Type"]
                if body and "/rrset" in self.path:
                    for change in ElementTree.fromstring(body).iterfind(".//{*}Change"):
                        found = (change.findtext(f".//{{*}}{tag}") or "" for tag in ("Action", "Name", "Type"))
                        route53.changes.append(tuple(found))  # type: ignore[arg-type]
                    dns.set_texts(texts())
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bridge)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
