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

use crate::advice::{self, Advice};
use crate::recording::Recording;
use crate::words::name_of;

/// How Catnap would be set up.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How long nobody must have been there: the parameter IdleMinutes [default: the stack's, or 60]
    #[arg(long, value_name = "MINUTES", value_parser = readable(config::idle_minutes))]
    idle_minutes: Option<TimeDelta>,
    /// Minutes from one tick to the next: the parameter Schedule [default: the stack's, or 60]
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(i64).range(1..=1_440))]
    every: Option<i64>,
    /// Minutes until a datapoint of CloudWatch can be read
    #[arg(long, value_name = "MINUTES", default_value_t = 5, value_parser = clap::value_parser!(i64).range(0..=60))]
    delay: i64,
    /// The parameter ActivityBytes [default: the stack's, or auto]
    #[arg(long, value_name = "BYTES", value_parser = readable(activity_bytes))]
    activity_bytes: Option<ActivityBytes>,
    /// The health check whose traffic is in the recording, such as http:3:30 for its protocol, regions and seconds
    /// [default: the one that there is, or none]
    #[arg(long, value_name = "CHECK", value_parser = readable(health_check))]
    health_check: Option<Check>,
    /// The parameter KeepAwake, such as "Mon-Fri 08:00-18:00 Europe/Berlin"
    #[arg(long, value_name = "WINDOWS", value_parser = readable(Windows::from_str))]
    keep_awake: Option<Windows>,
    /// What an hour awake costs
    #[arg(long, value_name = "PRICE", value_parser = readable(config::hourly_price))]
    hourly_price: Option<f64>,
    /// A stop alarm below so many bytes in five minutes, to compare with; can be given more than once
    #[arg(long, value_name = "BYTES", default_values_t = [17_000, 100_000])]
    alarm: Vec<u32>,
    /// What holds beside these: that of a set-up that was looked at.
    #[arg(skip)]
    policy: Option<Policy>,
}

/// What is known of a set-up that was looked at: it holds where no option says otherwise.
#[cfg(feature = "aws")]
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) policy: Policy,
    /// Minutes from one tick to the next; none where the schedule has no such rate.
    pub(crate) every: Option<i64>,
    pub(crate) health_check: Option<HealthCheckConfig>,
    pub(crate) keep_awake: Windows,
    pub(crate) hourly_price: Option<f64>,
}

impl Options {
    /// With what is known of a set-up where nothing is given.
    #[cfg(feature = "aws")]
    pub(crate) fn or(self, found: Found) -> Self {
        Self {
            idle_minutes: self.idle_minutes.or(Some(found.policy.idle)),
            every: self.every.or(found.every),
            activity_bytes: self.activity_bytes.or(Some(ActivityBytes(found.policy.activity_bytes))),
            health_check: self.health_check.or(Some(Check(found.health_check))),
            keep_awake: self.keep_awake.or(Some(found.keep_awake)),
            hourly_price: self.hourly_price.or(found.hourly_price),
            policy: Some(found.policy),
            ..self
        }
    }

    fn rules<'a>(&self, keep_awake: &'a Windows, period: i64) -> Rules<'a> {
        let policy = self.policy.unwrap_or(USUAL);
        Rules {
            policy: Policy {
                idle: self.idle_minutes.unwrap_or(policy.idle),
                activity_bytes: self.activity_bytes.and_then(|bytes| bytes.0),
                ..policy
            },
            health_check: self.health_check.and_then(|check| check.0),
            keep_awake,
            tick: self.every.unwrap_or(USUAL_EVERY),
            phase: 0,
            period,
            delay: self.delay,
            busy: None,
        }
    }
}

