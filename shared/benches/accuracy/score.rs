//! What a policy made of a cell.

use std::iter::Sum;
use std::ops::Add;

use chrono::{DateTime, Utc};
use shared::replay::Outcome;

use super::cell::{BUSY_DELAY, IDLE_MINUTES, Watch};

/// What one policy made of some cells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    pub cells: u32,
    pub hours_awake: f64,
    /// Hours awake of the oracle.
    pub hours_needed: f64,
    pub naps: u32,
    /// Naps within the idle time of a visit that could be read.
    pub against_a_signal: u32,
    /// Naps within the idle time of a visit that no datapoint could show yet.
    pub in_the_blind: u32,
    /// Cells in which it never naps, and the oracle does.
    pub never: u32,
}

impl Score {
    /// Hours awake, relative to the oracle's.
    pub fn ratio(&self) -> f64 {
        self.hours_awake / self.hours_needed
    }

    /// Naps against a readable signal, as a part of all.
    pub fn wrong(&self) -> f64 {
        f64::from(self.against_a_signal) / f64::from(self.naps.max(1))
    }

    /// Naps in the blind spot, as a part of all.
    pub fn blind(&self) -> f64 {
        f64::from(self.in_the_blind) / f64::from(self.naps.max(1))
    }
}

impl Add for Score {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cells: self.cells + other.cells,
            hours_awake: self.hours_awake + other.hours_awake,
            hours_needed: self.hours_needed + other.hours_needed,
            naps: self.naps + other.naps,
            against_a_signal: self.against_a_signal + other.against_a_signal,
            in_the_blind: self.in_the_blind + other.in_the_blind,
            never: self.never + other.never,
        }
    }
}

impl Sum for Score {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), Self::add)
    }
}

/// What there was to be known.
pub struct Truth<'a> {
    pub since: DateTime<Utc>,
    pub visits: &'a [i64],
    pub lost: &'a [bool],
    pub oracle: &'a Outcome,
}

impl Truth<'_> {
    pub fn score(&self, outcome: &Outcome, watch: Watch, has_busy: bool) -> Score {
        let mut score = Score {
            cells: 1,
            hours_awake: outcome.awake.num_minutes() as f64 / 60.0,
            hours_needed: self.oracle.awake.num_minutes() as f64 / 60.0,
            naps: outcome.naps.len() as u32,
            never: u32::from(outcome.naps.is_empty() && !self.oracle.naps.is_empty()),
            ..Score::default()
        };
        for nap in &outcome.naps {
            let [at, known_until] = [nap.at, nap.known_until].map(|time| (time - self.since).num_minutes());
            let readable = |visit: &&i64| {
                let end = (**visit / watch.period + 1) * watch.period;
                let in_a_datapoint = end + watch.delay <= at && !self.lost[**visit as usize];
                in_a_datapoint || (has_busy && **visit + BUSY_DELAY <= at)
            };
            let before = &self.visits[..self.visits.partition_point(|visit| *visit < at)];
            if before.iter().rfind(readable).is_some_and(|visit| known_until - (visit + 1) < IDLE_MINUTES) {
                score.against_a_signal += 1;
            } else if before.last().is_some_and(|visit| at - visit < IDLE_MINUTES) {
                score.in_the_blind += 1;
            }
        }
        score
    }
}
