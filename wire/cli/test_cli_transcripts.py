"""The README's transcripts of the command line are what it prints."""

from __future__ import annotations

import subprocess
import time
from datetime import timedelta

from broken import findings, mend, new_check, routes_of_the_root
from command_line import Catnap
from emulator import ROOT
from set_up import HOST, SetUp
from transcript import check

from scene import NOISE, utc_now
from stand import Moto

README = ROOT / "README.md"
PAGE = ROOT / "docs" / "command-line.md"


def test_a_set_up_made_by_hand_comes_to_a_clean_bill(moto: Moto, catnap: Catnap) -> None:
    set_up = SetUp(moto)
    routes_of_the_root(set_up)
    new_check(IPAddress=None, FullyQualifiedDomainName=HOST)(set_up)
    [check_id] = {it["Id"] for it in set_up.route53.list_health_checks()["HealthChecks"]} - {set_up.check}
    set_up.known(check_id, "33333333-cccc-4ccc-8ccc-333333333333")
    set_up.put_record(set_up.primary(TTL=300, HealthCheckId=check_id))
    ran = []

    def afterwards(command: str) -> None:
        ran.append(command)
        if len(ran) == 1:  # the reader types what it says
            for finding in findings(catnap, "--domain", HOST):
                mend(set_up, finding)

    assert check(README, "### From a set-up made by hand to a clean bill", catnap, set_up.names, afterwards) == 2


def early_in_five_minutes(set_up: SetUp) -> None:
    """Metrics are of whole five minutes: a transcript must not go on into the next."""
    left = 300 - time.time() % 300
    if left < 20:
        time.sleep(left + 1)
    set_up.moto.set_instance(set_up.instance, launched=utc_now() - timedelta(hours=5))


def test_someone_uses_it(set_up: SetUp, catnap: Catnap) -> None:
    early_in_five_minutes(set_up)
    target = set_up.target()
    target.traffic(lambda age: 900_000 if age == 20 else NOISE)
    target.health()
    set_up.deploy(HourlyPrice="0.0416")
    assert check(PAGE, "## Someone uses it", catnap, set_up.names, lambda _: None) == 5


def test_nobody_uses_it(set_up: SetUp, catnap: Catnap) -> None:
    early_in_five_minutes(set_up)
    set_up.quiet()
    set_up.deploy(HourlyPrice="0.0416")
    assert check(PAGE, "## Nobody uses it", catnap, set_up.names, lambda _: None) == 10


def test_something_is_wrong(set_up: SetUp, catnap: Catnap) -> None:
    early_in_five_minutes(set_up)
    set_up.route53.update_health_check(HealthCheckId=set_up.check, Disabled=True)
    assert check(PAGE, "## Something is wrong", catnap, set_up.names, lambda _: None) == 5


def test_what_would_it_save(set_up: SetUp, catnap: Catnap) -> None:
    recordings = ROOT / "shared" / "tests" / "data"

    def among_the_recordings(*words: str) -> subprocess.CompletedProcess[str]:
        return catnap(*(str(recordings / word) if word.endswith(".csv") else word for word in words))

    names = {f"{recordings}/": ""}
    assert check(PAGE, "## What would it save?", among_the_recordings, names, lambda _: None) == 1
