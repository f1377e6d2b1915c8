"""In the window: the true waiting page, then the app; and what a visitor is told when something is broken."""

from __future__ import annotations

import re
import socket

import pytest
from playwright.sync_api import Browser, expect
from sandbox_page import Tab, running

from tabs import tabs


def arrive(tab: Tab, seconds: float = 30) -> None:
    expect(tab.window.get_by_role("heading", name="Today")).to_be_visible(timeout=seconds * 1000)


@pytest.mark.parametrize("handoff", ["bridge", "poll"])
def test_a_visit_while_it_sleeps_gets_the_waiting_page_and_then_the_app(tab: Tab, handoff: str) -> None:
    tab.act(do="set", parameter="Handoff", value=handoff)
    expect(tab.state).to_have_text("Asleep")
    tab.press("Open the app")
    answered = tab.page.locator("#answered")
    expect(answered).to_contain_text("The starter answered with the waiting page (503)")
    expect(answered).to_contain_text("API Gateway after Route 53 was asked")
    expect(tab.window.get_by_role("heading", name="Harbour is waking up")).to_be_visible()
    expect(tab.state).to_have_text("Waking: EC2 starts it")
    tab.choose("×3600")
    expect(tab.page.locator("#slow")).to_have_text("At ×5 while this window waits")
    if handoff == "poll":
        tab.act(do="skip", minutes=3)  # DNS turns meanwhile
    arrive(tab)
    expect(tab.page.locator("#slow")).to_be_hidden()
    tab.choose("Pause")
    by = {"bridge": "The starter passed on the app’s answer (200)", "poll": "The instance itself answered (200)"}
    expect(answered).to_contain_text(by[handoff])


