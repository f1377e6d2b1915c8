//! The noise floor of NetworkIn: what arrives although nobody visits.
//!
//! What a target's own health check sends is known from its configuration, as a bound. What really comes in lies
//! below it, since the checkers are fewer than they may be, or above it, where something else is at work all the
//! time. Both are learned, with unequal caution: below the bound a floor can only be more watchful than the bound;
//! above it traffic must have been flat for hours. Measured by the accuracy bench (`benches/accuracy.rs`).

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::model::{CheckKind, HealthCheckConfig, Point, Series};

/// How far back to learn, under basic monitoring: 200 datapoints. GetMetricData takes 500 queries and gives 100,800
/// datapoints a call: 201 each.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(1_000);
/// The same under detailed monitoring: 400 datapoints, since spikes show as regular only after hours.
const LOOK_BACK_DETAILED: TimeDelta = TimeDelta::minutes(400);
/// How far back to look for a calm stretch where there is little of late, and none in it: over a weekend and the week
/// before it…
const LOOK_FAR_BACK: TimeDelta = TimeDelta::days(7);
/// …as far as so many datapoints of a fleet reach, which is half a call of GetMetricData.
const DATAPOINTS_OF_A_FLEET: usize = 50_000;

/// A stretch is calm if for so long…
const CALM_FOR: TimeDelta = TimeDelta::minutes(30);
/// …its datapoints differ by no more than so many times what is noise in any case.
const CALM: f64 = 2.0;
/// Fewer samples teach nothing. After an idle hour there are some more.
const A_FEW: usize = 8;
/// Above the bound traffic teaches only when there was this much of it…
const FLAT_FOR: TimeDelta = TimeDelta::hours(2);
/// …when its median is at most so many times its lowest tenth: with 1.25 a busy instance's own traffic (recorded, and
/// made a tenth to a fortieth of what it was) became its floor from nearly every start, with this from one in seven…
const FLAT: f64 = 1.15;
/// …when it is no more than this above the bound in five minutes, 144 MB a day: a crowd is flat, too, and an agent
/// takes in less…
const MOST: f64 = 500_000.0;
/// …and when so much came before the newest hour, before the newest two, and so on up to the idle time, which is
/// judged and not learned from. Hour by hour, for else a longer `IdleMinutes` could nap earlier.
const AN_HOUR: TimeDelta = TimeDelta::hours(1);

/// A spike is regular if it came at this time of each of so many hours before…
const HOURS_IN_A_ROW: i32 = 5;
/// …as high but for this part of its height above the floor…
const ALIKE: f64 = 0.03;
/// …if no more than this part of it lies on either side…
const BESIDE: f64 = 0.1;
/// …and if no more than one in so many datapoints of those hours was above the floor: a job each quarter of an hour is.
/// In a busy hour anything may come again by chance.
const ONE_IN: usize = 3;

/// Checkers in each region: about two, ±30 % (measured; AWS does not document it).
const CHECKERS_PER_REGION: f64 = 2.0 * 1.3;
/// …and at least. What is less than these send came while they paused, or before the check was another…
const CHECKERS_PER_REGION_AT_LEAST: f64 = 2.0 * 0.7;
/// …and a datapoint in which they paused for a part only may be a little more. Where there are pauses, so many of the
/// lowest may be of that kind; else it is the lowest tenth that noise is looked for from.
const LOWEST_QUARTER: usize = 4;
const LOWEST_TENTH: usize = 10;
/// Bytes on the wire for one at IP level, where the instance's counter sees Ethernet.
const ETHERNET: f64 = 1.25;
/// Scanners, ARP, NTP and the like, for each five minutes.
const SCANNERS: f64 = 3_000.0;

/// As far above the middle of the noise is noise as well: a scanner's look at the front page, in bytes…
const BLIP: f64 = 2_000.0;
/// …with a few checks that come early, late or twice…
const CHECKS: f64 = 2.0;
/// …or so many of its own standard deviations. With three, light pages drown that two and a half show; with two,
/// checkers that vary by a tenth keep the instance awake…
const DEVIATIONS: f64 = 2.5;
/// …but of what is calm, and has no visitors in it, so many.
const DEVIATIONS_OF_THE_CALM: f64 = 1.75;
/// From the median deviation to the standard deviation, in noise that is normal.
const TO_STANDARD: f64 = 1.4826;

