//! What each policy would have made of a recording.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde::Serialize;
use shared::config;
use shared::idle::{self, Facts, IdleDecision, OnSick, Policy};
use shared::model::{CheckKind, HealthCheckConfig, InstanceState};
use shared::replay::{Outcome, Rules, Wakes, replay};
use shared::schedule::Windows;

use crate::recording::Recording;
use crate::words::name_of;

/// How Catnap would be set up.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How long nobody must have been there: the parameter IdleMinutes
    #[arg(long, value_name = "MINUTES", default_value = "60", value_parser = readable(config::idle_minutes))]
    idle_minutes: TimeDelta,
    /// Minutes from one tick to the next: the parameter Schedule
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(i64).range(1..=1_440))]
    every: i64,
    /// Minutes until a datapoint of CloudWatch can be read
    #[arg(long, value_name = "MINUTES", default_value_t = 5, value_parser = clap::value_parser!(i64).range(0..=60))]
    delay: i64,
    /// The parameter ActivityBytes
    #[arg(long, value_name = "BYTES", default_value = "auto", value_parser = readable(activity_bytes))]
    activity_bytes: ActivityBytes,
    /// The health check whose traffic is in the recording, such as http:3:30 for its protocol, regions and seconds
    #[arg(long, value_name = "CHECK", default_value = "none", value_parser = readable(health_check))]
    health_check: Check,
    /// The parameter KeepAwake, such as "Mon-Fri 08:00-18:00 Europe/Berlin"
    #[arg(long, value_name = "WINDOWS", value_parser = readable(Windows::from_str))]
    keep_awake: Option<Windows>,
    /// What an hour awake costs
    #[arg(long, value_name = "PRICE", value_parser = readable(config::hourly_price))]
    hourly_price: Option<f64>,
    /// A stop alarm below so many bytes in five minutes, to compare with; can be given more than once
    #[arg(long, value_name = "BYTES", default_values_t = [17_000, 100_000])]
    alarm: Vec<u32>,
}

/// None for what is learned.
#[derive(Debug, Clone, Copy)]
struct ActivityBytes(Option<f64>);

/// None for no health check.
#[derive(Debug, Clone, Copy)]
struct Check(Option<HealthCheckConfig>);

/// A parser of `shared`, as clap takes it.
fn readable<T>(
    parse: impl Fn(&str) -> Result<T, shared::model::Unreadable> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| parse(text).map_err(|error| format!("it {error}"))
}

fn activity_bytes(text: &str) -> Result<ActivityBytes, shared::model::Unreadable> {
    config::activity_bytes(text).map(ActivityBytes)
}

fn health_check(text: &str) -> Result<Check, shared::model::Unreadable> {
    let unreadable =
        shared::model::Unreadable { takes: "none, or tcp, http or https with regions and seconds: http:3:30" };
    if text == "none" {
        return Ok(Check(None));
    }
    let mut parts = text.split(':');
    let kind = match parts.next() {
        Some("tcp") => CheckKind::Tcp,
        Some("http") => CheckKind::Http,
        Some("https") => CheckKind::Https,
        _ => return Err(unreadable),
    };
    let mut number = |allowed: &[u32]| parts.next()?.parse().ok().filter(|number| allowed.contains(number));
    match (number(&[3, 4, 5, 6, 7, 8]), number(&[10, 30]), parts.next()) {
        (Some(regions), Some(interval_seconds), None) => {
            Ok(Check(Some(HealthCheckConfig { kind, interval_seconds, regions, disabled: false })))
        }
        _ => Err(unreadable),
    }
}

/// A recording, and what each policy would have made of it.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    pub(crate) recording: String,
    pub(crate) since: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    /// What one datapoint covers.
    pub(crate) period_seconds: i64,
    pub(crate) datapoints: usize,
    pub(crate) missing: usize,
    pub(crate) idle_minutes: i64,
    pub(crate) tick_minutes: i64,
    /// Catnap first.
    pub(crate) policies: Vec<Trial>,
    /// How long Catnap kept it awake for each reason.
    pub(crate) hours_kept: BTreeMap<String, f64>,
    /// What Catnap took for noise at each tick on the running instance, in bytes of a datapoint.
    #[serde(skip)]
    pub(crate) floors: Vec<(DateTime<Utc>, f64)>,
    /// The last of them.
    pub(crate) floor: Option<f64>,
}

