//! Keep an instance awake, or let it nap: the napping table, as one pure function.

mod outlook;
mod reasons;

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::model::{HealthCheckConfig, Instance, InstanceState, Point, Series, Unreadable};
use crate::noise::{self, Floor, LeftOut, Source};
use crate::schedule::{Span, Windows};
use crate::trouble::Trouble;

pub use outlook::{Health, Knowledge, Obstacle, Outlook, goes_without_metrics, knowledge, outlook};
pub use reasons::{IdleDecision, KeepReason, Missing, NapReason, Protection, SkipReason, Unwakeable, WakeReason};

/// Metrics older than this tell nothing about now (CloudWatch's own delay is 5 to 10 minutes).
pub const METRICS_ARE_STALE_AFTER: TimeDelta = TimeDelta::minutes(20);

/// The share of datapoints that must be there for the time to count as observed.
const COVERAGE: f64 = 0.8;

/// From the end of a boot until DNS has led there whoever waits for that: checkers (100 s at most), a resolver (a TTL
/// of 60 s) and a browser (two minutes); and as long again, for a boot that takes longer than it may.
const HANDED_OVER_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// A keep-awake window that begins so soon has begun: a nap until then is not worth it, and a stop that a tick sends
/// after its beginning would be taken for a person's, who wants it to sleep through the window.
const SOON: TimeDelta = TimeDelta::minutes(10);

/// What to do with an instance that nobody can reach although it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSick {
    /// Nap it: the next visit boots it afresh.
    Nap,
    /// Keep it for someone to look at.
    Keep,
}

impl FromStr for OnSick {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        match text {
            "nap" => Ok(Self::Nap),
            "keep" => Ok(Self::Keep),
            _ => Err(Unreadable { takes: "nap or keep" }),
        }
    }
}

/// What the stopper goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// How long nobody must have been there.
    pub idle: TimeDelta,
    /// NetworkIn above this many bytes in five minutes is activity; none: what the health check is known to send.
    pub activity_bytes: Option<f64>,
    /// How long a boot may take.
    pub boot_deadline: TimeDelta,
    /// What to do with an instance that nobody can reach.
    pub on_sick: OnSick,
    /// Visitors are led by the health check (`Steer`), so there are times without any checkers.
    pub steer: bool,
}

/// The health check of a target, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub enum HealthCheck {
    /// There is none, and nobody said that this is meant.
    None,
    /// There is none, and the tag says that this is meant.
    MeantNone,
    /// Whatever it says, the starter would not find the instance by its name.
    OfNoUse(Unwakeable),
    /// It could not be looked at.
    Unknown,
    /// This one, and what it saw: 1 healthy, 0 not.
    Seen {
        /// Its configuration.
        config: HealthCheckConfig,
        /// HealthCheckStatus, Minimum.
        status: Series,
    },
    /// Catnap itself leads visitors by it, and no checker looks.
    Steered {
        /// Its configuration.
        config: HealthCheckConfig,
        /// Since when.
        since: DateTime<Utc>,
        /// To the instance: for a visitor, or after a wake.
        home: bool,
    },
}

/// All that the decision is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts<'a> {
    /// When the tick runs.
    pub now: DateTime<Utc>,
    /// The instance.
    pub instance: &'a Instance,
    /// What to go by.
    pub policy: Policy,
    /// The tag `catnap:protect`.
    pub protect: bool,
    /// The tag `catnap:hold`, if it holds now.
    pub hold: bool,
    /// When to keep it awake, and to wake it at their beginning.
    pub keep_awake: &'a Windows,
    /// The tag `catnap:keep-awake-until`.
    pub keep_awake_until: Option<DateTime<Utc>>,
    /// Its health check.
    pub health_check: &'a HealthCheck,
    /// NetworkIn, Sum.
    pub network_in: &'a Series,
    /// People at the starter, sparse: absent is zero. None when it could not be read.
    pub visits: Option<&'a Series>,
    /// A job on the instance that must not be stopped, sparse. None when it could not be read.
    pub busy: Option<&'a Series>,
}

/// The end of the newest sign of life, and what it was.
struct Quiet {
    since: DateTime<Utc>,
    ended_by: KeepReason,
}

