//! The calls that a tick reads with: as few as there can be, no faster than AWS lets them, and none that comes too
//! late. A call that fails takes with it what it alone would have told, and is among the failures.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use shared::cloud::{Cloud, Targets};
use shared::model::{HealthCheckConfig, HealthCheckId, Instance, Series};
use shared::record::Sink;
use shared::steer::Steering;
use shared::trouble::{CloudError, Trouble};
use tokio::time::Instant;

use crate::Stopper;
use crate::batch::{Query, pack};
use crate::pace::Budget;

/// So many health checks are read one by one; for more it takes fewer calls to list all that the account has.
const CHECKS_ONE_BY_ONE: usize = 4;
/// Calls of GetMetricData at a time.
const READS_IN_FLIGHT: usize = 4;

/// How each health check is configured, or why that could not be read.
pub(crate) type Configurations = HashMap<HealthCheckId, Result<HealthCheckConfig, CloudError>>;

/// What was read, and what failed meanwhile.
#[derive(Debug)]
pub(crate) struct Read<T> {
    pub(crate) what: T,
    pub(crate) failures: Vec<CloudError>,
}

impl<C: Cloud, S: Sink> Stopper<C, S> {
    /// Lists the targets. When a page fails, those before it are there all the same.
    pub(crate) async fn list(&self, budget: &Budget) -> Read<Vec<Instance>> {
        let targets = self.config.instance_id.clone().map_or(Targets::Tagged, Targets::One);
        let mut list = Read { what: Vec::new(), failures: Vec::new() };
        let mut next = None::<String>;
        loop {
            let page = if Instant::now() <= budget.read_until {
                self.cloud.instances_page(&targets, next.as_deref()).await
            } else {
                Err(too_late("DescribeInstances"))
            };
            match page {
                Ok(page) => {
                    for instance in page.items {
                        match instance {
                            Ok(instance) if self.config.is_for(&instance) => list.what.push(instance),
                            Ok(_) => {}
                            Err(error) => list.failures.push(error),
                        }
                    }
                    next = page.next;
                }
                Err(error) => {
                    list.failures.push(error);
                    next = None;
                }
            }
            if next.is_none() {
                return list;
            }
        }
    }

    /// Reads how health checks are configured: at each tick, since nobody could wake what naps once its check is
    /// disabled.
    pub(crate) async fn configurations(
        &self,
        wanted: BTreeSet<HealthCheckId>,
        budget: &Budget,
    ) -> Read<Configurations> {
        if wanted.len() > CHECKS_ONE_BY_ONE {
            return self.list_configurations(wanted, budget).await;
        }
        let mut what = HashMap::with_capacity(wanted.len());
        for id in wanted {
            let config = if self.buckets.route53.take(1.0, budget.read_until).await {
                self.cloud.health_check(&id).await
            } else {
                Err(too_late("GetHealthCheck"))
            };
            what.insert(id, config);
        }
        Read { what, failures: Vec::new() }
    }

    /// Reads a health check that may be steered: each time, since the starter steers it too.
    pub(crate) async fn steering(&self, id: &HealthCheckId, budget: &Budget) -> Result<Steering, CloudError> {
        if self.buckets.route53.take(1.0, budget.read_until).await {
            self.cloud.steering(id).await
        } else {
            Err(too_late("GetHealthCheck"))
        }
    }

    /// Looks through all of the account's health checks until each of those wanted is found.
    async fn list_configurations(&self, mut wanted: BTreeSet<HealthCheckId>, budget: &Budget) -> Read<Configurations> {
        const OPERATION: &str = "ListHealthChecks";
        let mut read = Read { what: HashMap::with_capacity(wanted.len()), failures: Vec::new() };
        let mut next = None::<String>;
        let not_found = loop {
            let page = if self.buckets.route53.take(1.0, budget.read_until).await {
                self.cloud.health_checks_page(next.as_deref()).await
            } else {
                Err(too_late(OPERATION))
            };
            match page {
                Ok(page) => {
                    let found = page.items.into_iter().filter(|(id, _)| wanted.remove(id));
                    read.what.extend(found.map(|(id, config)| (id, Ok(config))));
                    next = page.next;
                }
                Err(error) => {
                    read.failures.push(error.clone());
                    break error;
                }
            }
            if next.is_none() || wanted.is_empty() {
                break CloudError {
                    trouble: Trouble::NotFound,
                    operation: OPERATION,
                    code: "NoSuchHealthCheck".into(),
                    message: "the account has no such health check".into(),
                };
            }
        };
        read.what.extend(wanted.into_iter().map(|id| (id, Err(not_found.clone()))));
        read
    }

    /// Reads targets' metrics up to `now`: for each what it was wanted for, and the series, none for one that
    /// CloudWatch could not read.
    pub(crate) async fn series<For>(
        &self,
        targets: Vec<Vec<Query<For>>>,
        now: DateTime<Utc>,
        budget: &Budget,
    ) -> Read<Vec<(For, Result<Option<Series>, CloudError>)>> {
        let mut read = Read { what: Vec::new(), failures: Vec::new() };
        let calls = stream::iter(pack(targets, now)).map(|batch| async move {
            #[expect(clippy::cast_precision_loss, reason = "some hundred thousand are exact")]
            let answer = if self.buckets.datapoints.take(batch.points as f64, budget.read_until).await {
                self.cloud.metrics(&batch.metrics, batch.from, now).await
            } else {
                Err(too_late("GetMetricData"))
            };
            (batch.wanted_for, answer)
        });
        let mut answers = calls.buffer_unordered(READS_IN_FLIGHT);
        while let Some((wanted_for, answer)) = answers.next().await {
            match answer {
                Ok(series) => read.what.extend(wanted_for.into_iter().zip(series.into_iter().map(Ok))),
                Err(error) => {
                    read.what.extend(wanted_for.into_iter().map(|what| (what, Err(error.clone()))));
                    read.failures.push(error);
                }
            }
        }
        read
    }
}

/// A call that would have come too late for this tick. The next one makes up for it.
fn too_late(operation: &'static str) -> CloudError {
    let message = "not called, since the tick's time for reading was over".into();
    CloudError::without_answer(Trouble::Unreachable, operation, message)
}
