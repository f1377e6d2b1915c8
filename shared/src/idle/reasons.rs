//! The reasons of the napping table: log, page, replay and tests name the same ones.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::model::{InstanceState, as_seconds};

/// Wake, keep or nap, with the reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "decision")]
pub enum IdleDecision {
    /// It is started.
    Wake(WakeReason),
    /// There is nothing to stop.
    Skip(SkipReason),
    /// It stays up.
    Keep(KeepReason),
    /// It naps.
    Nap(NapReason),
}

/// Why the stopper starts an instance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum WakeReason {
    /// It slept when a keep-awake window began.
    Window {
        /// When the window began.
        since: DateTime<Utc>,
        /// When it ends; none for one that never does.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
}

/// Why there is nothing to decide.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum SkipReason {
    /// The instance does not run.
    NotRunning {
        /// What it does instead.
        #[serde(skip)] // the record has it
        state: InstanceState,
    },
}

/// Why an instance stays up.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum KeepReason {
    /// It must not, or cannot, be stopped.
    Protected {
        /// By what.
        by: Protection,
    },
    /// Inside a keep-awake window.
    Window {
        /// When it ends; none for one that never does.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
    /// The tag `catnap:keep-awake-until`.
    Until {
        /// Its time.
        until: DateTime<Utc>,
    },
    /// It was started within the idle time.
    Recent {
        /// Its last start.
        launched_at: DateTime<Utc>,
    },
    /// A job on it, or someone working on it.
    Busy {
        /// Until when it was said to be.
        until: DateTime<Utc>,
    },
    /// Napped, it could not be woken by a visit.
    FailoverOff {
        /// Why not.
        because: Unwakeable,
    },
    /// What is missing is not idleness.
    NoData {
        /// What is missing.
        missing: Missing,
        /// Up to when NetworkIn is known.
        #[serde(skip)] // in the record by `Knowledge`, like the floor
        known_until: Option<DateTime<Utc>>,
    },
    /// More came in than the floor, within the idle time.
    Active {
        /// The end of the last such datapoint.
        at: DateTime<Utc>,
        /// Its bytes.
        bytes: f64,
        /// What counts as noise, in bytes per datapoint.
        #[serde(skip)]
        floor: f64,
    },
    /// Nobody can reach it, and the operator wants to look at it.
    Sick {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Someone waits at the starter.
    Visitors {
        /// When one was last seen.
        at: DateTime<Utc>,
    },
}

/// Why an instance naps.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum NapReason {
    /// Nobody was there for the idle time.
    Idle {
        /// Since when.
        since: DateTime<Utc>,
        /// For how long that is known.
        #[serde(rename = "quiet_seconds", serialize_with = "as_seconds")]
        quiet: TimeDelta,
        /// What counted as noise, in bytes per datapoint.
        #[serde(skip)]
        floor: f64,
    },
    /// Nobody could reach it for the idle time: the next visit boots it afresh.
    Sick {
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// What keeps an instance from being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// The tag `catnap:protect`.
    Tag,
    /// A spot instance.
    Spot,
    /// An Auto Scaling group would replace it.
    AutoScaling,
    /// Its root device would be lost.
    InstanceStore,
    /// EC2's stop protection (seen when a stop is refused).
    StopProtection,
}

/// Why no visit could wake an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unwakeable {
    /// No health check watches it, so Route 53 would not lead to the starter.
    NoHealthCheck,
    /// Its health check is disabled, which counts as healthy, or inverted, which does so while it sleeps.
    HealthCheckDisabled,
    /// Its name is none that a visitor could ask for.
    NoName,
    /// Another instance carries the same name: the starter wakes neither.
    SharedName,
}

/// What is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// NetworkIn has no datapoint, or none that is young enough.
    NetworkIn,
    /// NetworkIn has gaps within the idle time.
    NetworkInPoints,
    /// The health check has no sample, or none that is young enough.
    HealthStatus,
    /// The health check's configuration could not be read.
    HealthCheck,
    /// Whether someone waits at the starter, or a job runs, could not be read.
    Presence,
}
