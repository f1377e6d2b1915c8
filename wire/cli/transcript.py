"""Transcripts: what the command line prints, as a reader sees it, held against what it prints now.

A transcript is a Markdown file with ```console blocks: `$ command`, then its output, then `[exit N]` if that is not 0.
With CATNAP_UPDATE=1 what is printed now is written into the file, to be looked at in the diff.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
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
    return text + (f"[exit {result.returncode}]\n" if result.returncode else "")


def of_block(block: str) -> list[tuple[str, str]]:
    """Commands, each with the output that is expected."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.split("\n", 1)[0], part.split("\n", 1)[1]) for part in parts]


def check(
    file: Path, run: Run, names: Callable[[], Mapping[str, str]], between: Mapping[str, Callable[[], None]] | None = None,
    after: str = "",
) -> None:
    """Runs the `catnap` commands of a file's blocks, from the line `after` on. `between` is what happens after a block, by its first command."""
    text = file.read_text()
    start = text.index(after) if after else 0
    made, at, differences = [text[:start]], start, []
    for match in BLOCK.finditer(text, start):
        block = ""
        for command, expected in of_block(match[1]):
            words = shlex.split(command)
            if words[0] == "catnap":
                printed = shown(run(*words[1:]), names())
                if printed != expected:
                    differences.append(f"$ {command}\n--- expected\n{expected}--- printed\n{printed}")
            else:
                printed = expected
            block += f"$ {command}\n{printed}"
            (between or {}).get(command, lambda: None)()
        made += [text[at : match.start(1)], block]
        at = match.end(1)
    made.append(text[at:])
    if os.environ.get("CATNAP_UPDATE"):
        file.write_text("".join(made))
    else:
        assert not differences, f"{file}:\n" + "\n".join(differences)
