//! One line a decision: structured JSON that is log and metrics in one.
//!
//! CloudWatch's embedded metric format reads the metrics out of the same line
//! (CloudWatch User Guide, "Specification: Embedded metric format"). A custom metric is billed only for
//! the hours in which it reports, so only events become metrics; all else stays in the record.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// CloudWatch's namespace of everything that Catnap counts.
pub const NAMESPACE: &str = "Catnap";

/// What is counted, by the name of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// A request that asks for the app: once or more for each person, as long as they wait at the starter. With `Steer`
    /// one that leads visitors home, too.
    Visits,
    /// A start that EC2 took.
    Wakes,
    /// A request that the filter kept from waking.
    IgnoredRequests,
    /// A wake that could not be.
    WakeFailed,
    /// On for longer than a boot may take, and the app does not answer.
    Overdue,
    /// Seconds from StartInstances to the app's first answer.
    WakeSeconds(u32),
    /// The starter answers for an app that DNS should long lead to.
    FailoverStuck,
    /// A health check could not be steered, or keeps visitors from an app that has long been running.
    SteerFailed,
    /// A nap that EC2 took.
    Naps,
    /// An instance that nothing watches.
    FailoverOff,
    /// Metrics that a decision needed were missing.
    NoData,
    /// Running, and nobody could reach it.
    Sick,
    /// A tick that could not do its work for a target, or at all.
    TickFailed,
}

impl Count {
    /// What someone has to look at. The template has an alarm for each.
    pub const TROUBLES: [Self; 7] = [
        Self::WakeFailed,
        Self::FailoverStuck,
        Self::SteerFailed,
        Self::FailoverOff,
        Self::NoData,
        Self::Sick,
        Self::TickFailed,
    ];

    /// The metric's name: the variant's.
    fn name(self) -> String {
        let variant = format!("{self:?}");
        variant.split('(').next().unwrap_or_default().into()
    }
}

/// A record as one line of JSON, without the line's end.
///
/// What is counted goes out by app. [`Count::TROUBLES`] go out by `pair` as well, the name that both functions are
/// deployed with: an alarm takes one metric and cannot search, and a pair may have many apps.
///
/// # Errors
/// When `fields` cannot be JSON.
pub fn line(
    now: DateTime<Utc>,
    pair: &str,
    app: &str,
    counts: &[Count],
    fields: &impl Serialize,
) -> serde_json::Result<String> {
    let mut record = Map::new();
    record.insert("time".into(), json!(now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)));
    record.insert("App".into(), json!(app));
    if let Value::Object(fields) = serde_json::to_value(fields)? {
        record.extend(fields);
    }
    if !counts.is_empty() {
        let mut metrics = Vec::with_capacity(counts.len());
        let mut troubles = Vec::new();
        for count in counts {
            let (value, unit) = match count {
                Count::WakeSeconds(seconds) => (*seconds, "Seconds"),
                _ => (1, "Count"),
            };
            let metric = json!({"Name": count.name(), "Unit": unit});
            if Count::TROUBLES.contains(count) {
                troubles.push(metric.clone());
            }
            metrics.push(metric);
            record.insert(count.name(), json!(value));
        }
        let by = |dimension, metrics| json!({"Namespace": NAMESPACE, "Dimensions": [[dimension]], "Metrics": metrics});
        let mut directives = vec![by("App", metrics)];
        if !troubles.is_empty() {
            record.insert("Pair".into(), json!(pair));
            directives.push(by("Pair", troubles));
        }
        record.insert("_aws".into(), json!({"Timestamp": now.timestamp_millis(), "CloudWatchMetrics": directives}));
    }
    serde_json::to_string(&record)
}

/// Where the lines go: standard output in Lambda, memory in a test.
pub trait Sink: Send + Sync {
    /// Takes one line.
    fn take(&self, line: String);
}

/// Standard output, which Lambda puts into the function's log group.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stdout;

impl Sink for Stdout {
    fn take(&self, line: String) {
        // A log that cannot be written must not keep a visitor from the answer.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }
}

/// Says in the log what kept a function from its work: a setting that cannot be read, an event of another kind.
pub fn failure(sink: &impl Sink, now: DateTime<Utc>, error: &dyn std::error::Error) {
    let fields = json!({"level": "ERROR", "message": error.to_string()});
    if let Ok(line) = line(now, "", "", &[], &fields) {
        sink.take(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_log_and_metric_in_one() {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let line = line(now, "pair", "app.example.com", &[Count::Visits], &json!({"reason": "asleep"})).unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["reason"], "asleep");
        assert_eq!(record["App"], "app.example.com");
        assert_eq!(record["Visits"], 1);
        assert_eq!(record["_aws"]["Timestamp"], 1_767_323_045_000_i64);
        assert_eq!(record["_aws"]["CloudWatchMetrics"].as_array().map(Vec::len), Some(1));
        assert!(record.get("Pair").is_none());
        let directive = &record["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Catnap");
        assert_eq!(directive["Dimensions"], json!([["App"]]));
        assert_eq!(directive["Metrics"], json!([{"Name": "Visits", "Unit": "Count"}]));
    }

    #[test]
    fn a_trouble_is_counted_for_the_pair_as_well() {
        let counts = [Count::Naps, Count::Sick];
        let line = line(DateTime::UNIX_EPOCH, "app.example.com", "wiki.example.com", &counts, &json!({})).unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&record["App"], &record["Pair"]), (&json!("wiki.example.com"), &json!("app.example.com")));
        let directives = &record["_aws"]["CloudWatchMetrics"];
        assert_eq!(directives[0]["Metrics"].as_array().map(Vec::len), Some(2));
        assert_eq!(directives[1]["Dimensions"], json!([["Pair"]]));
        assert_eq!(directives[1]["Metrics"], json!([{"Name": "Sick", "Unit": "Count"}]));
    }

    #[test]
    fn a_measure_has_its_value_and_its_unit() {
        let counts = [Count::Visits, Count::WakeSeconds(84)];
        let line = line(DateTime::UNIX_EPOCH, "pair", "a", &counts, &json!({})).unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&record["Visits"], &record["WakeSeconds"]), (&json!(1), &json!(84)));
        let metrics = &record["_aws"]["CloudWatchMetrics"][0]["Metrics"];
        assert_eq!(metrics[1], json!({"Name": "WakeSeconds", "Unit": "Seconds"}));
    }

    #[test]
    fn nothing_counted_is_no_metric() {
        let line = line(DateTime::UNIX_EPOCH, "pair", "a", &[], &json!({"reason": "ready"})).unwrap();
        assert!(!line.contains("_aws"), "{line}");
    }
}
