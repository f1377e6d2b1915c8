"""Transcripts: what the command line prints, as a reader sees it, held against what it prints now.

A transcript is a part of a Markdown file with ```console blocks: `$ catnap …`, then its output, then `[exit N]` if
that is not 0.
With CATNAP_UPDATE=1 what is printed now is written into the file, to be looked at in the diff.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, Mapping

BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def shown(result: subprocess.CompletedProcess[str], names: Mapping[str, str]) -> str:
    """Both of its outputs, as on a terminal, with the ids that a reader shall see."""
    text = result.stdout + result.stderr
    for name, as_ in names.items():
        text = text.replace(name, as_)
    text = re.sub(r"catnap-\d{10}", "catnap-1772395200", text)  # a reference by the clock
    text = re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d UTC", of_eight_o_clock, text)
    # What depends on how far the month and the minute have come.
    text = re.sub(r"since \d+ \w+: awake .*", "since 1 March: awake … h, asleep … h, saved …", text)
    text = re.sub(r"known for [^;]*;", "known for …;", text)
    text = re.sub(r"set to \d{4}-\d\d-\d\dT\S+Z", "set to 2026-03-01T23:00:00Z", text)
    return text + (f"[exit {result.returncode}]\n" if result.returncode else "")


def of_eight_o_clock(match: re.Match[str]) -> str:
    """A time as it would be if it were eight in the evening of the 1st of March, to the last whole five minutes."""
    now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    moved = datetime(2026, 3, 1, 20, tzinfo=timezone.utc) - now + timedelta(minutes=now.minute % 5)
    text = match[0] if match[1] else f"{now:%Y-%m-%d} {match[0]}"
    time = datetime.strptime(text, "%Y-%m-%d %H:%M UTC").replace(tzinfo=timezone.utc)
    if abs(time - now) > timedelta(days=2):
        return match[0]  # that of a recording, or of an argument
    time += moved
    time -= timedelta(minutes=time.minute % 5)
    return f"{time:%H:%M UTC}" if time.day == 1 else f"{time:%Y-%m-%d %H:%M UTC}"


def of_block(block: str) -> list[tuple[str, str]]:
    """Commands, each with the output that is expected."""
    parts = re.split(r"^\$ (?=catnap )", block, flags=re.MULTILINE)[1:]
    return [(part.split("\n", 1)[0], part.split("\n", 1)[1]) for part in parts]


def check(file: Path, heading: str, run: Run, names: Mapping[str, str], afterwards: Callable[[str], None]) -> int:
    """Runs the `catnap` commands in the blocks below a heading, and says how many. `afterwards` hears of each."""
    text = file.read_text()
    start = text.index(heading)
    end = (text + "\n## ").index("\n## ", start)
    made, at, ran, differences = [text[:start]], start, 0, []
    for match in BLOCK.finditer(text, start, end):
        block = ""
        for command, expected in of_block(match[1]):
            printed = shown(run(*shlex.split(command)[1:]), names)
            if printed != expected:
                differences.append(f"$ {command}\n--- expected\n{expected}--- printed\n{printed}")
            block += f"$ {command}\n{printed}"
            ran += 1
            afterwards(command)
        made += [text[at : match.start(1)], block]
        at = match.end(1)
    made.append(text[at:])
    if os.environ.get("CATNAP_UPDATE"):
        file.write_text("".join(made))
    else:
        assert not differences, f"{file}, {heading}:\n" + "\n".join(differences)
    return ran
