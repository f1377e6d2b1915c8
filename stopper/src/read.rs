//! The calls that a tick reads with: as few as there can be, no faster than AWS lets them, and none that comes too
//! late. A call that fails takes with it what it alone would have told, and is among the failures.

use std::collections::{BTreeSet, HashMap};
use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};
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

/// A health check's configuration is read again after this long: someone may have disabled it.
const READ_CHECK_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(30);
/// So many health checks are read one by one; for more it takes fewer calls to list all that the account has.
const CHECKS_ONE_BY_ONE: usize = 4;
/// Calls of GetMetricData at a time.
const READS_IN_FLIGHT: usize = 4;

/// Health checks' configurations, and when they were read.
pub(crate) type Checks = HashMap<HealthCheckId, (DateTime<Utc>, HealthCheckConfig)>;

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

    /// Reads how health checks are configured, where the last time is too long ago.
    pub(crate) async fn configurations(
        &self,
        wanted: BTreeSet<HealthCheckId>,
        now: DateTime<Utc>,
        budget: &Budget,
    ) -> Read<HashMap<HealthCheckId, Result<HealthCheckConfig, CloudError>>> {
        let mut read = Read { what: HashMap::with_capacity(wanted.len()), failures: Vec::new() };
        let mut unknown = BTreeSet::new();
        {
            let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
            checks.retain(|_, (read_at, _)| now - *read_at < READ_CHECK_AGAIN_AFTER);
            for id in wanted {
                match checks.get(&id) {
                    Some((_, config)) => drop(read.what.insert(id, Ok(*config))),
                    None => drop(unknown.insert(id)),
                }
            }
        }
        let answers = match unknown.len() {
            0..=CHECKS_ONE_BY_ONE => self.get_configurations(unknown, budget).await,
            _ => {
                let listed = self.list_configurations(unknown, budget).await;
                read.failures.extend(listed.failures);
                listed.what
            }
        };
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let found = answers.iter().filter_map(|(id, config)| Some((id.clone(), (now, *config.as_ref().ok()?))));
        checks.extend(found);
        drop(checks);
        read.what.extend(answers);
        read
    }

    /// Reads a health check that may be steered: each time, since the starter steers it too.
    pub(crate) async fn steering(&self, id: &HealthCheckId, budget: &Budget) -> Result<Steering, CloudError> {
        if self.buckets.route53.take(1.0, budget.read_until).await {
            self.cloud.steering(id).await
        } else {
            Err(too_late("GetHealthCheck"))
        }
    }

    async fn get_configurations(
        &self,
        wanted: BTreeSet<HealthCheckId>,
        budget: &Budget,
    ) -> Vec<(HealthCheckId, Result<HealthCheckConfig, CloudError>)> {
        let mut answers = Vec::with_capacity(wanted.len());
        for id in wanted {
            let answer = if self.buckets.route53.take(1.0, budget.read_until).await {
                self.cloud.health_check(&id).await
            } else {
                Err(too_late("GetHealthCheck"))
            };
            answers.push((id, answer));
        }
        answers
    }

    /// Looks through all of the account's health checks until each of those wanted is found.
    async fn list_configurations(
        &self,
        mut wanted: BTreeSet<HealthCheckId>,
        budget: &Budget,
    ) -> Read<Vec<(HealthCheckId, Result<HealthCheckConfig, CloudError>)>> {
        const OPERATION: &str = "ListHealthChecks";
        let mut read = Read { what: Vec::with_capacity(wanted.len()), failures: Vec::new() };
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
    CloudError { trouble: Trouble::Unreachable, operation, code: String::new(), message }
}
