"""A drill from start to end in a network of its own: the true binaries, DNS, TLS, and EC2's stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from handoff.namespace import Namespace, missing

HERE = Path(__file__).parent
STEPS = [
    "asleep", "the waiting page", "the wake call taken", "the app answers", "the app on the screen", "the app by DNS",
]


def test_a_drill_follows_a_visitor_there_and_back_and_compares_with_the_last_one() -> None:
    if why := missing():
        if os.environ.get("CATNAP_REQUIRE_BROWSER") == "1":
            pytest.fail(f"CATNAP_REQUIRE_BROWSER is set, but {why}")
        pytest.skip(why)
    with Namespace() as namespace:
        world = namespace.start("drill_world", stdout=subprocess.PIPE, cwd=HERE)
        assert world.stdout
        # Its standard input stays open, for it ends with that: so no communicate() here.
        limit = threading.Timer(300, world.kill)
        limit.daemon = True
        limit.start()
        said = world.stdout.read()
        limit.cancel()
    assert said, "the drills did not come to an end"
    world_said = json.loads(said)
    (first, second) = world_said["said"]
    for status, text, talk in (first, second):
        assert status == 0, talk
        lines = [line for line in text.splitlines() if line[:24].strip() in STEPS]
        assert [line[:24].strip() for line in lines] == STEPS
        seconds = [int(line[24:].split()[0]) for line in lines]
        assert all(within <= 20 for within in seconds) and seconds[0] >= 2 and seconds[1] >= 1, text
        assert [line.split(" after ")[0] for line in talk.splitlines()][:6] == STEPS
        assert "A visitor would have waited " in text
    assert " now " not in first[1] and " now " in second[1], "only the second has one to compare with"
    assert second[2].splitlines()[6:][0].startswith("the next drill will not be compared with this one: ec2:CreateTags")
    assert len(world_said["tags"]["catnap:last-drill"].split()) == 7
    calls = world_said["calls"]
    assert (calls.count("StopInstances"), calls.count("StartInstances")) == (2, 2)