/// Decides one target. The first row of the napping table that holds.
///
/// ```
/// # use std::collections::BTreeMap;
/// use chrono::{TimeDelta, Utc};
/// use shared::idle::{Facts, HealthCheck, IdleDecision, KeepReason, OnSick, Policy, decide};
/// use shared::model::{Instance, InstanceState, Series};
/// use shared::schedule::Windows;
///
/// let now = Utc::now();
/// let instance = Instance {
///     id: "i-0123456789abcdef0".parse()?, state: InstanceState::Running, state_reason: None, stopped_at: None,
///     launched_at: now - TimeDelta::minutes(10), public_address: None, tags: BTreeMap::new(),
///     detailed_monitoring: false, spot: false, instance_store_root: false,
/// };
/// let none = Series::empty(TimeDelta::minutes(5));
/// let policy = Policy {
///     idle: TimeDelta::minutes(60), activity_bytes: None,
///     boot_deadline: TimeDelta::minutes(5), on_sick: OnSick::Nap, steer: false,
/// };
/// let decision = decide(&Facts {
///     now, instance: &instance, policy, protect: false, hold: false,
///     keep_awake: &Windows::default(), keep_awake_until: None, health_check: &HealthCheck::MeantNone,
///     network_in: &none, visits: Some(&none), busy: Some(&none),
/// });
/// assert!(matches!(decision, IdleDecision::Keep(KeepReason::Recent { .. })));
/// # Ok::<(), shared::model::Unreadable>(())
/// ```
#[must_use]
pub fn decide(facts: &Facts<'_>) -> IdleDecision {
    use IdleDecision::{Keep, Nap, Skip, Wake};
    let Facts { now, instance, policy, .. } = *facts;
    if instance.state != InstanceState::Running {
        return slept_into_a_window(facts).map_or(Skip(SkipReason::NotRunning { state: instance.state }), Wake);
    }
    if let Some(by) = protection(facts) {
        return Keep(KeepReason::Protected { by });
    }
    if let Some(window) = window(facts, now) {
        return Keep(KeepReason::Window { until: window.until });
    }
    if let Some(until) = facts.keep_awake_until.filter(|until| now < *until) {
        return Keep(KeepReason::Until { until });
    }
    if now < spared_until(facts) {
        return Keep(KeepReason::Recent { launched_at: instance.launched_at });
    }
    if let Some(until) = last_sign(facts.busy).filter(|end| now - *end < policy.idle) {
        return Keep(KeepReason::Busy { until });
    }
    match facts.health_check {
        HealthCheck::None => return Keep(KeepReason::FailoverOff { because: Unwakeable::NoHealthCheck }),
        HealthCheck::OfNoUse(because) => return Keep(KeepReason::FailoverOff { because: *because }),
        HealthCheck::Seen { config, .. } if !config.goes_by_checkers() => {
            return Keep(KeepReason::FailoverOff { because: Unwakeable::HealthCheckDisabled });
        }
        HealthCheck::Seen { .. } | HealthCheck::Steered { .. } | HealthCheck::MeantNone | HealthCheck::Unknown => {}
    }
    let known_until = known_until(facts);
    let floor = floor(facts);
    let quiet = quiet(facts, &floor);
    let known_until = match known(facts, known_until, quiet.since) {
        Ok(known_until) => known_until,
        Err(missing) => return Keep(KeepReason::NoData { missing, known_until }),
    };
    if known_until - quiet.since < policy.idle {
        return Keep(quiet.ended_by);
    }
    if let Some(since) = sick_since(facts) {
        return match policy.on_sick {
            OnSick::Nap => Nap(NapReason::Sick { since }),
            OnSick::Keep => Keep(KeepReason::Sick { since }),
        };
    }
    if let Some(at) = last_visit(facts).filter(|end| now - *end < policy.idle) {
        return Keep(KeepReason::Visitors { at });
    }
    Nap(NapReason::Idle { since: quiet.since, quiet: known_until - quiet.since, floor: floor.bytes })
}

