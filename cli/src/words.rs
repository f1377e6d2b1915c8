//! Decisions, times and durations in words: by the names that the stopper's log has.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use shared::idle::{IdleDecision, KeepReason, Missing, NapReason, Protection, Unwakeable, WakeReason};
use shared::model::InstanceState;

use crate::plan::bytes_in_words;

/// A reason or a state by the name that the stopper's log has for it.
pub(crate) fn name_of(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value["reason"].as_str().or(value.as_str()).unwrap_or_default().into()
}

/// A parameter of the stack as `--parameter-overrides` of SAM takes it, quoted for a shell. SAM takes apart what it is
/// given at each space, unless the value is in double quotes.
pub(crate) fn parameter(name: &str, value: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:,@+".contains(it);
    if !value.is_empty() && value.chars().all(is_plain) {
        return format!("{name}={value}");
    }
    format!("'{name}=\"{value}\"'")
}

/// A decision with its reason, and the facts of that reason.
pub(crate) fn decision(decision: &IdleDecision, now: DateTime<Utc>) -> String {
    let at = |time: &DateTime<Utc>| clock(*time, now);
    match decision {
        IdleDecision::Skip(_) => String::new(), // the state says it
        IdleDecision::Wake(reason @ WakeReason::Window { since, .. }) => {
            format!("wake: {} (it slept when the window of {} began)", name_of(reason), at(since))
        }
        IdleDecision::Nap(reason) => {
            let why = match reason {
                NapReason::Idle { since, quiet, floor } => format!(
                    "nobody since {}, which is known for {}; noise is up to {}",
                    at(since),
                    duration(*quiet),
                    bytes_in_words(*floor)
                ),
                NapReason::Sick { since } => format!("nobody can reach it since {}", at(since)),
            };
            format!("nap: {} ({why})", name_of(reason))
        }
        IdleDecision::Keep(reason) => format!("keep: {} ({})", name_of(reason), kept(reason, now)),
    }
}

fn kept(reason: &KeepReason, now: DateTime<Utc>) -> String {
    let at = |time: &DateTime<Utc>| clock(*time, now);
    match reason {
        KeepReason::Protected { by } => match by {
            Protection::Tag => "the tag catnap:protect".into(),
            Protection::Spot => "a spot instance".into(),
            Protection::AutoScaling => "in an Auto Scaling group".into(),
            Protection::InstanceStore => "an instance-store root".into(),
            Protection::StopProtection => "stop protection".into(),
        },
        KeepReason::Window { until: Some(until) } => format!("a keep-awake window until {}", at(until)),
        KeepReason::Window { until: None } => "a keep-awake window without an end".into(),
        KeepReason::Until { until } => format!("the tag catnap:keep-awake-until, {}", at(until)),
        KeepReason::Recent { launched_at } => format!("started at {}", at(launched_at)),
        KeepReason::Busy { until } => format!("a job or someone on it, up to {}", at(until)),
        KeepReason::FailoverOff { because } => match because {
            Unwakeable::NoHealthCheck => "no health check watches it: no visit could wake it".into(),
            Unwakeable::HealthCheckDisabled => {
                "its health check is disabled or inverted: no visit could wake it".into()
            }
            Unwakeable::NoName => "its tag catnap:host is no host name: no visit could wake it".into(),
            Unwakeable::SharedName => "another instance has the same catnap:host: no visit could wake either".into(),
        },
        KeepReason::NoData { missing, .. } => match missing {
            Missing::NetworkIn => "NetworkIn is missing or too old".into(),
            Missing::NetworkInPoints => "NetworkIn has gaps".into(),
            Missing::HealthStatus => "the health check reports nothing".into(),
            Missing::HealthCheck => "the health check cannot be read".into(),
            Missing::Presence => "Visits and Busy cannot be read".into(),
        },
        KeepReason::Active { at: end, bytes, floor } => format!(
            "{} came in up to {}, and noise is up to {}",
            bytes_in_words(*bytes),
            at(end),
            bytes_in_words(*floor)
        ),
        KeepReason::Sick { since } => format!("nobody can reach it since {}, and OnSick is keep", at(since)),
        KeepReason::Visitors { at: last } => format!("someone waits at the starter, last at {}", at(last)),
    }
}

/// What a person calls a state.
pub(crate) fn state(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Pending => "waking",
        InstanceState::Running => "awake",
        InstanceState::Stopping => "falling asleep",
        InstanceState::Stopped => "asleep",
        InstanceState::ShuttingDown | InstanceState::Terminated => "deleted",
    }
}

/// A time to read: the day only if it is not the same.
pub(crate) fn clock(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let format = if at.date_naive() == now.date_naive() { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" };
    at.format(format).to_string()
}

/// A duration to read, in its two largest units.
pub(crate) fn duration(time: TimeDelta) -> String {
    let minutes = time.num_minutes();
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_name_and_its_facts() {
        let now: DateTime<Utc> = "2026-03-01T20:00:00Z".parse().unwrap();
        let at = now - TimeDelta::minutes(20);
        let keep = |reason| decision(&IdleDecision::Keep(reason), now);
        assert_eq!(
            keep(KeepReason::Active { at, bytes: 900_000.0, floor: 31_000.0 }),
            "keep: active (900 KB came in up to 19:40 UTC, and noise is up to 31 KB)"
        );
        assert_eq!(keep(KeepReason::Protected { by: Protection::Tag }), "keep: protected (the tag catnap:protect)");
        assert_eq!(
            keep(KeepReason::NoData { missing: Missing::HealthStatus, known_until: None }),
            "keep: no-data (the health check reports nothing)"
        );
        assert_eq!(
            keep(KeepReason::Until { until: now + TimeDelta::days(1) }),
            "keep: until (the tag catnap:keep-awake-until, 2026-03-02 20:00 UTC)"
        );
        let idle = NapReason::Idle { since: at, quiet: TimeDelta::minutes(75), floor: 31_000.0 };
        assert_eq!(
            decision(&IdleDecision::Nap(idle), now),
            "nap: idle (nobody since 19:40 UTC, which is known for 1 h 15 min; noise is up to 31 KB)"
        );
    }

    #[test]
    fn a_parameter_with_a_space_is_quoted_for_sam_and_for_the_shell() {
        assert_eq!(parameter("Schedule", "rate(5 minutes)"), r#"'Schedule="rate(5 minutes)"'"#);
        assert_eq!(parameter("IdleMinutes", "15"), "IdleMinutes=15");
        assert_eq!(parameter("InstanceId", ""), r#"'InstanceId=""'"#);
    }

    #[test]
    fn durations_are_written_in_their_two_largest_units() {
        assert_eq!(duration(TimeDelta::minutes(59)), "59 min");
        assert_eq!(duration(TimeDelta::minutes(61)), "1 h 1 min");
        assert_eq!(duration(TimeDelta::hours(50)), "2 d 2 h");
    }
}
