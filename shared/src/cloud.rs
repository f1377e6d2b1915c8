//! The port: all that Catnap asks of a cloud, and of the app behind it.

use std::net::{IpAddr, SocketAddr};

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};
use serde::Serialize;

use crate::config::Origin;
use crate::learned::WakeSeconds;
use crate::model::{HealthCheckConfig, HealthCheckId, HostName, Instance, InstanceId, Probe, Series};
use crate::steer::{Lead, Marks, Steering};
use crate::trouble::CloudError;

/// Which instances to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Targets {
    /// This one.
    One(InstanceId),
    /// Every instance that carries the tag `catnap:host` and is not gone.
    Tagged,
    /// Those whose tag `catnap:host` is this name, gone ones as well.
    Host(HostName),
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    /// How to ask for the next one; none after the last.
    pub next: Option<String>,
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
    /// Whether CloudWatch has it in one region for all (us-east-1), whatever the instances' own.
    #[must_use]
    pub fn is_global(&self) -> bool {
        matches!(self, Self::HealthStatus(_))
    }

    /// What one datapoint covers.
    #[must_use]
    pub fn period(&self) -> TimeDelta {
        match self {
            Self::NetworkIn { period, .. } => *period,
            Self::HealthStatus(_) | Self::Visits(_) | Self::Busy(_) => TimeDelta::seconds(60),
        }
    }
}

/// What Catnap asks of a cloud. An implementation translates and decides nothing: each function is one call
/// of the API, save those that say otherwise. How many there are, and how fast, is the caller's matter.
pub trait Cloud: Send + Sync {
    /// Looks at a page of instances, the first one without `page` (DescribeInstances). An instance that cannot be
    /// read is an error in its place, and hides no other.
    fn instances_page(
        &self,
        targets: &Targets,
        page: Option<&str>,
    ) -> impl Future<Output = Result<Page<Result<Instance, CloudError>>, CloudError>> + Send;

    /// Looks at instances, on as many pages as there are; the first error is the answer.
    fn instances(&self, targets: &Targets) -> impl Future<Output = Result<Vec<Instance>, CloudError>> + Send {
        async move {
            let (mut all, mut next) = (Vec::new(), None);
            loop {
                let page = self.instances_page(targets, next.as_deref()).await?;
                for instance in page.items {
                    all.push(instance?);
                }
                next = page.next;
                if next.is_none() {
                    return Ok(all);
                }
            }
        }
    }

    /// Starts one instance (StartInstances).
    fn start(&self, id: &InstanceId) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Stops one instance (StopInstances).
    fn stop(&self, id: &InstanceId) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Writes the tag `catnap:wake-seconds`, the only one that Catnap writes (CreateTags).
    fn tag_wake_seconds(
        &self,
        id: &InstanceId,
        value: &WakeSeconds,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// How a health check is configured (GetHealthCheck).
    fn health_check(&self, id: &HealthCheckId) -> impl Future<Output = Result<HealthCheckConfig, CloudError>> + Send;

    /// A page of all health checks of the account, the first one without `page` (ListHealthChecks).
    fn health_checks_page(
        &self,
        page: Option<&str>,
    ) -> impl Future<Output = Result<Page<(HealthCheckId, HealthCheckConfig)>, CloudError>> + Send;

    /// Whether the checkers say by observations made after `since` that it is healthy
    /// (GetHealthCheckStatus: more than 18 % of them are successes).
    fn is_healthy(
        &self,
        id: &HealthCheckId,
        since: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool, CloudError>> + Send;

    /// How a health check is set that may be steered (GetHealthCheck; while it is disabled ListTagsForResource as well).
    fn steering(&self, id: &HealthCheckId) -> impl Future<Output = Result<Steering, CloudError>> + Send;

    /// Writes one of the two tags of a health check that tell who steers it (ChangeTagsForResource).
    fn mark(&self, id: &HealthCheckId, marks: &Marks) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Sets where a health check leads visitors, if it still has this version (UpdateHealthCheck): the version that it
    /// has from then on.
    fn lead(&self, id: &HealthCheckId, version: i64, to: Lead) -> impl Future<Output = Result<i64, CloudError>> + Send;

    /// Steers a health check: marks it, and then sets it.
    fn steer(
        &self,
        id: &HealthCheckId,
        from: &Steering,
        to: Lead,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), CloudError>> + Send {
        async move {
            let expected = from.version + 1;
            if let Some(marks) = from.marks_for(to, now, expected) {
                self.mark(id, &marks).await?;
            }
            let version = self.lead(id, from.version, to).await?;
            // From away to closed nothing changes but the mark, and Route 53 may count that for no change.
            match from.marks_for(to, now, version).filter(|_| version != expected) {
                Some(marks) => self.mark(id, &marks).await,
                None => Ok(()),
            }
        }
    }

    /// Reads metrics from `from` up to `until`, in the order asked for (GetMetricData: one call for those of the
    /// instances' region and one for the global ones; up to 500 metrics in each, and more than 100,800 datapoints
    /// come in further pages). None for one that CloudWatch could not read in full, which is another thing than one
    /// without points.
    fn metrics(
        &self,
        metrics: &[Metric],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Option<Series>>, CloudError>> + Send;
}

/// Where the app answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Whom to ask for: Host header and, over TLS, the name in the handshake.
    pub host: HostName,
    /// The instance's own address, so that DNS has no say in it.
    pub address: SocketAddr,
    /// Scheme and port.
    pub origin: Origin,
}

/// How much of an answer can be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// When the whole of it must be there.
    pub until: DateTime<Utc>,
    /// How many bytes its body may have.
    pub bytes: usize,
}

/// Why a request was not passed on, or its answer not passed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unforwarded {
    /// There was no connection: nothing was sent.
    NotReached(Probe),
    /// It was sent, and the connection ended before the whole answer was there.
    Broken,
    /// It was sent, and the whole answer was not there in time.
    TimedOut,
    /// The answer has more bytes than can be passed back.
    TooLarge,
    /// The answer is a stream of events, without an end.
    Stream,
}

/// What the starter asks of the app, and about it.
pub trait App: Send + Sync {
    /// Asks once for a path. Every answer, and each way of not getting one, is a [`Probe`].
    fn probe(&self, to: &Destination, path: &str) -> impl Future<Output = Probe> + Send;

    /// Passes a visitor's request on, over TLS only to who has a certificate for the app's name.
    fn forward(
        &self,
        to: &Destination,
        request: Request<Vec<u8>>,
        limits: Limits,
    ) -> impl Future<Output = Result<Response<Vec<u8>>, Unforwarded>> + Send;

    /// The addresses that DNS has for a host name now; empty when it does not say.
    fn addresses(&self, host: &HostName) -> impl Future<Output = Vec<IpAddr>> + Send;
}
