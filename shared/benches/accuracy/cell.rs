//! One cell: a world, how it is watched, and who decides.

use chrono::{DateTime, TimeDelta};
use shared::idle::{OnSick, Policy};
use shared::replay::{Outcome, Rules, Traffic, Wakes, replay};
use shared::schedule::Windows;

use super::score::{Score, Truth};
use super::world::{Noise, Page, Pattern, lost, visits};

pub const IDLE_MINUTES: i64 = 60;
/// Minutes until a `Busy` of the host can be read.
pub const BUSY_DELAY: i64 = 2;

/// How it is watched: minutes from tick to tick, of a datapoint, and until that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    pub tick: i64,
    pub period: i64,
    pub delay: i64,
    pub gaps: bool,
}

/// Every way of watching with one tick: basic and detailed monitoring, three delays, with and without gaps.
pub fn watches(tick: i64) -> Vec<Watch> {
    let all = [5, 1].into_iter().flat_map(|period| [2, 5, 10].map(|delay| (period, delay)));
    all.flat_map(|(period, delay)| [false, true].map(|gaps| Watch { tick, period, delay, gaps })).collect()
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Player {
    /// The stopper, as it is.
    Catnap,
    /// The same, with a host that reports `Busy` at each visit.
    CatnapAndBusy,
    /// Less than so many bytes in five minutes, for all of the idle time: the usual stop alarm.
    Alarm(f64),
    /// Knows the visits, as late as the metrics are.
    Oracle,
}

pub const PLAYERS: [Player; 5] =
    [Player::Catnap, Player::CatnapAndBusy, Player::Alarm(17_000.0), Player::Alarm(100_000.0), Player::Oracle];

#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    pub noise: &'a Noise,
    pub pattern: Pattern,
    pub page: Page,
    pub watch: Watch,
    pub seed: u64,
}

impl Cell<'_> {
    /// Whether one datapoint can show such a page: it stands out of the noise by four of its deviations. Then a floor
    /// that one quiet datapoint in two hundred exceeds shows nine pages of ten.
    pub fn is_within_reach(&self) -> bool {
        self.page.bytes_in() >= 4.0 * self.noise.deviation(self.watch.period)
    }

    /// Plays a week, once for each player.
    pub fn play(&self, players: &[Player]) -> Vec<Score> {
        let since = DateTime::from_timestamp(1_772_409_600, 0).expect("2 March 2026, a Monday");
        let visits = visits(self.pattern, self.seed);
        let mut people = vec![0.0; self.noise.minutes.len()];
        visits.iter().for_each(|visit| people[*visit as usize] += self.page.bytes_in());
        let lost = if self.watch.gaps { lost(self.seed) } else { vec![false; people.len()] };
        let seen = |(index, noise): (usize, &f64)| (!lost[index]).then_some(noise + people[index]);
        let all = Traffic { since, bytes: self.noise.minutes.iter().enumerate().map(seen).collect() };
        let people = Traffic { since, bytes: people.iter().copied().map(Some).collect() };
        let run = |player| match player {
            Player::Oracle => self.run(&people, &visits, Some(0.0), false),
            Player::Alarm(bytes) => self.run(&all, &visits, Some(bytes), false),
            Player::Catnap => self.run(&all, &visits, None, false),
            Player::CatnapAndBusy => self.run(&all, &visits, None, true),
        };
        let oracle = run(Player::Oracle);
        let truth = Truth { since, visits: &visits, lost: &lost, oracle: &oracle };
        let score = |player: &Player| truth.score(&run(*player), self.watch, *player == Player::CatnapAndBusy);
        players.iter().map(score).collect()
    }

    fn run(&self, traffic: &Traffic, visits: &[i64], activity_bytes: Option<f64>, busy: bool) -> Outcome {
        let keep_awake = Windows::default();
        let rules = Rules {
            policy: Policy {
                idle: TimeDelta::minutes(IDLE_MINUTES),
                activity_bytes,
                boot_deadline: TimeDelta::minutes(5),
                on_sick: OnSick::Nap,
                steer: false,
            },
            health_check: self.noise.check,
            keep_awake: &keep_awake,
            tick: self.watch.tick,
            phase: (self.seed % 97) as i64,
            period: self.watch.period,
            delay: self.watch.delay,
            busy: busy.then_some((visits, BUSY_DELAY)),
        };
        replay(traffic, Wakes::Visits(visits), &rules, |_, _| {})
    }
}

/// Every pattern, page and way of watching over every noise.
pub fn cells<'a>(noises: &'a [Noise], watches: &[Watch], seed: u64) -> Vec<Cell<'a>> {
    let mut cells = Vec::new();
    for (row, noise) in (0..).zip(noises) {
        for (column, pattern) in (0..).zip(super::world::PATTERNS) {
            for page in [Page::Light, Page::Heavy] {
                // The same visits in each way of watching, and for light and heavy pages.
                let seed = seed * 1_000 + row * 10 + column;
                cells.extend(watches.iter().map(|watch| Cell { noise, pattern, page, watch: *watch, seed }));
            }
        }
    }
    cells
}

/// Plays them all, on all processors.
pub fn play<'a>(cells: &[Cell<'a>], players: &[Player]) -> Vec<(Cell<'a>, Vec<Score>)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = cells.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let handles: Vec<_> = cells
            .chunks(share)
            .map(|cells| scope.spawn(|| cells.iter().map(|cell| (*cell, cell.play(players))).collect::<Vec<_>>()))
            .collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("a cell panicked")).collect()
    })
}
