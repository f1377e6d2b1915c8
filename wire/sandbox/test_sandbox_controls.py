"""Each control does what it says, and says what it cannot do; and the program that serves them comes and goes."""

from __future__ import annotations

import signal
import socket
import subprocess
import time

import pytest
from playwright.sync_api import expect
from sandbox_page import BINARY, NewTab, Tab, running

FAULTS = [
    "AWS has no room for this instance type", "The account's quota is used up", "EC2 throttles starts",
    "The role may not start the instance", "The disk's key cannot be used: kms:CreateGrant is missing",
    "EC2 throttles DescribeInstances", "DescribeInstances is 20 s behind", "The instance has stop protection",
    "The app does not come up", "The app answers with 503", "The app's certificate has run out",
    "A security group keeps the health checkers out", "Metrics come 18 minutes late", "CloudWatch loses NetworkIn",
    "CloudWatch loses the health check's samples", "CloudWatch loses Visits and Busy", "GetMetricData fails",
    "GetHealthCheck is throttled",
]


def minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:5])


def test_time_stands_passes_as_it_is_told_and_is_skipped(tab: Tab) -> None:
    at = tab.clock
    time.sleep(0.5)
    assert tab.clock == at == "08:00:00", "it stands"
    tab.press("Skip an hour")
    expect(tab.page.locator("#clock")).to_have_text("09:00:00")
    for name, least in (("×1", 0), ("×60", 20), ("×600", 200), ("×3600", 1_200)):
        before, began = minutes(tab.clock) * 60, time.monotonic()
        tab.choose(name)
        time.sleep(0.6)
        tab.choose("Pause")
        most = float(name[1:]) * (time.monotonic() - began)
        expect(tab.page.get_by_role("radio", name="Pause")).to_be_checked()
        time.sleep(0.15)
        assert least <= minutes(tab.clock) * 60 + 59 - before and minutes(tab.clock) * 60 - before <= most + 60, name


def test_time_can_be_set_by_keyboard(tab: Tab) -> None:
    tab.page.get_by_role("radio", name="Pause").focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowRight")
    expect(tab.page.get_by_role("radio", name="×60", exact=True)).to_be_checked()
    expect(tab.page.locator("#clock")).not_to_have_text("08:00:00")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.id") == "skip"


def test_people_come_by_themselves_until_it_is_quiet(tab: Tab) -> None:
    tab.choose("Many")
    tab.press("Skip an hour")
    tab.happens("Grace opens the app")
    tab.choose("Quiet")
    tab.press("Skip an hour")
    expect(tab.page.locator("#clock")).to_have_text("10:00:00")
    came = tab.page.locator("#lines [data-mark=comes]")
    tab.happens("leaves")
    count = came.count()
    tab.press("Skip an hour")
    expect(tab.page.locator("#clock")).to_have_text("11:00:00")
    assert came.count() == count
    tab.choose("Some, 8 to 18")
    tab.act(do="skip", minutes=24 * 60)
    expect(tab.page.locator("#clock")).to_have_text("11:00:00")
    tab.happens("Wednesday 4 March")
    assert came.count() > count


def test_each_fault_has_its_switch_and_stays_as_it_was_set(tab: Tab) -> None:
    switches = tab.page.locator("#faults").get_by_role("switch")
    expect(switches).to_have_count(len(FAULTS))
    for fault in FAULTS:
        tab.turn(fault)
        words = fault if fault.split()[0].isupper() or fault[1].isupper() else fault[0].lower() + fault[1:]
        tab.happens(f"from now on: {words}")
    tab.open()
    for switch in switches.all():
        expect(switch).to_be_checked()
    tab.turn(FAULTS[0], on=False)
    tab.happens("no more: AWS has no room")
    tab.open()
    expect(tab.switch(FAULTS[0])).not_to_be_checked()
    expect(tab.switch(FAULTS[1])).to_be_checked()


def test_what_steer_needs_is_said_and_the_other_setting_stays(tab: Tab) -> None:
    tab.select("Steer", "true")
    tab.happens("is true")
    tab.select("Handoff", "poll")
    expect(tab.page.get_by_role("alert")).to_contain_text("Steer needs Handoff bridge")
    expect(tab.field("Handoff")).to_have_value("bridge")
    tab.fill("Schedule, in minutes", "60")
    expect(tab.page.get_by_role("alert")).to_contain_text("it needs a schedule of 10 min or less")
    expect(tab.field("Schedule, in minutes")).to_have_value("5")


def test_the_operators_hand(tab: Tab) -> None:
    tab.turn("Tag catnap:hold")
    tab.happens("the tag catnap:hold is put on")
    tab.press("Open the app")
    expect(tab.window.get_by_text("Harbour is asleep on purpose")).to_be_visible()
    tab.turn("Tag catnap:hold", on=False)
    tab.press("Start it there")
    tab.happens("started in the console")
    expect(tab.state).to_have_text("Waking: EC2 starts it")
    tab.press("Stop it in the console")
    expect(tab.page.get_by_role("alert")).to_have_text("EC2 does not do that while the instance is pending")
    tab.turn("Tag catnap:protect")
    tab.act(do="skip", minutes=120)
    expect(tab.state).to_have_text("Awake")
    tab.happens("Protected by tag")
    tab.press("Take Lambda’s warm environments")
    tab.happens("Lambda takes all warm environments away")
    tab.turn("Tag catnap:protect", on=False)
    tab.press("Let the stopper look now")
    tab.act(do="skip", minutes=1)
    tab.happens("Nobody was there since")
    expect(tab.state).to_have_text("Asleep")


