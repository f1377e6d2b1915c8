//! The simulated cloud behind the port.

use std::net::IpAddr;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use http::{Request, Response};

use super::dns::GATEWAY;
use super::event::{Event, LeadsTo};
use super::machine::{By, Meter};
use super::{Machine, Sim, World, refused};
use crate::cloud::{App, Cloud, Destination, Limits, Metric, Page, Targets, Unforwarded};
use crate::learned::WakeSeconds;
use crate::model::{HealthCheckConfig, HealthCheckId, HostName, Instance, InstanceId, Point, Probe, Series};
use crate::steer::{self, Marks, Steering};
use crate::trouble::{CloudError, Trouble};

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
        let (now, lag) = (world.now, world.describe_lag);
        let shown = world.machines.values().map(|machine| machine.shown(now, lag));
        let found: Vec<_> = shown.filter(wanted).cloned().collect();
        match targets {
            Targets::One(_) if found.is_empty() => Err(refused("DescribeInstances", Trouble::NotFound)),
            _ => Ok(world.page_of(found.into_iter().map(Ok).collect(), page)),
        }
    }

    async fn start(&self, id: &InstanceId) -> Result<(), CloudError> {
        const OPERATION: &str = "StartInstances";
        let mut world = self.world();
        world.call(OPERATION, id.as_str())?;
        let World { now, machines, events, .. } = &mut *world;
        let machine = machines.get_mut(id).ok_or_else(|| refused(OPERATION, Trouble::NotFound))?;
        let mut tell = |what| events.push(Event { at: *now, what });
        machine.start(*now, &mut tell).map_err(|trouble| refused(OPERATION, trouble))
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), CloudError> {
        const OPERATION: &str = "StopInstances";
        let mut world = self.world();
        world.call(OPERATION, id.as_str())?;
        let World { now, machines, events, .. } = &mut *world;
        let machine = machines.get_mut(id).ok_or_else(|| refused(OPERATION, Trouble::NotFound))?;
        let mut tell = |what| events.push(Event { at: *now, what });
        let stopped = machine.stop(*now, "Client.UserInitiatedShutdown", &mut tell);
        stopped.map_err(|trouble| refused(OPERATION, trouble))
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

    async fn is_healthy(&self, id: &HealthCheckId, since: DateTime<Utc>) -> Result<bool, CloudError> {
        let mut world = self.world();
        world.call("GetHealthCheckStatus", id.as_str())?;
        Ok(world.watches.get(id).map_or(!world.unhealthy.contains(id), |watch| watch.is_healthy(since)))
    }

    async fn steering(&self, id: &HealthCheckId) -> Result<Steering, CloudError> {
        let config = self.health_check(id).await?;
        let super::steering::Beside { version, .. } = self.world().beside.get(id).cloned().unwrap_or_default();
        // Nobody steers one that goes by its checkers, so its tags are not read.
        let marks = if config.disabled {
            self.world().call("ListTagsForResource", id.as_str())?;
            self.marks(id)
        } else {
            Marks::default()
        };
        Ok(Steering { config, version, marks })
    }

    async fn mark(&self, id: &HealthCheckId, marks: &Marks) -> Result<(), CloudError> {
        let mut world = self.world();
        world.call("ChangeTagsForResource", id.as_str())?;
        world.beside.entry(id.clone()).or_default().marks.insert(marks.tag(), marks.clone());
        Ok(())
    }

    async fn lead(&self, id: &HealthCheckId, version: i64, to: steer::Lead) -> Result<i64, CloudError> {
        self.world().lead(id, version, to)
    }

    async fn metrics(
        &self,
        metrics: &[Metric],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Option<Series>>, CloudError> {
        let mut world = self.world();
        world.call("GetMetricData", "")?;
        let series = metrics.iter().map(|metric| world.series(metric, from, until));
        Ok(series.collect())
    }
}

impl Machine {
    fn is_at(&self, to: &Destination) -> bool {
        self.instance.public_address == Some(to.address.ip())
    }

    /// As DescribeInstances shows it, which lags behind.
    fn shown(&self, now: DateTime<Utc>, lag: TimeDelta) -> &Instance {
        let before = self.before.as_ref().filter(|(changed, _)| now < *changed + lag);
        before.map_or(&self.instance, |(_, before)| before)
    }
}

impl World {
    fn series(&self, metric: &Metric, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Series> {
        let mut series = self.metrics.read(metric, from, until, self.now)?;
        let five = TimeDelta::minutes(5);
        if let (true, Metric::NetworkIn { instance, period }) =
            (self.shows_partial_points && until > self.now - five, metric)
            && *period == five
        {
            let meter = self.machines.get(instance).and_then(|machine| machine.meter.as_ref());
            let at = self.now.duration_trunc(five).unwrap_or(self.now);
            series.points.extend(meter.and_then(Meter::so_far).map(|value| Point { at, value }));
        }
        Some(series)
    }

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
        let bytes = world.bytes_in(&request);
        if let Some(machine) = world.machines.values_mut().find(|machine| machine.is_at(to)) {
            machine.receive(bytes, By::People);
        }
        let answer = world.answer.unwrap_or(|request| Ok(Response::new(request.into_body())));
        world.forwarded.push(format!("{} {}", request.method(), request.uri()));
        let answer = answer(request)?;
        if answer.body().len() > limits.bytes { Err(Unforwarded::TooLarge) } else { Ok(answer) }
    }

    async fn addresses(&self, host: &HostName) -> Vec<IpAddr> {
        let mut world = self.world();
        *world.calls.entry(format!("LookUp {host}")).or_default() += 1;
        world.address_of(host).into_iter().collect()
    }
}

impl World {
    fn address_of(&self, host: &HostName) -> Option<IpAddr> {
        if let Some(set) = self.dns.get(host) {
            return Some(*set);
        }
        let failover = &self.failovers.iter().find(|named| named.host == *host)?.failover;
        match failover.lead {
            LeadsTo::Instance => self.machines.get(&failover.instance)?.instance.public_address,
            LeadsTo::Gateway => Some(GATEWAY),
        }
    }

    fn probe(&self, to: &Destination) -> Probe {
        self.machines
            .values()
            .find(|machine| machine.is_at(to))
            .map_or(Probe::TimedOut, |machine| machine.probe(self.now))
    }
}
