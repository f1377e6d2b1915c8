//! Which settings suit some traffic: the shortest idle time that does not cut into what belongs together.

use chrono::TimeDelta;
use serde::Serialize;
use shared::idle::Policy;
use shared::replay::{Outcome, Rules, Traffic, Wakes, replay};

use crate::words::parameter;

/// What is tried for IdleMinutes.
const IDLE_MINUTES: [i64; 7] = [15, 30, 45, 60, 90, 120, 240];
/// What is tried for Schedule, in minutes: the default, and what AWS bills with about 30 cents a month more.
const TICKS: [i64; 2] = [60, 5];
/// Who comes back within this time after a nap began was perhaps still at it.
const CAME_BACK_WITHIN: TimeDelta = TimeDelta::minutes(30);
/// The hours of sleep that more frequent ticks have to bring, as a share of all hours.
const WORTH_IT: f64 = 0.02;

/// Settings, and what they would have brought.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Advice {
    pub(crate) idle_minutes: i64,
    pub(crate) tick_minutes: i64,
    pub(crate) hours_asleep: f64,
    pub(crate) hours: f64,
    /// How often somebody would have woken it.
    pub(crate) wakes: usize,
    /// How often that was within half an hour after the nap began.
    pub(crate) came_back: usize,
}

impl Advice {
    pub(crate) fn words(&self) -> String {
        if self.hours_asleep == 0.0 {
            return "Recommended: leave it as it is. There is no quiet time in this traffic to nap in.".into();
        }
        let schedule = match self.tick_minutes {
            60 => "rate(1 hour)".into(),
            minutes => format!("rate({minutes} minutes)"),
        };
        format!(
            "Recommended: IdleMinutes={} {}: asleep for {:.0} of {:.0} h, woken {} times, {} of \
             them within half an hour after the nap began",
            self.idle_minutes,
            parameter("Schedule", &schedule),
            self.hours_asleep,
            self.hours,
            self.wakes,
            self.came_back
        )
    }
}

/// Tries idle times and schedules on this traffic. The shortest idle time is taken after which people came back at
/// once no more than once a week, or else the one with the fewest; then frequent ticks if they bring enough.
pub(crate) fn advise(traffic: &Traffic, rules: &Rules<'_>) -> Advice {
    let of = |idle: i64, tick: i64| {
        let policy = Policy { idle: TimeDelta::minutes(idle), ..rules.policy };
        let tried = Rules { policy, tick, ..rules.clone() };
        summary(&replay(traffic, Wakes::Activity, &tried, |_, _| {}), idle, tick)
    };
    let often = TICKS[1];
    let weeks = traffic.bytes.len() as f64 / 10_080.0;
    let mut best = of(IDLE_MINUTES[0], often);
    for idle in &IDLE_MINUTES[1..] {
        // What does not nap after a quarter of an hour does not after a longer time.
        if best.came_back as f64 <= weeks.max(1.0) || best.hours_asleep == 0.0 {
            break;
        }
        let next = of(*idle, often);
        if next.came_back < best.came_back {
            best = next;
        }
    }
    if best.hours_asleep == 0.0 {
        return best;
    }
    let seldom = of(best.idle_minutes, TICKS[0]);
    if best.hours_asleep - seldom.hours_asleep > WORTH_IT * best.hours { best } else { seldom }
}

fn summary(outcome: &Outcome, idle_minutes: i64, tick_minutes: i64) -> Advice {
    let hours = |time: TimeDelta| time.num_minutes() as f64 / 60.0;
    let woken = || outcome.naps.iter().filter_map(|nap| Some(nap.woken_at? - nap.at));
    Advice {
        idle_minutes,
        tick_minutes,
        hours_asleep: hours(outcome.asleep),
        hours: hours(outcome.asleep + outcome.awake),
        wakes: woken().count(),
        came_back: woken().filter(|slept| *slept < CAME_BACK_WITHIN).count(),
    }
}

#[cfg(test)]
mod tests {
    use shared::idle::OnSick;
    use shared::schedule::Windows;

    use super::*;

    /// Two weeks of quiet, but for sessions: each begins at an hour of each day and is a burst each so many minutes.
    fn sessions(hours: &[i64], bursts: i64, apart: i64) -> Traffic {
        let mut bytes = vec![Some(100.0); 14 * 1_440];
        for day in 0..14 {
            for hour in hours {
                for burst in 0..bursts {
                    let at = day * 1_440 + hour * 60 + burst * apart;
                    bytes[usize::try_from(at).unwrap()] = Some(2e6);
                }
            }
        }
        Traffic { since: "2026-03-01T00:00:00Z".parse().unwrap(), bytes }
    }

    fn advice(traffic: &Traffic) -> Advice {
        let policy = Policy {
            idle: TimeDelta::minutes(60),
            activity_bytes: Some(50_000.0),
            boot_deadline: TimeDelta::minutes(5),
            on_sick: OnSick::Nap,
            steer: false,
        };
        let none = Windows::default();
        let rules = Rules {
            policy,
            health_check: None,
            keep_awake: &none,
            tick: 60,
            phase: 0,
            period: 5,
            delay: 5,
            busy: None,
        };
        advise(traffic, &rules)
    }

    #[test]
    fn pauses_of_a_session_are_not_cut_into() {
        let of = |apart| advice(&sessions(&[9, 15], 5, apart)).idle_minutes;
        assert_eq!(of(5), 15);
        assert_eq!(of(35), 30);
        // With the metrics' delay half an hour would end with a pause of 40 minutes, and the nap come with the burst.
        assert_eq!(of(40), 45);
        assert_eq!(of(50), 45);
    }

    #[test]
    fn many_short_visits_are_worth_frequent_ticks_and_a_quiet_instance_is_not() {
        assert_eq!(advice(&sessions(&[1, 6, 11, 16, 21], 1, 1)).tick_minutes, 5);
        assert_eq!(advice(&sessions(&[], 1, 1)).tick_minutes, 60);
    }

    #[test]
    fn what_is_never_quiet_is_left_as_it_is() {
        let busy = Traffic { bytes: vec![Some(2e6); 1_440], ..sessions(&[], 1, 1) };
        assert!(advice(&busy).words().contains("leave it as it is"));
    }
}
