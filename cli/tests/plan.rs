//! `catnap plan`, as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/data").join(name)
}

/// In the folder of the recordings.
fn catnap(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_catnap")).arg("plan").args(arguments).current_dir(data("")).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = catnap(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&[arguments, &["--output", "json"]].concat())).unwrap()
}

/// A file of this test's own.
fn scratch(name: &str) -> String {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).display().to_string()
}

#[test]
fn hours_naps_and_money_of_each_policy() {
    let printed = stdout(&["networkin-cron.csv", "--every", "5", "--hourly-price", "0.0416", "--alarm", "300000"]);
    let expected = "\
networkin-cron.csv: 14.0 days from 2014-04-10 00:04 UTC, 4032 datapoints of 300 s, 2 missing
IdleMinutes 60, a tick every 5 minutes

                      awake   asleep  naps  wakes  met   cost  saved
Catnap              158.7 h  177.5 h    25     24   98   6.60   7.38
alarm below 300 KB  179.0 h  157.2 h    11     10   10   7.45   6.54
always on           336.2 h    0.0 h     0      0    0  13.98   0.00

met: datapoints above the floor that came while it napped. Each wakes it, but for regular spikes.
Catnap's floor at the end: 275 KB in a datapoint
Naps ended by traffic, UTC: 15 Apr 20:29, 17 Apr 02:09, 17 Apr 15:54, 18 Apr 07:29, 21 Apr 15:54, 22 Apr 16:04, \
23 Apr 17:09, 23 Apr 21:24 (16 earlier ones in --output json)
Catnap kept it awake for: active 134 h, recent 23 h

Recommended: IdleMinutes=120 'Schedule=\"rate(5 minutes)\"': asleep for 129 of 336 h, woken 22 times, 1 of them within \
half an hour after the nap began
";
    assert_eq!(printed, expected);
}