def test_settings_change_while_it_runs(tab: Tab) -> None:
    for name, value in (("IdleMinutes", "15"), ("HourlyPrice", "3"), ("KeepAwake", "Mon-Fri 06:00-07:00 Europe/Berlin")):
        tab.fill(name, value)
    for name, value in (("WakeOn", "click"), ("Steer", "true"), ("Steer", "false"), ("Handoff", "poll"),
                        ("DryRun", "true"), ("DryRun", "false")):
        tab.select(name, value)
        tab.happens(f"is {value}")
    tab.fill("Schedule, in minutes", "2")
    tab.happens("the stopper looks every 2 min")
    tab.open()
    expect(tab.field("IdleMinutes")).to_have_value("15")
    expect(tab.field("KeepAwake")).to_have_value("Mon-Fri 06:00-07:00 Europe/Berlin")
    expect(tab.field("Schedule, in minutes")).to_have_value("2")
    tab.press("Open the app")
    expect(tab.window.get_by_role("button", name="Wake it up")).to_be_visible()
    expect(tab.state).to_have_text("Asleep")  # it waits for a click
    tab.press("Start it there")
    tab.act(do="skip", minutes=25)
    expect(tab.state).to_have_text("Asleep")  # after 15 quiet minutes, not 60
    expect(tab.page.locator("#saved")).not_to_have_text("$0.00")


def test_with_steer_visitors_are_led_away_before_the_nap(tab: Tab) -> None:
    tab.select("Steer", "true")
    tab.press("Start it there")
    tab.act(do="skip", minutes=90)
    tab.happens("visitors have been led to the starter")
    expect(tab.state).to_have_text("Asleep")


@pytest.mark.parametrize(("name", "value", "told"), [
    ("IdleMinutes", "soon", 'IdleMinutes is "soon": it takes minutes, a whole number from 5 to 10080 (a week)'),
    ("HourlyPrice", "-1", 'HourlyPrice is "-1": it takes what an hour costs, such as 0.0416'),
    ("KeepAwake", "always", "KeepAwake is"),
    ("Schedule, in minutes", "0", "0 min is no schedule: it takes 1 to 1440, a day"),
    ("Schedule, in minutes", "often", "it takes a whole number of minutes"),
])
def test_what_cannot_be_set_is_said_and_stays_as_it_was(tab: Tab, name: str, value: str, told: str) -> None:
    before = tab.field(name).input_value()
    tab.field(name).fill(value)
    tab.field(name).press("Enter")
    expect(tab.page.get_by_role("alert")).to_contain_text(told)
    expect(tab.field(name)).to_have_value(before)


def test_it_begins_anew(tab: Tab) -> None:
    tab.press("Open the app")
    tab.happens("the instance is started")
    tab.press("Skip an hour")
    tab.press("Begin anew")
    expect(tab.page.get_by_role("button", name="Open the app")).to_be_visible()
    expect(tab.state).to_have_text("Asleep")
    expect(tab.page.locator("#lines li:not(.heading)")).to_have_count(0)
    assert minutes(tab.clock) < 9 * 60


def test_time_stands_while_nobody_looks(new_tab: NewTab) -> None:
    with running("--port", "0") as (url, _):
        time.sleep(0.5)
        tab = new_tab()
        tab.page.goto(url)
        expect(tab.page.get_by_role("radio", name="×60", exact=True)).to_be_checked()
        expect(tab.page.locator("#clock")).to_contain_text("08:00")
        expect(tab.page.locator("#clock")).to_contain_text("08:01")


def test_two_tabs_see_the_same(new_tab: NewTab) -> None:
    one, other = new_tab(), new_tab()
    one.press("A visitor")
    other.happens("Ada opens the app")
    one.choose("×600")
    expect(other.page.get_by_role("radio", name="×600")).to_be_checked()


def test_ctrl_c_ends_it_and_the_page_says_so(new_tab: NewTab) -> None:
    tab = new_tab()
    with running("--port", "0") as (url, program):
        tab.page.goto(url)
        expect(tab.page.locator("#clock")).not_to_have_text("–")
        program.send_signal(signal.SIGINT)
        assert program.wait(5) == 0
        assert program.stderr and program.stderr.read() == ""
    expect(tab.page.get_by_role("alert")).to_contain_text("The sandbox does not answer. Is it still running?")


def test_a_port_that_is_taken_is_an_error_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = subprocess.run([BINARY, "--port", port], capture_output=True, text=True, timeout=10)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(f"sandbox: port {port} on 127.0.0.1 is in use by another program. End that, or take")