/// The template's defaults.
const USUAL: Policy = Policy {
    idle: TimeDelta::minutes(60),
    activity_bytes: None,
    boot_deadline: TimeDelta::minutes(5),
    on_sick: OnSick::Nap,
    steer: false,
};
const USUAL_EVERY: i64 = 60;

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
            Ok(Check(Some(HealthCheckConfig::new(kind, interval_seconds, regions))))
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
    /// Where Catnap's naps met traffic: who caused it would have waited for the app to wake.
    pub(crate) met: Vec<Met>,
    /// For how long there are datapoints: an instance has none while it is stopped.
    pub(crate) hours_recorded: f64,
    /// What these hours cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_recorded: Option<f64>,
    /// The settings that suit this traffic; none for less than a day of datapoints.
    pub(crate) advice: Option<Advice>,
    /// How long Catnap kept it awake for each reason.
    pub(crate) hours_kept: BTreeMap<String, f64>,
    /// What Catnap took for noise at each tick on the running instance, in bytes of a datapoint.
    #[serde(skip)]
    pub(crate) floors: Vec<(DateTime<Utc>, f64)>,
    /// The last of them.
    pub(crate) floor: Option<f64>,
    /// What Catnap decided at each tick.
    #[cfg(test)]
    #[serde(skip)]
    decisions: Vec<(DateTime<Utc>, IdleDecision)>,
}

/// Traffic that ended a nap.
#[derive(Debug, Serialize)]
pub(crate) struct Met {
    /// The beginning of its datapoint.
    pub(crate) at: DateTime<Utc>,
    pub(crate) bytes: f64,
    /// For how long it had napped.
    pub(crate) slept_minutes: i64,
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
    let keep_awake = options.keep_awake.as_ref().unwrap_or(&no_windows);
    let catnap = options.rules(keep_awake, period.num_minutes());
    let mut floors = Vec::new();
    let mut ticks = BTreeMap::<String, u32>::new();
    #[cfg(test)]
    let mut decisions = Vec::new();
    let told = |facts: &Facts<'_>, decision: &IdleDecision| {
        #[cfg(test)]
        decisions.push((facts.now, decision.clone()));
        if facts.instance.state == InstanceState::Running {
            floors.push((facts.now, idle::floor(facts).bytes));
        }
        if let IdleDecision::Keep(reason) = decision {
            *ticks.entry(name_of(reason)).or_default() += 1;
        }
    };
    let outcome = replay(&traffic, Wakes::Activity, &catnap, told);
    let mut policies = vec![result("Catnap", &outcome, options)];
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
    let recorded = period * i32::try_from(recording.series.points.len()).unwrap_or(i32::MAX);
    let hours_recorded = hours(recorded);
    let hours_kept = |(reason, ticks)| (reason, f64::from(ticks) * catnap.tick as f64 / 60.0);
    Plan {
        recording: name.into(),
        since: recording.since(),
        until: recording.until(),
        period_seconds: period.num_seconds(),
        datapoints: recording.series.points.len(),
        missing: traffic.bytes.len() / usize::try_from(catnap.period).unwrap_or(1) - recording.series.points.len(),
        idle_minutes: catnap.policy.idle.num_minutes(),
        tick_minutes: catnap.tick,
        policies,
        hours_kept: ticks.into_iter().map(hours_kept).collect(),
        hours_recorded,
        cost_recorded: options.hourly_price.map(|price| price * hours_recorded),
        met: met(recording, &outcome),
        advice: (recorded >= TimeDelta::days(1)).then(|| advice::advise(&traffic, &catnap)),
        floor: floors.last().map(|(_, bytes)| *bytes),
        floors,
        #[cfg(test)]
        decisions,
    }
}

fn met(recording: &Recording, outcome: &Outcome) -> Vec<Met> {
    let woken = outcome.naps.iter().filter_map(|nap| {
        let at = nap.woken_at?;
        let points = &recording.series.points;
        // A nap that a window ended met nobody.
        let point = &points[points.binary_search_by_key(&at, |point| point.at).ok()?];
        let slept_minutes = (at - nap.at).num_minutes();
        (point.value > nap.floor.bytes).then_some(Met { at, bytes: point.value, slept_minutes })
    });
    woken.collect()
}

fn hours(time: TimeDelta) -> f64 {
    time.num_minutes() as f64 / 60.0
}

fn result(policy: &str, outcome: &Outcome, options: &Options) -> Trial {
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

#[cfg(test)]
mod tests;
