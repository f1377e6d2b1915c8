use proptest::prelude::*;

use super::*;
use crate::model::{CheckKind, Point};

mod timelines;

/// The world of one target, in minutes before `now`.
#[derive(Debug, Clone)]
struct Story {
    now: DateTime<Utc>,
    instance: Instance,
    policy: Policy,
    protect: bool,
    health_check: HealthCheck,
    network_in: Series,
    visits: Option<Series>,
    busy: Option<Series>,
}

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn minutes(count: i64) -> TimeDelta {
    TimeDelta::minutes(count)
}

fn check() -> HealthCheckConfig {
    HealthCheckConfig { kind: CheckKind::Http, interval_seconds: 30, regions: 3, disabled: false }
}

const NOISE: f64 = 31_000.0;
const BUSY_TRAFFIC: f64 = 500_000.0;

/// A point for each period from `from` to `until` minutes ago.
fn points(period: i64, from: i64, until: i64, value: f64) -> Series {
    let starts = (until + period..=from).rev().filter(|ago| (from - ago) % period == 0);
    let points = starts.map(|ago| Point { at: noon() - minutes(ago), value }).collect();
    Series { period: minutes(period), points }
}

/// Launched yesterday, quiet and healthy for three hours, metrics five minutes late: naps.
fn idle() -> Story {
    Story {
        now: noon(),
        instance: Instance {
            id: "i-0123456789abcdef0".parse().unwrap(),
            state: InstanceState::Running,
            state_reason: None,
            launched_at: noon() - TimeDelta::days(1),
            public_address: None,
            tags: std::collections::BTreeMap::new(),
            detailed_monitoring: false,
            spot: false,
            instance_store_root: false,
        },
        policy: Policy { idle: minutes(60), activity_bytes: None, boot_deadline: minutes(5), on_sick: OnSick::Nap },
        protect: false,
        health_check: HealthCheck::Seen { config: check(), status: points(1, 180, 3, 1.0) },
        network_in: points(5, 180, 5, NOISE),
        visits: Some(Series::empty(minutes(1))),
        busy: Some(Series::empty(minutes(1))),
    }
}

impl Story {
    fn decide(&self) -> IdleDecision {
        decide(&Facts {
            now: self.now,
            instance: &self.instance,
            policy: self.policy,
            protect: self.protect,
            health_check: &self.health_check,
            network_in: &self.network_in,
            visits: self.visits.as_ref(),
            busy: self.busy.as_ref(),
        })
    }

    fn but(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut story = self.clone();
        change(&mut story);
        story
    }

    fn status(&mut self, status: Series) {
        self.health_check = HealthCheck::Seen { config: check(), status };
    }

    /// Makes the datapoint that began `ago` minutes ago an active one.
    fn active(&mut self, ago: i64) {
        let at = noon() - minutes(ago);
        self.network_in.points.iter_mut().find(|point| point.at == at).unwrap().value = BUSY_TRAFFIC;
    }
}

fn kept(story: &Story) -> KeepReason {
    match story.decide() {
        IdleDecision::Keep(reason) => reason,
        other => panic!("not kept: {other:?}"),
    }
}

fn one(ago: i64) -> Option<Series> {
    valued(ago, 1.0)
}

fn valued(ago: i64, value: f64) -> Option<Series> {
    Some(Series { period: minutes(1), points: vec![Point { at: noon() - minutes(ago), value }] })
}

#[test]
fn row_1_what_does_not_run_is_skipped() {
    use InstanceState as S;
    for state in [S::Pending, S::Stopping, S::Stopped, S::ShuttingDown, S::Terminated] {
        let story = idle().but(|it| it.instance.state = state);
        assert_eq!(story.decide(), IdleDecision::Skip(SkipReason::NotRunning { state }));
    }
}

#[test]
fn row_2_what_must_not_or_cannot_be_stopped_is_kept() {
    let protected = |by| KeepReason::Protected { by };
    assert_eq!(kept(&idle().but(|it| it.protect = true)), protected(Protection::Tag));
    assert_eq!(kept(&idle().but(|it| it.instance.spot = true)), protected(Protection::Spot));
    assert_eq!(kept(&idle().but(|it| it.instance.instance_store_root = true)), protected(Protection::InstanceStore));
    let member = idle().but(|it| {
        it.instance.tags.insert("aws:autoscaling:groupName".into(), "web".into());
    });
    assert_eq!(kept(&member), protected(Protection::AutoScaling));
}

