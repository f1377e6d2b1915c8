//! Route 53's health checks: checkers that come again and again, and what they make of what they find.

use chrono::{DateTime, TimeDelta, Utc};
use rand_xorshift::XorShiftRng;

use super::traffic::{self, Crew};
use crate::model::{CheckKind, HealthCheckConfig, InstanceId};

/// A health check whose checkers really look.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) instance: InstanceId,
    pub(super) kind: CheckKind,
    /// Checks in a row until a checker changes its mind.
    threshold: u32,
    crew: Crew,
    checkers: Vec<Checker>,
    rng: XorShiftRng,
    began: DateTime<Utc>,
    next: DateTime<Utc>,
    /// Security groups, or a firewall, keep the checkers out.
    pub(super) kept_out: bool,
    pub(super) healthy: bool,
    /// Nobody looks.
    disabled: bool,
    /// Counts as the opposite of what is found.
    inverted: bool,
    /// Whether it was healthy all through the current minute; none while nobody looks.
    minute: Option<bool>,
}

#[derive(Debug)]
struct Checker {
    /// Seconds since the beginning at which it is due.
    due: f64,
    /// When it comes, and with how many bytes.
    comes: (DateTime<Utc>, f64),
    well: bool,
    /// Checks in a row that say otherwise.
    otherwise: u32,
    /// Its last check, and what it found.
    last: Option<(DateTime<Utc>, bool)>,
}

impl Watch {
    pub(super) fn new(
        config: &HealthCheckConfig,
        instance: InstanceId,
        threshold: u32,
        well: bool,
        began: DateTime<Utc>,
        seed: u64,
    ) -> Self {
        let mut rng = traffic::random(seed, "checkers");
        let crew = Crew::of(config, &mut rng);
        let checkers = (0..crew.checkers).map(|_| {
            let due = crew.first(&mut rng);
            let comes = comes(&crew, began, due, &mut rng);
            Checker { due, comes, well, otherwise: 0, last: None }
        });
        let checkers: Vec<_> = checkers.collect();
        let next = checkers.iter().map(|checker| checker.comes.0).min().unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self {
            instance,
            kind: config.kind,
            threshold,
            crew,
            checkers,
            rng,
            began,
            next,
            kept_out: false,
            healthy: well,
            disabled: config.disabled,
            inverted: config.inverted,
            minute: Some(well),
        }
    }

    /// When the next checker comes.
    pub(super) fn due(&self) -> DateTime<Utc> {
        self.next
    }

    /// The checker that is due looks at the app. Gives the bytes that it sends.
    pub(super) fn check(&mut self, now: DateTime<Utc>, answers: bool) -> f64 {
        let found = answers && !self.kept_out;
        let mut bytes = 0.0;
        for checker in self.checkers.iter_mut().filter(|checker| checker.comes.0 <= now) {
            if !self.disabled {
                bytes += checker.comes.1;
                checker.last = Some((now, found));
                checker.otherwise = if found == checker.well { 0 } else { checker.otherwise + 1 };
                if checker.otherwise >= self.threshold {
                    (checker.well, checker.otherwise) = (found, 0);
                }
            }
            checker.due += self.crew.interval;
            checker.comes = comes(&self.crew, self.began, checker.due, &mut self.rng);
        }
        self.next = self.checkers.iter().map(|checker| checker.comes.0).min().unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.judge();
        if self.kept_out { 0.0 } else { bytes }
    }

    /// Healthy with more than 18 % of the checkers, or when it is disabled; inverted, the opposite.
    fn judge(&mut self) {
        let (well, of) = self.tally();
        self.healthy = (self.disabled || well * 100 > of * 18) != self.inverted;
        self.minute = self.minute.map(|minute| minute && self.healthy).filter(|_| !self.disabled);
    }

    /// Its flags are changed. Enabled again, it counts as healthy until there is enough data, as a new one does: so
    /// the documentation can be read, and so it is worse for visitors of an instance that sleeps.
    pub(super) fn set(&mut self, disabled: bool, inverted: bool) {
        if self.disabled && !disabled {
            self.checkers.iter_mut().for_each(|checker| (checker.well, checker.otherwise) = (true, 0));
        }
        (self.disabled, self.inverted) = (disabled, inverted);
        self.judge();
    }

    /// The checkers that find it well, and all.
    pub(super) fn tally(&self) -> (usize, usize) {
        (self.checkers.iter().filter(|checker| checker.well).count(), self.checkers.len())
    }

    /// Whether more than 18 % of the checkers have found it well since then, by their last look (GetHealthCheckStatus,
    /// whose times are read to the second).
    pub(super) fn is_healthy(&self, since: DateTime<Utc>) -> bool {
        let well = self
            .checkers
            .iter()
            .filter(|checker| checker.last.is_some_and(|(at, found)| found && at.timestamp() >= since.timestamp()));
        well.count() * 100 > self.checkers.len() * 18
    }

    /// A minute ends: whether it was healthy all through; none when nobody looked all the time.
    pub(super) fn minute_ends(&mut self) -> Option<bool> {
        std::mem::replace(&mut self.minute, (!self.disabled).then_some(self.healthy))
    }
}

fn comes(crew: &Crew, began: DateTime<Utc>, due: f64, rng: &mut XorShiftRng) -> (DateTime<Utc>, f64) {
    let (at, bytes) = crew.check(due, rng);
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds are fine enough")]
    let at = (at * 1_000.0) as i64;
    (began + TimeDelta::milliseconds(at), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_have_not_looked_since_count_among_all() {
        let began = DateTime::UNIX_EPOCH;
        let instance = "i-00000000000000001".parse().expect("an id");
        let config = HealthCheckConfig::new(CheckKind::Http, 30, 3);
        let mut watch = Watch::new(&config, instance, 3, true, began, 1);
        assert!(watch.tally().1 > 5, "one of them alone is less than 18 %");
        let first = watch.due();
        watch.check(first, true);
        assert!(!watch.is_healthy(began));
        let second = watch.due();
        watch.check(second, true);
        assert!(watch.is_healthy(began) && watch.is_healthy(first), "its own second counts");
        assert!(!watch.is_healthy(second + TimeDelta::seconds(1)));
    }
}
