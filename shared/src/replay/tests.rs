use super::*;
use crate::idle::{KeepReason, OnSick};
use crate::model::CheckKind;

fn since() -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

const NOISE: f64 = 6_200.0;
const PAGE: f64 = 90_000.0;

/// A day of noise, with a page at each of these minutes.
fn day(visits: &[i64]) -> Traffic {
    let bytes = (0..1_440).map(|minute| {
        let jitter = f64::from(minute % 7) * 20.0;
        Some(NOISE + jitter + if visits.contains(&minute.into()) { PAGE } else { 0.0 })
    });
    Traffic { since: since(), bytes: bytes.collect() }
}

fn rules(keep_awake: &Windows) -> Rules<'_> {
    Rules {
        policy: Policy {
            idle: TimeDelta::minutes(60),
            activity_bytes: None,
            boot_deadline: TimeDelta::minutes(5),
            on_sick: OnSick::Nap,
            steer: false,
        },
        health_check: Some(HealthCheckConfig::new(CheckKind::Http, 30, 3)),
        keep_awake,
        tick: 5,
        phase: 0,
        period: 5,
        delay: 5,
        busy: None,
    }
}

fn minutes(outcome: &Outcome) -> Vec<(i64, Option<i64>)> {
    let minute = |time: DateTime<Utc>| (time - since()).num_minutes();
    outcome.naps.iter().map(|nap| (minute(nap.at), nap.woken_at.map(minute))).collect()
}

#[test]
fn it_naps_one_idle_time_and_the_delay_after_the_last_visit_and_wakes_at_the_next() {
    let windows = Windows::default();
    for visits in [[300, 700], [303, 704]] {
        let outcome = replay(&day(&visits), Wakes::Visits(&visits), &rules(&windows), |_, _| {});
        // Launched at 0; then the datapoint of each visit ends, an hour passes, and five minutes until that is known.
        let nap_after = |visit: i64| (visit / 5 + 1) * 5 + 65;
        let [first, second] = visits;
        assert_eq!(minutes(&outcome), [(65, Some(first)), (nap_after(first), Some(second)), (nap_after(second), None)]);
        let awake = 65 + nap_after(first) - first + nap_after(second) - second;
        assert_eq!((outcome.awake, outcome.asleep), (TimeDelta::minutes(awake), TimeDelta::minutes(1_440 - awake)));
    }
}

#[test]
fn of_a_recording_it_wakes_by_what_is_above_the_floor() {
    let windows = Windows::default();
    let outcome = replay(&day(&[303, 304, 704]), Wakes::Activity, &rules(&windows), |_, _| {});
    assert_eq!(minutes(&outcome).iter().map(|nap| nap.1).collect::<Vec<_>>(), [Some(300), Some(700), None]);
    assert_eq!(outcome.met, 2);
    // A job each hour wakes nobody, once it has shown that it is one; nor does it keep awake.
    let hourly: Vec<_> = (0..24).map(|hour| hour * 60 + 33).collect();
    let outcome = replay(&day(&hourly), Wakes::Activity, &rules(&windows), |_, _| {});
    assert_eq!(outcome.naps.len(), 1, "{:?}", minutes(&outcome));
    assert!(outcome.met > 10 && outcome.naps[0].woken_at.is_none());
}

#[test]
fn who_comes_in_the_minute_of_a_nap_wakes_it_again() {
    let windows = Windows::default();
    let told = replay(&day(&[65]), Wakes::Visits(&[65]), &rules(&windows), |_, _| {});
    assert_eq!(minutes(&told)[0], (65, Some(65)));
    let shown = replay(&day(&[67]), Wakes::Activity, &rules(&windows), |_, _| {});
    assert_eq!((minutes(&shown)[0], shown.met), ((65, Some(65)), 1), "its datapoint begins with the nap");
}

#[test]
fn late_metrics_short_of_points_and_busy_hosts_keep_it() {
    let windows = Windows::default();
    let first_nap = |change: &dyn Fn(&mut Rules<'_>, &mut Traffic)| {
        let (mut rules, mut traffic) = (rules(&windows), day(&[]));
        change(&mut rules, &mut traffic);
        minutes(&replay(&traffic, Wakes::Visits(&[]), &rules, |_, _| {})).first().map(|nap| nap.0)
    };
    assert_eq!(first_nap(&|_, _| {}), Some(65));
    assert_eq!(first_nap(&|rules, _| rules.delay = 10), Some(70));
    assert_eq!(first_nap(&|rules, _| rules.period = 1), Some(65));
    assert_eq!(first_nap(&|rules, _| (rules.tick, rules.phase) = (60, 17)), Some(77));
    assert_eq!(first_nap(&|rules, _| rules.busy = Some((&[10, 41], 2))), Some(110));
    assert_eq!(first_nap(&|rules, _| rules.busy = Some((&[65], 2))), Some(65), "not readable yet");
    // Four fifths of the hour have to be known.
    assert_eq!(first_nap(&|_, traffic| traffic.bytes[0..50].fill(None)), Some(105));
    assert_eq!(first_nap(&|rules, _| rules.policy.activity_bytes = Some(30_000.0)), None);
}

#[test]
fn windows_wake_and_keep_in_a_replay_as_well() {
    let windows: Windows = "Mon 08:00-10:00 UTC".parse().unwrap();
    let mut kept = 0;
    let outcome = replay(&day(&[]), Wakes::Activity, &rules(&windows), |_, decision| {
        kept += u32::from(matches!(decision, IdleDecision::Keep(KeepReason::Window { .. })));
    });
    assert_eq!(minutes(&outcome), [(65, Some(480)), (600, None)]);
    assert_eq!(kept, 23); // from the tick after the one that wakes it
}