/// What counts as noise in one datapoint of NetworkIn, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Floor {
    /// Bytes in one datapoint. More is activity.
    #[serde(rename = "floor")]
    pub bytes: f64,
    /// How it is known.
    #[serde(rename = "floor_from")]
    pub source: Source,
}

/// How a floor is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `ActivityBytes` sets it.
    Set,
    /// The most that the health check is known to send.
    Bound,
    /// What has come in of late.
    Learned,
}

/// How far back to ask for NetworkIn of one of so many targets: what is learned from, and in any case the idle time,
/// which ends where the newest datapoint does: that may be late.
#[must_use]
pub fn look_back(idle: TimeDelta, period: TimeDelta, targets: usize) -> TimeDelta {
    let share = i32::try_from(DATAPOINTS_OF_A_FLEET / targets.max(1)).unwrap_or_default();
    let far = if is_detailed(period) { TimeDelta::zero() } else { LOOK_FAR_BACK.min(period * share) };
    learned_from(period).max(idle + AN_HOUR).max(far)
}

fn is_detailed(period: TimeDelta) -> bool {
    period < TimeDelta::minutes(5)
}

fn learned_from(period: TimeDelta) -> TimeDelta {
    if is_detailed(period) { LOOK_BACK_DETAILED } else { LOOK_BACK }
}

/// What of a target's traffic teaches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// The idle time, which is judged; it teaches only where it makes the floor lower.
    pub idle: TimeDelta,
    /// What a start may take.
    pub boot: TimeDelta,
    /// Whether there are times without checkers, before naps and after wakes. Such a floor would make activity of the
    /// checkers when they are back.
    pub pauses: bool,
}

/// The floor of a target: what its own traffic teaches, else the most that its health check is known to send.
#[must_use]
pub fn floor(
    check: Option<&HealthCheckConfig>,
    network_in: &Series,
    known_until: DateTime<Utc>,
    left_out: LeftOut,
) -> Floor {
    let traffic = Traffic { check, network_in, known_until, left_out };
    let bound = health_check_bound(check, network_in.period);
    let below = traffic.lowest_noise().filter(|top| *top < bound);
    let most = bound + MOST * network_in.period.as_seconds_f64() / 300.0;
    let above = || traffic.flat_for_hours().filter(|top| *top > bound && *top <= most);
    match below.or_else(above) {
        Some(bytes) => Floor { bytes: bytes.ceil(), source: Source::Learned },
        None => Floor { bytes: bound, source: Source::Bound },
    }
}

/// What a floor is learned from.
struct Traffic<'a> {
    check: Option<&'a HealthCheckConfig>,
    network_in: &'a Series,
    known_until: DateTime<Utc>,
    left_out: LeftOut,
}

impl Traffic<'_> {
    /// Since when it counts as of late.
    fn of_late(&self) -> DateTime<Utc> {
        self.known_until - learned_from(self.network_in.period)
    }

    /// What is noise in any case.
    fn slack(&self) -> f64 {
        BLIP.hypot(CHECKS * ETHERNET * self.check.map_or(0.0, bytes_of_one))
    }

    /// How high the noise reaches by what was calm, or by all that came of late: the lower is the more watchful.
    fn lowest_noise(&self) -> Option<f64> {
        let LeftOut { boot, pauses, .. } = self.left_out;
        let (slack, period) = (self.slack(), self.network_in.period);
        let least = health_check_least(self.check, period);
        let teaching = |from, least| {
            let mut samples = samples(self.network_in, from, self.known_until, boot);
            samples.retain(|point| point.value >= least);
            samples
        };
        let of_late = teaching(self.of_late(), if pauses { least } else { 0.0 });
        let is_little = period * i32::try_from(of_late.len()).ok()? < learned_from(period) * 3 / 4;
        let enough = |values: &Vec<f64>| values.len() >= A_FEW;
        let calm = |samples: &[Point]| Some(calm(samples, period, slack)).filter(enough);
        let long_ago = || is_little.then(|| teaching(DateTime::<Utc>::MIN_UTC, least));
        // Minutes need no calm: also of people who work on, many have nobody in them.
        let calm = if is_detailed(period) { None } else { calm(&of_late).or_else(|| calm(&long_ago()?)) };
        let restless = Some(in_order(&of_late)).filter(enough);
        let lowest = if pauses { LOWEST_QUARTER } else { LOWEST_TENTH };
        let tops = [
            calm.map(|calm| top_of_noise(&calm, LOWEST_TENTH, slack, DEVIATIONS_OF_THE_CALM)),
            restless.map(|restless| top_of_noise(&restless, lowest, slack, DEVIATIONS)),
        ];
        tops.into_iter().flatten().min_by(f64::total_cmp)
    }

    /// How high traffic reaches that has been flat before the newest hour, before the newest two, and so on.
    fn flat_for_hours(&self) -> Option<f64> {
        let LeftOut { idle, boot, .. } = self.left_out;
        let hours = i32::try_from((idle.num_minutes() + 59) / 60).unwrap_or(i32::MAX).max(1);
        let mut least = f64::INFINITY;
        for judged in 1..=hours {
            let until = self.known_until - AN_HOUR.checked_mul(judged)?;
            let samples = samples(self.network_in, self.of_late(), until, boot);
            least = least.min(flat_top(&in_order(&samples), self.network_in.period, self.slack())?);
        }
        Some(least)
    }
}

