"""Route 53's failover record, and the visitor's resolver in front of it."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any

from dnslib import QTYPE, RCODE, RR, SOA, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from handoff.namespace import NEIGHBOUR, RESOLVER, ROUTE53
from stand import wait_until

TTL = 60  # seconds: of Route 53's alias records, and what is recommended for failover


@dataclass(frozen=True)
class Query:
    """One question that reached Route 53, and what it was told."""

    at: float  # seconds since the epoch
    kind: str
    name: str
    told: str


class Route53(BaseResolver):
    """Authoritative for a few names. `point` is what a health check that turns does."""

    def __init__(self, records: dict[str, str]) -> None:
        self.queries: list[Query] = []
        self._records = dict(records)
        self._server = DNSServer(self, port=53, address=ROUTE53, logger=DNSLogger(logf=lambda _: None))
        self._server.start_thread()

    def __enter__(self) -> Route53:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def point(self, name: str, address: str) -> None:
        self._records[name] = address

    def resolve(self, request: Any, handler: Any) -> Any:
        name, kind = str(request.q.qname).rstrip(".").lower(), QTYPE[request.q.qtype]
        address = self._records.get(name)
        reply = request.reply()
        if address and kind == "A":
            reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=TTL))
        else:
            reply.header.rcode = RCODE.NOERROR if address else RCODE.NXDOMAIN
            soa = SOA("ns.example.com", "hostmaster.example.com", (1, 7200, 900, 1209600, TTL))
            reply.add_auth(RR("example.com", QTYPE.SOA, rdata=soa, ttl=TTL))
        told = address if address and kind == "A" else "nothing"
        self.queries.append(Query(time.time(), kind, name, told))
        return reply


class Resolver:
    """dnsmasq as an internet provider's resolver: it keeps an answer for its TTL and counts that down."""

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile("a+b")  # appended to, wherever we read
        options = [
            "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
            f"--server={ROUTE53}", f"--listen-address={RESOLVER}", "--bind-interfaces", "--cache-size=1000",
            "--log-queries", "--log-facility=-",
        ]
        self._process = subprocess.Popen(
            ["dnsmasq", *options], stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            wait_until(self._started, "dnsmasq")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Resolver:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def asked(self, name: str) -> int:
        """Questions for the name's address, but for the neighbour's: a browser in this network asks here."""
        questions = [line for line in self._said().splitlines() if f"query[A] {name} from " in line]
        return sum(not line.endswith(f" {NEIGHBOUR}") for line in questions)

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def _started(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"dnsmasq ended at once: {self._said()}")
        return "started" in self._said()


class Neighbour:
    """Somebody behind the same resolver who asks for the name every second."""

    def __init__(self, name: str) -> None:
        self._question = DNSRecord.question(name).pack()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Neighbour:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind((NEIGHBOUR, 0))
            while not self._ended.wait(1):
                own.sendto(self._question, (RESOLVER, 53))
