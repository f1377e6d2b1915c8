"""Runs in networks of their own, side by side: they mostly wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Sequence, TypeVar

from handoff.namespace import Namespace, missing, remove_mine

STAGGER = 4  # seconds from one start to the next: a browser's takes all of a core

Item = TypeVar("Item")
Found = TypeVar("Found")


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def must_work() -> None:
    """Ends with a word on why where no network can be made, and cleans up when it is told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if why := missing():
        sys.exit(f"The handoff cannot be measured here: {why}.")


def side_by_side(do: Callable[[Item], Found], items: Sequence[Item], beside: int) -> list[Found]:
    """What `do` makes of each, in their order, so many at a time."""
    turn, over = threading.Lock(), threading.Event()

    def one(item: Item) -> Found:
        if beside > 1:
            with turn:
                over.wait(STAGGER)
        if over.is_set():
            raise InterruptedError
        return do(item)

    pool = ThreadPoolExecutor(beside)
    try:
        return list(pool.map(one, items))
    except BaseException:
        over.set()
        pool.shutdown(wait=False, cancel_futures=True)
        remove_mine()  # so that the threads have nothing to wait for
        raise
    finally:
        pool.shutdown()


def run_inside(module: str, *arguments: str, seconds: float) -> tuple[str, str]:
    """What a module of ours prints and complains of in a network of its own, where it is ended after `seconds`."""
    with Namespace() as namespace:
        process = namespace.start(module, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            return read(process, seconds)
        finally:
            process.kill()
            process.wait()


def read(process: subprocess.Popen[str], seconds: float) -> tuple[str, str]:
    """Like `communicate`, but leaves its standard input open: it ends when that does."""
    said = {"stdout": "", "stderr": f"it took longer than {seconds:g} s"}

    def keep(name: str, stream: Any) -> None:
        said[name] = stream.read()

    readers = [
        threading.Thread(target=keep, args=(name, getattr(process, name)), daemon=True) for name in ("stdout", "stderr")
    ]
    end = time.monotonic() + seconds
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(max(0.1, end - time.monotonic()))
    return said["stdout"], said["stderr"]


def end_with_parent() -> None:
    """For what runs inside: it ends when it is told to, and when whoever started it has gone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def wait() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