/// The datapoints from `from` to `until` that can teach. Left out are those beside a gap, in which the instance may
/// have been awake for a part only, and a boot's time after one.
fn samples(series: &Series, from: DateTime<Utc>, until: DateTime<Utc>, boot: TimeDelta) -> Vec<Point> {
    let mut samples = Vec::with_capacity(series.points.len());
    let (mut last_end, mut booted) = (None, from);
    for (index, point) in series.points.iter().enumerate() {
        let end = series.end_of(point);
        if last_end != Some(point.at) {
            booted = point.at + boot.max(series.period);
        }
        last_end = Some(end);
        let goes_on = series.points.get(index + 1).is_some_and(|next| next.at == end);
        if goes_on && point.at >= booted.max(from) && end <= until {
            samples.push(*point);
        }
    }
    samples
}

/// Their values, smallest first.
fn in_order(points: &[Point]) -> Vec<f64> {
    let mut values: Vec<_> = points.iter().map(|point| point.value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The values of calm stretches, smallest first: half an hour in which no more than noise came and went. Visitors leave
/// such stretches between them, if only in the hour before each nap. Those who work on do not, and so cannot teach
/// that they are noise.
fn calm(samples: &[Point], period: TimeDelta, slack: f64) -> Vec<f64> {
    let size = usize::try_from(CALM_FOR.num_seconds() / period.num_seconds().max(1)).unwrap_or(1).max(1);
    let mut is_calm = vec![false; samples.len()];
    for (first, stretch) in samples.windows(size).enumerate() {
        let is_whole = stretch[size - 1].at + period - stretch[0].at == CALM_FOR;
        let within = |(low, high): (f64, f64), point: &Point| {
            let (low, high) = (low.min(point.value), high.max(point.value));
            (high - low <= CALM * slack).then_some((low, high))
        };
        if is_whole && stretch.iter().try_fold((f64::INFINITY, 0.0), within).is_some() {
            is_calm[first..first + size].fill(true);
        }
    }
    let calm: Vec<_> = samples.iter().zip(is_calm).filter(|(_, calm)| *calm).map(|(point, _)| *point).collect();
    in_order(&calm)
}

/// How high flat traffic reaches; none when there is not enough of it, or it is not flat.
fn flat_top(sorted: &[f64], period: TimeDelta, slack: f64) -> Option<f64> {
    let long_enough = i32::try_from(sorted.len()).is_ok_and(|count| period * count >= FLAT_FOR);
    let median = *sorted.get(sorted.len() / 2)?;
    let is_flat = long_enough && median <= FLAT * sorted[sorted.len() / 10];
    is_flat.then(|| top_of_noise(sorted, LOWEST_TENTH, slack, DEVIATIONS).min(FLAT * median))
}

/// How high the noise reaches. Visitors only ever add to it, so it is the lowest heap of samples: begun at the
/// `lowest` part and widened as long as more samples lie within reach of its middle. How far that is, the lower half of the
/// heap tells, in which there are no visitors: so many of its `deviations`.
fn top_of_noise(sorted: &[f64], lowest: usize, slack: f64, deviations: f64) -> f64 {
    let mut top = sorted[(sorted.len() / lowest).max(1)] + slack;
    loop {
        let heap = &sorted[..sorted.partition_point(|value| *value <= top)];
        let middle = heap[heap.len() / 2];
        let lower = &heap[..heap.partition_point(|value| *value < middle)];
        let deviation = lower.get(lower.len() / 2).map_or(0.0, |value| (middle - value) * TO_STANDARD);
        let reach = middle + slack.max(deviations * deviation);
        if reach <= top {
            return top;
        }
        top = reach;
    }
}

/// The most that a target's own health check is known to add to NetworkIn in one period, in bytes.
///
/// Traffic above this bound was not made by the health check.
///
/// ```
/// use chrono::TimeDelta;
/// use shared::model::{CheckKind, HealthCheckConfig};
/// use shared::noise;
///
/// let check = HealthCheckConfig::new(CheckKind::Http, 30, 3);
/// let bound = noise::health_check_bound(Some(&check), TimeDelta::minutes(5));
/// assert!((45_000.0..55_000.0).contains(&bound)); // typically 31 KB: a view of a 1 MB page adds about 45 KB
/// ```
#[must_use]
pub fn health_check_bound(check: Option<&HealthCheckConfig>, period: TimeDelta) -> f64 {
    let seconds = period.as_seconds_f64();
    let from_checkers = check.map_or(0.0, |check| {
        // A checker's n-th request may fall just inside the period: one more than the quotient.
        let requests = seconds / f64::from(check.interval_seconds.max(1));
        let requests = if seconds < 300.0 { requests + 1.0 } else { requests };
        bytes_of_one(check) * requests * f64::from(check.regions) * CHECKERS_PER_REGION * ETHERNET
    });
    from_checkers + SCANNERS * (seconds / 300.0).max(0.5)
}

/// The least that a target's own health check adds to NetworkIn in one period, in bytes at IP level.
fn health_check_least(check: Option<&HealthCheckConfig>, period: TimeDelta) -> f64 {
    check.map_or(0.0, |check| {
        let requests = (period.as_seconds_f64() / f64::from(check.interval_seconds.max(1))).floor();
        bytes_of_one(check) * requests * f64::from(check.regions) * CHECKERS_PER_REGION_AT_LEAST
    })
}

/// Bytes received for one check, measured at IP level (HTTPS with TLS 1.2).
fn bytes_of_one(check: &HealthCheckConfig) -> f64 {
    match check.kind {
        CheckKind::Tcp => 226.0,
        CheckKind::Http => 510.0,
        CheckKind::Https => 994.0,
        CheckKind::Other => 0.0,
    }
}

/// Whether people may have caused a datapoint of this series: it is above the floor, and no regular spike. A floor
/// that the operator has set knows no exceptions.
#[must_use]
pub fn is_activity(network_in: &Series, point: &Point, floor: &Floor) -> bool {
    point.value > floor.bytes && (floor.source == Source::Set || !is_regular(network_in, point, floor.bytes))
}

/// Whether a spike is a machine's: a cron job, or someone's monitor. It stands alone, and the same came to the minute
/// in each of the hours before, in which there was little else. Nobody visits like that. A job that must not be
/// stopped says so with `Busy`.
fn is_regular(series: &Series, spike: &Point, floor: f64) -> bool {
    let height = spike.value - floor;
    let at =
        |time| series.points.binary_search_by_key(&time, |point| point.at).ok().map(|index| series.points[index].value);
    let alone = [spike.at - series.period, spike.at + series.period]
        .into_iter()
        .all(|beside| at(beside).is_some_and(|value| value <= floor + BESIDE * height));
    let before = |hours| {
        at(spike.at - TimeDelta::hours(1) * hours).is_some_and(|value| (value - spike.value).abs() <= ALIKE * height)
    };
    let is_quiet_else = || {
        let first = series.points.partition_point(|point| point.at < spike.at - TimeDelta::hours(1) * HOURS_IN_A_ROW);
        let hours = &series.points[first..series.points.partition_point(|point| point.at < spike.at)];
        hours.iter().filter(|point| point.value > floor).count() * ONE_IN <= hours.len()
    };
    alone && (1..=HOURS_IN_A_ROW).all(before) && is_quiet_else()
}

#[cfg(test)]
mod tests;
