//! What tests and the sandbox do to the world behind Catnap's back.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};

use super::checkers::Watch;
use super::dns::{Browser, Failover, Named};
use super::event::{Event, LeadsTo};
use super::machine::{By, Machine, Meter, Phases, Tell};
use super::metrics::Which;
use super::traffic::Page;
use super::{AppAnswer, Bucket, Sim, World, refused};
use crate::cloud::Metric;
use crate::model::{
    HealthCheckConfig, HealthCheckId, HostName, Instance, InstanceId, InstanceState, Point, Probe, Series,
};
use crate::trouble::Trouble;

/// How a living instance is watched and found.
#[derive(Debug, Clone)]
pub struct Life {
    /// The health check.
    pub check: HealthCheckId,
    /// Its configuration.
    pub config: HealthCheckConfig,
    /// Checks in a row until a checker changes its mind.
    pub threshold: u32,
    /// How long resolvers keep the records of its name.
    pub ttl: TimeDelta,
    /// What checkers, scanners and their times come from.
    pub seed: u64,
}

impl Sim {
    /// Adds a stopped instance that carries `host`, and gives it the id that is next in order.
    pub fn add_instance(&self, host: &HostName, phases: Phases) -> InstanceId {
        let mut world = self.world();
        let number = world.machines.len() + 1;
        #[expect(clippy::expect_used, reason = "the format is an instance id's")]
        let id: InstanceId = format!("i-{number:017x}").parse().expect("an instance id");
        let instance = Instance {
            id: id.clone(),
            state: InstanceState::Stopped,
            state_reason: Some("Client.UserInitiatedShutdown".into()),
            stopped_at: Some(world.now - TimeDelta::hours(12)),
            launched_at: world.now - TimeDelta::days(1),
            public_address: Some(Ipv4Addr::new(192, 0, 2, u8::try_from(number % 256).unwrap_or(0)).into()),
            tags: BTreeMap::from([("catnap:host".into(), host.to_string())]),
            detailed_monitoring: false,
            spot: false,
            instance_store_root: false,
        };
        world.machines.insert(id.clone(), Machine::new(instance, phases));
        id
    }

