//! What `catnap status` shows of each app.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Utc};
use serde::Serialize;
use shared::idle::{IdleDecision, NapReason, Outlook};
use shared::model::{InstanceId, InstanceState, Series};
use shared::steer::Stance;

use crate::words;

const APP: Style = Style::new().bold();
const AWAKE: Style = AnsiColor::Green.on_default();
const ASLEEP: Style = AnsiColor::Blue.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// How far before the month it is looked whether the instance was there: longer sleeps are rare, and then too little
/// is called saved rather than too much.
const LOOK_BACK: TimeDelta = TimeDelta::days(14);

/// One app as it stands.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub app: String,
    /// Its instance.
    pub instance: InstanceId,
    /// The instance's state.
    pub state: InstanceState,
    /// Since when it is in it, as far as EC2 tells.
    pub since: Option<DateTime<Utc>>,
    /// When someone was last there, as far as metrics tell.
    pub last_activity: Option<DateTime<Utc>>,
    /// What the stopper would decide now.
    #[serde(flatten)]
    pub decision: IdleDecision,
    /// What would change that.
    #[serde(flatten)]
    pub outlook: Outlook,
    /// Nothing is really started or stopped.
    pub dry_run: bool,
    /// Where Catnap leads its visitors; none without `Steer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub led: Option<Stance>,
    /// This month so far; none when CloudWatch could not tell.
    pub month: Option<Month>,
    /// Tags that cannot be read, and what AWS refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A month's hours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Month {
    /// From when it is counted.
    pub since: DateTime<Utc>,
    /// Hours awake.
    pub hours_awake: f64,
    /// Hours asleep.
    pub hours_asleep: f64,
    /// What these would have cost awake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<f64>,
}

/// When the month of `now` began, and from when on to ask CloudWatch for [`month`].
#[must_use]
pub fn month_of(now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let first = Utc.with_ymd_and_hms(now.year(), now.month(), 1, 0, 0, 0).earliest().unwrap_or(now);
    (first, first - LOOK_BACK)
}

/// The hours of this month, by where NetworkIn has datapoints: an instance has none while it is stopped, whoever
/// stopped it. One metric of one call, where the stopper's records would cost a scan of the log, and know nothing of
/// the time before Catnap or between its ticks.
#[must_use]
pub fn month(network_in: &Series, now: DateTime<Utc>, hourly_price: Option<f64>) -> Option<Month> {
    let (first, _) = month_of(now);
    let since = network_in.points.first()?.at.max(first);
    let known_until = network_in.points.last().map(|point| network_in.end_of(point))?;
    // An instance that runs now has no datapoint for the last minutes yet.
    let late = (now - known_until).max(TimeDelta::zero());
    let lately = if late <= shared::idle::METRICS_ARE_STALE_AFTER { late } else { TimeDelta::zero() };
    let points = network_in.points.iter().filter(|point| point.at >= since).count();
    let awake = network_in.period * i32::try_from(points).ok()? + lately;
    let whole = now - since;
    let hours = |time: TimeDelta| time.num_minutes() as f64 / 60.0;
    let asleep = hours(whole - awake.min(whole));
    let saved = hourly_price.map(|price| (asleep * price * 100.0).round() / 100.0);
    Some(Month { since, hours_awake: hours(awake.min(whole)), hours_asleep: asleep, saved })
}

/// To read, with colours.
#[must_use]
pub fn text(all: &[Status], now: DateTime<Utc>) -> String {
    let mut text = String::new();
    if all.is_empty() {
        text.push_str("no instance carries the tag catnap:host\n");
    }
    for (index, status) in all.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        one(&mut text, status, now);
    }
    text
}

