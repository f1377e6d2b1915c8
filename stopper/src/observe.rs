//! What a tick looks at: the targets, their health checks, and all their metrics in as few calls as there can be.

use std::collections::HashMap;
use std::sync::PoisonError;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use shared::cloud::{Cloud, Metric, Targets};
use shared::config;
use shared::idle::{Facts, HealthCheck};
use shared::model::{HealthCheckConfig, HealthCheckId, Hold, HostName, Instance, InstanceState, Series};
use shared::overrides::{HealthCheckRef, Overrides, overrides};
use shared::record::Sink;
use shared::trouble::{CloudError, Trouble};

use crate::Stopper;

/// A health check's configuration is read again after this long: someone may have disabled it.
const READ_CHECK_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(30);
/// How far back to look, beyond the idle time: CloudWatch bills by metric, not by datapoint.
const LOOK_BACK: TimeDelta = TimeDelta::hours(3);

/// Health checks' configurations, and when they were read.
pub(crate) type Checks = HashMap<HealthCheckId, (DateTime<Utc>, HealthCheckConfig)>;

/// One target with all that its decision is made from.
#[derive(Debug)]
pub(crate) struct Target {
    /// The app's name for the record: its tag, as it is.
    pub(crate) app: String,
    pub(crate) instance: Instance,
    pub(crate) overrides: Overrides,
    health_check: HealthCheck,
    network_in: Series,
    visits: Option<Series>,
    busy: Option<Series>,
    /// What AWS refused about this target.
    pub(crate) error: Option<CloudError>,
}

