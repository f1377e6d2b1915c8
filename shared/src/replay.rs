//! Replays known traffic through the very decision that the stopper makes: what would it have done?

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::idle::{self, Facts, HealthCheck, IdleDecision, Policy};
use crate::model::{HealthCheckConfig, Instance, InstanceState, Point, Series};
use crate::noise::{self, Floor};
use crate::schedule::Windows;

/// What comes in, minute by minute, whenever the instance is awake.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// When it begins.
    pub since: DateTime<Utc>,
    /// Bytes of each minute; none where CloudWatch has no datapoint.
    pub bytes: Vec<Option<f64>>,
}

/// What wakes the instance when it naps.
#[derive(Debug, Clone, Copy)]
pub enum Wakes<'a> {
    /// People, who come at these minutes, in order.
    Visits(&'a [i64]),
    /// Activity above the floor by which it napped: all that a recording shows of people.
    Activity,
}

/// How the stopper is set up, and how CloudWatch behaves.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// What the stopper goes by.
    pub policy: Policy,
    /// The health check, which sees the app well whenever it is awake; none is the tag `catnap:health-check` = `none`.
    pub health_check: Option<HealthCheckConfig>,
    /// When to keep it awake, and to wake it at the beginning.
    pub keep_awake: &'a Windows,
    /// Minutes from one tick to the next.
    pub tick: i64,
    /// The minute of the first tick.
    pub phase: i64,
    /// What one datapoint of NetworkIn covers, in minutes: 5 or 1.
    pub period: i64,
    /// Minutes after its end until a datapoint can be read.
    pub delay: i64,
    /// The minutes at which `Busy` is reported, in order, and after how many more that can be read.
    pub busy: Option<(&'a [i64], i64)>,
}

/// One nap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nap {
    /// When it was stopped.
    pub at: DateTime<Utc>,
    /// Up to when NetworkIn was known then.
    pub known_until: DateTime<Utc>,
    /// What counted as noise then.
    pub floor: Floor,
    /// When it was started again; none if that did not happen any more.
    pub woken_at: Option<DateTime<Utc>>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// For how long it was awake.
    pub awake: TimeDelta,
    /// For how long it napped.
    pub asleep: TimeDelta,
    /// Its naps, in order.
    pub naps: Vec<Nap>,
    /// Datapoints above the floor that came while it napped, with [`Wakes::Activity`]: each that was no regular spike
    /// woke it.
    pub met: u32,
}

/// Replays `traffic`, beginning awake. `told` sees each tick: what it knew, and what it decided.
pub fn replay(
    traffic: &Traffic,
    wakes: Wakes<'_>,
    rules: &Rules<'_>,
    mut told: impl FnMut(&Facts<'_>, &IdleDecision),
) -> Outcome {
    let mut world = World::new(traffic, rules);
    let mut outcome = Outcome { awake: TimeDelta::zero(), asleep: TimeDelta::zero(), naps: Vec::new(), met: 0 };
    let (mut visits, recording) = match wakes {
        Wakes::Visits(visits) => (visits, None),
        Wakes::Activity => (&[][..], Some(as_series(traffic, rules.period))),
    };
    for minute in 0..i64::try_from(traffic.bytes.len()).unwrap_or(i64::MAX) {
        // A tick comes first: what arrives in the minute of its nap meets a sleeping instance.
        if minute % rules.tick == rules.phase % rules.tick {
            outcome.naps.extend(world.tick(minute, &mut told));
        }
        let comes = visits.first().is_some_and(|visit| *visit <= minute);
        visits = &visits[visits.partition_point(|visit| *visit <= minute)..];
        if let Some(nap) = outcome.naps.last().filter(|_| !world.is_awake()) {
            let now = world.time(minute);
            let shows = recording.as_ref().and_then(|recording| {
                let index = recording.points.binary_search_by_key(&now, |point| point.at).ok()?;
                let point = &recording.points[index];
                outcome.met += u32::from(point.value > nap.floor.bytes);
                Some(noise::is_activity(recording, point, &nap.floor))
            });
            if comes || shows == Some(true) {
                world.start(now);
            }
        }
        if world.is_awake() {
            if let Some(nap) = outcome.naps.last_mut() {
                nap.woken_at.get_or_insert(world.instance.launched_at);
            }
            outcome.awake += TimeDelta::minutes(1);
        } else {
            outcome.asleep += TimeDelta::minutes(1);
        }
        world.pass(minute);
    }
    outcome
}

/// The datapoints that there would be if the instance were always awake. One with a lost minute is lost.
#[must_use]
pub fn as_series(traffic: &Traffic, period: i64) -> Series {
    let size = usize::try_from(period).unwrap_or(1).max(1);
    let starts = (0..).map(|index| traffic.since + TimeDelta::minutes(index * period));
    let points = starts
        .zip(traffic.bytes.chunks_exact(size))
        .filter_map(|(at, minutes)| Some(Point { at, value: minutes.iter().copied().sum::<Option<f64>>()? }));
    Series { period: TimeDelta::minutes(period), points: points.collect() }
}

/// The instance, and what CloudWatch has of it.
struct World<'a> {
    traffic: &'a Traffic,
    rules: &'a Rules<'a>,
    instance: Instance,
    /// All datapoints so far, and the one that is being filled: none before its first awake minute.
    points: Vec<Point>,
    filling: Option<Option<f64>>,
    /// What a tick reads.
    health_check: HealthCheck,
    network_in: Series,
    visits: Series,
    busy: Series,
}