fn one(text: &mut String, status: &Status, now: DateTime<Utc>) {
    let style = if status.state == InstanceState::Running { AWAKE } else { ASLEEP };
    let state = words::state(status.state);
    let _ = write!(text, "{APP}{}{APP:#} ({}) is {style}{state}{style:#}", status.app, status.instance);
    if let Some(since) = status.since {
        let _ = write!(text, " since {}, {}", words::clock(since, now), words::duration(now - since));
    }
    text.push('\n');
    let decision = words::decision(&status.decision, now);
    if !decision.is_empty() {
        let _ = writeln!(text, "  {decision}");
    }
    if let Some(last) = status.last_activity {
        let _ = writeln!(text, "  last activity up to {}", words::clock(last, now));
    }
    let next = match (&status.decision, status.dry_run) {
        (IdleDecision::Nap(_), true) => "the next tick would stop it, but for DryRun",
        (IdleDecision::Nap(NapReason::Idle { .. }), false) if status.led.is_some() => {
            "it is stopped by one of the next ticks, once its visitors have been led to the starter"
        }
        (IdleDecision::Nap(_), false) => "the next tick stops it",
        (IdleDecision::Wake(_), true) => "the next tick would start it, but for DryRun",
        (IdleDecision::Wake(_), false) => "the next tick starts it",
        _ => &status.outlook.words,
    };
    let _ = writeln!(text, "  {next}");
    if let Some(month) = status.month {
        let saved = month.saved.map_or_else(String::new, |money| format!(", saved {money:.2}"));
        let _ = writeln!(
            text,
            "  since {}: awake {:.0} h, asleep {:.0} h{saved}",
            month.since.format("%-d %B"),
            month.hours_awake,
            month.hours_asleep
        );
    }
    for warning in &status.warnings {
        let _ = writeln!(text, "  {WARNING}{warning}{WARNING:#}");
    }
}

#[cfg(test)]
mod tests {
    use shared::model::Point;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// NetworkIn of each five minutes from one time up to another.
    fn awake(spans: &[(&str, &str)]) -> Series {
        let mut series = Series::empty(TimeDelta::minutes(5));
        for (from, until) in spans {
            let mut at = time(from);
            while at < time(until) {
                series.points.push(Point { at, value: 1.0 });
                at += series.period;
            }
        }
        series
    }

    #[test]
    fn what_the_next_tick_does_with_an_idle_one_depends_on_steer() {
        let now = time("2026-03-01T12:00:00Z");
        let idle = NapReason::Idle { since: now - TimeDelta::hours(2), quiet: TimeDelta::minutes(65), floor: 3e4 };
        let words = String::from("a visit wakes it");
        let status = |led| Status {
            app: "app.example.com".into(),
            instance: "i-0123456789abcdef0".parse().unwrap(),
            state: InstanceState::Running,
            since: None,
            last_activity: None,
            decision: IdleDecision::Nap(idle.clone()),
            outlook: Outlook { naps_at_the_earliest: None, wakes_at: None, but_for: None, words: words.clone() },
            dry_run: false,
            led,
            month: None,
            warnings: Vec::new(),
        };
        assert!(text(&[status(None)], now).ends_with("\n  the next tick stops it\n"));
        let led = text(&[status(Some(Stance::Checked))], now);
        assert!(led.ends_with("by one of the next ticks, once its visitors have been led to the starter\n"), "{led}");
    }

    #[test]
    fn a_fleet_of_none_is_said_to_be_one() {
        assert_eq!(text(&[], time("2026-03-01T12:00:00Z")), "no instance carries the tag catnap:host\n");
    }

    #[test]
    fn a_month_s_hours_are_where_there_are_datapoints() {
        let now = time("2026-03-03T12:00:00Z");
        let worked = awake(&[
            ("2026-02-27T08:00:00Z", "2026-02-27T18:00:00Z"),
            ("2026-03-02T08:00:00Z", "2026-03-02T18:00:00Z"),
        ]);
        let month = month(&worked, now, Some(0.1)).unwrap();
        assert_eq!((month.since, month.hours_awake, month.hours_asleep), (time("2026-03-01T00:00:00Z"), 10.0, 50.0));
        assert_eq!(month.saved, Some(5.0));
    }

    #[test]
    fn what_is_not_known_yet_is_not_called_saved() {
        // It runs, and the newest datapoint is ten minutes old.
        let now = time("2026-03-01T12:00:00Z");
        let running = month(&awake(&[("2026-02-28T00:00:00Z", "2026-03-01T11:50:00Z")]), now, None).unwrap();
        assert_eq!((running.hours_awake, running.hours_asleep, running.saved), (12.0, 0.0, None));
        // It was made in this month: before that nothing was saved.
        let young = month(&awake(&[("2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z")]), now, None).unwrap();
        assert_eq!((young.hours_awake, young.hours_asleep), (1.0, 1.0));
        assert_eq!(month(&awake(&[]), now, None), None);
    }
}
