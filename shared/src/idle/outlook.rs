//! What a decision knew, and what would change it: in plain words, and as data.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{Facts, HealthCheck, IdleDecision, KeepReason, Missing, Protection, Unwakeable};
use crate::model::InstanceState;
use crate::noise::{self, Floor};

/// How late metrics are until that is seen: CloudWatch's own delay is 5 to 10 minutes.
const USUAL_DELAY: TimeDelta = TimeDelta::minutes(5);

/// What the decision on a running instance was made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Knowledge {
    /// What counts as noise, and how that is known.
    #[serde(flatten)]
    pub floor: Floor,
    /// Up to when NetworkIn is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_until: Option<DateTime<Utc>>,
    /// The last launch, activity or `Busy`.
    pub quiet_since: DateTime<Utc>,
    /// The bytes of a spike within the idle time that was taken for a machine's, since it comes each hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regular_spike: Option<f64>,
    /// What the health check says.
    pub health: Health,
}

/// What a health check says, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Its newest sample is healthy.
    Healthy,
    /// Its newest sample is not.
    Unhealthy,
    /// It is disabled, or inverted.
    Disabled,
    /// Catnap leads visitors by it, and nobody looks.
    Steered,
    /// There is none.
    None,
    /// It could not be read, or has no sample.
    Unknown,
}

/// What would change a decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// When it naps at the earliest, if nothing more happens until then and nothing stands in the way. The first tick
    /// after that stops it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naps_at_the_earliest: Option<DateTime<Utc>>,
    /// When a keep-awake window wakes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wakes_at: Option<DateTime<Utc>>,
    /// What stands in the way until somebody changes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub but_for: Option<Obstacle>,
    /// The same in words.
    #[serde(rename = "would_change")]
    pub words: String,
}

/// What stands in the way of a nap or a wake until somebody changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// The tag `catnap:protect`.
    ProtectTag,
    /// A spot instance.
    Spot,
    /// An Auto Scaling group.
    AutoScaling,
    /// An instance-store root.
    InstanceStore,
    /// EC2's stop protection.
    StopProtection,
    /// No health check watches it.
    NoHealthCheck,
    /// Its health check is disabled, or inverted.
    HealthCheckDisabled,
    /// Its tag `catnap:host` is no host name.
    NoName,
    /// Another instance has the same `catnap:host`.
    SharedName,
    /// A metric, or what a health check is set to, cannot be read.
    Missing,
    /// `OnSick` is `keep`.
    OnSick,
    /// A keep-awake window without an end.
    EndlessWindow,
    /// The tag `catnap:hold`.
    HoldTag,
}

impl Obstacle {
    fn words(self) -> &'static str {
        match self {
            Self::ProtectTag => "the tag catnap:protect",
            Self::Spot => "being a spot instance",
            Self::AutoScaling => "its Auto Scaling group",
            Self::InstanceStore => "its instance-store root, which a stop would lose",
            Self::StopProtection => "its stop protection",
            Self::NoHealthCheck => "the missing health check, without which no visit could wake it",
            Self::HealthCheckDisabled => "its disabled or inverted health check, by which no visit could wake it",
            Self::NoName => "its tag catnap:host, by which no visit could wake it",
            Self::SharedName => "another instance with the same catnap:host: no visit could wake either",
            Self::Missing => "what cannot be read",
            Self::OnSick => "OnSick, which keeps it for someone to look at",
            Self::EndlessWindow => "its keep-awake window, which has no end",
            Self::HoldTag => "the tag catnap:hold",
        }
    }
}

/// Whether a decision is the same whatever the metrics say: then nothing is asked (and paid) for it.
#[must_use]
pub fn goes_without_metrics(decision: &IdleDecision) -> bool {
    match decision {
        IdleDecision::Wake(_) | IdleDecision::Skip(_) => true,
        IdleDecision::Nap(_) => false,
        IdleDecision::Keep(reason) => matches!(
            reason,
            KeepReason::Protected { .. }
                | KeepReason::Window { .. }
                | KeepReason::Until { .. }
                | KeepReason::Recent { .. }
        ),
    }
}

/// Whether it was made without a look at the traffic.
fn is_unseen(facts: &Facts<'_>, decision: &IdleDecision) -> bool {
    goes_without_metrics(decision) && facts.network_in.points.is_empty()
}

/// What the decision on a running instance was made from; none for one that does not run, or whose traffic was not
/// looked at.
#[must_use]
pub fn knowledge(facts: &Facts<'_>, decision: &IdleDecision) -> Option<Knowledge> {
    if facts.instance.state != InstanceState::Running || is_unseen(facts, decision) {
        return None;
    }
    let floor = super::floor(facts);
    let series = facts.network_in;
    let lately = |at: DateTime<Utc>| facts.now - at <= facts.policy.idle + super::METRICS_ARE_STALE_AFTER;
    let regular = series.newest(|it| it.value > floor.bytes && !noise::is_activity(series, it, &floor));
    let health = match facts.health_check {
        HealthCheck::None | HealthCheck::MeantNone | HealthCheck::OfNoUse(_) => Health::None,
        HealthCheck::Unknown => Health::Unknown,
        HealthCheck::Steered { .. } => Health::Steered,
        HealthCheck::Seen { config, .. } if !config.goes_by_checkers() => Health::Disabled,
        HealthCheck::Seen { status, .. } => status
            .points
            .last()
            .map_or(Health::Unknown, |newest| if newest.value > 0.0 { Health::Healthy } else { Health::Unhealthy }),
    };
    Some(Knowledge {
        floor,
        known_until: super::known_until(facts),
        quiet_since: super::quiet(facts, &floor).since,
        regular_spike: regular.filter(|point| lately(point.at)).map(|point| point.value),
        health,
    })
}

