//! What to do with a request: the waking table, as one pure function.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::classify::Ask;
use crate::model::{Hold, Instance, InstanceState, Probe, as_seconds};
use crate::trouble::Trouble;

/// How long after a failed start the next one is tried without anybody pressing anything.
pub const RETRY_FAILED_START_AFTER: TimeDelta = TimeDelta::minutes(5);

/// StateReason codes of a start that EC2 accepted and then could not carry out
/// (EC2 User Guide, "Troubleshoot instance launch issues").
const START_FAILURES: &[(&str, Lasting)] = &[
    ("Client.InternalError", Lasting::Yes), // e.g. an encrypted volume whose key the role may not use
    ("Client.VolumeLimitExceeded", Lasting::No),
    ("Client.InvalidSnapshot.NotFound", Lasting::Yes),
    ("Server.InternalError", Lasting::No),
    ("Server.InsufficientInstanceCapacity", Lasting::No),
];

/// Whether a StateReason's code is that of a start which failed.
#[must_use]
pub fn is_start_failure(code: &str) -> bool {
    START_FAILURES.iter().any(|(failure, _)| *failure == code)
}

/// Whether someone has to change something before it can work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    Yes,
    No,
}

/// What was seen of the world when the request came.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation<'a> {
    /// When it came.
    pub now: DateTime<Utc>,
    /// The instance behind the app, or why there is none to decide about.
    pub target: Result<&'a Instance, NoTarget>,
    /// What the app answered; none when it was not asked (it is only while the instance runs).
    pub probe: Option<Probe>,
    /// Whether it is asleep on purpose.
    pub hold: Hold,
    /// Whether this request asks to wake it.
    pub ask: Ask,
    /// Why EC2 refused a start just now; it is not asked again at once, unless a person asks.
    pub refused: Option<Trouble>,
    /// How long a boot may take.
    pub boot_deadline: TimeDelta,
    /// Start nothing.
    pub dry_run: bool,
}

/// Why a host name leads to no instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoTarget {
    /// No app is registered under this host name.
    UnknownHost,
    /// Two instances carry this host name.
    Ambiguous,
    /// The instance could not be looked at.
    Trouble(Trouble),
}

/// What to do, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WakeDecision {
    /// What to do.
    pub action: Action,
    /// Why.
    #[serde(flatten)]
    pub reason: WakeReason,
}

/// What the starter does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Call StartInstances.
    Start,
    /// Hand the visitor over to the app.
    HandOff,
    /// Nothing but answer.
    Wait,
}

/// Why, one variant for each answer that a visitor can get. Log, page, JSON and sandbox show the same one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum WakeReason {
    /// No app is registered under this host name.
    UnknownHost,
    /// Two instances carry this host name: starting one might be starting the wrong one.
    Ambiguous,
    /// It runs without a public address, so nobody can be handed over.
    NoAddress,
    /// The instance is deleted, or there never was one.
    Gone,
    /// The starter's role may not look at it or start it.
    NotPermitted,
    /// It could not be looked at just now.
    Unclear {
        /// What went wrong.
        trouble: Trouble,
    },
    /// It sleeps on purpose.
    OnHold {
        /// Until when; none is until somebody takes the tag away.
        until: Option<DateTime<Utc>>,
    },
    /// EC2 accepted a start and then could not carry it out.
    StartFailed {
        /// EC2's code of what failed.
        code: String,
        /// When it is tried again by itself.
        retry_at: DateTime<Utc>,
        /// Somebody has to change something first.
        lasting: bool,
    },
    /// EC2 did not take a start, for a reason that has no answer of its own here.
    StartRefused {
        /// What it comes down to.
        trouble: Trouble,
        /// Somebody has to change something first.
        lasting: bool,
    },
    /// It is stopped, and this request does not ask for it.
    Asleep,
    /// It is stopped, and would not be started: this is a dry run.
    DryRun,
    /// It is being started because of this request.
    Waking,
    /// EC2 takes no more calls just now: someone else is starting it, or this is tried again shortly.
    AlreadyWaking,
    /// AWS has no room for it now.
    WaitingForCapacity,
    /// The account may not run more now.
    WaitingForQuota,
    /// It is being stopped; it can be started as soon as it has stopped.
    FallingAsleep,
    /// EC2 is starting it.
    Booting,
    /// It is on, the app does not answer yet.
    StartingApp {
        /// What the starter's own check saw.
        probe: Probe,
    },
    /// It has been on for longer than a boot may take, and the app does not answer.
    Overdue {
        /// What the starter's own check saw.
        probe: Probe,
        /// For how long it has been on.
        #[serde(rename = "running_seconds", serialize_with = "as_seconds")]
        running: TimeDelta,
    },
    /// The app answers.
    Ready,
}

/// Decides what to do with a request. The first row of the waking table that fits.
///
/// ```
/// use chrono::{TimeDelta, Utc};
/// use shared::classify::Ask;
/// use shared::model::Hold;
/// use shared::wake::{Action, NoTarget, Observation, WakeReason, decide};
///
/// let seen = Observation {
///     now: Utc::now(), target: Err(NoTarget::UnknownHost), probe: None, hold: Hold::No,
///     ask: Ask::Request, refused: None, boot_deadline: TimeDelta::minutes(5), dry_run: false,
/// };
/// let decision = decide(&seen);
/// assert_eq!((decision.action, decision.reason), (Action::Wait, WakeReason::UnknownHost));
/// ```
#[must_use]
pub fn decide(seen: &Observation<'_>) -> WakeDecision {
    let wait = |reason| WakeDecision { action: Action::Wait, reason };
    let instance = match seen.target {
        Ok(instance) => instance,
        Err(NoTarget::UnknownHost) => return wait(WakeReason::UnknownHost),
        Err(NoTarget::Ambiguous) => return wait(WakeReason::Ambiguous),
        Err(NoTarget::Trouble(trouble)) => return wait(not_seen(trouble)),
    };
    match instance.state {
        InstanceState::Terminated | InstanceState::ShuttingDown => wait(WakeReason::Gone),
        InstanceState::Stopping => wait(hold(seen.hold).unwrap_or(WakeReason::FallingAsleep)),
        InstanceState::Stopped => stopped(seen, instance),
        InstanceState::Pending => wait(WakeReason::Booting),
        InstanceState::Running => running(seen, instance),
    }
}