/// What one policy would have made of it.
#[derive(Debug, Serialize)]
pub(crate) struct Trial {
    pub(crate) policy: String,
    pub(crate) hours_awake: f64,
    pub(crate) hours_asleep: f64,
    /// How often it was stopped, and started.
    pub(crate) naps: usize,
    pub(crate) wakes: usize,
    /// Datapoints above the floor that came while it napped. The first of a visit wakes it.
    pub(crate) met_while_napping: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) saved: Option<f64>,
    /// From when to when it napped.
    pub(crate) slept: Vec<Slept>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Slept {
    pub(crate) since: DateTime<Utc>,
    /// None when it slept until the recording's end.
    pub(crate) until: Option<DateTime<Utc>>,
}

/// Replays a recording by each policy.
pub(crate) fn plan(name: &str, recording: &Recording, options: &Options) -> Plan {
    let traffic = recording.traffic();
    let period = recording.series.period;
    let no_windows = Windows::default();
    let catnap = Rules {
        policy: Policy {
            idle: options.idle_minutes,
            activity_bytes: options.activity_bytes.0,
            boot_deadline: TimeDelta::minutes(5),
            on_sick: OnSick::Nap,
            steer: false,
        },
        health_check: options.health_check.0,
        keep_awake: options.keep_awake.as_ref().unwrap_or(&no_windows),
        tick: options.every,
        phase: 0,
        period: period.num_minutes(),
        delay: options.delay,
        busy: None,
    };
    let mut floors = Vec::new();
    let mut ticks = BTreeMap::<String, u32>::new();
    let told = |facts: &Facts<'_>, decision: &IdleDecision| {
        if facts.instance.state == InstanceState::Running {
            floors.push((facts.now, idle::floor(facts).bytes));
        }
        if let IdleDecision::Keep(reason) = decision {
            *ticks.entry(name_of(reason)).or_default() += 1;
        }
    };
    let mut policies = vec![result("Catnap", &replay(&traffic, Wakes::Activity, &catnap, told), options)];
    for bytes in &options.alarm {
        // An alarm knows neither windows nor health checks.
        let policy = Policy { activity_bytes: Some((*bytes).into()), ..catnap.policy };
        let rules = Rules { policy, health_check: None, keep_awake: &no_windows, ..catnap.clone() };
        let outcome = replay(&traffic, Wakes::Activity, &rules, |_, _| {});
        policies.push(result(&format!("alarm below {}", bytes_in_words(f64::from(*bytes))), &outcome, options));
    }
    let awake = recording.until() - recording.since();
    let always_on = Outcome { awake, asleep: TimeDelta::zero(), naps: Vec::new(), met: 0 };
    policies.push(result("always on", &always_on, options));
    let hours = |(reason, ticks)| (reason, f64::from(ticks) * options.every as f64 / 60.0);
    Plan {
        recording: name.into(),
        since: recording.since(),
        until: recording.until(),
        period_seconds: period.num_seconds(),
        datapoints: recording.series.points.len(),
        missing: traffic.bytes.len() / usize::try_from(catnap.period).unwrap_or(1) - recording.series.points.len(),
        idle_minutes: options.idle_minutes.num_minutes(),
        tick_minutes: options.every,
        policies,
        hours_kept: ticks.into_iter().map(hours).collect(),
        floor: floors.last().map(|(_, bytes)| *bytes),
        floors,
    }
}

fn result(policy: &str, outcome: &Outcome, options: &Options) -> Trial {
    let hours = |time: TimeDelta| time.num_minutes() as f64 / 60.0;
    let cost = |time: TimeDelta| options.hourly_price.map(|price| price * hours(time));
    Trial {
        policy: policy.into(),
        hours_awake: hours(outcome.awake),
        hours_asleep: hours(outcome.asleep),
        naps: outcome.naps.len(),
        wakes: outcome.naps.iter().filter(|nap| nap.woken_at.is_some()).count(),
        met_while_napping: outcome.met,
        cost: cost(outcome.awake),
        saved: cost(outcome.asleep),
        slept: outcome.naps.iter().map(|nap| Slept { since: nap.at, until: nap.woken_at }).collect(),
    }
}

/// Bytes with the unit that suits them.
pub(crate) fn bytes_in_words(bytes: f64) -> String {
    match bytes {
        ..1e3 => format!("{bytes:.0} B"),
        ..1e6 => format!("{:.0} KB", bytes / 1e3),
        ..1e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}
