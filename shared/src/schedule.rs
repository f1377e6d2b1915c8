//! Keep-awake windows: times of the week, each in its own time zone.
//!
//! `Mon-Fri 08:00-18:00 Europe/Berlin + Sat Sun 10:00-14:00 Europe/Berlin`: only characters that a tag may hold
//! (letters, numbers, spaces and `+ - = . _ : / @`, EC2 User Guide, "Tag restrictions"), hence no commas.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::model::Unreadable;

/// A window that is not over after this long never is: all windows come again each week.
const A_WEEK_AND_A_DAY: TimeDelta = TimeDelta::days(8);
/// Days before and after today whose windows are looked at: as many, and one more for other zones and for the night.
const DAYS: i64 = 10;

/// Windows of the week, none or many. They may touch and overlap.
///
/// ```
/// use shared::schedule::Windows;
///
/// let windows: Windows = "Mon-Fri 08:00-18:00 Europe/Berlin".parse()?;
/// let thursday = "2026-03-26T16:59:00Z".parse()?; // 17:59 in Berlin
/// assert_eq!(windows.at(thursday).unwrap().until, Some("2026-03-26T17:00:00Z".parse()?));
/// let friday_evening = "2026-03-27T17:00:00Z".parse()?;
/// assert_eq!(windows.at(friday_evening), None);
/// // On Sunday the clocks go forward: Monday begins an hour earlier by UTC.
/// assert_eq!(windows.next(friday_evening), Some("2026-03-30T06:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Windows(Vec<Window>);

#[derive(Debug, Clone, PartialEq)]
struct Window {
    /// The days on which it begins, from Monday on.
    days: [bool; 7],
    /// Minutes since midnight.
    from: i64,
    /// Minutes since the midnight of the same day; more than a day's when it ends on the next.
    until: i64,
    zone: TimeZone,
}

/// A stretch of time, from `since` up to but without `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it began; none when the windows leave no gap in a week.
    pub since: Option<DateTime<Utc>>,
    /// When it ends; none when the windows leave no gap in a week.
    pub until: Option<DateTime<Utc>>,
}

/// What a local time that the clocks skip or repeat stands for.
#[derive(Clone, Copy)]
enum Edge {
    Begin,
    End,
}

impl Windows {
    /// The window that `now` is in. Windows that touch or overlap are one.
    #[must_use]
    pub fn at(&self, now: DateTime<Utc>) -> Option<Span> {
        let (since, until) = self.around(now).into_iter().find(|(since, until)| *since <= now && now < *until)?;
        Some(Span {
            since: Some(since).filter(|since| now - *since < A_WEEK_AND_A_DAY),
            until: Some(until).filter(|until| *until - now < A_WEEK_AND_A_DAY),
        })
    }

    /// When the next window begins, after `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.around(now).into_iter().map(|(since, _)| since).find(|since| *since > now)
    }

    /// All windows near `now` in order, those that touch or overlap joined.
    fn around(&self, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let mut spans: Vec<_> = self.0.iter().flat_map(|window| window.around(now)).collect();
        spans.sort_unstable();
        spans.dedup_by(|next, joined| {
            let touches = next.0 <= joined.1;
            if touches {
                joined.1 = joined.1.max(next.1);
            }
            touches
        });
        spans
    }
}

impl Window {
    fn around(&self, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let Ok(timestamp) = Timestamp::from_second(now.timestamp()) else { return Vec::new() };
        let today = self.zone.to_datetime(timestamp).date();
        let span = |days: i64| {
            let date = today.checked_add(jiff::Span::new().days(days)).ok()?;
            let begins = self.days[usize::try_from(date.weekday().to_monday_zero_offset()).ok()?];
            let since = self.instant(date, self.from, Edge::Begin).filter(|_| begins)?;
            let until = self.instant(date, self.until, Edge::End)?;
            (since < until).then_some((since, until))
        };
        (-DAYS..=DAYS).filter_map(span).collect()
    }

    /// When the local clock shows these minutes after the midnight of `date`. A time that it shows twice is the
    /// first for a begin and the second for an end; one that it skips is the moment at which it does: nothing that
    /// was to be kept awake is cut off.
    fn instant(&self, date: Date, minutes: i64, edge: Edge) -> Option<DateTime<Utc>> {
        let local = date.at(0, 0, 0, 0).checked_add(jiff::Span::new().minutes(minutes)).ok()?;
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let timestamp = match (ambiguous.offset(), edge) {
            (AmbiguousOffset::Gap { after, .. }, _) => {
                self.zone.following(after.to_timestamp(local).ok()?).next()?.timestamp()
            }
            (_, Edge::Begin) => ambiguous.earlier().ok()?,
            (_, Edge::End) => ambiguous.later().ok()?,
        };
        DateTime::from_timestamp(timestamp.as_second(), 0)
    }
}

const TAKES: &str = "windows such as Mon-Fri 08:00-18:00 Europe/Berlin, joined by a + between spaces";
const TAKES_DAYS: &str = "days such as Mon-Fri or Sat Sun before the times of a window";
const TAKES_TIMES: &str = "times such as 08:00-18:00 that differ, from 00:00 to 24:00, 22:00-06:00 for a night";
const TAKES_ZONE: &str = "a time zone such as Europe/Berlin or UTC at the end of each window";

impl FromStr for Windows {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let words: Vec<_> = text.split_whitespace().collect();
        words.split(|word| *word == "+").map(window).collect::<Result<_, _>>().map(Self)
    }
}

fn window(words: &[&str]) -> Result<Window, Unreadable> {
    let [named_days @ .., times, zone] = words else { return Err(Unreadable { takes: TAKES }) };
    let mut days = [named_days.is_empty(); 7];
    for named in named_days {
        for day in self::days(named).ok_or(Unreadable { takes: TAKES_DAYS })? {
            days[day] = true;
        }
    }
    let (from, until) = times.split_once('-').ok_or(Unreadable { takes: TAKES_TIMES })?;
    let (Some(from), Some(until)) = (minutes(from), minutes(until)) else {
        return Err(Unreadable { takes: TAKES_TIMES });
    };
    if from == until || from == 24 * 60 {
        return Err(Unreadable { takes: TAKES_TIMES });
    }
    let until = if until < from { until + 24 * 60 } else { until };
    let zone = TimeZone::get(zone).map_err(|_| Unreadable { takes: TAKES_ZONE })?;
    Ok(Window { days, from, until, zone })
}

/// The days that `Mon` or `Sat-Mon` names, as numbers from Monday on.
fn days(text: &str) -> Option<Vec<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    let mut named = vec![first];
    let mut next = first;
    while next != last {
        next = (next + 1) % 7;
        named.push(next);
    }
    Some(named)
}

fn day(text: &str) -> Option<usize> {
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().position(|day| day.eq_ignore_ascii_case(text))
}

fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        let plain = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<i64>().ok()).flatten()
    };
    let total = number(hours, 1..=2)? * 60 + number(minutes, 2..=2).filter(|minutes| *minutes < 60)?;
    (total <= 24 * 60).then_some(total)
}

#[cfg(test)]
mod tests;