#[test]
fn a_busy_instance_never_naps_from_wherever_it_is_begun() {
    let text = fs::read_to_string(data("networkin-busy.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<_> = rows.lines().collect();
    for (turn, check) in
        ["none", "http:3:30", "https:8:10", "none", "tcp:3:30"].into_iter().cycle().take(20).enumerate()
    {
        let file = scratch("later.csv");
        fs::write(&file, format!("{header}\n{}", rows[turn * 55..].join("\n"))).unwrap();
        for idle in ["15", "60"] {
            let plan = json(&[&file, "--every", "5", "--idle-minutes", idle, "--health-check", check]);
            assert_eq!(plan["policies"][0]["naps"], 0, "begun at row {}, with {check}: {plan}", turn * 55);
        }
    }
}

#[test]
fn the_stoppers_own_settings_hold() {
    let awake = |arguments: &[&str]| {
        let plan = json(&[&["networkin-cron.csv"], arguments].concat());
        plan["policies"][0]["hours_awake"].as_f64().unwrap()
    };
    let usual = awake(&["--every", "5"]);
    assert!(awake(&["--every", "60"]) > usual);
    assert_ne!(awake(&["--every", "5", "--delay", "10"]), usual);
    assert!(awake(&["--every", "5", "--idle-minutes", "180"]) > usual);
    assert!(awake(&["--every", "5", "--activity-bytes", "4000000"]) < usual);
    assert!(awake(&["--every", "5", "--keep-awake", "Mon-Fri 08:00-18:00 Europe/Berlin"]) > usual);
    assert!(awake(&["--every", "5", "--activity-bytes", "4000000", "--keep-awake", "00:00-24:00 UTC"]) > 336.0);
}

#[test]
fn json_has_the_policies_and_when_they_napped() {
    let plan = json(&["networkin-cron.csv"]);
    let policies = plan["policies"].as_array().unwrap();
    let names: Vec<_> = policies.iter().map(|policy| policy["policy"].as_str().unwrap()).collect();
    assert_eq!(names, ["Catnap", "alarm below 17 KB", "alarm below 100 KB", "always on"]);
    for policy in policies {
        let hours = policy["hours_awake"].as_f64().unwrap() + policy["hours_asleep"].as_f64().unwrap();
        assert!((hours - 336.25).abs() < 0.1, "{hours}");
        assert_eq!(policy["slept"].as_array().unwrap().len() as u64, policy["naps"].as_u64().unwrap());
        assert!(policy["saved"].is_null(), "no price, no money");
    }
}

#[test]
fn each_nap_that_met_traffic_is_listed_with_what_it_met() {
    let plan = json(&["networkin-cron.csv", "--every", "5"]);
    let met = plan["met"].as_array().unwrap();
    assert_eq!(met.len() as u64, plan["policies"][0]["wakes"].as_u64().unwrap());
    let slept = plan["policies"][0]["slept"].as_array().unwrap();
    for met in met {
        assert!(slept.iter().any(|slept| slept["until"] == met["at"]), "{met}");
        assert!(met["bytes"].as_f64().unwrap() > 10_000.0 && met["slept_minutes"].as_i64().unwrap() >= 0);
    }
}

#[test]
fn time_without_datapoints_is_not_simply_called_saved() {
    let text = fs::read_to_string(data("networkin-cron.csv")).unwrap();
    let by_day = |row: &&str| !row.contains(" 0") && !row.contains(" 23:");
    let rows: Vec<_> = text.lines().filter(|row| row.starts_with('t') || by_day(row)).collect();
    let file = scratch("by-day.csv");
    fs::write(&file, rows.join("\n")).unwrap();
    let plan = json(&[&file, "--hourly-price", "0.5"]);
    let hours = (rows.len() - 1) as f64 / 12.0;
    for (key, expected) in [("hours_recorded", hours), ("cost_recorded", hours / 2.0)] {
        assert!((plan[key].as_f64().unwrap() - expected).abs() < 0.01, "{key}: {}", plan[key]);
    }
    let printed = stdout(&[&file, "--hourly-price", "0.5"]);
    let says = format!("As it was: awake for {hours:.1} h, at {:.2}.\n", hours / 2.0);
    assert!(printed.contains("% of the datapoints are missing") && printed.contains(&says), "{printed}");
}

#[test]
fn less_than_a_day_is_too_little_for_a_recommendation() {
    let text = fs::read_to_string(data("networkin-cron.csv")).unwrap();
    let file = scratch("hours.csv");
    fs::write(&file, text.lines().take(1 + 120).collect::<Vec<_>>().join("\n")).unwrap();
    assert!(
        stdout(&[&file]).ends_with("Recommended: nothing yet. It takes datapoints of a day, and there are 10.0 h\n")
    );
    assert!(json(&[&file])["advice"].is_null());
}

#[test]
fn what_aws_prints_is_the_same_as_csv() {
    let text = fs::read_to_string(data("networkin-cron.csv")).unwrap();
    let mut rows: Vec<_> = text.lines().skip(1).map(|row| row.split_once(',').unwrap()).collect();
    rows.reverse(); // newest first, as CloudWatch gives it
    let times: Vec<_> = rows.iter().map(|(time, _)| format!("\"{}+00:00\"", time.replace(' ', "T"))).collect();
    let values: Vec<_> = rows.iter().map(|(_, value)| *value).collect();
    let file = scratch("metrics.json");
    let result = format!(
        r#"{{"Id": "m", "Label": "NetworkIn", "Timestamps": [{}], "Values": [{}], "StatusCode": "Complete"}}"#,
        times.join(","),
        values.join(",")
    );
    let csv = json(&["networkin-cron.csv"]);
    for shape in [format!("{{\"MetricDataResults\": [{result}], \"Messages\": []}}"), format!("[{result}]")] {
        fs::write(&file, shape).unwrap();
        assert_eq!(json(&[&file])["policies"], csv["policies"]);
    }
}

#[test]
fn the_chart_shows_traffic_floor_and_each_nap() {
    let file = scratch("cron.svg");
    let plan = json(&["networkin-cron.csv", "--svg", &file]);
    let svg = fs::read_to_string(file).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    let naps = plan["policies"][0]["naps"].as_u64().unwrap() as usize;
    assert_eq!(svg.matches("<rect class=\"nap\"").count(), naps);
    for words in ["NetworkIn", "noise floor", "asleep", "bytes in 5 minutes", "1 MB", "14 Apr", "UTC"] {
        assert!(svg.contains(&format!(">{words}")), "{words}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    let error = |arguments: &[&str]| {
        let output = catnap(arguments);
        assert!(!output.status.success() && output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(error(&["nowhere.csv"]).starts_with("error: nowhere.csv: No such file"));
    let file = scratch("wrong.csv");
    fs::write(&file, "timestamp,value\n2026-01-01 00:00:00,1\n2026-01-01 00:05:00,x\n").unwrap();
    assert_eq!(error(&[&file]), format!("error: {file}:3:21: value is \"x\": it takes bytes\n"));
    assert!(error(&["networkin-cron.csv", "--idle-minutes", "1"]).contains("it takes minutes, a whole number from 5"));
    assert!(
        error(&["networkin-cron.csv", "--health-check", "http:2:30"]).contains("it takes none, or tcp, http or https")
    );
    assert!(error(&["networkin-cron.csv", "--svg", "/nowhere/it.svg"]).starts_with("error: /nowhere/it.svg: "));
}
