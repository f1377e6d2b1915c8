//! Recorded NetworkIn: from CSV, or from what `aws cloudwatch` prints.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use shared::model::{Point, Series};
use shared::replay::Traffic;

/// NetworkIn of one instance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recording {
    /// The datapoints, oldest first: bytes in each period of 1 or 5 minutes.
    pub(crate) series: Series,
}

/// A recording that cannot be read, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", place(*.at))]
pub(crate) struct Unreadable {
    file: String,
    /// Line and column, from 1.
    at: Option<(usize, usize)>,
    what: String,
}

fn place(at: Option<(usize, usize)>) -> String {
    at.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"))
}

/// For how long CloudWatch has datapoints at most (CloudWatch User Guide, "Metrics retention").
const KEPT: TimeDelta = TimeDelta::days(455);

type Wrong = (Option<(usize, usize)>, String);

/// Reads a recording; `file` is for the message of an error.
pub(crate) fn read(file: &str, text: &str) -> Result<Recording, Unreadable> {
    let is_json = text.trim_start().starts_with(['{', '[']);
    let points = if is_json { from_json(text) } else { from_csv(text) };
    points.and_then(series).map(|series| Recording { series }).map_err(|(at, what)| Unreadable {
        file: file.into(),
        at,
        what,
    })
}

/// A datapoint, and where it stands in the file.
type Located = (Point, Option<(usize, usize)>);

fn from_csv(text: &str) -> Result<Vec<Located>, Wrong> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let (line, header) = lines.next().ok_or((None, "it is empty".to_owned()))?;
    if header.trim_start_matches('\u{feff}').split(',').map(str::trim).ne(["timestamp", "value"]) {
        return Err((Some((line, 1)), "the first line of a CSV file has to be timestamp,value".into()));
    }
    let point = |(line, row): (usize, &str)| {
        let columns: Vec<&str> = row.split(',').collect();
        let [at, value] = columns[..] else {
            return Err((Some((line, 1)), format!("it takes two columns, timestamp and value, not {}", columns.len())));
        };
        let at = time(at.trim()).ok_or_else(|| {
            let takes = "it takes a time such as 2026-01-31 17:05:00 or 2026-01-31T17:05:00Z";
            (Some((line, 1)), format!("timestamp is {at:?}: {takes}"))
        })?;
        let column = row.find(',').unwrap_or_default() + 2;
        let bytes = value.trim().parse().ok().filter(is_bytes);
        let value = bytes.ok_or_else(|| (Some((line, column)), format!("value is {value:?}: it takes bytes")))?;
        Ok((Point { at, value }, Some((line, 1))))
    };
    lines.map(point).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a filter's argument")]
fn is_bytes(value: &f64) -> bool {
    value.is_finite() && *value >= 0.0
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let naive = || {
        let formats = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"];
        formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(|time| time.and_utc())
    };
    zoned.ok().or_else(naive)
}

/// What `get-metric-data` prints, whole or with `--query MetricDataResults`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricData {
    metric_data_results: Vec<MetricResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricResult {
    #[serde(default)]
    id: String,
    #[serde(default)]
    label: String,
    timestamps: Vec<Time>,
    values: Vec<Bytes>,
}

/// A time as the AWS CLI prints it: a text, or seconds since 1970 (`cli_timestamp_format = none`).
struct Time(DateTime<Utc>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a timestamp is a text, or seconds since 1970")]
        enum Either {
            Text(String),
            Seconds(f64),
        }
        let read = match Either::deserialize(deserializer)? {
            Either::Text(text) => time(&text).ok_or_else(|| format!("{text:?} is no time")),
            #[expect(clippy::cast_possible_truncation, reason = "whole seconds are wanted")]
            Either::Seconds(seconds) => {
                DateTime::from_timestamp(seconds as i64, 0).ok_or_else(|| format!("{seconds} is no time"))
            }
        };
        read.map(Self).map_err(D::Error::custom)
    }
}

struct Bytes(f64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        if is_bytes(&value) { Ok(Self(value)) } else { Err(D::Error::custom(format!("{value} is no number of bytes"))) }
    }
}