def address_in_the_network() -> str:
    """This machine's own address, by which a phone would reach it; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine is in no network")
        return str(way.getsockname()[0])


def test_from_a_phone_in_the_network_it_is_the_same(sandbox_browser: Browser) -> None:
    # To an address that is not this machine's own, browsers send no Sec-Fetch-* without HTTPS.
    address = address_in_the_network()
    with running("--port", "0", "--host", address) as (url, _), tabs(sandbox_browser) as new_page:
        tab = Tab(new_page(), url)
        tab.act(do="speed", factor=0)
        tab.open()
        assert tab.page.evaluate("isSecureContext") is False
        tab.press("Open the app")
        expect(tab.window.get_by_role("heading", name="Harbour is waking up")).to_be_visible()
        expect(tab.state).to_have_text("Waking: EC2 starts it")
        expect(tab.field("Path on app.example.com")).to_have_value("/")
        tab.press("Reload")
        expect(tab.window.get_by_role("heading", name="Harbour is waking up")).to_be_visible()
        tab.choose("×3600")
        expect(tab.page.locator("#slow")).to_have_text("At ×5 while this window waits")
        arrive(tab)
        expect(tab.field("Path on app.example.com")).to_have_value("/")
        expect(tab.line(re.compile("disguise"))).to_have_count(0)


def test_in_the_app_links_lead_on_and_dns_leads_to_the_instance_in_time(tab: Tab) -> None:
    tab.act(do="visit")
    tab.act(do="skip", minutes=1)
    tab.press("Open the app")
    arrive(tab)
    answered = tab.page.locator("#answered")
    expect(answered).to_contain_text("The starter passed on the app’s answer (200)")
    tab.window.get_by_role("link", name="Reports").click()
    expect(tab.field("Path on app.example.com")).to_have_value("/reports")
    expect(answered).to_contain_text("over a connection that was still open")
    expect(tab.page.locator("#dns")).to_have_text("the starter")
    tab.act(do="skip", minutes=3)
    expect(tab.page.locator("#dns")).to_have_text("the instance")
    tab.press("Reload")
    expect(answered).to_contain_text("The instance itself answered (200). The request went to the instance after Route 53")
    expect(tab.window.get_by_role("heading", name="Reports")).to_be_visible()
    tab.act(do="act", act="stop")
    tab.press("Reload")
    expect(answered).to_contain_text("The instance did not answer")
    expect(tab.window.get_by_text("The server took too long to respond.")).to_be_visible()
    tab.act(do="skip", minutes=5)
    tab.press("Another browser")
    expect(answered).to_contain_text("waiting page (503). The request went to API Gateway after Route 53")
    tab.field("Path on app.example.com").fill("https://app.example.com/people")
    tab.press("Open")
    expect(tab.window.get_by_text("Harbour is waking up")).to_be_visible()
    expect(tab.field("Path on app.example.com")).to_have_value("/people")


def test_quiet_naps_it_and_says_why(tab: Tab) -> None:
    tab.press("A visitor")
    tab.happens("Ada opens the app")
    expect(tab.page.locator("#waiting")).to_have_text("1 person waits for the app.")
    tab.choose("×600")
    tab.happens("Ada has the app after 4")
    expect(tab.page.locator("#waiting")).to_have_text("Nobody waits.")
    expect(tab.state).to_have_text("Awake")
    tab.choose("×3600")
    expect(tab.state).to_have_text("Asleep")
    tab.happens("Nobody was there since 08:05: all that came in is below the floor of")
    tab.happens("StopInstances by the stopper")
    tab.choose("Pause")
    expect(tab.page.locator("#counts")).to_have_text("1 and 1")
    expect(tab.page.locator("#saved")).to_contain_text("$0.0")
    assert tab.page.locator("#chart .over").count() == 1, "the datapoint in which Ada was there"
    assert tab.page.locator("#chart .under").count() >= 10, "and the noise after it"
    assert {"s-stopped", "s-running"} <= set(tab.page.locator("#chart rect").evaluate_all("all => all.map(it => it.classList.value)"))


def test_programs_wake_nothing(tab: Tab) -> None:
    for kind, told in {
        "a scanner": "a path that scanners and machines try", "a crawler": "a program that says so",
        # The line that says the same again is counted.
        "a link preview": "a program that says so ×2", "a monitor": "a program that says so ×3",
    }.items():
        tab.page.get_by_label("Kind of program").select_option(kind)
        tab.press("Send it")
        tab.act(do="skip", minutes=1)
        tab.happens(told)
    expect(tab.state).to_have_text("Asleep")
    expect(tab.page.locator("#counts")).to_have_text("0 and 0")


@pytest.mark.parametrize(("fault", "told"), [
    ("The disk's key cannot be used", "Harbour could not start"),
    ("The role may not start the instance", "Harbour cannot be woken"),
    ("EC2 throttles DescribeInstances", "Looking for Harbour"),
])
def test_a_fault_is_told_to_the_visitor(tab: Tab, fault: str, told: str) -> None:
    tab.turn(fault)
    tab.happens("from now on: ")
    tab.press("Open the app")
    expect(tab.window.get_by_text("Harbour")).not_to_have_count(0)
    tab.act(do="skip", minutes=1)
    expect(tab.window.get_by_role("heading", name=told)).to_be_visible(timeout=15_000)


def test_an_app_that_crashes_is_shown_as_that(tab: Tab) -> None:
    tab.press("A visitor")
    tab.act(do="skip", minutes=20)
    expect(tab.state).to_have_text("Awake")
    tab.turn("The app does not come up")
    expect(tab.state).to_have_text("Awake, and not well")
    expect(tab.page.locator("#app")).to_have_text("refuses")
    tab.happens("The app no longer answers")


def test_once_a_fault_ends_the_visitor_gets_in(tab: Tab) -> None:
    fault = "AWS has no room for this instance type"
    tab.turn(fault)
    tab.press("Open the app")
    expect(tab.window.get_by_role("heading", name="Harbour waits for a free server")).to_be_visible()
    tab.happens("StartInstances by the starter is refused")
    tab.turn(fault, on=False)
    tab.happens("no more: AWS has no room")
    tab.choose("×60")
    tab.window.get_by_role("button", name="Try again now").click()
    expect(tab.window.get_by_role("heading", name="Harbour is waking up")).to_be_visible()
    tab.act(do="skip", minutes=1)
    arrive(tab)
