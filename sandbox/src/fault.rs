//! What can go wrong, by name.

use chrono::TimeDelta;
use serde::Serialize;
use shared::model::{HealthCheckId, InstanceId, Probe};
use shared::sim::{Sim, Which};
use shared::trouble::Trouble;

/// Something that goes wrong as long as it is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// AWS has no room for the instance type: StartInstances is refused.
    NoCapacity,
    /// The account may not run more: StartInstances is refused.
    Quota,
    /// EC2 takes no starts for now.
    StartsThrottled,
    /// The starter's role may not start the instance.
    NotPermitted,
    /// EC2 takes the start, and the encrypted volume cannot be opened: no `kms:CreateGrant`.
    KmsGrant,
    /// DescribeInstances is refused.
    DescribeThrottled,
    /// DescribeInstances shows an instance as it was 20 s before.
    DescribeLags,
    /// StopInstances is refused: stop protection.
    StopProtected,
    /// The app does not come up, or has crashed: the connection is refused.
    AppDown,
    /// The app answers each request with 503.
    AppUnwell,
    /// The app's certificate has run out.
    Certificate,
    /// A security group keeps Route 53's checkers out: the app is well, and counts as unhealthy.
    CheckersKeptOut,
    /// Metrics come 18 minutes late.
    MetricsLate,
    /// No datapoint of NetworkIn arrives, and none will later.
    NetworkInLost,
    /// The same for the health check's metric.
    HealthLost,
    /// The same for what Catnap counts itself: who waits at the starter, and jobs.
    OwnLost,
    /// GetMetricData fails.
    MetricsUnreadable,
    /// GetHealthCheck is throttled.
    HealthCheckUnreadable,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::NoCapacity,
        Self::Quota,
        Self::StartsThrottled,
        Self::NotPermitted,
        Self::KmsGrant,
        Self::DescribeThrottled,
        Self::DescribeLags,
        Self::StopProtected,
        Self::AppDown,
        Self::AppUnwell,
        Self::Certificate,
        Self::CheckersKeptOut,
        Self::MetricsLate,
        Self::NetworkInLost,
        Self::HealthLost,
        Self::OwnLost,
        Self::MetricsUnreadable,
        Self::HealthCheckUnreadable,
    ];

    /// What it is, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoCapacity => "AWS has no room for this instance type",
            Self::Quota => "the account's quota is used up",
            Self::StartsThrottled => "EC2 throttles starts",
            Self::NotPermitted => "the role may not start the instance",
            Self::KmsGrant => "the disk's key cannot be used: kms:CreateGrant is missing",
            Self::DescribeThrottled => "EC2 throttles DescribeInstances",
            Self::DescribeLags => "DescribeInstances is 20 s behind",
            Self::StopProtected => "the instance has stop protection",
            Self::AppDown => "the app does not come up",
            Self::AppUnwell => "the app answers with 503",
            Self::Certificate => "the app's certificate has run out",
            Self::CheckersKeptOut => "a security group keeps the health checkers out",
            Self::MetricsLate => "metrics come 18 minutes late",
            Self::NetworkInLost => "CloudWatch loses NetworkIn",
            Self::HealthLost => "CloudWatch loses the health check's samples",
            Self::OwnLost => "CloudWatch loses Visits and Busy",
            Self::MetricsUnreadable => "GetMetricData fails",
            Self::HealthCheckUnreadable => "GetHealthCheck is throttled",
        }
    }

    /// Whether both set the same thing of the world, so that one replaces the other.
    pub(crate) fn replaces(self, other: Self) -> bool {
        let starts = [Self::NoCapacity, Self::Quota, Self::StartsThrottled, Self::NotPermitted];
        let app = [Self::AppDown, Self::AppUnwell, Self::Certificate];
        [&starts[..], &app].iter().any(|same| same.contains(&self) && same.contains(&other))
    }

    /// Switches it.
    pub(crate) fn switch(self, on: bool, sim: &Sim, ids: (&InstanceId, &HealthCheckId), usual_delay: TimeDelta) {
        let (instance, check) = ids;
        let refuse = |operation, trouble| sim.refuse(operation, on.then_some(trouble));
        let app = |probe| sim.app_answers(instance, if on { probe } else { Probe::Ready });
        match self {
            Self::NoCapacity => refuse("StartInstances", Trouble::Capacity),
            Self::Quota => refuse("StartInstances", Trouble::Quota),
            Self::StartsThrottled => refuse("StartInstances", Trouble::Throttled),
            Self::NotPermitted => refuse("StartInstances", Trouble::NotPermitted),
            Self::KmsGrant => sim.starts_fail(instance, on.then_some("Client.InternalError")),
            Self::DescribeThrottled => refuse("DescribeInstances", Trouble::Throttled),
            Self::DescribeLags => sim.set_describe_lag(TimeDelta::seconds(if on { 20 } else { 0 })),
            Self::StopProtected => refuse("StopInstances", Trouble::StopProtected),
            Self::AppDown => app(Probe::Refused),
            Self::AppUnwell => app(Probe::Unwell(503)),
            Self::Certificate => app(Probe::TlsFailed),
            Self::CheckersKeptOut => sim.keep_out(check, on),
            Self::MetricsLate => sim.set_metric_delay(if on { TimeDelta::minutes(18) } else { usual_delay }),
            Self::NetworkInLost => sim.lose_metrics(Which::NetworkIn, on),
            Self::HealthLost => sim.lose_metrics(Which::HealthStatus, on),
            Self::OwnLost => sim.lose_metrics(Which::Own, on),
            Self::MetricsUnreadable => refuse("GetMetricData", Trouble::Unexpected),
            Self::HealthCheckUnreadable => refuse("GetHealthCheck", Trouble::Throttled),
        }
    }
}

/// What happens to each call of an operation on its way, as long as it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It takes so much longer.
    Slow(TimeDelta),
    /// It is refused before it does anything.
    Refused(Trouble),
    /// It does its work, and its answer is lost.
    AnswerLost,
}
