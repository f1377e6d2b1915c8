"""A real browser gets to the app, and nobody touches it: each strategy once, as fast as real caches allow.

The whole table is `make bench-handoff`. Where no browser or no network of its own can be had, these are skipped, and
fail with CATNAP_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Mapping

import pytest

from handoff import caddy, firefox, lab
from handoff.bench import run
from handoff.cell import Cell, Result, knows_bridge
from handoff.namespace import ETC, GATEWAY, INSTANCE, PREFIX, TMP, missing

CELLS = {
    "plain": Cell("plain", idle=10, kind="quiet", boot=2, turns_after=5, cap=75),
    "poll": Cell("poll", idle=10, kind="quiet", boot=2, turns_after=22, cap=150),
    "bridge": Cell("bridge", idle=60, kind="polling", boot=2, turns_after=12, cap=75),
    "bridge, later": Cell("bridge", idle=10, kind="quiet", boot=2, turns_after=12, cap=150),
    "bridge, HTTP/3": Cell("bridge", idle=60, kind="polling", boot=2, turns_after=300, cap=30, http3=True),
    "bridge, Firefox": Cell("bridge", idle=60, kind="polling", boot=2, turns_after=300, cap=30, browser="firefox"),
}


def lacks(cell: Cell) -> str:
    """Why a cell cannot be run, where others can."""
    if cell.strategy == "bridge" and not knows_bridge():
        return "this starter has no strategy to choose (CATNAP_HANDOFF)"
    if cell.http3 and not caddy.is_installed():
        return "not installed: caddy"
    if cell.browser == "firefox" and not firefox.is_installed():
        return "not installed: firefox-esr"
    return ""


@pytest.fixture(scope="module")
def results() -> Mapping[str, Result]:
    """All cells at once: they mostly wait."""
    if why := missing():
        if os.environ.get("CATNAP_REQUIRE_BROWSER") == "1":
            pytest.fail(f"CATNAP_REQUIRE_BROWSER is set, but {why}")
        pytest.skip(why)
    names = [name for name in CELLS if not lacks(CELLS[name])]
    if len(names) < len(CELLS) and os.environ.get("CATNAP_REQUIRE_BROWSER") == "1":
        pytest.fail(f"CATNAP_REQUIRE_BROWSER is set, but {', '.join(filter(None, map(lacks, CELLS.values())))}")
    return dict(zip(names, lab.side_by_side(lambda name: run(CELLS[name]), names, beside=len(names))))


def of(results: Mapping[str, Result], name: str) -> Result:
    if name not in results:
        pytest.skip(lacks(CELLS[name]))
    assert results[name].failed == ""
    return results[name]


def test_the_plain_design_never_arrives_though_route_53_points_to_the_instance(results: Mapping[str, Result]) -> None:
    plain = of(results, "plain")
    assert (plain.screen, plain.direct) == (None, None)
    assert plain.turned and plain.turned < 6 and plain.watched > 70, "there was time to arrive"
    assert plain.connections == 1, "it never let go of its connection"


def test_the_browser_uses_the_networks_own_resolver_and_its_answers(results: Mapping[str, Result]) -> None:
    poll = of(results, "poll")
    assert poll.asked >= 2, "its questions are in the resolver's log"
    told = [address for _, address in poll.route53]
    assert (told[0], told[-1]) == (GATEWAY, INSTANCE)
    assert all(address == (INSTANCE if at > (poll.turned or 0) else GATEWAY) for at, address in poll.route53)


def test_polling_another_origin_arrives_once_dns_and_the_connection_allow(results: Mapping[str, Result]) -> None:
    poll = of(results, "poll")
    assert poll.starts == 1, "the page woke the instance, once"
    assert poll.screen is not None and 64 < poll.screen < 80
    assert (poll.screen_via, poll.bridged, poll.errors) == ("direct", 0, 0)
    assert poll.direct is not None and poll.direct <= poll.screen


def test_a_bridged_visitor_has_the_app_seconds_after_its_first_answer(results: Mapping[str, Result]) -> None:
    bridge = of(results, "bridge")
    assert bridge.starts == 1
    assert bridge.screen is not None and bridge.screen < 5
    assert bridge.screen_via == "bridge" and bridge.bridged > 1
    assert bridge.errors == 0, "and it works"


def test_a_bridged_visitor_leaves_the_bridge_with_the_next_page_after_dns_has_turned(
    results: Mapping[str, Result]
) -> None:
    bridge = of(results, "bridge, later")
    assert bridge.screen is not None and bridge.screen < 5 and bridge.screen_via == "bridge"
    assert bridge.direct is not None and bridge.views[-1:] in ([], ["direct"]), "a page that is not shown is no page"
    assert "none" not in bridge.views and bridge.errors == 0


@pytest.mark.parametrize("name", ["bridge, HTTP/3", "bridge, Firefox"])
def test_who_follows_alt_svc_is_at_the_instance_at_once_though_dns_has_not_turned(
    results: Mapping[str, Result], name: str
) -> None:
    bridge = of(results, name)
    assert bridge.turned is None and all(address == GATEWAY for _, address in bridge.route53)
    assert bridge.screen is not None and bridge.screen < 5 and bridge.screen_via == "bridge"
    assert bridge.direct is not None and bridge.direct < 10
    assert bridge.bridged <= 5 and bridge.errors == 0


def test_nothing_is_left_behind(results: Mapping[str, Result]) -> None:
    mine = f"{PREFIX}{os.getpid()}-"
    assert not [*ETC.glob(f"{mine}*"), *TMP.glob(f"{mine}*")]
    networks = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert mine not in networks
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert mine not in process.read_text(errors="replace")
        except OSError:
            pass
