//! What a tick looks at: the targets, their health checks, and all their metrics in as few calls as there can be.

use std::collections::HashMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use shared::cloud::{Cloud, Metric};
use shared::config;
use shared::idle::{self, Facts, HealthCheck, Unwakeable, decide};
use shared::model::{HealthCheckConfig, HealthCheckId, Hold, HostName, Instance, InstanceState, Series};
use shared::noise;
use shared::overrides::{HealthCheckRef, Overrides, overrides};
use shared::record::Sink;
use shared::steer::{Stance, Steering};
use shared::trouble::{CloudError, Trouble};

use crate::Stopper;
use crate::batch::Query;
use crate::pace::Budget;
use crate::read::Read;

/// How far back to look beyond the idle time: metrics may be 20 minutes old, and a datapoint covers five.
const MARGIN: TimeDelta = TimeDelta::minutes(30);

/// One target with all that its decision is made from.
#[derive(Debug)]
pub(crate) struct Target {
    /// The app's name for the record: its tag, as it is.
    pub(crate) app: String,
    /// The name by which visitors wake it; none when they could not.
    pub(crate) host: Option<HostName>,
    pub(crate) instance: Instance,
    pub(crate) overrides: Overrides,
    health_check: HealthCheck,
    network_in: Series,
    visits: Option<Series>,
    busy: Option<Series>,
    /// The health check by which its visitors may be led.
    pub(crate) steering: Option<(HealthCheckId, Steering)>,
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
    fn queries(&self, index: usize, targets: usize, now: DateTime<Utc>) -> Vec<Query<(usize, Slot)>> {
        let period = self.instance.network_in_period();
        let idle_time = self.overrides.policy.idle + MARGIN;
        let query = |metric, slot, back: TimeDelta| {
            // CloudWatch's periods begin at whole five minutes; a start between two would cut the first datapoint.
            let from = (now - back).duration_trunc(TimeDelta::minutes(5)).unwrap_or(now - back);
            Query { metric, from, wanted_for: (index, slot) }
        };
        let network_in = Metric::NetworkIn { instance: self.instance.id.clone(), period };
        let look_back = noise::look_back(self.overrides.policy.idle, period, targets);
        let mut queries = vec![query(network_in, Slot::NetworkIn, look_back)];
        if let HealthCheckRef::Id(id) = &self.overrides.health_check {
            queries.push(query(Metric::HealthStatus(id.clone()), Slot::Health, idle_time));
        }
        if let Some(host) = &self.host {
            queries.push(query(Metric::Visits(host.clone()), Slot::Visits, idle_time));
            queries.push(query(Metric::Busy(host.clone()), Slot::Busy, idle_time));
        }
        queries
    }

    /// Whether its decision, or what its record says of it, could be another if more were known.
    fn lacks_facts(&self, now: DateTime<Utc>) -> bool {
        !idle::goes_without_metrics(&decide(&self.facts(now)))
    }

    fn know(&mut self, config: Result<HealthCheckConfig, CloudError>) {
        self.health_check = match config {
            Ok(config) => HealthCheck::Seen { config, status: Series::empty(TimeDelta::seconds(60)) },
            Err(error) => {
                let gone = error.trouble == Trouble::NotFound;
                self.error = Some(error);
                if gone { HealthCheck::None } else { HealthCheck::Unknown }
            }
        };
    }

    /// The health check that may be steered for it.
    fn steerable(&self) -> Option<HealthCheckId> {
        self.overrides.steerable().filter(|_| !self.instance.state.is_gone()).map(|steerable| steerable.id)
    }

    fn know_steering(&mut self, id: HealthCheckId, steering: Result<Steering, CloudError>) {
        let before = self.health_check.clone();
        match steering {
            Ok(steering) => {
                let config = HealthCheckConfig { disabled: false, inverted: false, ..steering.config };
                let steered = |since, home| HealthCheck::Steered { config, since, home };
                match steering.stance() {
                    Stance::Checked => self.know(Ok(config)),
                    Stance::ByHand => self.know(Ok(steering.config)),
                    Stance::Away { since } | Stance::Closed { since } => self.health_check = steered(since, false),
                    Stance::Home { since } => self.health_check = steered(since, true),
                }
                self.steering = Some((id, steering));
            }
            Err(error) => self.know(Err(error)),
        }
        // Wherever it leads: by a name that another carries too no visitor could wake it.
        if matches!(before, HealthCheck::OfNoUse(_)) {
            self.health_check = before;
        }
    }

