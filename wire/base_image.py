"""The image that `sam local` runs a function in: AWS's own, or a stand-in where its registry cannot be reached.

The stand-in is this machine's C library with a shell, under a name of its own: no other project takes it for AWS's.
It shows that the function runs in a container with nothing else in it, and not that it runs on Amazon Linux.
"""

from __future__ import annotations

import io
import platform
import queue
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound

STAND_IN = "catnap/base-stand-in"
MACHINES = {62: "x86_64", 183: "arm64"}  # as an ELF file has it → as Lambda calls it
NEEDED_BY_SAM = ["sh", "mv", "chmod"]  # it lays its runtime emulator over the base image with these
PATIENCE = 30  # seconds without a word until a registry counts as out of reach


def of_binary(program: Path) -> str:
    """The architecture that an executable is for."""
    head = program.read_bytes()[:20]
    return MACHINES[int.from_bytes(head[18:20], "little")]


def aws_image(architecture: str) -> str:
    return f"public.ecr.aws/lambda/provided:al2023-{architecture}"


def pull(engine: Any, image: str) -> str:
    """Why the image could not be had, or nothing when it is there. An image that is there is not renewed."""
    try:
        engine.images.get(image)
        return ""
    except ImageNotFound:
        print(f"Pulling {image}", flush=True)
    news: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        repository, tag = image.split(":")
        try:
            for line in engine.api.pull(repository, tag=tag, stream=True, decode=True):
                news.put(line)
            news.put({"done": True})
        except Exception as error:  # whatever it is: the reader of the queue has to hear of it
            news.put({"error": getattr(error, "explanation", None) or str(error)})

    # In a thread: the engine's own client waits for ever.
    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = news.get(timeout=PATIENCE)
        except queue.Empty:
            return f"no answer within {PATIENCE} s"
        if "error" in line:
            return str(line["error"])
        if "done" in line:
            return ""


def make_stand_in(engine: Any, program: Path) -> str:
    """Imports what `program` and SAM's own step need of this machine, and returns the image's name."""
    this_machine = platform.machine().replace("aarch64", "arm64")
    if (platform.system(), this_machine) != ("Linux", of_binary(program)):
        sys.exit(f"A stand-in needs what the function is built for: Linux on {of_binary(program)}.")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as tar:
        for name in NEEDED_BY_SAM:
            tar.add(found(name), f"bin/{name}")
        for library in sorted({each for it in [program, *map(found, NEEDED_BY_SAM)] for each in libraries(it)}):
            tar.add(library, library.lstrip("/"))
        add_text(tar, "etc/nsswitch.conf", "hosts: files dns\n")
        for folder in ("tmp", "var/task", "opt"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
    engine.api.import_image_from_data(packed.getvalue(), repository=STAND_IN, tag="latest")
    return f"{STAND_IN}:latest"


def remove_stand_in(engine: Any) -> None:
    for image in engine.images.list(name=STAND_IN):
        for tag in image.tags:  # also the one that SAM made of it
            engine.images.remove(tag, force=True)


def found(name: str) -> Path:
    path = shutil.which(name, path="/usr/bin:/bin")
    if not path:
        sys.exit(f"A stand-in needs {name}, which this machine does not have.")
    return Path(path)


def libraries(program: Path) -> list[str]:
    """Where the loader finds what a program links to, and the loader itself."""
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", listed)


def add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    tar.addfile(entry, io.BytesIO(text.encode()))
