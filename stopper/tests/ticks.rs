//! A tick, from the targets to the stop: over the simulated cloud.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use chrono::TimeDelta;
use common::{Lines, check_id};
use serde_json::{Value, json};
use shared::cloud::Metric;
use shared::config::Config;
use shared::model::{CheckKind, HealthCheckConfig, InstanceId, InstanceState, Point};
use shared::sim::{Phases, Sim};
use shared::trouble::Trouble;
use stopper::{Outcome, Stopper, Summary};
use tokio::time::Instant;

/// Some instances that have been running quietly and healthily for five hours.
struct World {
    sim: Sim,
    lines: Lines,
    ids: Vec<InstanceId>,
    settings: Vec<(&'static str, String)>,
}

const QUIET: f64 = 31_000.0;

fn in_five_minutes() -> Instant {
    Instant::now() + Duration::from_secs(300)
}

impl World {
    fn of(count: usize) -> Self {
        let sim = Sim::new("2026-03-01T20:00:00Z".parse().unwrap());
        let ids = (0..count).map(|index| {
            let id = sim.add_instance(&format!("app{index}.example.com").parse().unwrap(), Phases::default());
            let launched_at = sim.now() - TimeDelta::hours(5);
            sim.change(&id, |it| {
                it.state = InstanceState::Running;
                it.launched_at = launched_at;
                it.tags.insert("catnap:health-check".into(), check_id(index).to_string());
            });
            let config = HealthCheckConfig::new(CheckKind::Http, 30, 3);
            sim.add_health_check(&check_id(index), config);
            id
        });
        let ids = ids.collect();
        let settings = vec![("CATNAP_APP_DOMAIN", "app0.example.com".into())];
        let world = Self { sim, lines: Lines::default(), ids, settings };
        for index in 0..count {
            world.traffic(index, |_| QUIET);
            world.health(index, 1.0);
        }
        world
    }