    /// From now on Route 53's checkers look at this instance, DNS goes by what they find, and CloudWatch counts what
    /// comes in.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn bring_to_life(&self, id: &InstanceId, host: &HostName, life: &Life) {
        let mut world = self.world();
        let Life { check, config, threshold, ttl, seed } = life.clone();
        world.machine(id).meter = Some(Meter::new(seed));
        world.start_minutes();
        // It has been watched for long: a health check that is new would count as healthy at first.
        let running = world.machine(id).is_running();
        let watch = Watch::new(&config, id.clone(), threshold, running, world.now, seed);
        world.watches.insert(check.clone(), watch);
        world.health_checks.insert(check.clone(), config);
        let failover = Failover {
            check,
            instance: id.clone(),
            ttl,
            lead: if running { LeadsTo::Instance } else { LeadsTo::Gateway },
        };
        world.failovers.push(Named { host: host.clone(), failover });
    }

    /// A living instance gets another name in DNS, beside those that it has.
    pub fn add_name(&self, id: &InstanceId, host: &HostName) {
        let failovers = &mut self.world().failovers;
        if let Some(named) = failovers.iter().find(|named| named.failover.instance == *id).cloned() {
            failovers.push(Named { host: host.clone(), ..named });
        }
    }

    /// Changes an instance behind Catnap's back, as an operator would in the console.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn change(&self, id: &InstanceId, change: impl FnOnce(&mut Instance)) {
        change(&mut self.world().machine(id).instance);
    }

    /// Stops an instance as a person does in the console, or by `shutdown` in it; with EC2's reason for that.
    ///
    /// # Errors
    /// When it is in a state in which EC2 does not stop it.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn stop_by_hand(&self, id: &InstanceId, reason: &str) -> Result<(), Trouble> {
        self.act(id, |machine, now, tell| machine.stop(now, reason, tell))
    }

    /// Starts an instance as a person does in the console.
    ///
    /// # Errors
    /// When it is in a state in which EC2 does not start it.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn start_by_hand(&self, id: &InstanceId) -> Result<(), Trouble> {
        self.act(id, |machine, now, tell| machine.start(now, tell))
    }

    fn act<T>(&self, id: &InstanceId, act: impl FnOnce(&mut Machine, DateTime<Utc>, Tell<'_>) -> T) -> T {
        let World { now, machines, events, .. } = &mut *self.world();
        #[expect(clippy::expect_used, reason = "a test's own mistake, told at once")]
        let machine = machines.get_mut(id).expect("no such simulated instance");
        act(machine, *now, &mut |what| events.push(Event { at: *now, what }))
    }

    /// From now on the app on this instance answers like this once it is up.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn app_answers(&self, id: &InstanceId, probe: Probe) {
        self.act(id, |machine, now, tell| {
            machine.app = probe;
            machine.look_at_app(now, tell);
        });
    }

    /// From now on EC2 takes starts of this instance and cannot carry them out, with this `StateReason`
    /// (`Client.InternalError` is what a missing KMS grant makes); none: it can.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn starts_fail(&self, id: &InstanceId, reason: Option<&'static str>) {
        self.world().machine(id).starts_fail = reason;
    }

    /// From now on every app that is up answers passed on requests like this.
    pub fn apps_answer(&self, answer: AppAnswer) {
        self.world().answer = Some(answer);
    }

    /// The requests that were passed on to apps, by method and address.
    #[must_use]
    pub fn forwarded(&self) -> Vec<String> {
        self.world().forwarded.clone()
    }

    /// From now on DNS leads `host` to this address.
    pub fn point_dns(&self, host: &HostName, address: IpAddr) {
        self.world().dns.insert(host.clone(), address);
    }

    /// Where a request of this browser for `host` goes now: by its open connection, what it remembers, what its
    /// resolver does, or what Route 53 says. None for a name that has no records.
    #[must_use]
    pub fn route(&self, browser: &mut Browser, host: &HostName) -> Option<LeadsTo> {
        let world = self.world();
        let failover = &world.failovers.iter().find(|named| named.host == *host)?.failover;
        let boot = world.machines.get(&failover.instance)?.instance.launched_at;
        Some(browser.route(world.now, (failover.lead, failover.ttl), boot))
    }

    /// This browser asks its resolver for `host` anew, without opening a connection. Others may have asked that
    /// resolver before, and it keeps their answer for the TTL.
    pub fn resolve(&self, browser: &mut Browser, host: &HostName) {
        let world = self.world();
        if let Some(named) = world.failovers.iter().find(|named| named.host == *host) {
            browser.resolve(world.now, (named.failover.lead, named.failover.ttl));
        }
    }

    /// Where Route 53 leads a name.
    #[must_use]
    pub fn leads(&self, host: &HostName) -> Option<LeadsTo> {
        self.world().failovers.iter().find(|named| named.host == *host).map(|named| named.failover.lead)
    }

    /// Asks the app on an instance, as a browser does that has come there, and counts what comes in for it.
    ///
    /// # Errors
    /// What it gets instead of an answer.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn ask_app(&self, id: &InstanceId, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Probe> {
        let mut world = self.world();
        let (now, answer, bytes) = (world.now, world.answer, world.bytes_in(&request));
        let machine = world.machine(id);
        machine.receive(bytes, By::People);
        match machine.probe(now) {
            Probe::Ready => {}
            missed => return Err(missed),
        }
        let answer = answer.unwrap_or(|request| Ok(Response::new(request.into_body())));
        answer(request).map_err(|_| Probe::Broken)
    }

    /// From now on each page that a browser opens weighs as much.
    pub fn pages_weigh(&self, page: Page) {
        self.world().page = page;
    }

    /// An instance as it is now.
    ///
    /// # Panics
    /// When there is no such instance.
    #[must_use]
    pub fn instance(&self, id: &InstanceId) -> Instance {
        self.world().machine(id).instance.clone()
    }

    /// What the app on an instance answers now.
    ///
    /// # Panics
    /// When there is no such instance.
    #[must_use]
    pub fn app(&self, id: &InstanceId) -> Probe {
        let mut world = self.world();
        let now = world.now;
        world.machine(id).probe(now)
    }

    /// Adds a health check, or changes one.
    pub fn add_health_check(&self, id: &HealthCheckId, config: HealthCheckConfig) {
        self.world().health_checks.insert(id.clone(), config);
    }

    /// How a health check is configured.
    #[must_use]
    pub fn health_check_config(&self, id: &HealthCheckId) -> Option<HealthCheckConfig> {
        self.world().health_checks.get(id).copied()
    }

    /// Makes a health check's checkers fail.
    pub fn set_unhealthy(&self, id: &HealthCheckId) {
        self.world().unhealthy.push(id.clone());
    }

    /// Keeps a living health check's checkers out, as a security group does, or lets them in again.
    pub fn keep_out(&self, id: &HealthCheckId, kept_out: bool) {
        if let Some(watch) = self.world().watches.get_mut(id) {
            watch.kept_out = kept_out;
        }
    }

    /// What a living health check says, how many of its checkers find the app well, and of how many.
    #[must_use]
    pub fn health(&self, id: &HealthCheckId) -> Option<(bool, usize, usize)> {
        let world = self.world();
        let watch = world.watches.get(id)?;
        let (well, of) = watch.tally();
        Some((watch.healthy, well, of))
    }

    /// Sets a datapoint; it can be read once its period and the metrics' delay have passed.
    pub fn put(&self, metric: Metric, point: Point) {
        self.world().metrics.put(metric, point);
    }

    /// Something is counted now: it becomes a part of the datapoint of this minute.
    pub fn count(&self, metric: Metric, value: f64) {
        let mut world = self.world();
        let at = world.now - TimeDelta::nanoseconds(world.now.timestamp_nanos_opt().unwrap_or(0) % 60_000_000_000);
        world.metrics.arrive(metric, Point { at, value });
    }

    /// The newest datapoint of a metric that can be read now.
    #[must_use]
    pub fn newest(&self, metric: &Metric) -> Option<Point> {
        let world = self.world();
        world.metrics.read(metric, world.now - TimeDelta::days(15), world.now, world.now)?.points.last().copied()
    }

    /// The datapoints of a metric between two times that can be read now, of whole periods; none of one that cannot be.
    #[must_use]
    pub fn readable(&self, metric: &Metric, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Series> {
        let world = self.world();
        world.metrics.read(metric, from, until, world.now)
    }

    /// What people sent of a datapoint of NetworkIn, which no metric tells; those that are not there are zero.
    #[must_use]
    pub fn people(&self, metric: &Metric, from: DateTime<Utc>) -> Vec<Point> {
        let world = self.world();
        let points = world.people.get(metric).map_or(&[][..], Vec::as_slice);
        points[points.partition_point(|point| point.at < from)..].to_vec()
    }

    /// From now on metrics can be read this long after the end of their period.
    pub fn set_metric_delay(&self, delay: TimeDelta) {
        for which in [Which::NetworkIn, Which::HealthStatus, Which::Own] {
            self.set_delay_of(which, delay);
        }
    }

    /// The same for some of them.
    pub fn set_delay_of(&self, which: Which, delay: TimeDelta) {
        self.world().metrics.set_delay(which, delay);
    }

    /// From now on datapoints of these metrics do not arrive, or do again.
    pub fn lose_metrics(&self, which: Which, lost: bool) {
        self.world().metrics.lose(which, lost);
    }

    /// From now on NetworkIn shows a datapoint before its period is over, with what has come in so far.
    pub fn show_partial_points(&self) {
        self.world().shows_partial_points = true;
    }

    /// From now on CloudWatch cannot read this metric.
    pub fn set_unreadable(&self, metric: Metric) {
        self.world().metrics.set_unreadable(metric);
    }

    /// From now on it can again.
    pub fn set_readable(&self, metric: &Metric) {
        self.world().metrics.set_readable(metric);
    }

    /// From now on lists come in pages of so many.
    pub fn set_page_size(&self, items: usize) {
        self.world().page_size = items;
    }

    /// From now on DescribeInstances shows an instance as it was until so long after a change.
    pub fn set_describe_lag(&self, lag: TimeDelta) {
        self.world().describe_lag = lag;
    }

    /// From now on EC2 meters calls (EC2 API Reference, "Request throttling").
    pub fn meter_calls(&self) {
        let mut world = self.world();
        let at = world.now;
        let bucket = |holds, per_second| Bucket { holds, per_second, tokens: holds, at };
        world.buckets = Some(BTreeMap::from([
            ("StartInstances", bucket(5.0, 2.0)),
            ("StopInstances", bucket(50.0, 5.0)),
            ("DescribeInstances", bucket(100.0, 20.0)),
        ]));
    }

    /// Makes the next call of `operation` fail.
    pub fn fail_next(&self, operation: &'static str, trouble: Trouble) {
        self.fail_after(operation, 0, trouble);
    }

    /// Makes one call of `operation` fail, after so many that do not.
    pub fn fail_after(&self, operation: &'static str, calls: usize, trouble: Trouble) {
        self.world().faults.push((calls, refused(operation, trouble)));
    }

    /// Makes every call of `operation` fail from now on; none: no more.
    pub fn refuse(&self, operation: &'static str, trouble: Option<Trouble>) {
        let refusals = &mut self.world().refusals;
        match trouble {
            Some(trouble) => _ = refusals.insert(operation, trouble),
            None => _ = refusals.remove(operation),
        }
    }

    /// How often `operation` was called for `subject`; an empty one counts all.
    #[must_use]
    pub fn calls(&self, operation: &str, subject: &str) -> usize {
        let of = |call: &&String| call.starts_with(operation) && call.ends_with(subject);
        let world = self.world();
        world.calls.iter().filter(|(call, _)| of(call)).map(|(_, times)| times).sum()
    }
}
