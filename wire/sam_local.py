"""Every sample event through `sam local invoke`: the deployable functions, in a container, against AWS's stand-in.

    python wire/sam_local.py               all events, as a table
    python wire/sam_local.py visit wake    these, with their answers in full
    python wire/sam_local.py --stay        the stand-in alone, for `sam local invoke` by hand

It takes what `sam build` left, and needs a Docker engine.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import os
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import urlsplit

from docker.errors import NotFound
from samcli.commands.exceptions import UserException
from samcli.local.docker.utils import get_validated_container_client

import base_image
from emulator import ROOT
from scene import HOST, Target, add_idle_target, utc_now
from stand import Moto, clean_environment
from test_samples import ANSWERS, ENVIRONMENT, EVENTS

# How a container calls the machine that it runs on. SAM's `--docker-network host` would not do: it leaves the container
# on Docker's bridge, with a loopback address of its own.
HOST_NAME = "host.docker.internal"
PATIENCE = 180  # seconds for one invocation; the functions' own time-outs are 15 and 120
BUILT = ROOT / ".aws-sam" / "build"
ROW = "{:<9} {:<46} {:<65} {:<9} {:>6}  {}"


def main() -> int:
    names = sys.argv[1:]
    stay = names == ["--stay"]
    if unknown := [name for name in names if name not in EVENTS and not stay]:
        return give_up(f"There is no event {', '.join(unknown)}: there are {', '.join(sorted(EVENTS))}.")
    if not (BUILT / "Starter" / "bootstrap").is_file():
        return give_up("The functions are not built: `make build` does it.")
    try:
        engine = get_validated_container_client()  # the one that sam finds
        gateway = bridge_of(engine)
    except UserException:
        return give_up("No Docker engine answers: install one (sudo apt-get install docker.io), start it "
                       "(sudo systemctl start docker), or set DOCKER_HOST.")
    except NotFound:
        return give_up("The Docker engine has no network called bridge, which sam local needs.")
    port = urlsplit(ENVIRONMENT["Starter"]["AWS_ENDPOINT_URL"]).port if stay else None
    with Moto(port) as moto, opened(gateway, moto.port):
        target = add_idle_target(moto)
        target.tag_health_check()  # env.json cannot know its id
        if stay:
            return wait(target)
        with base(engine) as options, environment_file(moto) as environment:
            return run(names, target, [*options, "--env-vars", environment])


def give_up(why: str) -> int:
    print(why, file=sys.stderr)
    return 1


def wait(target: Target) -> int:
    print(f"""In the stand-in for AWS the instance {target.instance} runs, and is idle. Elsewhere, for example:
    sam local invoke Stopper --event events/tick.json     lets it nap
    sam local invoke Starter --event events/wake.json     wakes it
Ctrl-C ends the stand-in.""", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


def run(names: list[str], target: Target, options: list[str]) -> int:
    print("\nsam local invoke, each event on an instance that naps (tick: that is idle)\n")
    print(ROW.format("event", "answer", "calls to AWS", "instance", "s", ""))
    failed = 0
    for name in names or ["tick", *ANSWERS]:
        prepare(name, target)
        before = len(calls_to(target.moto))
        began = time.monotonic()
        answer, logs = invoke(name, target.moto, options)
        took = time.monotonic() - began
        calls = calls_to(target.moto)[before:]
        said, wanted = (judge_tick if name == "tick" else judge_answer)(name, answer, target, calls)
        counted = ", ".join(f"{call} ×{calls.count(call)}".removesuffix(" ×1") for call in dict.fromkeys(calls))
        verdict = "ok" if said == wanted else f"WRONG, not {wanted}"
        print(ROW.format(name, said, counted or "none", target.state, f"{took:.1f}", verdict), flush=True)
        if said != wanted:
            failed += 1
            print("\n".join(logs.splitlines()[-15:]), file=sys.stderr)
        elif names:
            print(json.dumps(answer, indent=2, ensure_ascii=False))
    print(f"\n{len(names or EVENTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


def prepare(name: str, target: Target) -> None:
    ec2 = target.moto.client("ec2")
    if name == "tick":
        ec2.start_instances(InstanceIds=[target.instance])
        target.moto.set_instance(target.instance, launched=utc_now() - timedelta(hours=5))
    else:
        ec2.stop_instances(InstanceIds=[target.instance])


def calls_to(moto: Moto) -> list[str]:
    return [call["operation"] for call in moto.arrived() if call["service"] != "sts"]  # sam itself asks who we are


def invoke(name: str, moto: Moto, options: list[str]) -> tuple[Any, str]:
    """The function's answer, and all that sam and the function logged."""
    command = [
        str(Path(sys.executable).with_name("sam")), "local", "invoke", "Stopper" if name == "tick" else "Starter",
        "--event", f"events/{name}.json", "--skip-pull-image", "--add-host", f"{HOST_NAME}:host-gateway", *options,
    ]
    # No account of ours gets near sam or the container.
    env = {**clean_environment(), **moto.environment(), "AWS_CONFIG_FILE": os.devnull, "SAM_CLI_TELEMETRY": "0"}
    try:
        ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {PATIENCE} s"
    try:
        return json.loads(ended.stdout or "null"), ended.stderr
    except ValueError:
        return ended.stdout, ended.stderr


