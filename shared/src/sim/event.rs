//! What happens in the simulated world by itself, for whoever watches.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{HealthCheckId, HostName, InstanceId, InstanceState};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Happening {
    /// An instance is in another phase.
    State {
        /// The instance.
        instance: InstanceId,
        /// Its phase.
        state: InstanceState,
        /// EC2's `StateReason`, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// An app begins or ceases to answer.
    App {
        /// Its instance.
        instance: InstanceId,
        /// Whether it answers.
        answers: bool,
    },
    /// A health check changes its mind.
    Health {
        /// The health check.
        check: HealthCheckId,
        /// What it says.
        healthy: bool,
        /// The checkers that find the app well…
        well: usize,
        /// …of so many.
        of: usize,
    },
    /// Route 53 leads a name elsewhere. Who has the old answer keeps it for its TTL.
    Dns {
        /// The name.
        host: HostName,
        /// Where it leads.
        to: LeadsTo,
    },
}

/// Whom DNS leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeadsTo {
    /// The primary record: the instance itself.
    Instance,
    /// The secondary record: API Gateway, and so the starter.
    Gateway,
}
