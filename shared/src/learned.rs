//! What is learned from one wake for the next: how long it takes.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::Unreadable;

/// Seconds from StartInstances to the app's first answer, as long as nothing is known.
const AT_FIRST: u32 = 90;
/// So many wakes are remembered: enough for one slow boot not to count.
const REMEMBERED: usize = 5;
/// A wake that took longer was held up by something else than booting.
const LONGEST: u32 = 3_600;
/// A wake is measured only by who saw the app not answering this shortly before it did: pages ask every 1 to 8 s.
const SEEN_STARTING_WITHIN: TimeDelta = TimeDelta::seconds(15);

/// The last wakes' seconds from StartInstances to the app's first answer, newest last: the tag `catnap:wake-seconds`.
///
/// ```
/// use chrono::TimeDelta;
/// use shared::learned::WakeSeconds;
///
/// let seen: WakeSeconds = "84 91 300".parse()?;
/// assert_eq!(seen.expected(), 91);
/// assert_eq!(seen.with(TimeDelta::seconds(70)).to_string(), "84 91 300 70");
/// assert_eq!(WakeSeconds::default().expected(), 90);
/// # Ok::<(), shared::model::Unreadable>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WakeSeconds(Vec<u32>);

impl WakeSeconds {
    /// How long a wake is expected to take, in seconds: the median of those remembered.
    #[must_use]
    pub fn expected(&self) -> u32 {
        let mut seconds = self.0.clone();
        seconds.sort_unstable();
        seconds.get(seconds.len() / 2).copied().unwrap_or(AT_FIRST)
    }

    /// The same with one more wake, the oldest forgotten.
    #[must_use]
    pub fn with(&self, wake: TimeDelta) -> Self {
        let seconds = u32::try_from(wake.num_seconds()).unwrap_or_default().clamp(1, LONGEST);
        let oldest = (self.0.len() + 1).saturating_sub(REMEMBERED);
        Self(self.0[oldest..].iter().copied().chain([seconds]).collect())
    }
}

impl FromStr for WakeSeconds {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let unreadable =
            Unreadable { takes: "up to five whole numbers of seconds from 1 to 3600, as Catnap writes it" };
        let second = |word: &str| word.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
        let seconds: Option<Vec<_>> = text.split_whitespace().map(second).collect();
        seconds.filter(|all| all.len() <= REMEMBERED).map(Self).ok_or(unreadable)
    }
}

impl fmt::Display for WakeSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(" "))
    }
}

/// One start of an instance, as one Lambda watches it: how long the wake took is known to who saw its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    launched_at: DateTime<Utc>,
    /// When the app was first and last seen not to answer, and what was learned until then; none once it has
    /// answered: what it misses later is a crash or a restart.
    waited_for: Option<(DateTime<Utc>, DateTime<Utc>, WakeSeconds)>,
}

impl Boot {
    /// The app did not answer.
    #[must_use]
    pub fn missed(before: Option<Self>, launched_at: DateTime<Utc>, learned: &WakeSeconds, now: DateTime<Utc>) -> Self {
        let waited_for = match before.filter(|boot| boot.launched_at == launched_at) {
            None => Some((now, now, learned.clone())),
            Some(boot) => boot.waited_for.map(|(first, ..)| (first, now, learned.clone())),
        };
        Self { launched_at, waited_for }
    }

    /// The app answered: how long the wake took, if that is known. It is where its first and its last seconds were
    /// seen, and no other Lambda has learned from it in the meantime.
    #[must_use]
    pub fn answered(
        before: Option<Self>,
        launched_at: DateTime<Utc>,
        learned: &WakeSeconds,
        boot_deadline: TimeDelta,
        now: DateTime<Utc>,
    ) -> (Self, Option<TimeDelta>) {
        let waited_for = before.filter(|boot| boot.launched_at == launched_at).and_then(|boot| boot.waited_for);
        let is_wake = |(first, last, before): &(DateTime<Utc>, DateTime<Utc>, WakeSeconds)| {
            *first - launched_at < boot_deadline && now - *last < SEEN_STARTING_WITHIN && before == learned
        };
        let took = waited_for.filter(is_wake).map(|_| now - launched_at);
        (Self { launched_at, waited_for: None }, took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_learned_from_its_first_seconds_to_its_last_and_a_crash_is_none() {
        let launched_at: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = |seconds| launched_at + TimeDelta::seconds(seconds);
        let (nothing, deadline) = (WakeSeconds::default(), TimeDelta::minutes(5));
        let missed = |before, seconds| Some(Boot::missed(before, launched_at, &nothing, at(seconds)));
        let took = |before, learned: &WakeSeconds, seconds| {
            let (boot, took) = Boot::answered(before, launched_at, learned, deadline, at(seconds));
            (Some(boot), took.map(|took| took.num_seconds()))
        };
        let (up, seconds) = took(missed(missed(None, 20), 400), &nothing, 410);
        assert_eq!(seconds, Some(410), "a slow boot is a boot");
        assert_eq!(took(missed(up, 420), &nothing, 425).1, None, "it restarts");
        assert_eq!(took(missed(None, 10_800), &nothing, 10_803).1, None, "it crashed after three hours");
        assert_eq!(took(missed(None, 20), &nothing, 60).1, None, "nobody saw its end");
        assert_eq!(took(missed(None, 20), &nothing.with(TimeDelta::seconds(24)), 25).1, None, "another was faster");
        assert_eq!(took(None, &nothing, 25).1, None);
        let of_another_start = Boot::missed(None, launched_at - TimeDelta::days(1), &nothing, at(20));
        assert_eq!(took(Some(of_another_start), &nothing, 25).1, None);
    }

    #[test]
    fn the_oldest_wake_is_forgotten_and_one_slow_boot_does_not_count() {
        let mut seen = WakeSeconds::default();
        for seconds in [10, 60, 61, 62, 63, 900] {
            seen = seen.with(TimeDelta::seconds(seconds));
        }
        assert_eq!(seen.to_string(), "60 61 62 63 900");
        assert_eq!(seen.expected(), 62);
        assert_eq!(seen.to_string().parse(), Ok(seen));
    }

    #[test]
    fn what_catnap_did_not_write_is_refused() {
        for text in ["90s", "0", "3601", "-1", "1 2 3 4 5 6", "1,2"] {
            assert!(text.parse::<WakeSeconds>().is_err(), "{text}");
        }
        assert_eq!(WakeSeconds::default().with(TimeDelta::days(2)).to_string(), "3600");
    }
}