fn from_json(text: &str) -> Result<Vec<Located>, Wrong> {
    let wrong = |error: serde_json::Error| {
        let at = (error.line() > 0).then(|| (error.line(), error.column()));
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
        (at, format!("{what} (it takes the output of aws cloudwatch get-metric-data)"))
    };
    let results = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<MetricResult>>(text).map_err(wrong)?
    } else {
        serde_json::from_str::<MetricData>(text).map_err(wrong)?.metric_data_results
    };
    let mut points = Vec::new();
    let first = results.first().map(|result| (result.id.clone(), result.label.clone()));
    for MetricResult { id, label, timestamps, values } in results {
        // Further pages of one metric come as further results with its id.
        if let Some((first_id, first_label)) = first.as_ref().filter(|(first_id, _)| *first_id != id) {
            let what = format!(
                "it has more than one metric, {first_label:?} ({first_id}) and {label:?} ({id}): ask for NetworkIn alone"
            );
            return Err((None, what));
        }
        if timestamps.len() != values.len() {
            return Err((None, format!("{label:?} has {} timestamps and {} values", timestamps.len(), values.len())));
        }
        let located = |(Time(at), Bytes(value))| (Point { at, value }, None);
        points.extend(timestamps.into_iter().zip(values).map(located));
    }
    Ok(points)
}

/// Puts datapoints in order and finds out what one covers.
fn series(mut points: Vec<Located>) -> Result<Series, Wrong> {
    points.sort_by_key(|(point, _)| point.at);
    if let [(first, _), .., (last, _)] = points.as_slice()
        && last.at - first.at > KEPT
    {
        let what = "CloudWatch keeps none for longer than 455 days";
        return Err((None, format!("the datapoints are from {} to {}: {what}", first.at, last.at)));
    }
    let steps = || points.windows(2).map(|pair| pair[1].0.at - pair[0].0.at);
    let period = match steps().min() {
        Some(step) if step == TimeDelta::minutes(1) || step == TimeDelta::minutes(5) => step,
        Some(step) if step.is_zero() => {
            let twice = points.windows(2).find(|pair| pair[0].0.at == pair[1].0.at).map(|pair| pair[1]);
            let (at, located) = twice.map_or((None, None), |(point, located)| (Some(point.at), located));
            return Err((located, format!("the time {} comes twice", at.unwrap_or_default())));
        }
        Some(step) => {
            let what = "Catnap decides by datapoints of 5 minutes, or of 1 under detailed monitoring";
            return Err((
                None,
                format!("the datapoints are {} seconds apart: {what} (--period 300)", step.num_seconds()),
            ));
        }
        None => return Err((None, "it has fewer than two datapoints".into())),
    };
    let first = points[0].0.at;
    let off = points.iter().find(|(point, _)| (point.at - first).num_seconds() % period.num_seconds() != 0);
    if let Some((point, located)) = off {
        let what = format!("{} is no multiple of {} seconds after the first time", point.at, period.num_seconds());
        return Err((*located, what));
    }
    Ok(Series { period, points: points.into_iter().map(|(point, _)| point).collect() })
}

impl Recording {
    /// The same as bytes in each minute, a missing datapoint as lost minutes.
    pub(crate) fn traffic(&self) -> Traffic {
        let period = self.series.period;
        let minutes = |time: TimeDelta| usize::try_from(time.num_minutes()).unwrap_or_default();
        let (first, last) = (self.since(), self.until());
        let mut bytes = vec![None; minutes(last - first)];
        for point in &self.series.points {
            let from = minutes(point.at - first);
            bytes[from..from + minutes(period)].fill(Some(point.value / period.num_minutes() as f64));
        }
        Traffic { since: first, bytes }
    }

    /// When it begins.
    pub(crate) fn since(&self) -> DateTime<Utc> {
        self.series.points.first().map(|point| point.at).unwrap_or_default()
    }

