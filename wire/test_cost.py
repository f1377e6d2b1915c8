"""The README's costs are those of the formula, and the formula counts what there is."""

import cost
import pytest
from stack import RAW, ROOT, deployed


def test_the_readme_has_the_tables_of_the_formula():
    readme = (ROOT / "README.md").read_text()
    assert cost.written(readme) == readme, "python wire/cost.py --write"


def test_the_alarms_are_counted():
    for given in ({}, {"InstanceId": "i-0123456789abcdef0"}):
        made = deployed(AlarmEmail="ops@example.com", **given)
        assert sum(RAW[name]["Type"] == "AWS::CloudWatch::Alarm" for name in made) == cost.ALARMS


def test_a_tick_asks_for_what_is_counted():
    source = (ROOT / "shared/src/cloud.rs").read_text()
    metrics = source.split("pub enum Metric {")[1].split("\n}\n")[0]
    assert sum(line.startswith("    ") and line[4].isupper() for line in metrics.splitlines() if line) == cost.METRICS_A_TICK
    properties = deployed()["Stopper"]
    assert properties["MemorySize"] == cost.MEMORY_GB * 1024


@pytest.mark.parametrize("hourly", cost.INSTANCES.values())
def test_from_the_break_even_on_it_pays(hourly):
    hours = cost.break_even(hourly, "rate(1 hour)", 60)
    always = hourly * cost.HOURS
    assert cost.month(hourly, "rate(1 hour)", cost.HOURS - hours - 1, 60) < always
    assert cost.month(hourly, "rate(1 hour)", cost.HOURS - hours + 1, 60) > always


def test_by_hand():
    """A month of t3.small at hourly ticks, awake a quarter of it, once more without the functions."""
    asked = 730 / 4 * 4 * 0.01 / 1000
    ticks = 730 * (1 / 1e6 + 0.2 / 1e6 + 0.25 * 1.66667e-5 + 1500 * 0.5e-9) + asked
    wake = 73 * (1 / 1e6 + 0.2 / 1e6 + 0.1 * 0.25 * 1.66667e-5 + 1500 * 0.5e-9) + 4 * 0.30 / 730
    assert cost.month(0.0208, "rate(1 hour)", 182.5, 60) == pytest.approx(0.0208 * 182.5 + 0.50 + ticks + 60 * wake)