    fn one() -> Self {
        let mut world = Self::of(1);
        world.settings.push(("CATNAP_INSTANCE_ID", world.ids[0].to_string()));
        world.settings.push(("CATNAP_HEALTH_CHECK_ID", check_id(0).to_string()));
        world
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// NetworkIn of the last five hours, by minutes ago.
    fn traffic(&self, index: usize, bytes: impl Fn(i64) -> f64) {
        let metric = Metric::NetworkIn { instance: self.ids[index].clone(), period: TimeDelta::minutes(5) };
        for ago in (1..=60).map(|number| number * 5) {
            let at = self.sim.now() - TimeDelta::minutes(ago);
            self.sim.put(metric.clone(), Point { at, value: bytes(ago) });
        }
    }

    fn health(&self, index: usize, value: f64) {
        for ago in 1..=300 {
            let at = self.sim.now() - TimeDelta::minutes(ago);
            self.sim.put(Metric::HealthStatus(check_id(index)), Point { at, value });
        }
    }

    fn stopper(&self) -> Stopper<&Sim, &Lines> {
        let setting =
            |name: &str| self.settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        Stopper::new(Config::read(setting).unwrap(), &self.sim, &self.lines)
    }

    async fn tick(&self) -> Summary {
        self.stopper().tick(self.sim.now(), in_five_minutes()).await.unwrap()
    }

    fn state(&self, index: usize) -> InstanceState {
        self.sim.instance(&self.ids[index]).state
    }

    fn record(&self, app: &str) -> Value {
        self.lines.0.lock().unwrap().iter().find(|record| record["app"] == app).unwrap().clone()
    }
}

#[tokio::test]
async fn an_idle_instance_naps_with_its_reason() {
    let world = World::one();
    let summary = world.tick().await;
    assert_eq!((summary.totals.targets, summary.totals.napped, world.state(0)), (1, 1, InstanceState::Stopping));
    let record = world.record("app0.example.com");
    assert_eq!(
        (&record["decision"], &record["reason"], &record["outcome"]),
        (&json!("nap"), &json!("idle"), &json!("stopped"))
    );
    assert_eq!(record["quiet_seconds"], 5 * 3_600);
    assert_eq!((&record["Naps"], &record["App"]), (&json!(1), &json!("app0.example.com")));
    assert_eq!(record["would_change"], "a visit wakes it");
    assert_eq!(world.tick().await.totals.skipped, 1);
    world.sim.advance(TimeDelta::minutes(1));
    assert_eq!(world.state(0), InstanceState::Stopped);
}

#[tokio::test]
async fn hours_asleep_and_awake_and_what_they_save_stand_in_the_records() {
    let world = World::one().with("CATNAP_HOURLY_PRICE", "0.0416");
    world.tick().await;
    world.sim.advance(TimeDelta::minutes(150));
    let record = json!(world.tick().await.records[0]);
    // Awake for five hours until its stop, and asleep since.
    assert_eq!((&record["awake_minutes"], &record["asleep_minutes"]), (&json!(300), &json!(150)));
    assert_eq!((&record["asleep_since"], &record["saved"]), (&json!("2026-03-01T20:00:00Z"), &json!(0.104)));
    let text = serde_json::to_string(&world.tick().await).unwrap();
    for key in ["floor", "known_until", "state", "launched_at"] {
        assert!(text.matches(&format!("\"{key}\":")).count() <= 1, "twice the key {key}: {text}");
    }
}

#[tokio::test]
async fn no_record_has_a_key_twice() {
    for traffic in [QUIET, 500_000.0, 0.0] {
        let world = World::one();
        world.traffic(0, |ago| if ago < 100 { traffic } else { QUIET });
        if traffic == 0.0 {
            world.sim.set_metric_delay(TimeDelta::hours(1));
        }
        let text = serde_json::to_string(&world.tick().await).unwrap();
        for key in ["floor", "floor_from", "known_until", "quiet_since", "would_change", "naps_at_the_earliest"] {
            assert!(text.matches(&format!("\"{key}\":")).count() <= 1, "twice the key {key}: {text}");
        }
        assert!(text.contains("floor_from"));
    }
}

#[tokio::test]
async fn a_used_one_stays_and_the_record_says_until_when() {
    let world = World::one();
    world.traffic(0, |ago| if ago == 30 { 900_000.0 } else { 0.0 });
    let summary = world.tick().await;
    assert_eq!((summary.totals.kept, world.sim.calls("StopInstances", "")), (1, 0));
    let record = world.record("app0.example.com");
    assert_eq!((&record["reason"], &record["bytes"]), (&json!("active"), &json!(900_000.0)));
    assert_eq!(record["naps_at_the_earliest"], "2026-03-01T20:35:00Z");
    assert_eq!(record["would_change"], "naps at the first tick after 20:35 UTC if it stays quiet");
    assert_eq!((&record["health"], &record["floor_from"]), (&json!("healthy"), &json!("learned")));
    assert_eq!((&record["awake_minutes"], &record["asleep_minutes"]), (&json!(300), &Value::Null));
}

#[tokio::test]
async fn a_dry_run_decides_and_stops_nothing() {
    let world = World::one().with("CATNAP_DRY_RUN", "true");
    let summary = world.tick().await;
    assert_eq!((summary.totals.napped, summary.totals.dry_run, world.state(0)), (1, true, InstanceState::Running));
    assert_eq!(world.sim.calls("StopInstances", ""), 0);
    assert_eq!(world.record("app0.example.com")["outcome"], "dry-run");
}

#[tokio::test]
async fn each_tagged_instance_is_decided_on_its_own_and_in_one_call_for_all_metrics_of_a_region() {
    let world = World::of(7);
    world.traffic(1, |ago| 500_000.0 + (ago * 37 % 101) as f64 * 9_000.0); // up and down, as people are
    world.sim.change(&world.ids[2], |it| {
        it.tags.insert("catnap:protect".into(), "true".into());
    });
    world.sim.change(&world.ids[3], |it| {
        it.tags.insert("catnap:health-check".into(), "no-such-check".into());
    });
    world.sim.change(&world.ids[4], |it| {
        it.tags.insert("catnap:idle-minutes".into(), "soon".into());
    });
    world.sim.change(&world.ids[5], |it| {
        it.tags.insert("catnap:host".into(), "not a host".into());
    });
    world.sim.change(&world.ids[6], |it| it.state = InstanceState::Stopped);
    let summary = world.tick().await;
    assert_eq!(
        (summary.totals.targets, summary.totals.napped, summary.totals.kept, summary.totals.skipped),
        (7, 2, 4, 1)
    );
    let reason = |app: &str| world.record(app)["reason"].clone();
    assert_eq!(reason("app0.example.com"), "idle");
    assert_eq!(reason("app1.example.com"), "active");
    assert_eq!(reason("app2.example.com"), "protected");
    assert_eq!(reason("app3.example.com"), "failover-off");
    assert_eq!(reason("app4.example.com"), "idle");
    assert_eq!(reason("not a host"), "failover-off");
    assert_eq!(world.record("not a host")["because"], "no-name");
    assert_eq!(reason("app6.example.com"), "not-running");
    let warning = world.record("app4.example.com")["warnings"][0].clone();
    assert_eq!(
        warning,
        "tag catnap:idle-minutes is \"soon\": it takes minutes, a whole number from 5 to 10080 (a week)"
    );
    assert_eq!((world.sim.calls("DescribeInstances", ""), world.sim.calls("GetMetricData", "")), (1, 2));
}

#[tokio::test]
async fn a_pair_leaves_the_instances_of_another_fleet_alone() {
    let fleet = |world: &World, index: usize, name: &str| {
        world.sim.change(&world.ids[index], |it| {
            it.tags.insert("catnap:fleet".into(), name.into());
        });
    };
    for (own, naps) in [("", [2]), ("staging", [0]), ("production", [1])] {
        let world = World::of(3).with("CATNAP_FLEET", own);
        fleet(&world, 0, "staging");
        fleet(&world, 1, "production");
        assert_eq!(world.tick().await.totals.targets, 1);
        let stopping = (0..3).filter(|index| world.state(*index) == InstanceState::Stopping);
        assert_eq!(stopping.collect::<Vec<_>>(), naps, "{own:?}");
    }
    let by_id = World::one();
    fleet(&by_id, 0, "staging");
    assert_eq!(by_id.tick().await.totals.napped, 1);
}

#[tokio::test]
async fn two_instances_of_one_name_stay_up_since_neither_could_be_woken() {
    let world = World::of(3);
    world.sim.change(&world.ids[1], |it| {
        it.tags.insert("catnap:host".into(), "app0.example.com".into());
    });
    let summary = world.tick().await;
    assert_eq!((summary.totals.napped, summary.totals.kept), (1, 2));
    assert_eq!(world.state(2), InstanceState::Stopping);
    let record = world.record("app0.example.com");
    assert_eq!((&record["because"], &record["but_for"]), (&"shared-name".into(), &"shared-name".into()));
}

#[tokio::test]
async fn an_error_with_one_target_keeps_no_other_from_its_decision() {
    let world = World::of(3);
    world.sim.fail_next("GetHealthCheck", Trouble::Throttled);
    world.sim.fail_next("StopInstances", Trouble::Throttled);
    let summary = world.tick().await;
    assert_eq!((summary.totals.napped, summary.totals.kept, summary.totals.failed), (1, 1, 1));
    let kept = summary.records.iter().find(|it| it.outcome == Outcome::Left).unwrap();
    assert_eq!(json!(kept)["missing"], "health-check");
    assert!(kept.error.as_ref().unwrap().starts_with("GetHealthCheck"));
    // The next tick makes up for both.
    assert_eq!(world.tick().await.totals.napped, 2);
}

#[tokio::test]
async fn what_cannot_be_stopped_is_protected_and_no_failure() {
    for (trouble, by) in
        [(Trouble::StopProtected, "stop-protection"), (Trouble::Unsupported, "instance-store"), (Trouble::Spot, "spot")]
    {
        let world = World::one();
        world.sim.fail_next("StopInstances", trouble);
        assert_eq!(world.tick().await.totals.kept, 1);
        let record = world.record("app0.example.com");
        assert_eq!((&record["reason"], &record["by"]), (&json!("protected"), &json!(by)));
        assert!(record["TickFailed"].is_null());
    }
}

#[tokio::test]
async fn a_tick_that_cannot_look_fails_and_naps_nobody() {
    let world = World::of(2);
    world.sim.fail_next("DescribeInstances", Trouble::Unreachable);
    assert!(world.stopper().tick(world.sim.now(), in_five_minutes()).await.is_err());
    assert_eq!(world.lines.0.lock().unwrap().last().unwrap()["TickFailed"], 1);

    world.sim.fail_next("GetMetricData", Trouble::Throttled);
    assert!(world.stopper().tick(world.sim.now(), in_five_minutes()).await.is_err());
    let record = world.record("app1.example.com");
    assert_eq!((&record["reason"], &record["missing"]), (&json!("no-data"), &json!("network-in")));
    assert_eq!(world.sim.calls("StopInstances", ""), 0);
}

#[tokio::test]
async fn someone_who_waits_and_a_job_both_keep_it() {
    for (metric, reason) in [
        (Metric::Visits("app0.example.com".parse().unwrap()), "visitors"),
        (Metric::Busy("app0.example.com".parse().unwrap()), "busy"),
    ] {
        let world = World::one();
        world.sim.put(metric, Point { at: world.sim.now() - TimeDelta::minutes(20), value: 1.0 });
        world.tick().await;
        assert_eq!(world.record("app0.example.com")["reason"], reason);
    }
}

#[tokio::test]
async fn a_job_that_cannot_be_read_is_not_taken_for_none() {
    let world = World::one();
    world.sim.set_unreadable(Metric::Busy("app0.example.com".parse().unwrap()));
    assert_eq!(world.tick().await.totals.kept, 1);
    let record = world.record("app0.example.com");
    assert_eq!((&record["reason"], &record["missing"]), (&json!("no-data"), &json!("presence")));
}

#[tokio::test]
async fn an_instance_that_was_replaced_does_not_keep_its_successor() {
    let world = World::of(2);
    world.sim.change(&world.ids[1], |it| {
        it.tags.insert("catnap:host".into(), "app0.example.com".into());
        it.state = InstanceState::ShuttingDown;
    });
    assert_eq!(world.tick().await.totals.napped, 1);
}

#[tokio::test]
async fn a_tick_that_finds_nobody_says_so() {
    let world = World::of(0);
    assert_eq!(world.tick().await.totals.targets, 0);
    let lines = world.lines.0.lock().unwrap();
    assert_eq!((lines.len(), &lines[0]["targets"]), (1, &json!(0)));
}

#[tokio::test]
async fn a_health_check_that_was_disabled_or_inverted_since_the_last_tick_keeps_its_instance() {
    for (disabled, inverted) in [(true, false), (false, true)] {
        let world = World::one();
        world.traffic(0, |ago| if ago == 55 { 900_000.0 } else { QUIET });
        let stopper = world.stopper();
        let tick = async || stopper.tick(world.sim.now(), in_five_minutes()).await.unwrap().records.remove(0);
        assert_eq!(tick().await.outcome, Outcome::Left);
        world.sim.set_health_check(&check_id(0), disabled, inverted);
        world.traffic(0, |_| QUIET);
        assert_eq!((tick().await.outcome, world.state(0)), (Outcome::Left, InstanceState::Running));
        world.sim.set_health_check(&check_id(0), false, false);
        assert_eq!((tick().await.outcome, world.state(0)), (Outcome::Stopped, InstanceState::Stopping));
    }
}

#[tokio::test]
async fn an_instance_naps_by_its_own_idle_minutes() {
    let world = World::one();
    world.traffic(0, |ago| if ago == 30 { 900_000.0 } else { 0.0 });
    world.sim.change(&world.ids[0], |it| {
        it.tags.insert("catnap:idle-minutes".into(), "20".into());
    });
    assert_eq!(world.tick().await.totals.napped, 1);
}

#[tokio::test]
async fn a_window_wakes_what_sleeps_keeps_it_and_lets_it_nap_at_its_end() {
    // A Sunday, 20:00.
    let world = World::one().with("CATNAP_KEEP_AWAKE", "Sun 21:00-23:00 UTC");
    assert_eq!(world.tick().await.totals.napped, 1);
    world.sim.advance(TimeDelta::minutes(59));
    assert_eq!((world.tick().await.totals.skipped, world.state(0)), (1, InstanceState::Stopped));
    world.sim.advance(TimeDelta::minutes(1));
    assert_eq!((world.tick().await.totals.woken, world.state(0)), (1, InstanceState::Pending));
    let woken = world.lines.0.lock().unwrap().iter().rev().find(|record| record["decision"] == "wake").unwrap().clone();
    assert_eq!(
        (&woken["reason"], &woken["outcome"], &woken["Wakes"]),
        (&json!("window"), &json!("started"), &json!(1))
    );
    world.sim.advance(TimeDelta::minutes(119));
    assert_eq!(json!(world.tick().await.records[0])["reason"], "window");
    world.traffic(0, |_| QUIET);
    world.health(0, 1.0);
    world.sim.advance(TimeDelta::minutes(1));
    assert_eq!(world.tick().await.totals.napped, 1);
    // Stopped by hand inside the next window: it stays so.
    world.sim.change(&world.ids[0], |it| {
        it.tags.insert("catnap:keep-awake".into(), "Sun 22:30-23:30 UTC".into()).map_or((), drop)
    });
    assert_eq!(world.tick().await.totals.skipped, 1);
}

#[tokio::test]
async fn a_window_wakes_nothing_in_a_dry_run_and_a_refused_start_is_counted() {
    let world = World::one().with("CATNAP_KEEP_AWAKE", "Sun 19:00-23:00 UTC");
    world.sim.change(&world.ids[0], |it| {
        it.state = InstanceState::Stopped;
        it.stopped_at = Some(it.launched_at + TimeDelta::hours(1));
    });
    world.sim.fail_next("StartInstances", Trouble::Capacity);
    let summary = world.tick().await;
    assert_eq!((summary.totals.woken, summary.totals.failed), (0, 1));
    assert_eq!(world.record("app0.example.com")["WakeFailed"], 1);
    let world = world.with("CATNAP_DRY_RUN", "true");
    assert_eq!((world.tick().await.totals.woken, world.state(0)), (1, InstanceState::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_ec2_throttles_does_not_wait_for_the_next_tick() {
    for (throttled, woken) in [(2, 1), (3, 0)] {
        let world = World::one().with("CATNAP_KEEP_AWAKE", "Sun 19:00-23:00 UTC");
        world.sim.change(&world.ids[0], |it| {
            it.state = InstanceState::Stopped;
            it.stopped_at = Some(it.launched_at + TimeDelta::hours(1));
        });
        for _ in 0..throttled {
            world.sim.fail_next("StartInstances", Trouble::Throttled);
        }
        let totals = world.tick().await.totals;
        assert_eq!((totals.woken, totals.failed), (woken, 1 - woken));
        assert_eq!(world.sim.calls("StartInstances", ""), 3);
    }
}