impl<'a> World<'a> {
    fn new(traffic: &'a Traffic, rules: &'a Rules<'a>) -> Self {
        let minutes = Series::empty(TimeDelta::minutes(1));
        #[expect(clippy::expect_used, reason = "the text is an instance id's")]
        let id = "i-00000000000000000".parse().expect("an instance id");
        let instance = Instance {
            id,
            state: InstanceState::Running,
            state_reason: None,
            stopped_at: None,
            launched_at: traffic.since,
            public_address: None,
            tags: BTreeMap::new(),
            detailed_monitoring: rules.period == 1,
            spot: false,
            instance_store_root: false,
        };
        let health_check = rules
            .health_check
            .map_or(HealthCheck::MeantNone, |config| HealthCheck::Seen { config, status: minutes.clone() });
        Self {
            traffic,
            rules,
            instance,
            points: Vec::new(),
            filling: None,
            health_check,
            network_in: Series::empty(TimeDelta::minutes(rules.period)),
            visits: minutes.clone(),
            busy: minutes,
        }
    }

    fn time(&self, minute: i64) -> DateTime<Utc> {
        self.traffic.since + TimeDelta::minutes(minute)
    }

    fn is_awake(&self) -> bool {
        self.instance.state == InstanceState::Running
    }

    fn start(&mut self, now: DateTime<Utc>) {
        self.instance.state = InstanceState::Running;
        self.instance.launched_at = now;
    }

    /// Decides, acts, and says whether it napped.
    fn tick(&mut self, minute: i64, told: &mut impl FnMut(&Facts<'_>, &IdleDecision)) -> Option<Nap> {
        let now = self.time(minute);
        self.read(minute);
        let facts = Facts {
            now,
            instance: &self.instance,
            policy: self.rules.policy,
            protect: false,
            hold: false,
            keep_awake: self.rules.keep_awake,
            keep_awake_until: None,
            health_check: &self.health_check,
            network_in: &self.network_in,
            visits: Some(&self.visits),
            busy: Some(&self.busy),
        };
        let decision = idle::decide(&facts);
        told(&facts, &decision);
        match decision {
            IdleDecision::Nap(_) => {
                let known_until = idle::known_until(&facts).unwrap_or(now);
                let nap = Nap { at: now, known_until, floor: idle::floor(&facts), woken_at: None };
                self.instance.state = InstanceState::Stopped;
                self.instance.stopped_at = Some(now);
                Some(nap)
            }
            IdleDecision::Wake(_) => {
                self.start(now);
                None
            }
            IdleDecision::Keep(_) | IdleDecision::Skip(_) => None,
        }
    }

    /// What a tick can read at this minute, of an instance that runs.
    fn read(&mut self, minute: i64) {
        if !self.is_awake() {
            return;
        }
        let (period, delay) = (self.network_in.period, TimeDelta::minutes(self.rules.delay));
        let now = self.time(minute);
        let since = now - noise::look_back(self.rules.policy.idle, period, 1);
        let first = self.points.partition_point(|point| point.at < since);
        let readable = self.points.partition_point(|point| point.at + period + delay <= now);
        self.network_in.points.clear();
        self.network_in.points.extend(self.points[first..].iter().take(readable.saturating_sub(first)));
        if let HealthCheck::Seen { status, .. } = &mut self.health_check {
            status.points = vec![Point { at: now - TimeDelta::minutes(1) - delay, value: 1.0 }];
        }
        if let Some((reported, delay)) = self.rules.busy {
            // The newest is all that counts.
            let newest = reported[..reported.partition_point(|at| at + delay <= minute)].last();
            self.busy.points = newest.map(|at| Point { at: self.time(*at), value: 1.0 }).into_iter().collect();
        }
    }

    /// Lets a minute pass.
    fn pass(&mut self, minute: i64) {
        if self.is_awake() {
            let bytes = usize::try_from(minute).ok().and_then(|minute| self.traffic.bytes[minute]);
            self.filling = Some(self.filling.unwrap_or(Some(0.0)).zip(bytes).map(|(sum, bytes)| sum + bytes));
        }
        if (minute + 1) % self.rules.period == 0 {
            let at = self.time(minute + 1 - self.rules.period);
            self.points.extend(self.filling.take().flatten().map(|value| Point { at, value }));
        }
    }
}

#[cfg(test)]
mod tests;