impl Target {
    pub(crate) fn facts(&self, now: DateTime<Utc>) -> Facts<'_> {
        Facts {
            now,
            instance: &self.instance,
            policy: self.overrides.policy,
            protect: self.overrides.protect,
            hold: self.overrides.hold != Hold::No,
            keep_awake: &self.overrides.keep_awake,
            keep_awake_until: self.overrides.keep_awake_until,
            health_check: &self.health_check,
            network_in: &self.network_in,
            visits: self.visits.as_ref(),
            busy: self.busy.as_ref(),
        }
    }

    /// What there is to ask CloudWatch about it, and where the answer belongs.
    fn metrics(&self, host: Option<&HostName>) -> Vec<(Metric, Slot)> {
        if self.instance.state != InstanceState::Running {
            return Vec::new();
        }
        let period = self.instance.network_in_period();
        let mut metrics = vec![(Metric::NetworkIn { instance: self.instance.id.clone(), period }, Slot::NetworkIn)];
        if let (HealthCheckRef::Id(id), HealthCheck::Seen { .. }) = (&self.overrides.health_check, &self.health_check) {
            metrics.push((Metric::HealthStatus(id.clone()), Slot::Health));
        }
        if let Some(host) = host {
            metrics.push((Metric::Visits(host.clone()), Slot::Visits));
            metrics.push((Metric::Busy(host.clone()), Slot::Busy));
        }
        metrics
    }

    fn fill(&mut self, slot: Slot, series: Option<Series>) {
        match (slot, series) {
            (Slot::Visits, series) => self.visits = series,
            (Slot::Busy, series) => self.busy = series,
            (Slot::NetworkIn, Some(series)) => self.network_in = series,
            (Slot::Health, Some(series)) => {
                if let HealthCheck::Seen { status, .. } = &mut self.health_check {
                    *status = series;
                }
            }
            // Left without points, which is no idleness either.
            (Slot::NetworkIn | Slot::Health, None) => {}
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    NetworkIn,
    Health,
    Visits,
    Busy,
}

impl<C: Cloud, S: Sink> Stopper<C, S> {
    /// Lists the targets and reads what there is to know about them. When metrics cannot be read, the targets
    /// come without, which is never idleness, and the error beside them.
    pub(crate) async fn observe(
        &self,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Target>, Result<(), CloudError>), CloudError> {
        let which = self.config.instance_id.clone().map_or(Targets::Tagged, Targets::One);
        let instances = self.cloud.instances(&which).await?;
        let mut targets = Vec::with_capacity(instances.len());
        let mut slots = Vec::new();
        let hosts = self.hosts(&instances);
        for (instance, host) in instances.into_iter().zip(hosts) {
            let target = self.target(instance, &host, now).await;
            let index = targets.len();
            slots.extend(target.metrics(host.ok().as_ref()).into_iter().map(|(metric, slot)| (metric, slot, index)));
            targets.push(target);
        }
        let metrics = self.fill(&mut targets, slots, now).await;
        Ok((targets, metrics))
    }

    /// The host name of each instance, or why the starter would not wake it by that name.
    fn hosts(&self, instances: &[Instance]) -> Vec<Result<HostName, String>> {
        if self.config.instance_id.is_some() {
            return instances.iter().map(|_| Ok(self.config.app_domain.clone())).collect();
        }
        let tag = config::APP_DOMAIN.tag.unwrap_or_default();
        let read = |instance: &Instance| instance.tags.get(tag).map_or("", String::as_str).parse::<HostName>();
        let mut carried = HashMap::<HostName, u32>::new();
        for host in instances.iter().filter(|it| !it.state.is_gone()).filter_map(|it| read(it).ok()) {
            *carried.entry(host).or_default() += 1;
        }
        let check = |instance: &Instance| match read(instance) {
            Ok(host) if !instance.state.is_gone() && carried.get(&host).is_some_and(|count| *count > 1) => {
                Err(format!("tag {tag} is {:?} on another instance too: neither can be woken", host.as_str()))
            }
            Ok(host) => Ok(host),
            Err(error) => {
                Err(format!("tag {tag} is {:?}: it {error}", instance.tags.get(tag).map_or("", String::as_str)))
            }
        };
        instances.iter().map(check).collect()
    }

    async fn target(&self, instance: Instance, host: &Result<HostName, String>, now: DateTime<Utc>) -> Target {
        let is_stacks_own = host.as_ref() == Ok(&self.config.app_domain);
        let mut overrides = overrides(&self.config, &instance, is_stacks_own, now);
        let (health_check, error) = match host {
            _ if instance.state != InstanceState::Running => (HealthCheck::Unknown, None),
            Ok(_) => self.health_check(&overrides.health_check, now).await,
            // A name by which no visitor can wake it is as good as no failover.
            Err(why) => {
                overrides.warnings.push(why.clone());
                (HealthCheck::None, None)
            }
        };
        let network_in = Series::empty(instance.network_in_period());
        let sparse = || Some(Series::empty(TimeDelta::seconds(60)));
        let tag = config::APP_DOMAIN.tag.and_then(|tag| instance.tags.get(tag));
        let app = host.as_ref().map_or_else(|_| tag.cloned().unwrap_or_default(), ToString::to_string);
        Target { app, instance, overrides, health_check, network_in, visits: sparse(), busy: sparse(), error }
    }

    async fn health_check(&self, check: &HealthCheckRef, now: DateTime<Utc>) -> (HealthCheck, Option<CloudError>) {
        let id = match check {
            HealthCheckRef::Id(id) => id,
            HealthCheckRef::MeantNone => return (HealthCheck::MeantNone, None),
            HealthCheckRef::Unknown => return (HealthCheck::None, None),
        };
        let seen = |config| HealthCheck::Seen { config, status: Series::empty(TimeDelta::seconds(60)) };
        let remembered = self.checks.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
        if let Some((_, config)) = remembered.filter(|(read_at, _)| now - *read_at < READ_CHECK_AGAIN_AFTER) {
            return (seen(config), None);
        }
        match self.cloud.health_check(id).await {
            Ok(config) => {
                self.checks.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), (now, config));
                (seen(config), None)
            }
            Err(error) if error.trouble == Trouble::NotFound => (HealthCheck::None, Some(error)),
            Err(error) => (HealthCheck::Unknown, Some(error)),
        }
    }

    async fn fill(
        &self,
        targets: &mut [Target],
        slots: Vec<(Metric, Slot, usize)>,
        now: DateTime<Utc>,
    ) -> Result<(), CloudError> {
        if slots.is_empty() {
            return Ok(());
        }
        let idle = targets.iter().map(|target| target.overrides.policy.idle).max().unwrap_or_default();
        let from = now - idle - LOOK_BACK;
        // CloudWatch's periods begin at whole five minutes; a start between two would cut the first datapoint.
        let from = from.duration_trunc(TimeDelta::minutes(5)).unwrap_or(from);
        let metrics: Vec<_> = slots.iter().map(|(metric, ..)| metric.clone()).collect();
        match self.cloud.metrics(&metrics, from, now).await {
            Ok(all) => {
                for ((_, slot, index), series) in slots.into_iter().zip(all) {
                    targets[index].fill(slot, series);
                }
                Ok(())
            }
            Err(error) => {
                for (.., index) in slots {
                    targets[index].error = Some(error.clone());
                }
                Err(error)
            }
        }
    }
}