#[test]
fn row_4_what_was_started_within_the_idle_time_is_kept() {
    let launched = |ago| idle().but(|it| it.instance.launched_at = noon() - minutes(ago));
    assert_eq!(kept(&launched(59)), KeepReason::Recent { launched_at: noon() - minutes(59) });
    // An hour ago, and known to be quiet for 55 minutes of it only.
    assert_eq!(kept(&launched(60)), KeepReason::Recent { launched_at: noon() - minutes(60) });
    assert!(matches!(launched(65).decide(), IdleDecision::Nap(_)));
    // It has no metrics yet, and nothing rings because of that.
    let fresh = launched(3).but(|it| {
        it.network_in.points.clear();
        it.health_check = HealthCheck::None;
        it.busy = None;
    });
    assert_eq!(kept(&fresh), KeepReason::Recent { launched_at: noon() - minutes(3) });
}

#[test]
fn row_5_a_job_vetoes_the_nap() {
    assert_eq!(kept(&idle().but(|it| it.busy = one(30))), KeepReason::Busy { until: noon() - minutes(29) });
    // Its end counts as the last sign of life as far as NetworkIn is known, too.
    assert_eq!(kept(&idle().but(|it| it.busy = one(62))), KeepReason::Busy { until: noon() - minutes(61) });
    assert!(matches!(idle().but(|it| it.busy = one(90)).decide(), IdleDecision::Nap(_)));
    // A job that reports each minute that it does not run.
    assert!(matches!(idle().but(|it| it.busy = valued(5, 0.0)).decide(), IdleDecision::Nap(_)));
}

#[test]
fn row_6_without_a_failover_nobody_could_wake_it_again() {
    let none = idle().but(|it| it.health_check = HealthCheck::None);
    assert_eq!(kept(&none), KeepReason::FailoverOff { disabled: false });
    let config = HealthCheckConfig { disabled: true, ..check() };
    let status = points(1, 180, 3, 1.0);
    let disabled = idle().but(|it| it.health_check = HealthCheck::Seen { config, status });
    assert_eq!(kept(&disabled), KeepReason::FailoverOff { disabled: true });
    // 5 KB in five minutes: below what scanners alone may send… and 31 KB without a check is activity.
    let meant = idle().but(|it| it.health_check = HealthCheck::MeantNone);
    assert!(matches!(kept(&meant), KeepReason::Active { .. }));
    let meant = meant.but(|it| it.network_in = points(5, 180, 5, 1_000.0));
    assert!(matches!(meant.decide(), IdleDecision::Nap(_)));
}

#[test]
fn row_7_missing_data_is_never_idleness() {
    let missing = |story: &Story| match kept(story) {
        KeepReason::NoData { missing, .. } => missing,
        other => panic!("kept for another reason: {other:?}"),
    };
    assert_eq!(missing(&idle().but(|it| it.network_in.points.clear())), Missing::NetworkIn);
    assert_eq!(missing(&idle().but(|it| it.network_in = points(5, 180, 25, NOISE))), Missing::NetworkIn);
    assert!(matches!(idle().but(|it| it.network_in = points(5, 180, 20, NOISE)).decide(), IdleDecision::Nap(_)));
    // 12 points in the idle hour: 10 are enough, 9 are not.
    let without = |ages: &'static [i64]| {
        idle().but(|it| it.network_in.points.retain(|p| !ages.iter().any(|ago| p.at == noon() - minutes(*ago))))
    };
    assert!(matches!(without(&[40, 60]).decide(), IdleDecision::Nap(_)));
    assert_eq!(missing(&without(&[40, 50, 60])), Missing::NetworkInPoints);
    // Nor may a gap be large beside the time since it.
    assert!(matches!(without(&[30]).decide(), IdleDecision::Nap(_)));
    assert_eq!(missing(&without(&[20])), Missing::NetworkInPoints);
    assert_eq!(missing(&idle().but(|it| it.status(Series::empty(minutes(1))))), Missing::HealthStatus);
    assert_eq!(missing(&idle().but(|it| it.status(points(1, 180, 21, 1.0)))), Missing::HealthStatus);
    assert_eq!(missing(&idle().but(|it| it.health_check = HealthCheck::Unknown)), Missing::HealthCheck);
    assert_eq!(missing(&idle().but(|it| it.busy = None)), Missing::Presence);
    assert_eq!(missing(&idle().but(|it| it.visits = None)), Missing::Presence);
}

