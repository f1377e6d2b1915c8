//! The simulated cloud behind the port.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use http::{Request, Response};

use super::{Flags, Machine, Sim, World};
use crate::cloud::{App, Cloud, Destination, Limits, Metric, Page, Targets, Unforwarded};
use crate::learned::WakeSeconds;
use crate::model::{HealthCheckConfig, HealthCheckId, HostName, Instance, InstanceId, Probe, Series};
use crate::steer::{Lead, Marks, Steering};
use crate::trouble::{CloudError, Trouble};

fn refused(operation: &'static str, trouble: Trouble) -> CloudError {
    CloudError { trouble, operation, code: "Simulated".into(), message: String::new() }
}

impl Cloud for &Sim {
    async fn instances_page(
        &self,
        targets: &Targets,
        page: Option<&str>,
    ) -> Result<Page<Result<Instance, CloudError>>, CloudError> {
        let mut world = self.world();
        world.call("DescribeInstances", "")?;
        let wanted = |instance: &&Instance| match targets {
            Targets::One(id) => instance.id == *id,
            Targets::Tagged => instance.tags.contains_key("catnap:host") && !instance.state.is_gone(),
            Targets::Host(host) => instance.tags.get("catnap:host").is_some_and(|tag| tag == host.as_str()),
        };
        let found: Vec<_> = world.machines.values().map(|machine| &machine.instance).filter(wanted).cloned().collect();
        match targets {
            Targets::One(_) if found.is_empty() => Err(refused("DescribeInstances", Trouble::NotFound)),
            _ => Ok(world.page_of(found.into_iter().map(Ok).collect(), page)),
        }
    }

    async fn start(&self, id: &InstanceId) -> Result<(), CloudError> {
        const OPERATION: &str = "StartInstances";
        let mut world = self.world();
        world.call(OPERATION, id.as_str())?;
        let World { now, machines, .. } = &mut *world;
        let machine = machines.get_mut(id).ok_or_else(|| refused(OPERATION, Trouble::NotFound))?;
        machine.start(*now).map_err(|trouble| refused(OPERATION, trouble))
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), CloudError> {
        const OPERATION: &str = "StopInstances";
        let mut world = self.world();
        world.call(OPERATION, id.as_str())?;
        let World { now, machines, .. } = &mut *world;
        let machine = machines.get_mut(id).ok_or_else(|| refused(OPERATION, Trouble::NotFound))?;
        machine.stop(*now).map_err(|trouble| refused(OPERATION, trouble))
    }

    async fn tag_wake_seconds(&self, id: &InstanceId, value: &WakeSeconds) -> Result<(), CloudError> {
        const OPERATION: &str = "CreateTags";
        let mut world = self.world();
        world.call(OPERATION, id.as_str())?;
        let machine = world.machines.get_mut(id).ok_or_else(|| refused(OPERATION, Trouble::NotFound))?;
        machine.instance.tags.insert("catnap:wake-seconds".into(), value.to_string());
        Ok(())
    }

    async fn health_check(&self, id: &HealthCheckId) -> Result<HealthCheckConfig, CloudError> {
        const OPERATION: &str = "GetHealthCheck";
        let mut world = self.world();
        world.call(OPERATION, id.as_str())?;
        world.health_checks.get(id).copied().ok_or_else(|| refused(OPERATION, Trouble::NotFound))
    }

    async fn health_checks_page(
        &self,
        page: Option<&str>,
    ) -> Result<Page<(HealthCheckId, HealthCheckConfig)>, CloudError> {
        let mut world = self.world();
        world.call("ListHealthChecks", "")?;
        let all = world.health_checks.iter().map(|(id, config)| (id.clone(), *config)).collect();
        Ok(world.page_of(all, page))
    }

    async fn is_healthy(&self, id: &HealthCheckId, _since: DateTime<Utc>) -> Result<bool, CloudError> {
        let mut world = self.world();
        world.call("GetHealthCheckStatus", id.as_str())?;
        Ok(!world.unhealthy.contains(id))
    }