/// What would change the decision that was made from these facts.
#[must_use]
pub fn outlook(facts: &Facts<'_>, decision: &IdleDecision) -> Outlook {
    match decision {
        IdleDecision::Keep(reason) => kept(facts, reason),
        IdleDecision::Wake(_) => {
            let naps_at = facts.keep_awake.at(facts.now).and_then(|window| window.until);
            let words = naps_at.map_or_else(String::new, |until| {
                format!("naps at the first tick after {} if nobody comes", clock(until, facts.now))
            });
            Outlook { naps_at_the_earliest: naps_at, wakes_at: None, but_for: None, words }
        }
        IdleDecision::Nap(_) => asleep(facts),
        IdleDecision::Skip(_) if facts.instance.state == InstanceState::Stopped => asleep(facts),
        IdleDecision::Skip(_) => {
            let words =
                if facts.instance.state.is_gone() { "it does not come back" } else { "the next tick looks again" };
            Outlook { naps_at_the_earliest: None, wakes_at: None, but_for: None, words: words.into() }
        }
    }
}

fn kept(facts: &Facts<'_>, reason: &KeepReason) -> Outlook {
    if let KeepReason::NoData { missing, .. } = reason {
        let words = format!("naps when {} and nobody was there", known(*missing));
        return Outlook { naps_at_the_earliest: None, wakes_at: None, but_for: Some(Obstacle::Missing), words };
    }
    let unseen = is_unseen(facts, &IdleDecision::Keep(reason.clone()));
    let naps_at = earliest_nap(facts, unseen);
    let but_for = obstacle(reason).or(naps_at.is_none().then_some(Obstacle::EndlessWindow));
    let when = match naps_at {
        Some(at) if at > facts.now && unseen => {
            format!("at the first tick after {} at the earliest", clock(at, facts.now))
        }
        Some(at) if at > facts.now => format!("at the first tick after {} if it stays quiet", clock(at, facts.now)),
        _ if unseen => "once nobody uses it".into(),
        _ => "now".into(),
    };
    let words = match but_for {
        None => format!("naps {when}"),
        Some(obstacle) => format!("would nap {when}, but for {}", obstacle.words()),
    };
    Outlook { naps_at_the_earliest: naps_at, wakes_at: None, but_for, words }
}

fn asleep(facts: &Facts<'_>) -> Outlook {
    if facts.hold {
        let words = format!("a visit would wake it, but for {}", Obstacle::HoldTag.words());
        return Outlook { naps_at_the_earliest: None, wakes_at: None, but_for: Some(Obstacle::HoldTag), words };
    }
    let wakes_at = facts.keep_awake.next(facts.now);
    let mut words = String::from("a visit wakes it");
    if let Some(at) = wakes_at {
        let _ = write!(words, ", or the first tick after {}, when a keep-awake window begins", clock(at, facts.now));
    }
    Outlook { naps_at_the_earliest: None, wakes_at, but_for: None, words }
}

fn obstacle(reason: &KeepReason) -> Option<Obstacle> {
    Some(match reason {
        KeepReason::Protected { by } => match by {
            Protection::Tag => Obstacle::ProtectTag,
            Protection::Spot => Obstacle::Spot,
            Protection::AutoScaling => Obstacle::AutoScaling,
            Protection::InstanceStore => Obstacle::InstanceStore,
            Protection::StopProtection => Obstacle::StopProtection,
        },
        KeepReason::FailoverOff { because } => match because {
            Unwakeable::NoHealthCheck => Obstacle::NoHealthCheck,
            Unwakeable::HealthCheckDisabled => Obstacle::HealthCheckDisabled,
            Unwakeable::NoName => Obstacle::NoName,
            Unwakeable::SharedName => Obstacle::SharedName,
        },
        KeepReason::NoData { .. } => Obstacle::Missing,
        KeepReason::Sick { .. } => Obstacle::OnSick,
        KeepReason::Window { .. }
        | KeepReason::Until { .. }
        | KeepReason::Recent { .. }
        | KeepReason::Busy { .. }
        | KeepReason::Active { .. }
        | KeepReason::Visitors { .. } => return None,
    })
}

fn known(missing: Missing) -> &'static str {
    match missing {
        Missing::NetworkIn => "NetworkIn has datapoints again",
        Missing::NetworkInPoints => "NetworkIn has no more gaps",
        Missing::HealthStatus => "the health check reports again",
        Missing::HealthCheck => "the health check's configuration can be read",
        Missing::Presence => "Visits and Busy can be read",
    }
}

/// When it can nap if nothing more happens; none if a window never ends. `unseen`: whatever its traffic was.
fn earliest_nap(facts: &Facts<'_>, unseen: bool) -> Option<DateTime<Utc>> {
    let Facts { now, policy, .. } = *facts;
    let delay = super::known_until(facts).map_or(USUAL_DELAY, |known_until| now - known_until);
    let delay = delay.min(super::METRICS_ARE_STALE_AFTER);
    let quiet = (!unseen).then(|| super::quiet(facts, &super::floor(facts)).since + policy.idle + delay);
    let visits = super::last_visit(facts).map(|end| end + policy.idle);
    let at = [quiet, Some(super::spared_until(facts)), visits, facts.keep_awake_until]
        .into_iter()
        .flatten()
        .fold(now, DateTime::max);
    let mut at = at;
    while let Some(window) = super::window(facts, at) {
        at = window.until?; // another may begin soon after it
    }
    Some(at)
}

/// A time to read: the day only if it is not the same.
fn clock(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let format = if at.date_naive() == now.date_naive() { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" };
    at.format(format).to_string()
}
