//! The nouns: what an app, an instance, a health check and a metric are to Catnap.
//!
//! Plain data, read from AWS by an adapter or made by a test. Nothing here does I/O or reads a clock.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

/// A text that is not what it should be; says what it takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("takes {takes}")]
pub struct Unreadable {
    /// What would be right, for a message that ends in it.
    pub takes: &'static str,
}

/// An EC2 instance's id: `i-` and 8 or 17 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct InstanceId(String);

impl FromStr for InstanceId {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        match text.strip_prefix("i-") {
            Some(id) if matches!(id.len(), 8 | 17) && id.chars().all(hex) => Ok(Self(text.into())),
            _ => Err(Unreadable { takes: "an instance id such as i-0123456789abcdef0" }),
        }
    }
}

/// A Route 53 health check's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct HealthCheckId(String);

impl FromStr for HealthCheckId {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(Unreadable { takes: "a health check id such as 01234567-89ab-cdef-0123-456789abcdef" })
        }
    }
}

/// A host name that people visit, in lower case, without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct HostName(String);

impl FromStr for HostName {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |part: &str| {
            (1..=63).contains(&part.len())
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if name.len() <= 253 && name.split('.').all(label) {
            Ok(Self(name))
        } else {
            Err(Unreadable { takes: "a host name such as app.example.com" })
        }
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )+};
}
as_text!(InstanceId, HealthCheckId, HostName);

/// The phases of an EC2 instance, by EC2's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Being started.
    Pending,
    /// On. The app on it may still be starting.
    Running,
    /// Being stopped; it cannot be started before it has stopped.
    Stopping,
    /// Off: what Catnap calls napping.
    Stopped,
    /// Being deleted.
    ShuttingDown,
    /// Deleted, and still listed for an hour or so.
    Terminated,
}

impl InstanceState {
    /// Deleted, or being deleted: it will not come back.
    #[must_use]
    pub fn is_gone(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// An EC2 instance as DescribeInstances shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its phase.
    pub state: InstanceState,
    /// The code of `StateReason`, e.g. `Client.UserInitiatedShutdown`.
    pub state_reason: Option<String>,
    /// When it was last stopped, as far as `StateTransitionReason` tells.
    pub stopped_at: Option<DateTime<Utc>>,
    /// `LaunchTime`: its last start (EC2 renews it at each start).
    pub launched_at: DateTime<Utc>,
    /// The public IPv4 address; an automatic one is there only while it runs.
    pub public_address: Option<IpAddr>,
    /// All tags.
    pub tags: BTreeMap<String, String>,
    /// Whether CloudWatch gets a NetworkIn datapoint each minute (detailed) and not each five (basic).
    pub detailed_monitoring: bool,
    /// A spot instance: may not be stopped as others are.
    pub spot: bool,
    /// Its root device is an instance store, which a stop would lose.
    pub instance_store_root: bool,
}

impl Instance {
    /// The period of its NetworkIn datapoints.
    #[must_use]
    pub fn network_in_period(&self) -> TimeDelta {
        TimeDelta::seconds(if self.detailed_monitoring { 60 } else { 300 })
    }
}

/// When a state was reached, by EC2's `StateTransitionReason`: `User initiated (2026-01-31 17:05:00 GMT)`.
/// None for other reasons: EC2 documents the field as possibly empty and its text not at all.
#[must_use]
pub fn transition_time(reason: &str) -> Option<DateTime<Utc>> {
    let (_, time) = reason.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    let time = time.strip_suffix(" GMT").or_else(|| time.strip_suffix(" UTC"))?;
    NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S").ok().map(|time| time.and_utc())
}

/// What a Route 53 health check sends, as far as the noise it makes goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// A TCP connection.
    Tcp,
    /// An HTTP request, with or without a search string.
    Http,
    /// An HTTPS request, with or without a search string.
    Https,
    /// Calculated, by alarm or by routing control: no checker connects.
    Other,
}

/// The configuration of a Route 53 health check (GetHealthCheck).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HealthCheckConfig {
    /// What the checkers send.
    pub kind: CheckKind,
    /// Seconds between two requests of one checker: 10 or 30.
    pub interval_seconds: u32,
    /// Regions that it is checked from.
    pub regions: u32,
    /// A disabled check counts as healthy for ever: the failover never happens.
    pub disabled: bool,
    /// An inverted check counts as healthy while the app does not answer, and the other way round.
    pub inverted: bool,
}

