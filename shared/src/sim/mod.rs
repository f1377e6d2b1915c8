//! The port over a simulated cloud: deterministic, with its own clock, without waiting.
//!
//! Instances go through EC2's phases, the app starts some time after its instance, metrics can be read late,
//! and any call can be made to fail. Only [`Sim::advance`] and [`Sim::advance_to`] move time.
//!
//! A test sets what it needs by hand: an instance ([`Sim::add_instance`]), datapoints ([`Sim::put`]), a health check.
//! With [`Sim::bring_to_life`] an instance is watched by checkers, looked for by DNS and counted by CloudWatch, and
//! everything follows from what happens: [`Sim::events`] tells it.

mod checkers;
mod control;
mod dns;
mod event;
mod machine;
mod metrics;
mod port;
mod steering;
pub mod traffic;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use http::header::ACCEPT;
use http::{Request, Response};

use crate::cloud::{Metric, Unforwarded};
use crate::model::{HealthCheckConfig, HealthCheckId, HostName, InstanceId, Point};
use crate::trouble::{CloudError, Trouble};
use checkers::Watch;
use dns::Named;
use machine::Machine;
use metrics::Store;
use steering::Beside;
use traffic::Page;

pub use control::Life;
pub use dns::{Browser, Way};
pub use event::{Event, Happening, LeadsTo};
pub use machine::Phases;
pub use metrics::Which;

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
    beside: BTreeMap<HealthCheckId, Beside>,
    /// Those of them whose checkers really look.
    watches: BTreeMap<HealthCheckId, Watch>,
    page_size: usize,
    unhealthy: Vec<HealthCheckId>,
    metrics: Store,
    /// What of NetworkIn people sent: the truth, which nobody can read.
    people: HashMap<Metric, Vec<Point>>,
    /// Whether a datapoint shows before its period is over.
    shows_partial_points: bool,
    /// How long DescribeInstances may show an instance as it was before its last change.
    describe_lag: TimeDelta,
    /// What fails, and after how many calls of its operation that do not.
    faults: Vec<(usize, CloudError)>,
    /// What fails as long as it stands here.
    refusals: BTreeMap<&'static str, Trouble>,
    /// Whether the answer to the next change of a health check is lost.
    loses_answer: bool,
    /// An UpdateHealthCheck that changes nothing makes no version.
    counts_changes_alone: bool,
    /// The account's buckets of EC2, where they are metered.
    buckets: Option<BTreeMap<&'static str, Bucket>>,
    /// How often each operation was called for each subject.
    calls: BTreeMap<String, usize>,
    /// Whom DNS leads visitors to, where a test says so.
    dns: HashMap<HostName, IpAddr>,
    failovers: Vec<Named>,
    /// What the apps answer; without it they give back the body that they get.
    answer: Option<AppAnswer>,
    forwarded: Vec<String>,
    /// What a browser opens there.
    page: Page,
    events: Vec<Event>,
    /// When the running minute ends.
    minute_ends: DateTime<Utc>,
}

/// Tokens for calls, as EC2 meters them.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    holds: f64,
    per_second: f64,
    tokens: f64,
    at: DateTime<Utc>,
}

impl Sim {
    /// An empty cloud at `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(World {
            now,
            machines: BTreeMap::new(),
            health_checks: BTreeMap::new(),
            beside: BTreeMap::new(),
            watches: BTreeMap::new(),
            page_size: 1_000,
            unhealthy: Vec::new(),
            metrics: Store::default(),
            people: HashMap::new(),
            shows_partial_points: false,
            describe_lag: TimeDelta::zero(),
            faults: Vec::new(),
            refusals: BTreeMap::new(),
            loses_answer: false,
            counts_changes_alone: false,
            buckets: None,
            calls: BTreeMap::new(),
            dns: HashMap::new(),
            failovers: Vec::new(),
            answer: None,
            forwarded: Vec::new(),
            page: Page::Heavy,
            events: Vec::new(),
            minute_ends: now,
        }))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time in this cloud.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.world().now
    }

    /// Lets time pass.
    pub fn advance(&self, time: TimeDelta) {
        let mut world = self.world();
        let to = world.now + time;
        world.advance_to(to);
    }

    /// Lets time pass up to a moment; nothing happens when that has been.
    pub fn advance_to(&self, to: DateTime<Utc>) {
        self.world().advance_to(to);
    }

    /// What has happened since this was last asked.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        std::mem::take(&mut self.world().events)
    }
}

impl World {
    fn advance_to(&mut self, to: DateTime<Utc>) {
        while let Some(next) = self.due().filter(|next| *next <= to) {
            self.check_until(next);
            self.now = self.now.max(next);
            self.catch_up();
            if self.minute_ends <= self.now {
                self.end_minute();
            }
        }
        self.check_until(to);
        self.now = self.now.max(to);
        self.catch_up();
    }

    /// When something happens next by itself, but for the checkers.
    fn due(&self) -> Option<DateTime<Utc>> {
        let lives = self.machines.values().any(|machine| machine.meter.is_some());
        let machines = self.machines.values().filter_map(Machine::due);
        machines.chain(lives.then_some(self.minute_ends)).min()
    }