/// The keep-awake window that holds at a time, or is about to.
fn window(facts: &Facts<'_>, at: DateTime<Utc>) -> Option<Span> {
    facts.keep_awake.at(at).or_else(|| facts.keep_awake.at(at + SOON))
}

/// How long a launch alone keeps it awake: for the idle time, and until whoever woke it can be there.
fn spared_until(facts: &Facts<'_>) -> DateTime<Utc> {
    let Policy { idle, boot_deadline, .. } = facts.policy;
    facts.instance.launched_at + idle.max(boot_deadline + HANDED_OVER_WITHIN)
}

/// Stopped inside a keep-awake window, and since before it began. What a person stopped inside the window stays so,
/// and so does what EC2 does not tell the time of: the next visitor wakes it.
fn slept_into_a_window(facts: &Facts<'_>) -> Option<WakeReason> {
    let instance = facts.instance;
    let sleeps = instance.state == InstanceState::Stopped && !facts.hold;
    let window = facts.keep_awake.at(facts.now).filter(|_| sleeps)?;
    let since = window.since?;
    // A start that failed inside the window has renewed LaunchTime: it is not tried for ever.
    let since_before = instance.stopped_at? < since && instance.launched_at < since;
    since_before.then_some(WakeReason::Window { since, until: window.until })
}

fn protection(facts: &Facts<'_>) -> Option<Protection> {
    if facts.protect { Some(Protection::Tag) } else { never_stopped(facts.instance) }
}

/// Why a stop would lose the instance, or be refused, whoever asks for it; none where nothing speaks against one.
#[must_use]
pub fn never_stopped(instance: &Instance) -> Option<Protection> {
    let reasons = [
        (instance.spot, Protection::Spot),
        (instance.tags.contains_key("aws:autoscaling:groupName"), Protection::AutoScaling),
        (instance.instance_store_root, Protection::InstanceStore),
    ];
    reasons.into_iter().find_map(|(applies, by)| applies.then_some(by))
}

/// What counts as noise in one datapoint of NetworkIn.
#[must_use]
pub fn floor(facts: &Facts<'_>) -> Floor {
    if let Some(bytes) = facts.policy.activity_bytes {
        let bytes = bytes * facts.network_in.period.as_seconds_f64() / 300.0;
        return Floor { bytes, source: Source::Set };
    }
    let check = match facts.health_check {
        HealthCheck::Seen { config, .. } | HealthCheck::Steered { config, .. } => Some(config),
        _ => None,
    };
    // What came since it is steered came without checkers, and would teach too low a floor.
    let steered_since = match facts.health_check {
        HealthCheck::Steered { since, .. } => *since,
        _ => facts.now,
    };
    let known_until = known_until(facts).unwrap_or(facts.now).min(steered_since);
    let Policy { idle, boot_deadline: boot, steer: pauses, .. } = facts.policy;
    noise::floor(check, facts.network_in, known_until, LeftOut { idle, boot, pauses })
}

/// Up to when NetworkIn is known: the end of the newest complete datapoint.
#[must_use]
pub fn known_until(facts: &Facts<'_>) -> Option<DateTime<Utc>> {
    facts.network_in.newest_complete(facts.now).map(|point| facts.network_in.end_of(point))
}

/// Since when it has been quiet: the latest of launch, activity and `Busy`.
fn quiet(facts: &Facts<'_>, floor: &Floor) -> Quiet {
    let launched_at = facts.instance.launched_at;
    let launch = Quiet { since: launched_at, ended_by: KeepReason::Recent { launched_at } };
    let active = facts.network_in.newest(|point| noise::is_activity(facts.network_in, point, floor)).map(|point| {
        let at = facts.network_in.end_of(point);
        Quiet { since: at, ended_by: KeepReason::Active { at, bytes: point.value, floor: floor.bytes } }
    });
    let busy = last_sign(facts.busy).map(|until| Quiet { since: until, ended_by: KeepReason::Busy { until } });
    [active, busy]
        .into_iter()
        .flatten()
        .fold(launch, |latest, next| if next.since > latest.since { next } else { latest })
}