    /// When it ends.
    pub(crate) fn until(&self) -> DateTime<Utc> {
        self.series.points.last().map(|point| self.series.end_of(point)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        read("it.csv", text).unwrap_err().to_string()
    }

    fn values(text: &str) -> Vec<f64> {
        read("it", text).unwrap().series.points.iter().map(|point| point.value).collect()
    }

    #[test]
    fn a_csv_file_is_read_and_put_in_order() {
        let text =
            "timestamp,value\n2026-01-01 00:05:00,20.5\r\n2026-01-01T00:00:00Z,10\n\n2026-01-01T01:20:00+01:00,40\n";
        assert_eq!(values(text), [10.0, 20.5, 40.0]);
        let recording = read("it", text).unwrap();
        assert_eq!(recording.series.period, TimeDelta::minutes(5));
        let traffic = recording.traffic();
        assert_eq!(traffic.bytes.len(), 25);
        assert_eq!((traffic.bytes[0], traffic.bytes[12], traffic.bytes[24]), (Some(2.0), None, Some(8.0)));
    }

    #[test]
    fn what_aws_prints_is_read_whole_or_in_part_in_any_order_of_time_and_in_pages() {
        let result = r#"{"Id": "m", "Label": "NetworkIn", "Timestamps": ["2026-01-01T00:01:00+00:00", "2026-01-01T00:00:00Z"],
            "Values": [2.0, 1], "StatusCode": "Complete"}"#;
        let page = r#"{"Id": "m", "Label": "NetworkIn", "Timestamps": [1767225720], "Values": [3]}"#;
        assert_eq!(values(&format!("[{result}]")), [1.0, 2.0]);
        assert_eq!(values(&format!(r#"{{"Messages": [], "MetricDataResults": [{result}, {page}]}}"#)), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn errors_name_file_line_and_column() {
        assert_eq!(error(""), "it.csv: it is empty");
        assert_eq!(error("a,b\n"), "it.csv:1:1: the first line of a CSV file has to be timestamp,value");
        let csv = |rows: &str| error(&format!("timestamp,value\n2026-01-01 00:00:00,1\n{rows}"));
        assert_eq!(csv("2026-01-01 00:05:00,much"), "it.csv:3:21: value is \"much\": it takes bytes");
        assert!(csv("2026-01-01 00:05:00,-1").starts_with("it.csv:3:21: "));
        assert!(csv("2026-01-01 00:05:00,NaN").starts_with("it.csv:3:21: "));
        assert!(csv("yesterday,1").starts_with("it.csv:3:1: timestamp is \"yesterday\": it takes a time such as"));
        assert_eq!(csv("1,2,3"), "it.csv:3:1: it takes two columns, timestamp and value, not 3");
        assert_eq!(csv("2026-01-01 00:00:00,1"), "it.csv:3:1: the time 2026-01-01 00:00:00 UTC comes twice");
        assert!(csv("2026-01-01 01:00:00,1").starts_with("it.csv: the datapoints are 3600 seconds apart"));
        assert!(
            csv("2026-01-01 00:05:00,1\n2026-01-01 00:12:00,1")
                .starts_with("it.csv:4:1: 2026-01-01 00:12:00 UTC is no")
        );
        assert!(csv("9999-01-01 00:00:00,1").ends_with("UTC: CloudWatch keeps none for longer than 455 days"));
        assert_eq!(csv(""), "it.csv: it has fewer than two datapoints");
    }

    #[test]
    fn errors_in_json_have_a_place_too() {
        let takes = "(it takes the output of aws cloudwatch get-metric-data)";
        assert_eq!(error("{\n \"Metrics\": []}"), format!("it.csv:2:15: missing field `MetricDataResults` {takes}"));
        assert!(
            error("[{\"Timestamps\": [true],\n \"Values\": []}]").starts_with("it.csv:1:22: a timestamp is a text")
        );
        assert!(
            error("[{\"Timestamps\": [\"noon\"], \"Values\": []}]").starts_with("it.csv:1:24: \"noon\" is no time")
        );
        assert!(error("{").starts_with("it.csv:1:1: EOF"));
        let two = r#"[{"Id": "a", "Label": "NetworkIn", "Timestamps": [], "Values": []}, {"Id": "b", "Label": "CPU", "Timestamps": [], "Values": []}]"#;
        assert!(error(two).contains("more than one metric, \"NetworkIn\" (a) and \"CPU\" (b)"));
        assert!(error(r#"[{"Timestamps": [0], "Values": []}]"#).contains("1 timestamps and 0 values"));
    }
}
