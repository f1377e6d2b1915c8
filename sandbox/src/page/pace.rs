//! How the world's time follows ours.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How fast time passes at most while the window shows how the app wakes: its page's own timers run in our time…
pub(crate) const WAKING: u32 = 5;
/// …and while that page waits until it may go to the app.
pub(crate) const LEAVING: u32 = 60;
/// For how long of our time that holds. Who waits for longer has seen what there is to see.
const HELD_FOR: Duration = Duration::from_secs(60);
/// After a longer pause (a lid that was closed) the world does not catch up.
const LONGEST_BEAT: Duration = Duration::from_secs(1);

/// How fast time passes, and how far it should be.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The world's seconds to one of ours; 0 stops it.
    pub(crate) factor: u32,
    /// How far the world's time should be.
    until: DateTime<Utc>,
    /// For how long of our time it has been held.
    held: Duration,
    /// What it is held to now.
    limit: Option<u32>,
}

impl Pace {
    pub(crate) fn new(factor: u32, now: DateTime<Utc>) -> Self {
        Self { factor, until: now, held: Duration::ZERO, limit: None }
    }

    /// The speed as it is.
    pub(crate) fn effective(&self) -> u32 {
        self.limit.map_or(self.factor, |limit| self.factor.min(limit))
    }

    /// Some of our time has passed. `now` is the world's, which may be ahead by what requests took; `limit` is
    /// how fast time may be for who waits in the window, if somebody does. Gives how far time should be.
    pub(crate) fn beat(&mut self, passed: Duration, now: DateTime<Utc>, limit: Option<u32>) -> DateTime<Utc> {
        self.limit = limit.filter(|_| self.held < HELD_FOR);
        self.held = if limit.is_some() { self.held + passed } else { Duration::ZERO };
        if self.factor == 0 {
            self.until = now;
        }
        let passed = passed.min(LONGEST_BEAT) * self.effective();
        self.until += TimeDelta::from_std(passed).unwrap_or_default();
        self.until
    }

    /// Some of the world's time is skipped.
    pub(crate) fn skip(&mut self, time: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
        self.until = now + time;
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn time_passes_as_fast_as_it_is_set() {
        let mut pace = Pace::new(60, BEGAN);
        assert_eq!(pace.beat(Duration::from_millis(100), BEGAN, None), BEGAN + TimeDelta::seconds(6));
        pace.factor = 0;
        let now = BEGAN + TimeDelta::seconds(7); // a request took a second
        assert_eq!(pace.beat(Duration::from_millis(100), now, None), now);
        pace.factor = 1;
        assert_eq!(pace.beat(Duration::from_secs(3_600), now, None), now + TimeDelta::seconds(1));
    }

    #[test]
    fn it_is_slow_for_who_waits_in_the_window_but_not_for_ever() {
        let mut pace = Pace::new(3_600, BEGAN);
        let mut at = BEGAN;
        for _ in 0..60 {
            let next = pace.beat(Duration::from_secs(1), at, Some(WAKING));
            assert_eq!((next - at, pace.effective()), (TimeDelta::seconds(5), 5));
            at = next;
        }
        assert_eq!(pace.beat(Duration::from_secs(1), at, Some(WAKING)) - at, TimeDelta::seconds(3_600));
        pace.beat(Duration::from_secs(1), at, None);
        pace.beat(Duration::from_secs(1), at, Some(WAKING));
        assert_eq!(pace.effective(), 5, "another wake");
        pace.factor = 1;
        assert_eq!(pace.effective(), 1, "it is never faster for that");
    }
}
