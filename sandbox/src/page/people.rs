//! Who comes by themselves, and who is waiting.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;

use super::command::{Bot, Traffic};
use crate::event::{Step, What};
use crate::sandbox::Sandbox;
use crate::visitor::Visitor;

const NAMES: [&str; 16] = [
    "Ada",
    "Grace",
    "Edsger",
    "Barbara",
    "Alan",
    "Radia",
    "Donald",
    "Frances",
    "Ken",
    "Margaret",
    "Dennis",
    "Hedy",
    "Tony",
    "Jean",
    "Niklaus",
    "Katherine",
];

/// Names them, and knows when the next one comes.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) level: Traffic,
    rng: XorShiftRng,
    next: Option<DateTime<Utc>>,
    named: usize,
    waiting: usize,
}

impl People {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = XorShiftRng::seed_from_u64(seed);
        Self { level: Traffic::Quiet, rng, next: None, named: 0, waiting: 0 }
    }

    pub(crate) fn come(&mut self, level: Traffic, now: DateTime<Utc>) {
        self.level = level;
        self.next = self.after(now);
    }

    /// When somebody comes next.
    pub(crate) fn next(&self) -> Option<DateTime<Utc>> {
        self.next
    }

    /// Whoever is due by now opens the app; and from time to time something that is nobody.
    pub(crate) fn arrive(&mut self, sandbox: &Sandbox) {
        let now = sandbox.now();
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        self.next = self.after(now);
        if self.rng.random_bool(0.25) {
            let kinds = [Bot::Scanner, Bot::Crawler, Bot::Preview, Bot::Monitor];
            let (path, agent) = kinds[self.rng.random_range(0..kinds.len())].asks();
            sandbox.bot(path, agent);
        } else if self.level == Traffic::Busy || (8..18).contains(&now.hour()) {
            sandbox.visit(self.anyone());
        }
    }

    fn after(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let minutes = match self.level {
            Traffic::Quiet => return None,
            Traffic::Some => 15.0..120.0,
            Traffic::Busy => 3.0..20.0,
        };
        #[expect(clippy::cast_possible_truncation, reason = "seconds of some hours")]
        let seconds = (self.rng.random_range(minutes) * 60.0) as i64;
        Some(now + TimeDelta::seconds(seconds))
    }

    /// The next visitor.
    pub(crate) fn anyone(&mut self) -> Visitor {
        let (name, round) = (NAMES[self.named % NAMES.len()], self.named / NAMES.len());
        self.named += 1;
        Visitor::named(if round == 0 { name.into() } else { format!("{name} {}", round + 1) })
    }

    /// Takes in what happened to them.
    pub(crate) fn note(&mut self, what: &What) {
        match what {
            What::Visitor { step: Step::Comes | Step::WaitsAgain, .. } => self.waiting += 1,
            What::Visitor { step: Step::Arrives { .. } | Step::GivesUp { .. }, .. } => {
                self.waiting = self.waiting.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// How many have come and have not got the app yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }
}
