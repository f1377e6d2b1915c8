"""What template.yaml has to look at: alarms that do not cry wolf, a dashboard of what is really written."""

import json
import re

import pytest
from stack import NEW, NEW_INSTANCE, ONE, PARAMETERS, RAW, ROOT, SOURCE, deployed, substituted

MAIL = {"AlarmEmail": "ops@example.com"}
COUNTED = {"WakeFailed", "FailoverStuck", "SteerFailed", "FailoverOff", "TickFailed", "Sick", "NoData"}
WATCHED = {  # what AWS itself counts
    "StarterErrors": ("AWS/Lambda", "Errors", {"Ref": "Starter"}),
    "StarterThrottled": ("AWS/Lambda", "Throttles", {"Ref": "Starter"}),
    "StopperErrors": ("AWS/Lambda", "Errors", {"Ref": "Stopper"}),
    "LostTicks": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"Fn::GetAtt": ["LostTicks", "QueueName"]}),
}


def alarms(**given):
    """All there are: with Steer, which has one of its own."""
    return {name.removesuffix("Alarm"): alarm for name, alarm in deployed(**MAIL | {"Steer": "true"} | given).items()
            if RAW[name]["Type"] == "AWS::CloudWatch::Alarm"}


def test_without_a_reader_there_is_no_alarm():
    paid = {"AWS::CloudWatch::Alarm", "AWS::SNS::Topic", "AWS::Logs::MetricFilter"}
    assert not {name for name in deployed() if RAW[name]["Type"] in paid}
    assert alarms().keys() - alarms(Steer="false").keys() == {"SteerFailed"}, "it could never ring"
    assert deployed(**MAIL)["Alarms"]["Subscription"] == [{"Protocol": "email", "Endpoint": "ops@example.com"}]


@pytest.mark.parametrize("given, awake", [({}, "FleetAwake"), (ONE, "Awake"), (NEW, "Awake")])
def test_each_alarm_mails_its_beginning_and_its_end_and_none_rings_for_a_nap(given, awake):
    rings = alarms(**given)
    assert rings.keys() == COUNTED | WATCHED.keys() | {awake}
    for name, alarm in rings.items():
        assert alarm["TreatMissingData"] == "notBreaching", name  # while it naps nothing reports
        assert alarm["MetricName"] != "HealthCheckStatus", name  # red on every nap
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "Alarms"}]
        # CloudWatch takes a day at most, and a week with periods of an hour and more.
        span = alarm["Period"] * int(alarm["EvaluationPeriods"])
        assert span <= (86_400 if alarm["Period"] < 3_600 else 604_800), name
        assert alarm.get("DatapointsToAlarm", 1) <= int(alarm["EvaluationPeriods"])


def test_what_the_pair_counts_rings_whichever_app_it_is_of():
    for given in ({}, ONE):
        for name in COUNTED:  # that the functions write these: drift.rs
            alarm = alarms(**given)[name]
            assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("Catnap", name, "Sum")
            assert alarm["Dimensions"] == [{"Name": "Pair", "Value": "app.example.com"}]
    for name, (namespace, metric, of) in WATCHED.items():
        alarm = alarms()[name]
        assert (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric)
        assert [dimension["Value"] for dimension in alarm["Dimensions"]] == [of]


def test_what_only_a_tick_reports_holds_until_the_next():
    for name in {"FailoverOff", "TickFailed", "Sick", "StopperErrors"}:
        alarm = alarms()[name]
        assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (3600, 2, 1), name
    assert (alarms()["NoData"]["EvaluationPeriods"], alarms()["NoData"]["DatapointsToAlarm"]) == (6, 3)


def test_awake_for_long_is_read_from_what_ec2_reports_of_a_running_instance():
    for given, instance in [(ONE, ONE["InstanceId"]), (NEW, NEW_INSTANCE)]:
        alarm = alarms(AwakeAlarmHours="48", **given)["Awake"]
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/EC2", "CPUUtilization", "SampleCount")
        assert alarm["Dimensions"] == [{"Name": "InstanceId", "Value": instance}]
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3600, "48") and "DatapointsToAlarm" not in alarm


def test_a_fleets_records_say_which_instance_is_awake_for_long():
    hours = SOURCE["Mappings"]["Hours"]
    assert {h: int(m["Minutes"]) for h, m in hours.items()} == {
        h: int(h) * 60 for h in PARAMETERS["AwakeAlarmHours"]["AllowedValues"]}
    stack = deployed(**MAIL)
    [to] = stack["AwakeTooLong"]["MetricTransformations"]
    assert "DefaultValue" not in to, "it would report, and cost, all month"
    assert stack["AwakeTooLong"]["LogGroupName"] == {"Ref": "StopperLogs"}
    alarm = alarms()["FleetAwake"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (to["MetricNamespace"], to["MetricName"])
    assert "Dimensions" not in alarm


def dashboard(**given):
    """The dashboard's body, as CloudWatch gets it."""
    return json.loads(substituted(deployed(**given)["Overview"]["DashboardBody"], AppDomain="app.example.com"))


@pytest.mark.parametrize("given", [{}, ONE, NEW])
def test_the_dashboards_widgets_lie_side_by_side_on_a_grid_of_24(given):
    taken = set()
    for widget in dashboard(**given)["widgets"]:
        across = range(widget["x"], widget["x"] + widget["width"])
        down = range(widget["y"], widget["y"] + widget["height"])
        assert across.stop <= 24
        cells = {(x, y) for x in across for y in down}
        assert cells and not cells & taken, widget
        taken |= cells
    assert len(taken) == 24 * (max(y for _, y in taken) + 1), "no hole"
    assert "Overview" not in deployed(Dashboard="false", **given)


@pytest.mark.parametrize("given, which", [({}, ""), (ONE, 'App="app.example.com"')])
def test_the_dashboard_has_every_count_of_its_apps(given, which):
    found, functions = set(), []
    for widget in dashboard(**given)["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if not isinstance(metric[0], dict):
                functions.append(metric[:4])
                continue
            names, statistic = re.fullmatch(
                r"SEARCH\('\{Catnap,App} MetricName=(.*?) ?" + re.escape(which) + r"', '(\w+)', 3600\)",
                metric[0]["expression"]).groups()
            assert statistic in {"Sum", "Average", "Maximum"}
            found |= set(re.findall(r'"(\w+)"', names))
    counted = set(re.findall(r"^    (\w+)(?:\(u32\))?,$", (ROOT / "shared/src/record.rs").read_text(), re.M))
    assert found == counted - {"IgnoredRequests"}, "who was ignored stands among who came"
    assert ["AWS/Lambda", "Errors", "FunctionName", "(Starter)"] in functions


def queries():
    """Each query of the dashboard, by its title, with the log group it reads."""
    for widget in dashboard()["widgets"]:
        if widget["type"] == "log":
            source, steps = re.fullmatch(r"SOURCE '\((\w+)Logs\)' \| (.*)", widget["properties"]["query"]).groups()
            yield widget["properties"]["title"], source, steps


def test_the_readme_asks_the_logs_as_the_dashboard_does():
    readme = re.sub(r"\s+", " ", (ROOT / "README.md").read_text())
    [hours] = [steps for title, _, steps in queries() if title.startswith("Hours awake")]
    assert hours in readme
