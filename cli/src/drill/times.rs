//! The seconds of a drill's steps, and those of the last one.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Serialize, Serializer};
use shared::model::Unreadable;

/// A step of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// From StopInstances to `stopped`.
    Nap,
    /// From `stopped` to the waiting page, by DNS.
    Page,
    /// The wake call.
    Wake,
    /// From the wake call to the app's answer to the starter.
    Ready,
    /// From there to the app on the visitor's screen, through the starter.
    Bridged,
    /// From there to the app by DNS.
    Direct,
}

/// All steps, in their order.
pub const STEPS: [Step; 6] = [Step::Nap, Step::Page, Step::Wake, Step::Ready, Step::Bridged, Step::Direct];

impl Step {
    /// What is reached with it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Nap => "asleep",
            Self::Page => "the waiting page",
            Self::Wake => "the wake call taken",
            Self::Ready => "the app answers",
            Self::Bridged => "the app on the screen",
            Self::Direct => "the app by DNS",
        }
    }

    /// How long it may take.
    #[must_use]
    pub fn limit(self) -> TimeDelta {
        TimeDelta::minutes(match self {
            Self::Nap | Self::Page => 10,
            Self::Wake | Self::Bridged => 2,
            Self::Ready | Self::Direct => 15,
        })
    }
}

/// Whole seconds, to the nearest.
#[must_use]
pub fn seconds(took: TimeDelta) -> u32 {
    u32::try_from((took.num_milliseconds() + 500) / 1_000).unwrap_or_default()
}

/// When a drill was, and the seconds of each of its steps: the tag `catnap:last-drill`.
///
/// On the instance, and so the same for all who operate it, from wherever they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Times {
    /// When it began.
    pub at: DateTime<Utc>,
    /// The seconds of each of [`STEPS`]; none for one that there was no need of.
    #[serde(serialize_with = "by_name")]
    pub seconds: [Option<u32>; 6],
}

fn by_name<S: Serializer>(seconds: &[Option<u32>; 6], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(STEPS.iter().zip(seconds))
}

impl Times {
    pub(crate) fn at(now: DateTime<Utc>) -> Self {
        Self { at: now, seconds: [None; 6] }
    }

    pub(crate) fn set(&mut self, step: Step, took: TimeDelta) {
        self.seconds[step as usize] = Some(seconds(took));
    }

    /// What a visitor waited, from the waiting page to the app on the screen.
    #[must_use]
    pub fn waited(&self) -> u32 {
        let until = if self.seconds[Step::Bridged as usize].is_some() { Step::Bridged } else { Step::Direct };
        self.seconds[Step::Wake as usize..=until as usize].iter().flatten().sum()
    }

    /// To read, beside the last drill's.
    #[must_use]
    pub fn text(&self, last: Option<&Self>) -> String {
        let mut text = String::new();
        if let Some(last) = last {
            let _ = writeln!(text, "{:<24}{:>7}  {:>14}", "", "now", last.at.format("%-d %b %Y"));
        }
        for step in STEPS {
            let Some(seconds) = self.seconds[step as usize] else { continue };
            let _ = write!(text, "{:<24}{:>7}", step.words(), format!("{seconds} s"));
            if let Some(before) = last.and_then(|last| last.seconds[step as usize]) {
                let _ = write!(text, "  {:>14}", format!("{before} s"));
            }
            text.push('\n');
        }
        let _ = writeln!(text, "A visitor would have waited {} s.", self.waited());
        text
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at.to_rfc3339_opts(SecondsFormat::Secs, true))?;
        for seconds in self.seconds {
            match seconds {
                Some(seconds) => write!(f, " {seconds}")?,
                None => f.write_str(" -")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Times {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let unreadable = Unreadable { takes: "a time and six numbers of seconds, as catnap drill writes it" };
        let mut words = text.split(' ');
        let at = words.next().and_then(|at| DateTime::parse_from_rfc3339(at).ok()).ok_or(unreadable.clone())?;
        let second = |word: &str| match word {
            "-" => Some(None),
            number => number.parse().ok().map(Some),
        };
        let seconds: Option<Vec<Option<u32>>> = words.map(second).collect();
        let seconds = seconds.and_then(|all| all.try_into().ok()).ok_or(unreadable)?;
        Ok(Self { at: at.to_utc(), seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_what_is_compared_with_the_next_drill() {
        let mut times = Times::at("2026-03-01T20:00:00Z".parse().unwrap());
        for (step, milliseconds) in
            [(Step::Page, 64_400), (Step::Wake, 400), (Step::Ready, 83_700), (Step::Bridged, 1_000)]
        {
            times.set(step, TimeDelta::milliseconds(milliseconds));
        }
        assert_eq!(times.to_string(), "2026-03-01T20:00:00Z - 64 0 84 1 -");
        assert_eq!(times.to_string().parse(), Ok(times));
        assert_eq!(times.waited(), 85);
        for text in [
            "",
            "2026-03-01T20:00:00Z",
            "2026-03-01T20:00:00Z 1 2 3 4 5",
            "x 1 2 3 4 5 6",
            "2026-03-01T20:00:00Z 1 2 3 4 5 six",
        ] {
            assert!(text.parse::<Times>().is_err(), "{text}");
        }
        let named = serde_json::json!({
            "at": "2026-03-01T20:00:00Z",
            "seconds": {"nap": null, "page": 64, "wake": 0, "ready": 84, "bridged": 1, "direct": null},
        });
        assert_eq!(serde_json::to_value(times).unwrap(), named);
        let last = Times { seconds: [Some(30), Some(70), Some(1), Some(80), None, Some(9)], ..times };
        assert_eq!(
            times.text(Some(&last)),
            "                            now      1 Mar 2026
the waiting page           64 s            70 s
the wake call taken         0 s             1 s
the app answers            84 s            80 s
the app on the screen       1 s
A visitor would have waited 85 s.
"
        );
    }
}
