//! What the page is sent: how the world is, and what is new in it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::model::{InstanceState, Point};
use shared::sim::Happening;

use super::command::{Tag, Traffic};
use super::telling::Line;
use super::window::Sent;
use crate::event::What;
use crate::sandbox::Snapshot;

/// How many lines are kept and sent at once, and how much of the past is.
const LINES: usize = 300;
const PAST: TimeDelta = TimeDelta::days(8);

/// One message to the page.
#[derive(Debug, Serialize)]
pub(crate) struct Frame<'a> {
    /// All there is, and not only what is new.
    pub(crate) is_whole: bool,
    pub(crate) began: DateTime<Utc>,
    /// Where the window's origin is.
    pub(crate) window_port: u16,
    #[serde(flatten)]
    pub(crate) snapshot: Snapshot,
    pub(crate) speed: u32,
    /// The speed as it is: slower while somebody watches how it wakes.
    pub(crate) effective_speed: u32,
    pub(crate) traffic: Traffic,
    /// How many have come and have not got the app yet.
    pub(crate) waiting: usize,
    pub(crate) settings: &'a BTreeMap<&'static str, String>,
    pub(crate) schedule_minutes: u32,
    pub(crate) faults: Vec<Switch>,
    pub(crate) tags: &'a BTreeSet<Tag>,
    pub(crate) decision: Option<&'a Decision>,
    pub(crate) counts: Counts,
    pub(crate) sent: Option<&'a Sent>,
    #[serde(flatten)]
    pub(crate) kept: &'a Kept,
}

/// What only grows.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Kept {
    pub(crate) lines: Vec<Line>,
    pub(crate) points: Vec<Point>,
    pub(crate) phases: Vec<Phase>,
}

impl Kept {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.points.is_empty() && self.phases.is_empty()
    }

    /// Adds a line, in the place of the one with its number; the oldest makes room for it.
    pub(crate) fn line(&mut self, line: Line) {
        let is_new = self.lines.last().is_none_or(|last| last.n < line.n);
        match self.lines.iter_mut().rev().find(|other| !is_new && other.n == line.n) {
            Some(other) => *other = line,
            None if is_new => self.lines.push(line),
            None => {} // long past
        }
        self.lines.drain(..self.lines.len().saturating_sub(LINES));
    }

    /// Adds what is new, and forgets what is long past.
    pub(crate) fn add(&mut self, fresh: Self) {
        fresh.lines.into_iter().for_each(|line| self.line(line));
        self.points.extend(fresh.points);
        self.phases.extend(fresh.phases);
        let Some(newest) = self.points.last().map(|point| point.at) else { return };
        self.points.drain(..self.points.partition_point(|point| newest - point.at > PAST));
        let past = self.phases.partition_point(|phase| newest - phase.at > PAST);
        self.phases.drain(..past.saturating_sub(1)); // the one that lasts into what is shown
    }
}

/// Something that can be switched on and off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Switch {
    pub(crate) name: String,
    pub(crate) words: &'static str,
    pub(crate) on: bool,
}

/// The instance got into a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Phase {
    pub(crate) at: DateTime<Utc>,
    pub(crate) state: InstanceState,
}

/// The stopper's newest decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Decision {
    pub(crate) at: DateTime<Utc>,
    pub(crate) decision: String,
    pub(crate) would_change: String,
    /// The noise floor that it went by, in bytes of five minutes; else the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<f64>,
}

impl Decision {
    /// Of a record of the stopper's; none of one that decides nothing. `before` is the one before.
    pub(crate) fn of(at: DateTime<Utc>, record: &Value, before: Option<&Self>) -> Option<Self> {
        // Where it did not have to read the metrics, the floor is no more than the least that one can be.
        let floor = record.get("known_until").and_then(|_| record.get("floor")?.as_f64());
        let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            at,
            decision: text("decision")?,
            would_change: text("would_change").unwrap_or_default(),
            floor: floor.or(before.and_then(|before| before.floor)),
        })
    }
}

/// What records call it.
pub(crate) fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

/// How often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) wakes: usize,
    pub(crate) naps: usize,
    pub(crate) ignored: usize,
}

impl Counts {
    pub(crate) fn note(&mut self, what: &What) {
        match what {
            // EC2 takes calls that change nothing, too.
            What::World(Happening::State { state: InstanceState::Pending, .. }) => self.wakes += 1,
            What::World(Happening::State { state: InstanceState::Stopping, .. }) => self.naps += 1,
            What::Starter { record } if record.get("IgnoredRequests").is_some() => self.ignored += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::telling::Topic;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_long_past_is_forgotten_but_for_the_phase_that_lasts() {
        let at = |days| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let mut kept = Kept::default();
        for day in 0..20 {
            let state = if day == 1 { InstanceState::Running } else { InstanceState::Stopped };
            let phases = if day < 2 { vec![Phase { at: at(day), state }] } else { Vec::new() };
            kept.add(Kept { lines: Vec::new(), points: vec![Point { at: at(day), value: 1.0 }], phases });
        }
        assert_eq!(kept.points.len(), 9);
        assert_eq!(kept.phases, [Phase { at: at(1), state: InstanceState::Running }]);
    }

    #[test]
    fn the_newest_lines_are_kept_each_once() {
        let line = |n, times| Line {
            n,
            at: DateTime::UNIX_EPOCH,
            until: DateTime::UNIX_EPOCH,
            times,
            topic: Topic::World,
            mark: String::new(),
            text: String::new(),
            more: String::new(),
        };
        let mut kept = Kept::default();
        (1..=LINES + 5).for_each(|n| kept.line(line(n, 1)));
        kept.line(line(LINES, 2));
        kept.line(line(2, 7)); // makes way long ago
        assert_eq!((kept.lines.len(), kept.lines[0].n), (LINES, 6));
        assert_eq!(kept.lines.iter().filter(|line| line.times == 2).map(|line| line.n).collect::<Vec<_>>(), [LINES]);
    }

    #[test]
    fn a_tick_s_sum_is_no_decision() {
        let of = |record, before: Option<&_>| Decision::of(DateTime::UNIX_EPOCH, &record, before);
        assert_eq!(of(json!({"targets": 1}), None), None);
        let judged = of(json!({"decision": "keep", "floor": 40_000.0, "known_until": "2026-03-03T08:10:00Z"}), None);
        assert_eq!(judged.as_ref().and_then(|it| it.floor), Some(40_000.0));
        let unread = of(json!({"decision": "keep", "floor": 3_000.0}), judged.as_ref());
        assert_eq!(unread.and_then(|it| it.floor), Some(40_000.0), "nothing was read for it");
    }

    #[test]
    fn a_call_that_changes_nothing_is_no_wake_and_no_nap() {
        let instance: shared::model::InstanceId = "i-00000000000000001".parse().unwrap();
        let call =
            |operation| What::Call { by: "stopper", operation, instance: instance.clone(), seen: None, refused: None };
        let state = |state| What::World(Happening::State { instance: instance.clone(), state, why: None });
        let mut counts = Counts::default();
        for what in [call("StartInstances"), state(InstanceState::Pending), call("StartInstances")] {
            counts.note(&what);
        }
        for what in
            [call("StopInstances"), state(InstanceState::Stopping), call("StopInstances"), call("StopInstances")]
        {
            counts.note(&what);
        }
        assert_eq!((counts.wakes, counts.naps), (1, 1));
    }
}