fn not_seen(trouble: Trouble) -> WakeReason {
    match trouble {
        Trouble::NotFound | Trouble::Malformed => WakeReason::Gone,
        Trouble::NotPermitted => WakeReason::NotPermitted,
        trouble => WakeReason::Unclear { trouble },
    }
}

fn hold(hold: Hold) -> Option<WakeReason> {
    match hold {
        Hold::No => None,
        Hold::Yes { until } => Some(WakeReason::OnHold { until }),
    }
}

fn stopped(seen: &Observation<'_>, instance: &Instance) -> WakeDecision {
    let wait = |reason| WakeDecision { action: Action::Wait, reason };
    if let Some(reason) = hold(seen.hold) {
        return wait(reason);
    }
    if let Some((code, lasting)) = start_failure(instance) {
        let retry_at = instance.launched_at + RETRY_FAILED_START_AFTER;
        let failed = WakeReason::StartFailed { code, retry_at, lasting: lasting == Lasting::Yes };
        let try_again = seen.ask == Ask::Person || (seen.ask == Ask::Request && failed.retry_is_due(seen.now));
        if !try_again {
            return wait(failed);
        }
    }
    // A wrong state is looked at anew each time; every other refusal holds for a while.
    match (seen.refused.filter(|trouble| *trouble != Trouble::WrongState), seen.ask) {
        _ if seen.dry_run => wait(WakeReason::DryRun),
        (Some(trouble), Ask::No | Ask::Request) => wait(after_refused_start(trouble)),
        (None, Ask::No) => wait(WakeReason::Asleep),
        _ => WakeDecision { action: Action::Start, reason: WakeReason::Waking },
    }
}

fn start_failure(instance: &Instance) -> Option<(String, Lasting)> {
    let code = instance.state_reason.as_deref()?;
    START_FAILURES.iter().find(|(failure, _)| *failure == code).map(|(_, lasting)| (code.into(), *lasting))
}

fn running(seen: &Observation<'_>, instance: &Instance) -> WakeDecision {
    let wait = |reason| WakeDecision { action: Action::Wait, reason };
    let running = seen.now - instance.launched_at;
    match seen.probe {
        None => wait(WakeReason::NoAddress),
        Some(Probe::Ready) => WakeDecision { action: Action::HandOff, reason: WakeReason::Ready },
        Some(probe) if running > seen.boot_deadline => wait(WakeReason::Overdue { probe, running }),
        Some(probe) => wait(WakeReason::StartingApp { probe }),
    }
}

/// What a start that EC2 refused comes down to for the visitor.
#[must_use]
pub fn after_refused_start(trouble: Trouble) -> WakeReason {
    match trouble {
        Trouble::Capacity => WakeReason::WaitingForCapacity,
        Trouble::Quota => WakeReason::WaitingForQuota,
        Trouble::Throttled => WakeReason::AlreadyWaking,
        // `stopped` when it was looked at, and by now not: someone stops or starts it. The next look tells.
        Trouble::WrongState => WakeReason::FallingAsleep,
        Trouble::NotFound | Trouble::Malformed => WakeReason::Gone,
        Trouble::NotPermitted => WakeReason::NotPermitted,
        Trouble::Spot | Trouble::Unsupported | Trouble::StopProtected => {
            WakeReason::StartRefused { trouble, lasting: true }
        }
        Trouble::Outdated | Trouble::Unreachable | Trouble::Unexpected => {
            WakeReason::StartRefused { trouble, lasting: false }
        }
    }
}

impl WakeReason {
    /// Whether a wake call may lead to a start, now or when a stop is over: the page keeps asking while it is so.
    #[must_use]
    pub fn can_wake(&self) -> bool {
        matches!(
            self,
            Self::Asleep
                | Self::AlreadyWaking
                | Self::WaitingForCapacity
                | Self::WaitingForQuota
                | Self::StartFailed { .. }
                | Self::StartRefused { lasting: false, .. }
                | Self::Unclear { .. }
        )
    }

    /// Whether a start that failed has waited its time.
    #[must_use]
    pub fn retry_is_due(&self, now: DateTime<Utc>) -> bool {
        matches!(self, Self::StartFailed { retry_at, .. } if now >= *retry_at)
    }

    /// Whether waiting cannot help: somebody has to change something.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::UnknownHost
                | Self::Ambiguous
                | Self::NoAddress
                | Self::Gone
                | Self::NotPermitted
                | Self::StartFailed { lasting: true, .. }
                | Self::StartRefused { lasting: true, .. }
        )
    }

    /// Whether this is a wake that failed, to be counted as `WakeFailed`.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::UnknownHost
                | Self::Ambiguous
                | Self::NoAddress
                | Self::Gone
                | Self::NotPermitted
                | Self::StartFailed { .. }
                | Self::StartRefused { .. }
                | Self::WaitingForCapacity
                | Self::WaitingForQuota
        )
    }
}

#[cfg(test)]
mod tests;
