//! The port: all that Catnap asks of a cloud, and of the app behind it.

use std::net::SocketAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Origin;
use crate::model::{HealthCheckConfig, HealthCheckId, HostName, Instance, InstanceId, Probe, Series};
use crate::trouble::CloudError;

/// Which instances to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// This one.
    One(InstanceId),
    /// Every instance that carries the tag `catnap:host`.
    Tagged,
}

/// One metric of one target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `AWS/EC2` NetworkIn, Sum, bytes in each `period`; in the instance's region.
    NetworkIn {
        /// The instance.
        instance: InstanceId,
        /// 300 s under basic monitoring, 60 s under detailed.
        period: TimeDelta,
    },
    /// `AWS/Route53` HealthCheckStatus, Minimum of 60 s: 1 healthy, 0 not. CloudWatch has it in us-east-1 only.
    HealthStatus(HealthCheckId),
    /// `Catnap` Visits, Sum of 60 s: people at the starter. Sparse.
    Visits(HostName),
    /// `Catnap` Busy, Sum of 60 s: a job on the instance, or someone working on it. Sparse.
    Busy(HostName),
}

impl Metric {
    /// What one datapoint covers.
    #[must_use]
    pub fn period(&self) -> TimeDelta {
        match self {
            Self::NetworkIn { period, .. } => *period,
            Self::HealthStatus(_) | Self::Visits(_) | Self::Busy(_) => TimeDelta::seconds(60),
        }
    }
}

/// What Catnap asks of a cloud. An implementation translates and decides nothing.
pub trait Cloud: Send + Sync {
    /// Looks at instances, terminated ones left in (DescribeInstances).
    fn instances(&self, targets: &Targets) -> impl Future<Output = Result<Vec<Instance>, CloudError>> + Send;

    /// Starts one instance (StartInstances).
    fn start(&self, id: &InstanceId) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Stops one instance (StopInstances).
    fn stop(&self, id: &InstanceId) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// How a health check is configured (GetHealthCheck).
    fn health_check(&self, id: &HealthCheckId) -> impl Future<Output = Result<HealthCheckConfig, CloudError>> + Send;

    /// Whether the checkers say by observations made after `since` that it is healthy
    /// (GetHealthCheckStatus: more than 18 % of them are successes).
    fn is_healthy(
        &self,
        id: &HealthCheckId,
        since: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool, CloudError>> + Send;

    /// Reads metrics from `from` up to `until`, in the order asked for (GetMetricData).
    /// None for one that CloudWatch could not read, which is another thing than one without points.
    fn metrics(
        &self,
        metrics: &[Metric],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Option<Series>>, CloudError>> + Send;
}

/// Where and how the app is asked whether it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRequest {
    /// Whom to ask for: Host header and, over TLS, the name in the handshake.
    pub host: HostName,
    /// The instance's own address, so that DNS has no say in it.
    pub address: SocketAddr,
    /// Scheme and port.
    pub origin: Origin,
    /// The path to get.
    pub path: String,
}

/// The starter's own check of the app.
pub trait App: Send + Sync {
    /// Asks once. Every answer, and each way of not getting one, is a [`Probe`].
    fn probe(&self, request: &ProbeRequest) -> impl Future<Output = Probe> + Send;
}
