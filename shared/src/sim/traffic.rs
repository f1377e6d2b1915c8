//! What comes in at an instance: its health check's checkers, scanners and people, each from a seed.
//!
//! The worlds of the accuracy bench are made of the same parts.

use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;

use crate::model::{CheckKind, HealthCheckConfig};

/// A stream of its own for each thing: a change in one leaves the others as they are.
#[must_use]
pub fn random(seed: u64, stream: &str) -> XorShiftRng {
    let mixed = stream.bytes().fold(seed.wrapping_add(1), |mixed, byte| {
        mixed.wrapping_mul(1_099_511_628_211) ^ u64::from(byte) // FNV-1a
    });
    XorShiftRng::seed_from_u64(mixed)
}

/// How long it is to the next of events that come independently, `mean` apart.
pub fn until_next(rng: &mut XorShiftRng, mean: f64) -> f64 {
    -mean * (1.0 - rng.random::<f64>()).ln()
}

/// The checkers of one health check. There are about two to a region, up to 30 % more or fewer (measured).
#[derive(Debug, Clone, Copy)]
pub struct Crew {
    /// Bytes that one check brings in.
    pub bytes: f64,
    /// How many they are.
    pub checkers: u32,
    /// Seconds between two checks of one of them.
    pub interval: f64,
}

impl Crew {
    /// Those that Route 53 gives to a health check.
    pub fn of(check: &HealthCheckConfig, rng: &mut XorShiftRng) -> Self {
        let at_ip_level = match check.kind {
            CheckKind::Tcp => 226.0,
            CheckKind::Http => 510.0,
            CheckKind::Https => 994.0,
            CheckKind::Other => 0.0,
        };
        let ethernet = rng.random_range(1.0..1.25);
        let checkers = (2.0 * f64::from(check.regions) * rng.random_range(0.7..1.3)).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some dozens")]
        let checkers = checkers as u32;
        Self { bytes: at_ip_level * ethernet, checkers, interval: f64::from(check.interval_seconds) }
    }

    /// The second at which a checker of this crew comes for the first time.
    pub fn first(&self, rng: &mut XorShiftRng) -> f64 {
        rng.random_range(0.0..self.interval)
    }

    /// When a check that is due at this second comes, up to a second early or late; and the bytes that it brings: one
    /// in two hundred is sent twice.
    pub fn check(&self, due: f64, rng: &mut XorShiftRng) -> (f64, f64) {
        let at = (due + rng.random_range(-1.0..1.0)).max(0.0);
        (at, self.bytes * if rng.random_ratio(1, 200) { 2.0 } else { 1.0 })
    }
}

/// Bytes of one minute that any public address gets all the time: ARP, NTP, lone packets.
pub fn background(rng: &mut XorShiftRng) -> f64 {
    60.0 * f64::from(rng.random_range(1..5u32))
}

/// Scanners of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Scanners {
    /// Minutes from one to the next, in the mean.
    pub every: f64,
    bytes: (f64, f64),
}

/// A look at the front page each half hour, and four times a day one that tries some hundred paths within a minute.
pub const SCANNERS: [Scanners; 2] =
    [Scanners { every: 30.0, bytes: (300.0, 1_500.0) }, Scanners { every: 360.0, bytes: (10_000.0, 60_000.0) }];

impl Scanners {
    /// The bytes of one visit.
    pub fn bytes(&self, rng: &mut XorShiftRng) -> f64 {
        rng.random_range(self.bytes.0..self.bytes.1)
    }
}

/// When people come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Monday to Friday, 9 to 17, ten minutes apart in the mean.
    Office,
    /// The same days and hours, two minutes apart: a few people who work with it.
    Steady,
    /// Every evening from 19 to 22, fifteen minutes apart.
    Evenings,
    /// Three times a day, at any time.
    Sparse,
    /// Never.
    Nobody,
}

impl Pattern {
    /// The minutes of all visits in so many minutes from a Monday on.
    #[must_use]
    pub fn visits(self, minutes: i64, seed: u64) -> Vec<i64> {
        let (mean, open): (f64, fn(i64, i64) -> bool) = match self {
            Self::Office => (10.0, at_work),
            Self::Steady => (2.0, at_work),
            Self::Evenings => (15.0, |_, hour| (19..22).contains(&hour)),
            Self::Sparse => (480.0, |_, _| true),
            Self::Nobody => return Vec::new(),
        };
        #[expect(clippy::cast_possible_truncation, reason = "whole minutes are wanted")]
        let visits = times(&mut random(seed, "visits"), mean, minutes).into_iter().map(|at| at as i64);
        visits.filter(|minute| open(minute / 1_440, minute / 60 % 24)).collect()
    }
}

fn at_work(day: i64, hour: i64) -> bool {
    day % 7 < 5 && (9..17).contains(&hour)
}

/// The times, in minutes, of events that come independently, `mean` minutes apart, for so many minutes.
pub fn times(rng: &mut XorShiftRng, mean: f64, minutes: i64) -> Vec<f64> {
    let mut next = 0.0;
    let later = |()| {
        next += until_next(rng, mean);
        Some(next)
    };
    #[expect(clippy::cast_precision_loss, reason = "some years are exact")]
    let end = minutes as f64;
    std::iter::repeat(()).map_while(later).take_while(|at| *at < end).collect()
}

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
    #[must_use]
    pub fn bytes_in(self) -> f64 {
        let sent = match self {
            Self::Light => 50_000.0,
            Self::Heavy => 2_000_000.0,
        };
        sent / (2.0 * 1_460.0) * 66.0 + (1.0 + sent / 33_000.0) * 700.0 + 1_500.0
    }
}
