//! Where scenarios are played: a sandbox, all that has happened in it, and what had to hold.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use shared::model::InstanceState;
use shared::sim::Happening;

use crate::event::{Event, Step, What};
use crate::sandbox::{Sandbox, Setup, SetupError};
use crate::visitor::Visitor;

/// A story that is told in code.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// By which it is asked for.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    pub(crate) play: fn() -> Result<Stage, SetupError>,
}

/// What came of a scenario.
#[derive(Debug)]
pub struct Played {
    /// All that happened.
    pub events: Vec<Event>,
    /// What had to hold, and whether it did.
    pub held: Vec<(String, bool)>,
}

impl Scenario {
    /// Plays it.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub fn play(&self) -> Result<Played, SetupError> {
        let mut stage = (self.play)()?;
        stage.look();
        let broken = stage.events.iter().filter_map(|event| match &event.what {
            What::Broken { law } => Some((format!("no law is broken: {law}"), false)),
            _ => None,
        });
        let broken: Vec<_> = broken.collect();
        stage.held.extend(broken);
        Ok(Played { events: stage.events, held: stage.held })
    }
}

/// A scenario while it is played.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    events: Vec<Event>,
    held: Vec<(String, bool)>,
}

impl Stage {
    pub(crate) fn new(setup: &Setup) -> Result<Self, SetupError> {
        Ok(Self { sandbox: Sandbox::new(setup)?, events: Vec::new(), held: Vec::new() })
    }

    /// Goes on to the next time that clocks show this, in UTC.
    pub(crate) fn until(&mut self, clock: &str) {
        let (hour, minute) = clock.split_once(':').unwrap_or((clock, "0"));
        let minutes = hour.parse().unwrap_or(0) * 60 + minute.parse().unwrap_or(0);
        let now = self.sandbox.now();
        let day = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let today = day + TimeDelta::minutes(minutes);
        self.sandbox.run_until(if today > now { today } else { today + TimeDelta::days(1) });
        self.look();
    }

    /// Lets seconds pass.
    pub(crate) fn seconds(&mut self, seconds: i64) {
        self.sandbox.run(TimeDelta::seconds(seconds));
        self.look();
    }

    /// Lets minutes pass.
    pub(crate) fn minutes(&mut self, minutes: i64) {
        self.seconds(minutes * 60);
    }

    pub(crate) fn visit(&mut self, name: &str) {
        self.sandbox.visit(Visitor::named(name));
    }

    /// Something must hold.
    pub(crate) fn must(&mut self, hold: impl Into<String>, holds: bool) {
        self.held.push((hold.into(), holds));
    }

    /// Takes over what has happened.
    pub(crate) fn look(&mut self) {
        self.events.extend(self.sandbox.events());
    }

    pub(crate) fn state(&self) -> InstanceState {
        self.sandbox.snapshot().state
    }

    pub(crate) fn is_asleep(&self) -> bool {
        self.state() == InstanceState::Stopped
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.state() == InstanceState::Running
    }

    /// Seconds from a visitor's coming to the app on their screen.
    pub(crate) fn arrived(&self, name: &str) -> Option<i64> {
        self.events.iter().find_map(|event| match &event.what {
            What::Visitor { who, step: Step::Arrives { after_seconds } } if who == name => Some(*after_seconds),
            _ => None,
        })
    }

    /// How often an instance came into this state.
    pub(crate) fn times(&self, wanted: InstanceState) -> usize {
        let is =
            |event: &&Event| matches!(&event.what, What::World(Happening::State { state, .. }) if *state == wanted);
        self.events.iter().filter(is).count()
    }

    /// When it last came into this state.
    pub(crate) fn since(&self, wanted: InstanceState) -> Option<DateTime<Utc>> {
        let is =
            |event: &&Event| matches!(&event.what, What::World(Happening::State { state, .. }) if *state == wanted);
        self.events.iter().rfind(is).map(|event| event.at)
    }

    /// The records of the starter since `from`.
    pub(crate) fn starter(&self, from: DateTime<Utc>) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event.at >= from).filter_map(|event| match &event.what {
            What::Starter { record } => Some(record),
            _ => None,
        })
    }

    /// The decisions of the stopper since `from`.
    pub(crate) fn stopper(&self, from: DateTime<Utc>) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event.at >= from).filter_map(|event| match &event.what {
            What::Stopper { record } if record.get("decision").is_some() => Some(record),
            _ => None,
        })
    }

    /// Whether the starter gave this reason since `from`.
    pub(crate) fn said(&self, reason: &str, from: DateTime<Utc>) -> bool {
        self.starter(from).any(|record| record["reason"] == reason)
    }

    /// Whether the stopper gave this reason since `from`.
    pub(crate) fn decided(&self, reason: &str, from: DateTime<Utc>) -> bool {
        self.stopper(from).any(|record| record["reason"] == reason)
    }
}
