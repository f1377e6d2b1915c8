"""`catnap plan` that fetches its traffic, on the stand-in for AWS."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from aws_cli import sam_parameters
from command_line import Catnap
from set_up import HOST, SetUp

from scene import NOISE, last_whole_five_minutes


def points() -> list[tuple[Any, float]]:
    """Four days in which someone comes for half an hour each day."""
    end = last_whole_five_minutes()
    ages = range(5, 4 * 1440 + 5, 5)
    return [(end - timedelta(minutes=age), 2_000_000 if age % 1440 < 30 else NOISE) for age in reversed(ages)]


def plan(catnap: Catnap, *arguments: str) -> dict[str, Any]:
    result = catnap("plan", *arguments, "--output", "json")
    assert result.returncode == 0, result.stderr
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def test_fetched_traffic_is_the_same_as_from_a_file(set_up: SetUp, catnap: Catnap, tmp_path: Path) -> None:
    traffic = points()  # the clock goes on between two calls
    set_up.moto.put_network_in(set_up.instance, traffic)
    fetched = plan(catnap)
    file = tmp_path / "traffic.csv"
    rows = [f"{at:%Y-%m-%d %H:%M:%S},{value}" for at, value in traffic]
    file.write_text("\n".join(["timestamp,value", *rows]))
    from_file = plan(catnap, str(file), "--health-check", "http:3:30")
    assert fetched["recording"] == f"{HOST} ({set_up.instance})"
    assert fetched["policies"] == from_file["policies"] and fetched["advice"] == from_file["advice"]
    assert fetched["policies"][0]["naps"] == 4 and fetched["datapoints"] == 4 * 288
    assert plan(catnap, "--domain", HOST)["policies"] == fetched["policies"], "a set-up made by hand"


def test_what_it_recommends_is_what_sam_takes(set_up: SetUp, catnap: Catnap) -> None:
    set_up.moto.put_network_in(set_up.instance, points())
    advice = plan(catnap)["advice"]
    recommended = re.search(r"Recommended: (.*?): asleep", catnap("plan").stdout)
    assert recommended
    every = {5: "rate(5 minutes)", 60: "rate(1 hour)"}[advice["tick_minutes"]]
    expected = {"IdleMinutes": str(advice["idle_minutes"]), "Schedule": every}
    assert sam_parameters(f"sam deploy --parameter-overrides {recommended[1]}") == expected


def test_the_stack_s_settings_hold_unless_others_are_given(set_up: SetUp, catnap: Catnap) -> None:
    set_up.moto.put_network_in(set_up.instance, points())
    set_up.deploy(IdleMinutes="180", HourlyPrice="0.5")
    of_stack = plan(catnap, "--stack", "catnap")
    assert of_stack["idle_minutes"] == 180 and of_stack["policies"][0]["saved"] > 0
    assert of_stack["tick_minutes"] == 60
    set_up.deploy(IdleMinutes="180", HourlyPrice="0.5", Schedule="rate(5 minutes)")
    assert plan(catnap)["tick_minutes"] == 5 and plan(catnap, "--every", "30")["tick_minutes"] == 30
    assert plan(catnap, "--idle-minutes", "30")["idle_minutes"] == 30
    set_up.tag("catnap:idle-minutes", "90")
    assert plan(catnap)["idle_minutes"] == 90


def test_the_stack_is_the_environment_s_unless_another_is_given(
    set_up: SetUp, catnap: Catnap, tmp_path: Path
) -> None:
    set_up.moto.put_network_in(set_up.instance, points())
    said = catnap("plan", CATNAP_STACK="other").stderr
    assert "there is no stack other" in said and catnap("plan", "--stack", "catnap", CATNAP_STACK="other").returncode == 0
    file = tmp_path / "traffic.csv"
    file.write_text("timestamp,value\n2026-01-01 00:00:00,1\n2026-01-01 00:05:00,1\n")
    assert catnap("plan", str(file), CATNAP_STACK="other").returncode == 0, "a file needs no stack"


def test_an_instance_without_traffic_is_told_of(set_up: SetUp, catnap: Catnap) -> None:
    result = catnap("plan", "--days", "3")
    assert result.returncode == 3 and "has no datapoints in the last 3 days" in result.stderr
    assert catnap("plan", "traffic.csv", "--days", "3").returncode == 3
