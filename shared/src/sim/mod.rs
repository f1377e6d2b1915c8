//! The port over a simulated cloud: deterministic, with its own clock, without waiting.
//!
//! Instances go through EC2's phases, the app starts some time after its instance, metrics can be read late,
//! and any call can be made to fail. Only [`Sim::advance`] moves time.

mod port;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};

use crate::cloud::{Metric, Unforwarded};
use crate::model::{HealthCheckConfig, HealthCheckId, HostName, Instance, InstanceId, InstanceState, Point, Probe};
use crate::steer::Marks;
use crate::trouble::{CloudError, Trouble};

/// What a simulated app answers to a request that was passed on to it.
pub type AppAnswer = fn(Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Unforwarded>;

/// A simulated cloud.
#[derive(Debug)]
pub struct Sim(Mutex<World>);

#[derive(Debug)]
struct World {
    now: DateTime<Utc>,
    machines: BTreeMap<InstanceId, Machine>,
    health_checks: BTreeMap<HealthCheckId, HealthCheckConfig>,
    flags: BTreeMap<HealthCheckId, Flags>,
    page_size: usize,
    unhealthy: Vec<HealthCheckId>,
    metrics: HashMap<Metric, Vec<Point>>,
    metric_delay: TimeDelta,
    unreadable: Vec<Metric>,
    /// What fails, and after how many calls of its operation that do not.
    faults: Vec<(usize, CloudError)>,
    calls: Vec<String>,
    /// Whom DNS leads visitors to.
    dns: HashMap<HostName, IpAddr>,
    /// What the apps answer; without it they give back the body that they get.
    answer: Option<AppAnswer>,
    forwarded: Vec<String>,
}

/// What a health check has beside its configuration.
#[derive(Debug, Clone)]
struct Flags {
    inverted: bool,
    version: i64,
    marks: Marks,
}

impl Default for Flags {
    fn default() -> Self {
        Self { inverted: false, version: 1, marks: Marks::default() }
    }
}

/// An instance and what EC2 and the app on it do with time.
#[derive(Debug)]
struct Machine {
    instance: Instance,
    phases: Phases,
    /// When the current phase ends, and with which state.
    next: Option<(DateTime<Utc>, InstanceState)>,
    /// What the app answers once it is up.
    app: Probe,
}

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub struct Phases {
    /// From StartInstances to `running`.
    pub pending: TimeDelta,
    /// From `running` to the app's first answer.
    pub app_start: TimeDelta,
    /// From StopInstances to `stopped`.
    pub stopping: TimeDelta,
}

impl Default for Phases {
    fn default() -> Self {
        Self { pending: TimeDelta::seconds(15), app_start: TimeDelta::seconds(25), stopping: TimeDelta::seconds(30) }
    }
}

impl Sim {
    /// An empty cloud at `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(World {
            now,
            machines: BTreeMap::new(),
            health_checks: BTreeMap::new(),
            flags: BTreeMap::new(),
            page_size: 1_000,
            unhealthy: Vec::new(),
            metrics: HashMap::new(),
            metric_delay: TimeDelta::zero(),
            unreadable: Vec::new(),
            faults: Vec::new(),
            calls: Vec::new(),
            dns: HashMap::new(),
            answer: None,
            forwarded: Vec::new(),
        }))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a health check as a person would.
    pub fn set_health_check(&self, id: &HealthCheckId, disabled: bool, inverted: bool) {
        let mut world = self.world();
        if let Some(config) = world.health_checks.get_mut(id) {
            config.disabled = disabled;
        }
        let flags = world.flags.entry(id.clone()).or_default();
        flags.inverted = inverted;
        flags.version += 1;
    }

    /// The time in this cloud.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.world().now
    }

    /// Lets time pass.
    pub fn advance(&self, time: TimeDelta) {
        let mut world = self.world();
        world.now += time;
        let now = world.now;
        world.machines.values_mut().for_each(|machine| machine.catch_up(now));
    }

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
        world.machines.insert(id.clone(), Machine { instance, phases, next: None, app: Probe::Ready });
        id
    }

    /// Changes an instance behind Catnap's back, as an operator would in the console.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn change(&self, id: &InstanceId, change: impl FnOnce(&mut Instance)) {
        change(&mut self.world().machine(id).instance);
    }

    /// From now on the app on this instance answers like this once it is up.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn app_answers(&self, id: &InstanceId, probe: Probe) {
        self.world().machine(id).app = probe;
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

    /// An instance as it is now.
    ///
    /// # Panics
    /// When there is no such instance.
    #[must_use]
    pub fn instance(&self, id: &InstanceId) -> Instance {
        self.world().machine(id).instance.clone()
    }

    /// Adds a health check.
    pub fn add_health_check(&self, id: &HealthCheckId, config: HealthCheckConfig) {
        self.world().health_checks.insert(id.clone(), config);
    }

    /// Makes a health check's checkers fail.
    pub fn set_unhealthy(&self, id: &HealthCheckId) {
        self.world().unhealthy.push(id.clone());
    }

    /// Sets a datapoint; it can be read once its period and the metrics' delay have passed.
    pub fn put(&self, metric: Metric, point: Point) {
        let mut world = self.world();
        let points = world.metrics.entry(metric).or_default();
        points.retain(|other| other.at != point.at);
        points.push(point);
        points.sort_by_key(|point| point.at);
    }

    /// From now on metrics can be read this long after the end of their period.
    pub fn set_metric_delay(&self, delay: TimeDelta) {
        self.world().metric_delay = delay;
    }

    /// From now on CloudWatch cannot read this metric.
    pub fn set_unreadable(&self, metric: Metric) {
        self.world().unreadable.push(metric);
    }

    /// From now on lists come in pages of so many.
    pub fn set_page_size(&self, items: usize) {
        self.world().page_size = items;
    }

    /// Makes the next call of `operation` fail.
    pub fn fail_next(&self, operation: &'static str, trouble: Trouble) {
        self.fail_after(operation, 0, trouble);
    }

    /// Makes one call of `operation` fail, after so many that do not.
    pub fn fail_after(&self, operation: &'static str, calls: usize, trouble: Trouble) {
        let (code, message) = ("Simulated".into(), format!("simulated: {trouble:?}"));
        self.world().faults.push((calls, CloudError { trouble, operation, code, message }));
    }

    /// How often `operation` was called for `subject`; an empty one counts all.
    #[must_use]
    pub fn calls(&self, operation: &str, subject: &str) -> usize {
        let of = |call: &&String| call.starts_with(operation) && call.ends_with(subject);
        self.world().calls.iter().filter(of).count()
    }
}