    fn catch_up(&mut self) {
        let Self { now, machines, events, .. } = self;
        let mut tell = |what| events.push(Event { at: *now, what });
        machines.values_mut().for_each(|machine| machine.catch_up(*now, &mut tell));
    }

    /// The checkers look that are due by then; nothing else happens before.
    fn check_until(&mut self, until: DateTime<Utc>) {
        let Self { machines, watches, events, .. } = self;
        let mut turns = Vec::new();
        for (id, watch) in watches {
            let Some(machine) = machines.get_mut(&watch.instance) else { continue };
            while watch.due() <= until {
                let (at, before) = (watch.due(), watch.healthy);
                let bytes = watch.check(at, machine.passes_check(watch.kind, at));
                machine.receive(bytes, machine::By::Noise);
                if watch.healthy != before {
                    let (well, of) = watch.tally();
                    let what = Happening::Health { check: id.clone(), healthy: watch.healthy, well, of };
                    events.push(Event { at, what });
                    turns.push(at);
                }
            }
        }
        for at in turns {
            self.turn_dns(at);
        }
    }

    fn turn_dns(&mut self, at: DateTime<Utc>) {
        let Self { watches, failovers, events, .. } = self;
        for Named { host, failover } in failovers {
            let healthy = watches.get(&failover.check).is_none_or(|watch| watch.healthy);
            let lead = if healthy { LeadsTo::Instance } else { LeadsTo::Gateway };
            if lead != failover.lead {
                failover.lead = lead;
                events.push(Event { at, what: Happening::Dns { host: host.clone(), to: lead } });
            }
        }
    }

    fn end_minute(&mut self) {
        let end = self.minute_ends;
        let five_end = end.timestamp() % 300 == 0;
        let (minute, five) = (TimeDelta::minutes(1), TimeDelta::minutes(5));
        let Self { machines, metrics, people, watches, .. } = self;
        for (id, machine) in machines {
            let (running, detailed) = (machine.is_running(), machine.instance.detailed_monitoring);
            let Some(meter) = machine.meter.as_mut() else { continue };
            let counts = meter.minute_ends(running, five_end);
            for (count, period) in counts.into_iter().zip([minute, five]) {
                let Some(count) = count.filter(|_| period == five || detailed) else { continue };
                let metric = Metric::NetworkIn { instance: id.clone(), period };
                if count.people > 0.0 {
                    let points = people.entry(metric.clone()).or_default();
                    points.push(Point { at: end - period, value: count.people });
                }
                metrics.arrive(metric, Point { at: end - period, value: count.bytes });
            }
        }
        for (id, watch) in watches {
            if let Some(healthy) = watch.minute_ends() {
                let value = f64::from(u8::from(healthy));
                metrics.arrive(Metric::HealthStatus(id.clone()), Point { at: end - minute, value });
            }
        }
        self.minute_ends = end + minute;
    }

    /// What comes in for a request of the app: for a page all that belongs to it.
    fn bytes_in(&self, request: &Request<Vec<u8>>) -> f64 {
        let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        if accepts.contains("text/html") { self.page.bytes_in() } else { 700.0 }
    }

    fn start_minutes(&mut self) {
        self.minute_ends = self.now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(self.now) + TimeDelta::minutes(1);
    }

    #[expect(clippy::expect_used, reason = "a test's own mistake, told at once")]
    fn machine(&mut self, id: &InstanceId) -> &mut Machine {
        self.machines.get_mut(id).expect("no such simulated instance")
    }

    /// Notes a call, and fails it if it was told to.
    fn call(&mut self, operation: &'static str, subject: &str) -> Result<(), CloudError> {
        *self.calls.entry(format!("{operation} {subject}")).or_default() += 1;
        match self.faults.iter().position(|(_, fault)| fault.operation == operation) {
            Some(index) if self.faults[index].0 == 0 => return Err(self.faults.remove(index).1),
            Some(index) => self.faults[index].0 -= 1,
            None => {}
        }
        if let Some(trouble) = self.refusals.get(operation) {
            return Err(refused(operation, *trouble));
        }
        let bucket = self.buckets.as_mut().and_then(|buckets| buckets.get_mut(operation));
        if bucket.is_none_or(|bucket| bucket.take(self.now)) {
            Ok(())
        } else {
            Err(refused(operation, Trouble::Throttled))
        }
    }
}

impl Bucket {
    fn take(&mut self, now: DateTime<Utc>) -> bool {
        let since = (now - self.at).as_seconds_f64();
        (self.tokens, self.at) = ((self.tokens + since * self.per_second).min(self.holds), now);
        let there = self.tokens >= 1.0;
        self.tokens -= if there { 1.0 } else { 0.0 };
        there
    }
}

fn refused(operation: &'static str, trouble: Trouble) -> CloudError {
    CloudError { trouble, operation, code: "Simulated".into(), message: format!("simulated: {trouble:?}") }
}