    async fn steering(&self, id: &HealthCheckId) -> Result<Steering, CloudError> {
        let config = self.health_check(id).await?;
        let mut world = self.world();
        if config.disabled {
            world.call("ListTagsForResource", id.as_str())?;
        }
        let Flags { inverted, version, marks } = world.flags.get(id).cloned().unwrap_or_default();
        Ok(Steering { config, inverted, version, marks })
    }

    async fn mark(&self, id: &HealthCheckId, marks: &Marks) -> Result<(), CloudError> {
        let mut world = self.world();
        world.call("ChangeTagsForResource", id.as_str())?;
        world.flags.entry(id.clone()).or_default().marks = marks.clone();
        Ok(())
    }

    async fn lead(&self, id: &HealthCheckId, version: i64, to: Lead) -> Result<(), CloudError> {
        const OPERATION: &str = "UpdateHealthCheck";
        let mut world = self.world();
        world.call(OPERATION, id.as_str())?;
        let World { health_checks, flags, .. } = &mut *world;
        let config = health_checks.get_mut(id).ok_or_else(|| refused(OPERATION, Trouble::NotFound))?;
        let flags = flags.entry(id.clone()).or_default();
        if flags.version != version {
            return Err(refused(OPERATION, Trouble::Outdated));
        }
        config.disabled = to.disabled();
        flags.inverted = to.inverted();
        flags.version += 1;
        Ok(())
    }

    async fn metrics(
        &self,
        metrics: &[Metric],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Option<Series>>, CloudError> {
        let mut world = self.world();
        world.call("GetMetricData", "")?;
        let readable_until = world.now - world.metric_delay;
        let series = metrics.iter().map(|metric| {
            let period = metric.period();
            let points = world.metrics.get(metric).map_or(&[][..], Vec::as_slice).iter().copied();
            let readable =
                points.filter(|point| (from..until).contains(&point.at) && point.at + period <= readable_until);
            (!world.unreadable.contains(metric)).then(|| Series { period, points: readable.collect() })
        });
        Ok(series.collect())
    }
}

impl World {
    /// The page of a list that begins where `page` says.
    fn page_of<T>(&self, all: Vec<T>, page: Option<&str>) -> Page<T> {
        let from = page.and_then(|page| page.parse().ok()).unwrap_or(0);
        let until = from + self.page_size;
        let next = (all.len() > until).then(|| until.to_string());
        Page { items: all.into_iter().skip(from).take(self.page_size).collect(), next }
    }
}

impl App for &Sim {
    async fn probe(&self, to: &Destination, _path: &str) -> Probe {
        self.world().probe(to)
    }

    async fn forward(
        &self,
        to: &Destination,
        request: Request<Vec<u8>>,
        limits: Limits,
    ) -> Result<Response<Vec<u8>>, Unforwarded> {
        let mut world = self.world();
        match world.probe(to) {
            Probe::Ready => {}
            missed => return Err(Unforwarded::NotReached(missed)),
        }
        let answer = world.answer.unwrap_or(|request| Ok(Response::new(request.into_body())));
        world.forwarded.push(format!("{} {}", request.method(), request.uri()));
        let answer = answer(request)?;
        if answer.body().len() > limits.bytes { Err(Unforwarded::TooLarge) } else { Ok(answer) }
    }

    async fn addresses(&self, host: &HostName) -> Vec<IpAddr> {
        let mut world = self.world();
        world.calls.push(format!("LookUp {host}"));
        world.dns.get(host).copied().into_iter().collect()
    }
}

impl World {
    fn probe(&self, to: &Destination) -> Probe {
        let at = |machine: &&Machine| machine.instance.public_address == Some(to.address.ip());
        self.machines.values().find(at).map_or(Probe::TimedOut, |machine| machine.probe(self.now))
    }
}
