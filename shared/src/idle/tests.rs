use super::*;
use crate::model::{CheckKind, Point};

mod outlook;
mod properties;
mod steered;
mod timelines;

/// The world of one target, in minutes before `now`.
#[derive(Debug, Clone)]
struct Story {
    now: DateTime<Utc>,
    instance: Instance,
    policy: Policy,
    protect: bool,
    hold: bool,
    keep_awake: Windows,
    keep_awake_until: Option<DateTime<Utc>>,
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
    HealthCheckConfig::new(CheckKind::Http, 30, 3)
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
            stopped_at: None,
            launched_at: noon() - TimeDelta::days(1),
            public_address: None,
            tags: std::collections::BTreeMap::new(),
            detailed_monitoring: false,
            spot: false,
            instance_store_root: false,
        },
        policy: Policy {
            idle: minutes(60),
            activity_bytes: None,
            boot_deadline: minutes(5),
            on_sick: OnSick::Nap,
            steer: false,
        },
        protect: false,
        hold: false,
        keep_awake: Windows::default(),
        keep_awake_until: None,
        health_check: HealthCheck::Seen { config: check(), status: points(1, 180, 3, 1.0) },
        network_in: points(5, 180, 5, NOISE),
        visits: Some(Series::empty(minutes(1))),
        busy: Some(Series::empty(minutes(1))),
    }
}

impl Story {
    fn decide(&self) -> IdleDecision {
        decide(&self.facts())
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.now,
            instance: &self.instance,
            policy: self.policy,
            protect: self.protect,
            hold: self.hold,
            keep_awake: &self.keep_awake,
            keep_awake_until: self.keep_awake_until,
            health_check: &self.health_check,
            network_in: &self.network_in,
            visits: self.visits.as_ref(),
            busy: self.busy.as_ref(),
        }
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

/// Stopped three hours ago; noon is on a Sunday.
fn asleep(keep_awake: &str) -> Story {
    idle().but(|it| {
        it.instance.state = InstanceState::Stopped;
        it.instance.stopped_at = Some(noon() - minutes(180));
        it.keep_awake = keep_awake.parse().unwrap();
    })
}

#[test]
fn row_0_what_sleeps_when_a_window_begins_is_woken() {
    let story = asleep("Sun 10:00-14:00 UTC");
    let (since, until) = (noon() - minutes(120), Some(noon() + minutes(120)));
    assert_eq!(story.decide(), IdleDecision::Wake(WakeReason::Window { since, until }));
    let left = |story: &Story| {
        assert_eq!(story.decide(), IdleDecision::Skip(SkipReason::NotRunning { state: story.instance.state }));
    };
    left(&asleep("Sun 12:01-14:00 UTC"));
    left(&asleep("Sun 10:00-12:00 UTC"));
    left(&story.but(|it| it.instance.state = InstanceState::Stopping));
    left(&story.but(|it| it.hold = true));
    // Stopped by a person inside the window, by nobody knows when, or by EC2 after a failed start inside it.
    left(&story.but(|it| it.instance.stopped_at = Some(since)));
    left(&story.but(|it| it.instance.stopped_at = None));
    left(&story.but(|it| it.instance.launched_at = since));
    // A window that never ends has no beginning to wake at.
    left(&asleep("00:00-24:00 UTC"));
    // Stopped by hand on Saturday, inside a window that goes on since Saturday.
    left(&asleep("Sat-Sun 00:00-24:00 UTC"));
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
fn row_3_inside_a_window_or_before_a_time_it_is_kept() {
    let window = |text: &str| idle().but(|it| it.keep_awake = text.parse().unwrap());
    let until = Some(noon() + minutes(120));
    assert_eq!(kept(&window("Sun 10:00-14:00 UTC")), KeepReason::Window { until });
    assert_eq!(kept(&window("00:00-24:00 UTC")), KeepReason::Window { until: None });
    assert!(matches!(window("Sun 10:00-12:00 UTC").decide(), IdleDecision::Nap(_)), "it naps when its window ends");
    assert!(matches!(window("Sun 12:11-14:00 UTC").decide(), IdleDecision::Nap(_)));
    assert_eq!(kept(&window("Sun 12:01-14:00 UTC")), KeepReason::Window { until }, "its stop could come inside of it");
    let until = |ago| idle().but(|it| it.keep_awake_until = Some(noon() - minutes(ago)));
    assert_eq!(kept(&until(-1)), KeepReason::Until { until: noon() + minutes(1) });
    assert!(matches!(until(0).decide(), IdleDecision::Nap(_)));
    // It holds for the sick as well: someone may be mending it.
    let sick = window("Sun 10:00-14:00 UTC").but(|it| it.status(points(1, 180, 3, 0.0)));
    assert!(matches!(kept(&sick), KeepReason::Window { .. }));
}

#[test]
fn row_4_what_was_started_within_the_idle_time_is_kept() {
    let launched = |ago| idle().but(|it| it.instance.launched_at = noon() - minutes(ago));
    assert_eq!(kept(&launched(59)), KeepReason::Recent { launched_at: noon() - minutes(59) });
    // An hour ago, and known to be quiet for 55 minutes of it only.
    assert_eq!(kept(&launched(60)), KeepReason::Recent { launched_at: noon() - minutes(60) });
    assert!(matches!(launched(65).decide(), IdleDecision::Nap(_)));
    // However short the idle time is, whoever woke it gets there: a boot and the hand-over take so long.
    let short = |ago| launched(ago).but(|it| it.policy.idle = minutes(5));
    assert_eq!(kept(&short(14)), KeepReason::Recent { launched_at: noon() - minutes(14) });
    assert!(matches!(short(15).decide(), IdleDecision::Nap(_)));
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
    assert_eq!(kept(&none), KeepReason::FailoverOff { because: Unwakeable::NoHealthCheck });
    let by_hand = [
        HealthCheckConfig { disabled: true, ..check() },
        HealthCheckConfig { inverted: true, ..check() },
        HealthCheckConfig { disabled: true, inverted: true, ..check() },
    ];
    for (config, says) in by_hand.into_iter().flat_map(|config| [(config, 0.0), (config, 1.0)]) {
        let status = points(1, 180, 3, says);
        let story = idle().but(|it| it.health_check = HealthCheck::Seen { config, status });
        assert_eq!(kept(&story), KeepReason::FailoverOff { because: Unwakeable::HealthCheckDisabled }, "{config:?}");
    }
    for because in [Unwakeable::NoName, Unwakeable::SharedName] {
        let unfindable = idle().but(|it| it.health_check = HealthCheck::OfNoUse(because));
        assert_eq!(kept(&unfindable), KeepReason::FailoverOff { because });
    }
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

fn naps(story: &Story) -> bool {
    matches!(story.decide(), IdleDecision::Nap(_))
}