/// Up to when NetworkIn is known, if all is known that a nap needs: it is young, has few gaps
/// within the idle time, and the health check reports.
fn known(
    facts: &Facts<'_>,
    known_until: Option<DateTime<Utc>>,
    quiet_since: DateTime<Utc>,
) -> Result<DateTime<Utc>, Missing> {
    let is_young = |end: &DateTime<Utc>| facts.now - *end <= METRICS_ARE_STALE_AFTER;
    let known_until = known_until.filter(is_young).ok_or(Missing::NetworkIn)?;
    let from = quiet_since.max(known_until - facts.policy.idle);
    if !is_observed(facts.network_in, from, known_until) {
        return Err(Missing::NetworkInPoints);
    }
    if facts.busy.is_none() || facts.visits.is_none() {
        return Err(Missing::Presence);
    }
    match facts.health_check {
        HealthCheck::Unknown => Err(Missing::HealthCheck),
        HealthCheck::Seen { status, .. } if last_end(status).is_none_or(|end| !is_young(&end)) => {
            Err(Missing::HealthStatus)
        }
        _ => Ok(known_until),
    }
}

/// Whether enough datapoints are there for the time from `from` to `until` to count as observed, and for every
/// shorter time up to `until` as well: else a longer idle time could dilute a gap, and nap where a shorter keeps.
fn is_observed(series: &Series, from: DateTime<Utc>, until: DateTime<Utc>) -> bool {
    // A datapoint need not begin on `since`: only whole periods can be expected.
    let expected_since =
        |since: DateTime<Utc>| ((until - since).as_seconds_f64() / series.period.as_seconds_f64()).floor();
    let covered = |point: &&Point| point.at >= from && series.end_of(point) <= until;
    let mut seen = 0.0;
    for point in series.points.iter().rev().filter(covered) {
        if seen < COVERAGE * expected_since(series.end_of(point)) {
            return false;
        }
        seen += 1.0;
    }
    seen >= COVERAGE * expected_since(from)
}

/// Since when the health check has seen nothing but failures, if for one whole idle time after the boot.
fn sick_since(facts: &Facts<'_>) -> Option<DateTime<Utc>> {
    let HealthCheck::Seen { status, .. } = facts.health_check else { return None };
    let booted_by = facts.instance.launched_at + facts.policy.boot_deadline;
    let well_until = status.newest(|point| point.value > 0.0).map_or(booted_by, |point| status.end_of(point));
    let since = well_until.max(booted_by).max(status.points.first()?.at);
    let until = last_end(status)?;
    let whole_idle_time = until - since >= facts.policy.idle;
    (whole_idle_time && is_observed(status, since.max(until - facts.policy.idle), until)).then_some(since)
}

/// When somebody was last seen at the starter.
fn last_visit(facts: &Facts<'_>) -> Option<DateTime<Utc>> {
    let turned_home = match facts.health_check {
        HealthCheck::Steered { since, home: true, .. } => Some(*since),
        _ => None,
    };
    last_sign(facts.visits).max(turned_home)
}

/// The end of the newest point that is not zero: a job may report each minute that it does not run.
fn last_sign(series: Option<&Series>) -> Option<DateTime<Utc>> {
    let series = series?;
    series.newest(|point| point.value > 0.0).map(|point| series.end_of(point))
}

/// The end of the newest point.
fn last_end(series: &Series) -> Option<DateTime<Utc>> {
    series.points.last().map(|point| series.end_of(point))
}

/// What it means for a nap that so many instances carry the target's name: the starter wakes by it only what alone has
/// it.
#[must_use]
pub fn after_counting_names(carriers: usize) -> Option<KeepReason> {
    (carriers != 1).then_some(KeepReason::FailoverOff { because: Unwakeable::SharedName })
}

/// What a stop that EC2 refused tells about the instance; none when it tells nothing and the next tick tries again.
#[must_use]
pub fn after_refused_stop(trouble: Trouble) -> Option<KeepReason> {
    let by = match trouble {
        Trouble::StopProtected => Protection::StopProtection,
        Trouble::Unsupported => Protection::InstanceStore,
        Trouble::Spot => Protection::Spot,
        _ => return None,
    };
    Some(KeepReason::Protected { by })
}

#[cfg(test)]
mod tests;
