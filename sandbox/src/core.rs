//! The simulated cloud with tokio's stopped clock: both always show the same time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use shared::cloud::Metric;
use shared::model::InstanceState;
use shared::record::{NAMESPACE, Sink};
use shared::sim::{Happening, Sim};
use tokio::time::Instant;

use crate::event::{Event, What};
use crate::fault::Weather;

/// The cloud, its clock, and what has happened in it.
#[derive(Debug)]
pub(crate) struct Core {
    sim: Sim,
    began: (DateTime<Utc>, Instant),
    told: Mutex<Told>,
    /// What the calls of an operation meet on their way; an empty name is every operation.
    weather: Mutex<Vec<(&'static str, Weather)>>,
}

#[derive(Debug)]
struct Told {
    events: Vec<Event>,
    ledger: Ledger,
}

/// For how long the instance was on, and off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ledger {
    pub(crate) awake: TimeDelta,
    pub(crate) asleep: TimeDelta,
    is_on: bool,
    since: DateTime<Utc>,
}

impl Ledger {
    fn note(&mut self, at: DateTime<Utc>, state: InstanceState) {
        *self = Self { is_on: state == InstanceState::Running, ..self.up_to(at) };
    }

    fn up_to(self, now: DateTime<Utc>) -> Self {
        let time = now - self.since;
        let (awake, asleep) = if self.is_on { (time, TimeDelta::zero()) } else { (TimeDelta::zero(), time) };
        Self { awake: self.awake + awake, asleep: self.asleep + asleep, since: now, ..self }
    }
}

impl Core {
    /// Begins at `now`. Inside of a runtime whose clock is stopped.
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        let ledger = Ledger { awake: TimeDelta::zero(), asleep: TimeDelta::zero(), is_on: false, since: now };
        let told = Mutex::new(Told { events: Vec::new(), ledger });
        Self { sim: Sim::new(now), began: (now, Instant::now()), told, weather: Mutex::default() }
    }

    /// The time; the cloud has caught up with it.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.sim().now()
    }

    /// The cloud, as it is by now.
    pub(crate) fn sim(&self) -> &Sim {
        let (began, instant) = self.began;
        self.sim.advance_to(began + TimeDelta::from_std(instant.elapsed()).unwrap_or_default());
        &self.sim
    }

    /// The moment of tokio's clock that is `at`.
    pub(crate) fn instant(&self, at: DateTime<Utc>) -> Instant {
        let (began, instant) = self.began;
        instant + (at - began).to_std().unwrap_or_default()
    }

    /// Something has happened, after all that the cloud did by itself.
    pub(crate) fn tell(&self, what: What) {
        let at = self.now();
        self.caught_up().events.push(Event { at, what });
    }

    /// What a call of this operation meets on its way now.
    pub(crate) fn weather(&self, operation: &str) -> Vec<Weather> {
        let weather = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        weather.iter().filter(|(of, _)| of.is_empty() || *of == operation).map(|(_, weather)| *weather).collect()
    }

    /// From now on the calls of an operation meet this on their way, or no more.
    pub(crate) fn set_weather(&self, operation: &'static str, of: Weather, on: bool) {
        let mut weather = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        weather.retain(|other| *other != (operation, of));
        weather.extend(on.then_some((operation, of)));
    }

    /// What has happened since this was last asked.
    pub(crate) fn take_events(&self) -> Vec<Event> {
        self.now();
        std::mem::take(&mut self.caught_up().events)
    }

    /// For how long the instance was on, and off; billed is what is `running`.
    pub(crate) fn ledger(&self) -> Ledger {
        let now = self.now();
        self.caught_up().ledger.up_to(now)
    }

    fn caught_up(&self) -> MutexGuard<'_, Told> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for event in self.sim.events() {
            if let Happening::State { state, .. } = &event.what {
                told.ledger.note(event.at, *state);
            }
            told.events.push(Event { at: event.at, what: What::World(event.what) });
        }
        told
    }
}

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Starter,
    Stopper,
}

impl Function {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starter => "starter",
            Self::Stopper => "stopper",
        }
    }
}

/// A function's log: each line is told, and what it counts gets to CloudWatch.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) core: std::sync::Arc<Core>,
    pub(crate) function: Function,
}

impl Sink for Log {
    fn take(&self, line: String) {
        let Ok(record) = serde_json::from_str::<Value>(&line) else { return };
        for (metric, value) in counted(&record) {
            self.core.sim().count(metric, value);
        }
        self.core.tell(match self.function {
            Function::Starter => What::Starter { record },
            Function::Stopper => What::Stopper { record },
        });
    }
}

/// What CloudWatch reads out of a line in the embedded metric format, as far as somebody asks for it.
fn counted(record: &Value) -> Vec<(Metric, f64)> {
    let directives = record["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten();
    let ours = directives.filter(|directive| directive["Namespace"] == NAMESPACE);
    let metrics = ours.flat_map(|directive| directive["Metrics"].as_array().into_iter().flatten());
    let read = |metric: &Value| {
        let name = metric["Name"].as_str()?;
        let app = record["App"].as_str()?.parse().ok()?;
        let metric = match name {
            "Visits" => Metric::Visits(app),
            "Busy" => Metric::Busy(app),
            _ => return None,
        };
        Some((metric, record[name].as_f64()?))
    };
    metrics.filter_map(read).collect()
}
