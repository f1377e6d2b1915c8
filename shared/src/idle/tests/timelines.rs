//! Days of ticks: at every phase of the tick, with late metrics, for short and long idle times.

use super::*;

/// What the world does; the stopper sees it late.
struct Timeline {
    idle_minutes: i64,
    tick: i64,
    phase: i64,
    delay: i64,
    period: i64,
}

impl Timeline {
    fn all() -> impl Iterator<Item = Self> {
        [15, 30, 60, 120].into_iter().flat_map(|idle_minutes| {
            [5, 60].into_iter().flat_map(move |tick| {
                (0..tick).step_by(if tick == 5 { 1 } else { 7 }).flat_map(move |phase| {
                    [2, 5, 10]
                        .into_iter()
                        .flat_map(move |delay| [1, 5].map(|period| Self { idle_minutes, tick, phase, delay, period }))
                })
            })
        })
    }

    /// Minutes from `noon` to the nap, looking for six hours; traffic is what `bytes_a_minute` says.
    fn naps_at(&self, bytes_a_minute: impl Fn(i64) -> f64) -> Option<i64> {
        let ticks = (0..6 * 60).filter(|minute| minute % self.tick == self.phase % self.tick);
        ticks.into_iter().find(|minute| naps(&self.seen_at(*minute, &bytes_a_minute)))
    }

    fn seen_at(&self, minute: i64, bytes_a_minute: &impl Fn(i64) -> f64) -> Story {
        let Self { period, delay, .. } = *self;
        let first = (minute - self.idle_minutes - 90) / period * period;
        let starts = (first..minute).step_by(usize::try_from(period).unwrap());
        let readable = starts.filter(|start| start + period + delay <= minute && *start >= -180);
        let value = |start: i64| (start..start + period).map(bytes_a_minute).sum();
        let network_in = readable.map(|start| Point { at: noon() + minutes(start), value: value(start) }).collect();
        let health = (minute - self.idle_minutes - 60..minute - delay).filter(|start| *start >= -180);
        idle().but(|it| {
            it.now = noon() + minutes(minute);
            it.instance.launched_at = noon() - minutes(180);
            it.policy.idle = minutes(self.idle_minutes);
            it.network_in = Series { period: minutes(period), points: network_in };
            let points = health.map(|start| Point { at: noon() + minutes(start), value: 1.0 }).collect();
            it.status(Series { period: minutes(1), points });
        })
    }
}

const NOISE_A_MINUTE: f64 = 31_000.0 / 5.0;

#[test]
fn an_idle_instance_naps_within_idle_minutes_and_a_tick_and_delay_and_a_period() {
    let mut timelines = 0;
    for timeline in Timeline::all() {
        let Timeline { idle_minutes, tick, phase, delay, period } = timeline;
        // In use until noon and seven minutes.
        let bytes = |minute: i64| {
            if minute < 7 { 400_000.0 + (minute * 37).rem_euclid(11) as f64 * 60_000.0 } else { NOISE_A_MINUTE }
        };
        let nap = timeline.naps_at(bytes).expect("naps within six hours") - 7;
        let latest = idle_minutes + tick + delay + period;
        assert!(
            (idle_minutes..=latest).contains(&nap),
            "naps {nap} min after use: idle {idle_minutes}, tick {tick} at {phase}, delay {delay}, period {period}"
        );
        timelines += 1;
    }
    assert_eq!(timelines, 4 * (5 + 9) * 3 * 2);
}

#[test]
fn a_used_instance_never_naps() {
    for timeline in Timeline::all() {
        // A page of 1 MB now and then: twice within each idle time, never at the same minute.
        let every = timeline.idle_minutes / 2;
        let visit = |turn: i64| (turn * 7).rem_euclid(every);
        let visited = |minute: i64| minute.rem_euclid(every) == visit(minute.div_euclid(every));
        let bytes = |minute: i64| NOISE_A_MINUTE + if visited(minute) { 45_000.0 } else { 0.0 };
        assert_eq!(timeline.naps_at(bytes), None, "idle {} tick {}", timeline.idle_minutes, timeline.tick);
    }
}

#[test]
fn a_metrics_outage_keeps_and_ends_by_itself() {
    for timeline in Timeline::all() {
        let outage = |story: Story, from: i64, until: i64| {
            let gone = noon() + minutes(from)..noon() + minutes(until);
            story.but(|it| it.network_in.points.retain(|point| !gone.contains(&point.at)))
        };
        // Idle for hours, and CloudWatch says nothing of the first three hours after noon.
        let quiet = |_| NOISE_A_MINUTE;
        let seen = |minute| outage(timeline.seen_at(minute, &quiet), 0, 180);
        assert!(!naps(&seen(120)), "no data is no idleness");
        let latest = 180 + timeline.idle_minutes + timeline.delay + timeline.period;
        assert!(naps(&seen(latest)), "an old gap does not keep it for ever");
    }
}