#[test]
fn row_7_an_old_gap_does_not_keep_what_was_since_seen_idle() {
    let story = idle().but(|it| it.network_in.points.retain(|p| p.at >= noon() - minutes(65)));
    assert!(matches!(story.decide(), IdleDecision::Nap(_)));
}

#[test]
fn row_8_traffic_above_the_floor_within_the_idle_time_keeps() {
    let active = |ago| idle().but(|it| it.active(ago));
    let reason = kept(&active(65));
    let KeepReason::Active { at, bytes, floor } = reason else { panic!("{reason:?}") };
    assert_eq!((at, bytes), (noon() - minutes(60), BUSY_TRAFFIC));
    assert!(floor > NOISE && floor < 60_000.0, "{floor}");
    // Known until five minutes ago: the hour is full when the activity ended 65 minutes ago.
    assert!(matches!(active(70).decide(), IdleDecision::Nap(NapReason::Idle { .. })));
}

#[test]
fn row_8_activity_bytes_override_the_floor() {
    let with = |bytes| idle().but(|it| it.policy.activity_bytes = Some(bytes));
    assert!(matches!(kept(&with(30_000.0)), KeepReason::Active { .. }));
    assert!(matches!(with(40_000.0).decide(), IdleDecision::Nap(_)));
    // They are meant for five minutes; a datapoint of one minute is held against a fifth of them.
    let detailed = with(40_000.0).but(|it| it.network_in = points(1, 180, 5, 9_000.0));
    assert!(matches!(kept(&detailed), KeepReason::Active { .. }));
    let detailed = detailed.but(|it| it.network_in = points(1, 180, 5, 7_000.0));
    assert!(matches!(detailed.decide(), IdleDecision::Nap(_)));
}

#[test]
fn row_9_what_nobody_could_reach_for_one_idle_time_is_sick() {
    let unhealthy = |from| idle().but(|it| it.status(points(1, from, 3, 0.0)));
    assert!(matches!(unhealthy(180).decide(), IdleDecision::Nap(NapReason::Sick { .. })));
    let kept_for_a_look = unhealthy(180).but(|it| it.policy.on_sick = OnSick::Keep);
    assert!(matches!(kept(&kept_for_a_look), KeepReason::Sick { .. }));
    // Unhealthy for 50 minutes only, healthy before.
    let lately = idle().but(|it| {
        let mut status = points(1, 180, 53, 1.0);
        status.points.extend(points(1, 53, 3, 0.0).points);
        it.status(status);
    });
    assert!(matches!(lately.decide(), IdleDecision::Nap(NapReason::Idle { .. })));
    // The boot does not count: launched 65 minutes ago, with 5 minutes to boot.
    let booted = unhealthy(180).but(|it| it.instance.launched_at = noon() - minutes(65));
    assert!(matches!(booted.decide(), IdleDecision::Nap(NapReason::Idle { .. })));
}

#[test]
fn row_10_someone_who_waits_at_the_starter_keeps() {
    assert_eq!(kept(&idle().but(|it| it.visits = one(10))), KeepReason::Visitors { at: noon() - minutes(9) });
    assert!(matches!(idle().but(|it| it.visits = one(70)).decide(), IdleDecision::Nap(_)));
}

#[test]
fn row_11_otherwise_it_naps() {
    let IdleDecision::Nap(NapReason::Idle { since, quiet, .. }) = idle().decide() else { panic!("kept") };
    assert_eq!(since, noon() - TimeDelta::days(1));
    assert_eq!(quiet, TimeDelta::days(1) - minutes(5));
}