impl HealthCheckConfig {
    /// One that goes by its checkers.
    #[must_use]
    pub fn new(kind: CheckKind, interval_seconds: u32, regions: u32) -> Self {
        Self { kind, interval_seconds, regions, disabled: false, inverted: false }
    }

    /// Whether it leads visitors to where the app answers: neither disabled nor inverted.
    #[must_use]
    pub fn goes_by_checkers(&self) -> bool {
        !self.disabled && !self.inverted
    }
}

/// Points of one metric: each covers `period` from its timestamp on.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What one point covers.
    pub period: TimeDelta,
    /// The points, oldest first. A missing point is missing, not zero.
    pub points: Vec<Point>,
}

/// One datapoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The start of what it covers.
    pub at: DateTime<Utc>,
    /// Its value, in the metric's unit.
    pub value: f64,
}

impl Series {
    /// A series without points.
    #[must_use]
    pub fn empty(period: TimeDelta) -> Self {
        Self { period, points: Vec::new() }
    }

    /// The end of what a point of this series covers.
    #[must_use]
    pub fn end_of(&self, point: &Point) -> DateTime<Utc> {
        point.at + self.period
    }

    /// The newest point whose whole period is over at `now`.
    #[must_use]
    pub fn newest_complete(&self, now: DateTime<Utc>) -> Option<&Point> {
        self.points.iter().rev().find(|point| self.end_of(point) <= now)
    }

    /// The newest point that `matches`.
    pub fn newest(&self, matches: impl Fn(&Point) -> bool) -> Option<&Point> {
        self.points.iter().rev().find(|point| matches(point))
    }
}

/// Whether an instance sleeps on purpose (tag `catnap:hold`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Hold {
    /// It does not.
    No,
    /// It does.
    Yes {
        /// Until when; none is until the tag is taken away.
        until: Option<DateTime<Utc>>,
    },
}

/// What the starter's own check of the app saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "seen", content = "status")]
pub enum Probe {
    /// An answer below 500: the app is there (a log-in page or a 404 is an answer too).
    Ready,
    /// An answer of 500 or more, by its status: something in front of the app answers.
    Unwell(u16),
    /// The connection was refused: nothing listens yet.
    Refused,
    /// No answer in time. Also what a security group makes that does not let Lambda in.
    TimedOut,
    /// TLS failed: the certificate does not hold for the app's name, or has run out.
    TlsFailed,
    /// Anything else that is no answer, such as a connection that broke.
    Broken,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("it answers"),
            Self::Unwell(status) => write!(f, "it answers with HTTP status {status}"),
            Self::Refused => f.write_str("the connection is refused"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::TlsFailed => f.write_str("the TLS handshake fails"),
            Self::Broken => f.write_str("the connection breaks"),
        }
    }
}

/// Serializes a duration as whole seconds, for records and JSON.
pub(crate) fn as_seconds<S: Serializer>(delta: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(delta.num_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_once_at_the_edge() {
        assert!("i-0123456789abcdef0".parse::<InstanceId>().is_ok());
        for bad in ["", "i-", "i-xyz", "0123456789abcdef0", "i-0123456789ABCDEF0", "i-*", "i-0123456789abcdef0 "] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad:?}");
        }
        assert_eq!("App.Example.com.".parse::<HostName>().unwrap().as_str(), "app.example.com");
        for bad in ["", ".", "a..b", "-a.com", "a*.com", "a b.com", "a.com:80", &"a".repeat(64)] {
            assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ec2_tells_since_when_it_is_stopped_or_it_does_not() {
        let stopped_at = "2026-01-31T17:05:00Z".parse().ok();
        assert_eq!(transition_time("User initiated (2026-01-31 17:05:00 GMT)"), stopped_at);
        assert_eq!(transition_time("User initiated (2026-01-31 17:05:00 UTC)"), stopped_at);
        for other in ["", "User initiated", "Server.InternalError", "User initiated (2026-01-31 17:05:00 CET)", "()"] {
            assert_eq!(transition_time(other), None, "{other:?}");
        }
    }
}
