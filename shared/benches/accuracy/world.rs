//! Traffic whose every byte is accounted for: checkers, scanners and visitors, each from a seed.

use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;
use shared::model::{CheckKind, HealthCheckConfig};

/// A week, from Monday on.
pub const MINUTES: i64 = 7 * 24 * 60;

/// When people come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Monday to Friday, 9 to 17, ten minutes apart in the mean.
    Office,
    /// Every evening from 19 to 22, fifteen minutes apart.
    Evenings,
    /// Three times a day, at any time.
    Sparse,
    /// Never.
    Nobody,
}

pub const PATTERNS: [Pattern; 4] = [Pattern::Office, Pattern::Evenings, Pattern::Sparse, Pattern::Nobody];

/// What a visit looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// 50 KB.
    Light,
    /// 2 MB.
    Heavy,
}

impl Page {
    /// What comes in for it: an acknowledgement of 66 bytes for each second segment, a request of 700 for each 33 KB
    /// and one for the page, and TLS's handshake. For 1 MB that makes the 45 KB that were measured; here 4.4 and 90.
    pub fn bytes_in(self) -> f64 {
        let sent = match self {
            Self::Light => 50_000.0,
            Self::Heavy => 2_000_000.0,
        };
        sent / (2.0 * 1_460.0) * 66.0 + (1.0 + sent / 33_000.0) * 700.0 + 1_500.0
    }
}

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
        let check = HealthCheckConfig { kind, interval_seconds, regions, disabled: false };
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
    let check = HealthCheckConfig { kind: CheckKind::Http, interval_seconds: 30, regions: 3, disabled: false };
    Noise::new("cron".into(), check, minutes.take(MINUTES as usize).collect())
}

/// A stream of its own for each thing: a change in one leaves the others as they are.
fn random(seed: u64, stream: &str) -> XorShiftRng {
    let mixed = stream.bytes().fold(seed + 1, |mixed, byte| mixed.wrapping_mul(1_099_511_628_211) ^ u64::from(byte));
    XorShiftRng::seed_from_u64(mixed)
}

/// The times, in minutes, of events that come independently, `mean` minutes apart.
fn times(rng: &mut XorShiftRng, mean: f64) -> Vec<f64> {
    let mut next = 0.0;
    let later = |_| {
        next -= mean * (1.0 - rng.random::<f64>()).ln();
        Some(next)
    };
    std::iter::repeat(()).map_while(later).take_while(|at| *at < MINUTES as f64).collect()
}

/// The minutes of all visits.
pub fn visits(pattern: Pattern, seed: u64) -> Vec<i64> {
    let (mean, open): (f64, fn(i64, i64) -> bool) = match pattern {
        Pattern::Office => (10.0, |day, hour| day < 5 && (9..17).contains(&hour)),
        Pattern::Evenings => (15.0, |_, hour| (19..22).contains(&hour)),
        Pattern::Sparse => (480.0, |_, _| true),
        Pattern::Nobody => return Vec::new(),
    };
    let minutes = times(&mut random(seed, "visits"), mean).into_iter().map(|at| at as i64);
    minutes.filter(|minute| open(minute / 1_440, minute / 60 % 24)).collect()
}

/// What a health check's checkers send. Each has a phase of its own and comes up to a second early or late; there are
/// about two to a region, up to 30 % more or fewer; one request in two hundred is sent twice.
fn checkers(check: &HealthCheckConfig, seed: u64) -> Vec<f64> {
    let mut rng = random(seed, "checkers");
    let bytes = match check.kind {
        CheckKind::Tcp => 226.0,
        CheckKind::Http => 510.0,
        CheckKind::Https => 994.0,
        CheckKind::Other => 0.0,
    };
    let ethernet = rng.random_range(1.0..1.25);
    let count = (2.0 * f64::from(check.regions) * rng.random_range(0.7..1.3)).round() as i64;
    let mut minutes = vec![0.0; MINUTES as usize];
    for _ in 0..count {
        let interval = f64::from(check.interval_seconds);
        let mut due = rng.random_range(0.0..interval);
        while due < (MINUTES * 60) as f64 {
            let at = (due + rng.random_range(-1.0..1.0)).max(0.0);
            let times = if rng.random_ratio(1, 200) { 2.0 } else { 1.0 };
            if let Some(minute) = minutes.get_mut((at / 60.0) as usize) {
                *minute += bytes * ethernet * times;
            }
            due += interval;
        }
    }
    minutes
}

/// What any public address gets: ARP, NTP and lone packets all the time, a look at the front page each half hour, and
/// four times a day a scanner that tries some hundred paths within a minute.
fn scanners(seed: u64) -> Vec<f64> {
    let mut rng = random(seed, "scanners");
    let mut minutes: Vec<_> = (0..MINUTES).map(|_| 60.0 * f64::from(rng.random_range(1..5u32))).collect();
    for (mean, least, most) in [(30.0, 300.0, 1_500.0), (360.0, 10_000.0, 60_000.0)] {
        for at in times(&mut rng, mean) {
            minutes[at as usize] += rng.random_range(least..most);
        }
    }
    minutes
}

/// Which minutes CloudWatch loses: ten about each 20 hours, and an hour each two days.
pub fn lost(seed: u64) -> Vec<bool> {
    let mut rng = random(seed, "lost");
    let mut minutes = vec![false; MINUTES as usize];
    for (mean, length) in [(1_200.0, 10), (2_880.0, 60)] {
        for at in times(&mut rng, mean) {
            let from = at as usize / 5 * 5;
            let until = (from + length).min(minutes.len());
            minutes[from..until].fill(true);
        }
    }
    minutes
}