impl World {
    #[expect(clippy::expect_used, reason = "a test's own mistake, told at once")]
    fn machine(&mut self, id: &InstanceId) -> &mut Machine {
        self.machines.get_mut(id).expect("no such simulated instance")
    }

    /// Notes a call, and fails it if it was told to.
    fn call(&mut self, operation: &'static str, subject: &str) -> Result<(), CloudError> {
        self.calls.push(format!("{operation} {subject}"));
        match self.faults.iter().position(|(_, fault)| fault.operation == operation) {
            Some(index) if self.faults[index].0 == 0 => return Err(self.faults.remove(index).1),
            Some(index) => self.faults[index].0 -= 1,
            None => {}
        }
        Ok(())
    }
}

impl Machine {
    fn catch_up(&mut self, now: DateTime<Utc>) {
        if let Some((_, state)) = self.next.take_if(|(at, _)| *at <= now) {
            self.instance.state = state;
        }
    }

    fn start(&mut self, now: DateTime<Utc>) -> Result<(), Trouble> {
        match self.instance.state {
            InstanceState::Running | InstanceState::Pending => Ok(()),
            InstanceState::Stopped => {
                self.instance.state = InstanceState::Pending;
                self.instance.state_reason = None;
                self.instance.stopped_at = None;
                self.instance.launched_at = now;
                self.next = Some((now + self.phases.pending, InstanceState::Running));
                Ok(())
            }
            _ => Err(Trouble::WrongState),
        }
    }

    fn stop(&mut self, now: DateTime<Utc>) -> Result<(), Trouble> {
        match self.instance.state {
            InstanceState::Stopping | InstanceState::Stopped => Ok(()),
            InstanceState::Running => {
                self.instance.state = InstanceState::Stopping;
                self.instance.state_reason = Some("Client.UserInitiatedShutdown".into());
                self.instance.stopped_at = Some(now);
                self.next = Some((now + self.phases.stopping, InstanceState::Stopped));
                Ok(())
            }
            _ => Err(Trouble::WrongState),
        }
    }

    fn probe(&self, now: DateTime<Utc>) -> Probe {
        match self.instance.state {
            InstanceState::Running if now < self.instance.launched_at + self.phases.pending + self.phases.app_start => {
                Probe::Refused
            }
            InstanceState::Running => self.app,
            _ => Probe::TimedOut,
        }
    }
}
