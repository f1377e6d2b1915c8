//! Traffic whose every byte is accounted for: checkers, scanners and visitors, each from a seed.

use rand::RngExt;
use shared::model::{CheckKind, HealthCheckConfig};
use shared::sim::traffic::{Crew, SCANNERS, background, random, times};

pub use shared::sim::traffic::{Page, Pattern};

/// A week, from Monday on.
pub const MINUTES: i64 = 7 * 24 * 60;

pub const PATTERNS: [Pattern; 5] =
    [Pattern::Office, Pattern::Evenings, Pattern::Sparse, Pattern::Nobody, Pattern::Steady];

/// What visits are laid over.
#[derive(Debug, Clone)]
pub struct Noise {
    pub name: String,
    pub check: Option<HealthCheckConfig>,
    /// Bytes of each minute.
    pub minutes: Vec<f64>,
    /// The standard deviations of a minute and of five.
    deviations: [f64; 2],
}

impl Noise {
    fn new(name: String, check: HealthCheckConfig, minutes: Vec<f64>) -> Self {
        let deviations =
            [1, 5].map(|period| deviation(minutes.chunks_exact(period).map(|minutes| minutes.iter().sum())));
        Self { name, check: Some(check), minutes, deviations }
    }

    /// The standard deviation of a datapoint of so many minutes.
    pub fn deviation(&self, period: i64) -> f64 {
        self.deviations[usize::from(period == 5)]
    }

    /// The same, but each five minutes up or down by this part.
    pub fn rough(mut self, part: f64, seed: u64) -> Self {
        let mut rng = random(seed, "rough");
        for minutes in self.minutes.chunks_mut(5) {
            // A sum of twelve is normal enough, with a deviation of one.
            let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            minutes.iter_mut().for_each(|bytes| *bytes *= (1.0 + part * normal).max(0.1));
        }
        self
    }
}

/// The standard deviation by the median one: what comes four times a day does not count.
fn deviation(values: impl Iterator<Item = f64>) -> f64 {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let values: Vec<f64> = values.collect();
    let middle = median(values.clone());
    median(values.iter().map(|value| (value - middle).abs()).collect()) * 1.4826
}

/// Every row of the table of what health checks send, with what scanners add.
pub fn health_checks(seed: u64) -> Vec<Noise> {
    let kinds = [CheckKind::Tcp, CheckKind::Http, CheckKind::Https];
    let settings = [(3, 30), (3, 10), (8, 30), (8, 10)];
    let rows = kinds.into_iter().flat_map(|kind| settings.map(|setting| (kind, setting)));
    let row = |(index, (kind, (regions, interval_seconds))): (u64, _)| {
        let check = HealthCheckConfig::new(kind, interval_seconds, regions);
        let seed = seed * 100 + index;
        let minutes =
            checkers(&check, seed).into_iter().zip(scanners(seed)).map(|(check, scan)| check + scan).collect();
        let name = format!("{}, {regions} regions, {interval_seconds} s", format!("{kind:?}").to_uppercase());
        Noise::new(name, check, minutes)
    };
    (0..).zip(rows).map(row).collect()
}

/// The recorded floor of an instance with a cron job, of which the usual health check is a part.
pub fn cron() -> Noise {
    let csv = include_str!("../../tests/data/networkin-cron.csv");
    let values = csv.lines().skip(1).filter_map(|line| line.split_once(',')?.1.parse::<f64>().ok());
    // A job runs within one of the five minutes, over the median floor.
    let minutes = values.flat_map(|value| {
        let floor = if value > 300_000.0 { 234_000.0 } else { value };
        let minute = floor / 5.0;
        [minute, minute, minute + value - floor, minute, minute]
    });
    let check = HealthCheckConfig::new(CheckKind::Http, 30, 3);
    Noise::new("cron".into(), check, minutes.take(MINUTES as usize).collect())
}

/// The minutes of all visits.
pub fn visits(pattern: Pattern, seed: u64) -> Vec<i64> {
    pattern.visits(MINUTES, seed)
}

/// What a health check's checkers send, each by a clock of its own.
fn checkers(check: &HealthCheckConfig, seed: u64) -> Vec<f64> {
    let mut rng = random(seed, "checkers");
    let crew = Crew::of(check, &mut rng);
    let mut minutes = vec![0.0; MINUTES as usize];
    for _ in 0..crew.checkers {
        let mut due = crew.first(&mut rng);
        while due < (MINUTES * 60) as f64 {
            let (at, bytes) = crew.check(due, &mut rng);
            if let Some(minute) = minutes.get_mut((at / 60.0) as usize) {
                *minute += bytes;
            }
            due += crew.interval;
        }
    }
    minutes
}

/// What any public address gets.
fn scanners(seed: u64) -> Vec<f64> {
    let mut rng = random(seed, "scanners");
    let mut minutes: Vec<_> = (0..MINUTES).map(|_| background(&mut rng)).collect();
    for scanners in SCANNERS {
        for at in times(&mut rng, scanners.every, MINUTES) {
            minutes[at as usize] += scanners.bytes(&mut rng);
        }
    }
    minutes
}

/// Which minutes CloudWatch loses: ten about each 20 hours, and an hour each two days.
pub fn lost(seed: u64) -> Vec<bool> {
    let mut rng = random(seed, "lost");
    let mut minutes = vec![false; MINUTES as usize];
    for (mean, length) in [(1_200.0, 10), (2_880.0, 60)] {
        for at in times(&mut rng, mean, MINUTES) {
            let from = at as usize / 5 * 5;
            let until = (from + length).min(minutes.len());
            minutes[from..until].fill(true);
        }
    }
    minutes
}