    fn fill(&mut self, slot: Slot, series: Result<Option<Series>, CloudError>) {
        let series = series.unwrap_or_else(|error| {
            self.error = Some(error);
            None
        });
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

/// What a tick saw.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) targets: Vec<Target>,
    /// The calls that failed.
    pub(crate) failures: Vec<CloudError>,
    /// No target is missing.
    pub(crate) whole: bool,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    NetworkIn,
    Health,
    Visits,
    Busy,
}

impl<C: Cloud, S: Sink> Stopper<C, S> {
    /// Lists the targets and reads what there is to know about them. What could not be read is missing, which is
    /// never idleness, and each call that failed is beside them. `whole` says that no target is missing.
    pub(crate) async fn observe(&self, now: DateTime<Utc>, budget: &Budget) -> Observed {
        let Read { what: instances, mut failures } = self.list(budget).await;
        let whole = failures.is_empty();
        let hosts = self.hosts(&instances);
        let mut targets: Vec<_> =
            instances.into_iter().zip(hosts).map(|(instance, host)| self.target(instance, host, now)).collect();
        // The stack's own, which is one target's; or that of all who carry its name.
        if let Some(id) = targets.iter().find_map(Target::steerable) {
            let steering = self.steering(&id, budget).await;
            for target in targets.iter_mut().filter(|target| target.steerable().is_some()) {
                target.know_steering(id.clone(), steering.clone());
            }
        }
        let (mut ids, mut queries) = (HashMap::<_, Vec<_>>::new(), Vec::new());
        let lacking: Vec<_> = targets.iter().enumerate().filter(|(_, target)| target.lacks_facts(now)).collect();
        for &(index, target) in &lacking {
            if let (HealthCheckRef::Id(id), HealthCheck::Unknown, None) =
                (&target.overrides.health_check, &target.health_check, target.steerable())
            {
                ids.entry(id.clone()).or_default().push(index);
            }
            queries.push(target.queries(index, lacking.len(), now));
        }
        // A fleet that is too large for one tick is begun with another target each time: none waits for ever.
        let first = now.timestamp_subsec_micros() as usize % queries.len().max(1);
        queries.rotate_left(first);
        let (configurations, series) = tokio::join!(
            self.configurations(ids.keys().cloned().collect(), budget),
            self.series(queries, now, budget),
        );
        failures.extend(configurations.failures);
        failures.extend(series.failures);
        for (id, config) in configurations.what {
            for index in ids.remove(&id).unwrap_or_default() {
                targets[index].know(config.clone());
            }
        }
        for ((index, slot), series) in series.what {
            targets[index].fill(slot, series);
        }
        Observed { targets, failures, whole }
    }

    /// The host name of each instance, or why the starter would not wake it by that name, with a warning.
    fn hosts(&self, instances: &[Instance]) -> Vec<Result<HostName, (Unwakeable, String)>> {
        if self.config.instance_id.is_some() {
            return instances.iter().map(|_| Ok(self.config.app_domain.clone())).collect();
        }
        let tag = config::APP_DOMAIN.tag.unwrap_or_default();
        let read = |instance: &Instance| config::host_tag(instance.tags.get(tag).map_or("", String::as_str));
        let mut carried = HashMap::<HostName, u32>::new();
        for host in instances.iter().filter(|it| !it.state.is_gone()).filter_map(|it| read(it).ok()) {
            *carried.entry(host).or_default() += 1;
        }
        let check = |instance: &Instance| match read(instance) {
            Ok(host) if !instance.state.is_gone() && carried.get(&host).is_some_and(|count| *count > 1) => {
                let warning = format!("tag {tag} is {:?} on another instance too: neither can be woken", host.as_str());
                Err((Unwakeable::SharedName, warning))
            }
            Ok(host) => Ok(host),
            Err(error) => {
                let found = instance.tags.get(tag).map_or("", String::as_str);
                Err((Unwakeable::NoName, format!("tag {tag} is {found:?}: it {error}")))
            }
        };
        instances.iter().map(check).collect()
    }

    fn target(&self, instance: Instance, host: Result<HostName, (Unwakeable, String)>, now: DateTime<Utc>) -> Target {
        let tag = config::APP_DOMAIN.tag.and_then(|tag| instance.tags.get(tag)).cloned();
        // By the tag's text: what another carries too may have been led away before it did.
        let carries = tag.as_deref() == Some(self.config.app_domain.as_str());
        let is_stacks_own = carries || host.as_ref() == Ok(&self.config.app_domain);
        let mut overrides = overrides(&self.config, &instance, is_stacks_own, now);
        let health_check = match (&host, &overrides.health_check) {
            _ if instance.state != InstanceState::Running => HealthCheck::Unknown,
            (Err((why, warning)), _) => {
                overrides.warnings.push(warning.clone());
                HealthCheck::OfNoUse(*why)
            }
            (Ok(_), HealthCheckRef::Id(_)) => HealthCheck::Unknown, // until it is read
            (Ok(_), HealthCheckRef::MeantNone) => HealthCheck::MeantNone,
            (Ok(_), HealthCheckRef::Unknown) => HealthCheck::None,
        };
        let network_in = Series::empty(instance.network_in_period());
        let sparse = || Some(Series::empty(TimeDelta::seconds(60)));
        let (visits, busy, error) = (sparse(), sparse(), None);
        let app = host.as_ref().map_or_else(|_| tag.unwrap_or_default(), ToString::to_string);
        let host = host.ok();
        let steering = None;
        Target { app, host, instance, overrides, health_check, network_in, visits, busy, steering, error }
    }
}