prop_compose! {
    /// Mostly quiet and observed, so that naps and each reason to keep are all met often.
    fn any_story()(
        launched in 0i64..600,
        idle_minutes in 15i64..121,
        values in prop::collection::vec(prop::option::weighted(0.97, prop_oneof![
            60 => 0.0..45_000.0f64,
            1 => 45_000.0..400_000.0f64,
        ]), 0..60),
        health in prop::collection::vec(prop::option::weighted(0.95, prop_oneof![9 => Just(1.0), 1 => Just(0.0)]), 0..60),
        visits in prop::collection::vec(0i64..600, 0..2),
        busy in prop::collection::vec(0i64..600, 0..2),
    ) -> Story {
        idle().but(|it| {
            it.instance.launched_at = noon() - minutes(launched);
            it.policy.idle = minutes(idle_minutes);
            it.network_in = series(5, &values);
            it.status(series(1, &health));
            it.visits = Some(sparse(&visits));
            it.busy = Some(sparse(&busy));
        })
    }
}

fn series(period: i64, values: &[Option<f64>]) -> Series {
    let ago = |index: usize| minutes(period * (values.len() as i64 - index as i64));
    let point = |(index, value): (usize, &Option<f64>)| value.map(|value| Point { at: noon() - ago(index), value });
    Series { period: minutes(period), points: values.iter().enumerate().filter_map(point).collect() }
}

fn sparse(ages: &[i64]) -> Series {
    let mut points: Vec<_> = ages.iter().map(|ago| Point { at: noon() - minutes(ago + 1), value: 1.0 }).collect();
    points.sort_by_key(|point| point.at);
    Series { period: minutes(1), points }
}

fn naps(story: &Story) -> bool {
    matches!(story.decide(), IdleDecision::Nap(_))
}

proptest! {
    #[test]
    fn never_naps_what_was_launched_within_the_idle_time(story in any_story(), share in 0.0..1.0f64) {
        let seconds = (story.policy.idle.as_seconds_f64() * share) as i64;
        let young = story.but(|it| it.instance.launched_at = noon() - TimeDelta::seconds(seconds));
        prop_assert!(!naps(&young));
    }

    #[test]
    fn no_data_never_naps(story in any_story()) {
        prop_assert!(!naps(&story.but(|it| it.network_in.points.clear())));
        prop_assert!(!naps(&story.but(|it| it.status(Series::empty(minutes(1))))));
    }

    #[test]
    fn same_input_same_decision(story in any_story()) {
        prop_assert_eq!(story.decide(), story.decide());
    }

    #[test]
    fn more_traffic_never_turns_keep_into_nap(story in any_story(), index in any::<usize>(), more in 0.0..1e6f64) {
        let busier = story.but(|it| {
            let points = &mut it.network_in.points;
            if !points.is_empty() {
                let index = index % points.len();
                points[index].value += more;
            }
        });
        prop_assert!(naps(&story) || !naps(&busier));
    }

    #[test]
    fn a_longer_idle_time_never_naps_earlier(story in any_story(), longer in 0i64..200) {
        // But for the sick: who was kept as a visitor's target may have been unreachable all along.
        let later = story.but(|it| it.policy.idle += minutes(longer)).decide();
        let naps_later = matches!(later, IdleDecision::Nap(NapReason::Idle { .. }));
        prop_assert!(naps(&story) || !naps_later);
    }
}

#[test]
fn the_random_stories_meet_naps_and_all_reasons_that_they_can() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut met = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..2_000 {
        let story = any_story().new_tree(&mut runner).unwrap().current();
        let name = match story.decide() {
            IdleDecision::Nap(NapReason::Idle { .. }) => "idle",
            IdleDecision::Keep(KeepReason::Recent { .. }) => "recent",
            IdleDecision::Keep(KeepReason::Active { .. }) => "active",
            IdleDecision::Keep(KeepReason::Busy { .. }) => "busy",
            IdleDecision::Keep(KeepReason::NoData { .. }) => "no data",
            IdleDecision::Keep(KeepReason::Visitors { .. }) => "visitors",
            _ => "other",
        };
        *met.entry(name).or_default() += 1;
    }
    for name in ["idle", "recent", "active", "busy", "no data", "visitors"] {
        assert!(met.get(name).is_some_and(|count| *count >= 20), "{name}: {met:?}");
    }
}
