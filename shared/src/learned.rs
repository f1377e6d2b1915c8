//! What is learned from one wake for the next: how long it takes.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;

use crate::model::Unreadable;

/// Seconds from StartInstances to the app's first answer, as long as nothing is known.
const AT_FIRST: u32 = 90;
/// So many wakes are remembered: enough for one slow boot not to count.
const REMEMBERED: usize = 5;
/// A wake that took longer was held up by something else than booting.
const LONGEST: u32 = 3_600;

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

#[cfg(test)]
mod tests {
    use super::*;

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