def judge_answer(name: str, answer: Any, target: Target, calls: list[str]) -> tuple[str, str]:
    """What was answered and what should have been, in words that can be compared."""
    status, kind, reason, wakes = ANSWERS[name]
    wanted = in_words(status, kind, reason, wakes)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return f"no answer: {answer}"[:46], wanted
    kind, body = answer["headers"].get("content-type", "no type"), answer.get("body")
    if kind.startswith("text/html"):
        reason = "asleep" if f"<title>{HOST} is asleep</title>" in body else "another page"
    else:
        reason = json.loads(body)["reason"] if body else None
    started = calls.count("StartInstances") == 1 and target.state == "running"
    return in_words(answer["statusCode"], kind, reason, started), wanted


def in_words(status: int, kind: str, reason: str | None, wakes: bool) -> str:
    return f"{status} {kind.split(';')[0]} {reason or ''}".rstrip() + (", started" if wakes else "")


def judge_tick(_: str, summary: Any, target: Target, calls: list[str]) -> tuple[str, str]:
    wanted = "nap idle, stopped"
    if not isinstance(summary, dict) or len(summary.get("records", [])) != 1:
        return f"no summary of one: {summary}"[:46], wanted
    [record] = summary["records"]
    stopped = calls.count("StopInstances") == 1 and target.state == "stopped"
    return f"{record['decision']} {record['reason']}{', stopped' if stopped else ''}", wanted


@contextlib.contextmanager
def environment_file(moto: Moto) -> Iterator[str]:
    """events/env.json with the address of this stand-in."""
    endpoint = {"AWS_ENDPOINT_URL": f"http://{HOST_NAME}:{moto.port}"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "env.json"
        path.write_text(json.dumps({function: {**env, **endpoint} for function, env in ENVIRONMENT.items()}))
        yield str(path)


@contextlib.contextmanager
def base(engine: Any) -> Iterator[list[str]]:
    """What sam has to be told of the image to run the functions in."""
    program = BUILT / "Starter" / "bootstrap"
    why = base_image.pull(engine, base_image.aws_image(base_image.of_binary(program)))
    if not why:
        yield []
        return
    print(f"It cannot be had: {why}\nA stand-in takes its place: this machine's own C library and shell.")
    try:
        yield ["--invoke-image", base_image.make_stand_in(engine, program)]
    finally:
        base_image.remove_stand_in(engine)


def bridge_of(engine: Any) -> str:
    """The address under which containers find this machine."""
    [network] = engine.networks.get("bridge").attrs["IPAM"]["Config"][:1]
    return network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))


@contextlib.contextmanager
def opened(gateway: str, port: int) -> Iterator[None]:
    """Opens a port of this machine's loopback to containers, and to nobody else, under the same number."""
    try:
        server = Relays((gateway, port), Relay)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        yield  # the engine lives in a virtual machine, as Docker Desktop's does, and brings its containers here itself
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class Relays(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


class Relay(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.server_address[1])) as inner:
            back = threading.Thread(target=copy, args=(inner, self.request), daemon=True)
            back.start()
            copy(self.request, inner)
            back.join()


def copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # either side may hang up
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    sys.exit(main())
