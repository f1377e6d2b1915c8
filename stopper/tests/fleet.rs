//! Ticks over thousands of targets, whole and half-broken: over the simulated cloud, in tokio's paused time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use chrono::TimeDelta;
use common::{Lines, check_id};
use serde_json::{Value, json};
use shared::cloud::Metric;
use shared::config::Config;
use shared::model::{CheckKind, HealthCheckConfig, HealthCheckId, InstanceId, InstanceState, Point};
use shared::sim::{Phases, Sim};
use shared::trouble::{CloudError, Trouble};
use stopper::{Stopper, Summary};
use tokio::time::Instant;

/// Instances that have been up for a day, each found by its tag and seen by a health check of its own.
struct Fleet {
    sim: Sim,
    lines: Lines,
    ids: Vec<InstanceId>,
}

fn host(index: usize) -> String {
    format!("app{index}.example.com")
}

impl Fleet {
    /// `quiet` has the minutes since someone used it.
    fn of(count: usize, quiet: impl Fn(usize) -> i64) -> Self {
        let sim = Sim::new("2026-03-01T20:00:00Z".parse().unwrap());
        let now = sim.now();
        let ids = (0..count).map(|index| {
            let id = sim.add_instance(&host(index).parse().unwrap(), Phases::default());
            sim.change(&id, |it| {
                it.state = InstanceState::Running;
                it.launched_at = now - TimeDelta::days(1);
                it.tags.insert("catnap:health-check".into(), check_id(index).to_string());
            });
            let config = HealthCheckConfig::new(CheckKind::Http, 30, 3);
            sim.add_health_check(&check_id(index), config);
            sim.put(Metric::HealthStatus(check_id(index)), Point { at: now - TimeDelta::minutes(2), value: 1.0 });
            let network_in = Metric::NetworkIn { instance: id.clone(), period: TimeDelta::minutes(5) };
            let used = quiet(index) + 5;
            for ago in (1..=14).map(|number| number * 5).chain((used > 70).then_some(used)) {
                let value = if ago == used { 900_000.0 } else { 31_000.0 };
                sim.put(network_in.clone(), Point { at: now - TimeDelta::minutes(ago), value });
            }
            id
        });
        let ids = ids.collect();
        Self { sim, lines: Lines::default(), ids }
    }

    fn stopper(&self) -> Stopper<&Sim, &Lines> {
        let domain = |name: &str| (name == "CATNAP_APP_DOMAIN").then(|| "unused.example.com".into());
        Stopper::new(Config::read(domain).unwrap(), &self.sim, &self.lines)
    }

    async fn tick(&self) -> Result<Summary, CloudError> {
        tick(&self.stopper(), &self.sim).await
    }

    fn calls(&self, operation: &str) -> usize {
        self.sim.calls(operation, "")
    }

    fn stopped(&self) -> Vec<usize> {
        let stops = |index: &usize| self.sim.instance(&self.ids[*index]).state != InstanceState::Running;
        (0..self.ids.len()).filter(stops).collect()
    }

    fn records(&self, of: &str, value: &str) -> Vec<Value> {
        self.lines.0.lock().unwrap().iter().filter(|record| record[of] == value).cloned().collect()
    }
}

async fn tick(stopper: &Stopper<&Sim, &Lines>, sim: &Sim) -> Result<Summary, CloudError> {
    stopper.tick(sim.now(), Instant::now() + Duration::from_secs(300)).await
}

/// One in fifty has been quiet for longer than the idle time.
fn few_are_idle(index: usize) -> i64 {
    if index.is_multiple_of(50) { 90 } else { 30 }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_targets_take_ten_lists_eighty_reads_and_one_stop_each() {
    for (count, lists, reads) in [(100, 1, 3), (1_000, 1, 8), (10_000, 10, 80)] {
        let fleet = Fleet::of(count, few_are_idle);
        let began = Instant::now();
        let summary = fleet.tick().await.unwrap();
        let took = began.elapsed().as_secs();
        assert_eq!((summary.totals.targets, summary.totals.napped), (count, count / 50));
        assert_eq!((summary.totals.kept, summary.totals.postponed), (count - count / 50, 0));
        assert_eq!(fleet.stopped(), (0..count).step_by(50).collect::<Vec<_>>());
        assert_eq!((fleet.calls("DescribeInstances"), fleet.calls("GetMetricData")), (lists, reads));
        assert_eq!((fleet.calls("ListHealthChecks"), fleet.calls("GetHealthCheck ")), (lists, 0));
        assert_eq!(fleet.calls("StopInstances"), count / 50);
        // What AWS's buckets make of it: 80,000 datapoints a second, then 40 stops at once and 4 a second.
        assert!(took <= if count < 10_000 { 6 } else { 60 + 40 }, "{count} targets: {took} s");
        let answer = serde_json::to_string(&summary).unwrap();
        assert!(answer.len() < 400_000, "Lambda answers with 6 MB at most: {}", answer.len());
        assert_eq!(summary.records.len() + summary.more_records, count);
        assert_eq!(fleet.lines.0.lock().unwrap().len(), count + 1, "and the log has all of them");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mornings_windows_do_not_hold_up_the_stops() {
    let fleet = Fleet::of(400, |_| 90);
    for id in &fleet.ids[..350] {
        fleet.sim.change(id, |it| {
            it.state = InstanceState::Stopped;
            it.tags.insert("catnap:keep-awake".into(), "Sun 19:55-23:00 UTC".into());
        });
    }
    let summary = fleet.tick().await.unwrap();
    assert_eq!(summary.totals.napped, 50);
    assert!(summary.totals.woken > 200, "{:?}", summary.totals);
    assert_eq!(summary.totals.woken + summary.totals.postponed, 350, "the others at the next tick");
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_time_for_is_postponed_and_stopped_first_by_the_next_tick() {
    let longer_and_longer = |index: usize| 90 + i64::try_from(index % 700).unwrap();
    let fleet = Fleet::of(2_100, longer_and_longer);
    let stopper = fleet.stopper();
    let mut expected: Vec<_> = (0..2_100).collect();
    expected.sort_by_key(|index| std::cmp::Reverse(index % 700));
    let mut before = Vec::new();
    for rest in [true, true, false] {
        let summary = tick(&stopper, &fleet.sim).await.unwrap();
        let after = fleet.stopped();
        assert!(after.len() - before.len() <= 40 + 4 * 250, "{}", after.len() - before.len());
        assert_eq!(summary.totals.napped, after.len() - before.len());
        assert_eq!((summary.totals.postponed, summary.totals.failed), (2_100 - after.len(), 0));
        assert_eq!(summary.totals.postponed > 0, rest);
        // Of those that have been quiet for equally long it may be any.
        let quietest = |index: &usize| index % 700 > expected[after.len() - 1] % 700;
        assert!(expected.iter().filter(|index| quietest(index)).all(|index| after.contains(index)));
        before = after;
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    assert_eq!(fleet.calls("StopInstances"), 2_100, "each once");
    let postponed = fleet.records("outcome", "postponed");
    assert_eq!((&postponed[0]["reason"], &postponed[0]["Naps"]), (&json!("idle"), &Value::Null));
    assert_eq!(postponed[0]["would_change"], "the next tick stops it, among the first");
}

#[tokio::test(start_paused = true)]
async fn what_ec2_refuses_at_every_tick_does_not_use_up_the_others_time() {
    let fleet = Fleet::of(2_600, |index| if index < 900 { 600 } else { 90 });
    let stopper = fleet.stopper();
    for _ in 0..900 {
        fleet.sim.fail_next("StopInstances", Trouble::StopProtected);
    }
    // There is time for some 980 stops in each tick.
    for _ in 0..3 {
        tick(&stopper, &fleet.sim).await.unwrap();
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    let stopped = fleet.stopped();
    assert_eq!(stopped.iter().filter(|index| **index >= 900).count(), 1_700);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_midway_leaves_those_before_it_to_their_decision() {
    let fleet = Fleet::of(100, few_are_idle);
    fleet.sim.set_page_size(30);
    fleet.sim.fail_after("DescribeInstances", 2, Trouble::Throttled);
    let error = fleet.tick().await.unwrap_err();
    assert_eq!((error.operation, error.trouble), ("DescribeInstances", Trouble::Throttled));
    assert_eq!(fleet.stopped(), [0, 50]);
    assert_eq!(fleet.records("decision", "keep").len(), 58);
    let failures = fleet.records("level", "ERROR");
    assert_eq!((failures.len(), &failures[0]["TickFailed"]), (1, &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_an_unlisted_instance_may_carry_is_looked_up_before_its_nap() {
    let fleet = Fleet::of(60, few_are_idle);
    fleet.sim.change(&fleet.ids[59], |it| {
        it.tags.insert("catnap:host".into(), host(0));
    });
    fleet.sim.set_page_size(55);
    fleet.sim.fail_after("DescribeInstances", 1, Trouble::Unreachable);
    fleet.tick().await.unwrap_err();
    assert_eq!(fleet.stopped(), [50], "neither of the two could be woken");
    assert_eq!(fleet.records("App", &host(0))[0]["reason"], "failover-off");
    assert_eq!(fleet.records("App", &host(0))[0]["because"], "shared-name");

    // One of another pair's does not count: the starter would not find it.
    let fleet = Fleet::of(60, few_are_idle);
    fleet.sim.change(&fleet.ids[59], |it| {
        it.tags.insert("catnap:host".into(), host(0));
        it.tags.insert("catnap:fleet".into(), "staging".into());
    });
    fleet.sim.set_page_size(55);
    fleet.sim.fail_after("DescribeInstances", 1, Trouble::Unreachable);
    fleet.tick().await.unwrap_err();
    assert_eq!(fleet.stopped(), [0, 50]);

    // When that cannot be looked up either, it waits for the next tick.
    let fleet = Fleet::of(60, few_are_idle);
    fleet.sim.set_page_size(55);
    fleet.sim.fail_after("DescribeInstances", 1, Trouble::Unreachable);
    fleet.sim.fail_next("DescribeInstances", Trouble::Throttled); // the call after that
    fleet.tick().await.unwrap_err();
    assert_eq!(fleet.stopped(), [50]);
    let record = &fleet.records("App", &host(0))[0];
    assert_eq!((&record["outcome"], &record["TickFailed"]), (&json!("postponed"), &Value::Null));
    assert!(record["error"].as_str().unwrap().starts_with("DescribeInstances"));
}

#[tokio::test(start_paused = true)]
async fn names_are_looked_up_no_faster_than_instances_are_stopped_and_none_that_could_not_be() {
    let fleet = Fleet::of(2_000, |_| 90);
    fleet.sim.set_page_size(1_900);
    fleet.sim.fail_after("DescribeInstances", 1, Trouble::Unreachable);
    fleet.tick().await.unwrap_err();
    let stopped = fleet.stopped().len();
    assert!((800..1_300).contains(&stopped), "{stopped} in 250 s, by 4 a second");
    assert_eq!(fleet.calls("DescribeInstances"), 2 + stopped);
}

#[tokio::test(start_paused = true)]
async fn metrics_that_cannot_be_read_keep_their_own_targets_and_no_others() {
    let fleet = Fleet::of(1_000, |_| 90);
    fleet.sim.fail_after("GetMetricData", 1, Trouble::Throttled);
    let error = fleet.tick().await.unwrap_err();
    assert_eq!(error.operation, "GetMetricData");
    let kept = fleet.records("decision", "keep");
    assert_eq!((kept.len(), fleet.stopped().len()), (250, 750));
    for record in &kept {
        assert_eq!((&record["reason"], &record["NoData"]), (&json!("no-data"), &json!(1)));
        assert!(record["error"].as_str().unwrap().starts_with("GetMetricData"));
    }
    assert_eq!(fleet.tick().await.unwrap().totals.napped, 250, "the next tick makes up for it");
}

#[tokio::test(start_paused = true)]
async fn metrics_that_could_only_be_read_too_late_are_not_waited_for() {
    let fleet = Fleet::of(4_000, |_| 90);
    let began = Instant::now();
    let error = fleet.stopper().tick(fleet.sim.now(), began + Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(error.message, "not called, since the tick's time for reading was over");
    assert!(began.elapsed().as_secs() <= 15, "{:?}", began.elapsed());
    let kept = fleet.records("reason", "no-data");
    assert!((1_000..4_000).contains(&kept.len()) && fleet.stopped().len() >= 40, "{}", kept.len());
    assert!(kept.iter().all(|record| record["error"].is_string()));
}

#[tokio::test(start_paused = true)]
async fn health_checks_of_a_page_that_fails_keep_their_own_targets() {
    let fleet = Fleet::of(100, |_| 90);
    fleet.sim.set_page_size(40);
    fleet.sim.fail_after("ListHealthChecks", 1, Trouble::Throttled);
    assert_eq!(fleet.tick().await.unwrap_err().operation, "ListHealthChecks");
    assert_eq!((fleet.stopped().len(), fleet.calls("GetHealthCheck ")), (40, 0));
    let kept = fleet.records("decision", "keep");
    assert!(kept.iter().all(|record| record["missing"] == "health-check" && record["error"].is_string()));
}

#[tokio::test(start_paused = true)]
async fn a_few_health_checks_are_read_one_by_one_and_one_that_is_not_there_is_no_failover() {
    for (count, gets, lists) in [(4, 4, 0), (5, 0, 1)] {
        let fleet = Fleet::of(count, |_| 90);
        fleet.sim.change(&fleet.ids[1], |it| {
            it.tags.insert("catnap:health-check".into(), "no-such-check".into());
        });
        assert_eq!(fleet.tick().await.unwrap().totals.napped, count - 1);
        assert_eq!((fleet.calls("GetHealthCheck "), fleet.calls("ListHealthChecks")), (gets, lists));
        let record = &fleet.records("App", &host(1))[0];
        assert_eq!(record["reason"], "failover-off");
    }
}

#[tokio::test(start_paused = true)]
async fn route_53_is_asked_twice_a_second() {
    let fleet = Fleet::of(100, |_| 90);
    fleet.sim.set_page_size(10);
    let began = Instant::now();
    fleet.stopper().tick(fleet.sim.now(), began + Duration::from_secs(300)).await.unwrap();
    let for_the_stops = (100 - 40) / 4;
    assert_eq!(began.elapsed().as_secs(), (10 - 2) / 2 + for_the_stops);
}

#[tokio::test(start_paused = true)]
async fn metrics_are_read_for_the_whole_idle_time_of_each_target() {
    let fleet = Fleet::of(2, |_| 90);
    for (index, minutes) in [(0, 95), (1, 215)] {
        let sick: HealthCheckId = format!("sick-{index}").parse().unwrap();
        let config = HealthCheckConfig::new(CheckKind::Http, 30, 3);
        fleet.sim.add_health_check(&sick, config);
        for ago in 1..=minutes {
            let at = fleet.sim.now() - TimeDelta::minutes(ago);
            fleet.sim.put(Metric::HealthStatus(sick.clone()), Point { at, value: 0.0 });
        }
        fleet.sim.change(&fleet.ids[index], |it| drop(it.tags.insert("catnap:health-check".into(), sick.to_string())));
    }
    // Three hours of NetworkIn for the second, which has been used an hour and a half ago.
    fleet.sim.change(&fleet.ids[1], |it| drop(it.tags.insert("catnap:idle-minutes".into(), "180".into())));
    for ago in 15..=40 {
        let network_in = Metric::NetworkIn { instance: fleet.ids[1].clone(), period: TimeDelta::minutes(5) };
        let at = fleet.sim.now() - TimeDelta::minutes(ago * 5);
        fleet.sim.put(network_in, Point { at, value: if ago == 19 { 900_000.0 } else { 31_000.0 } });
    }
    fleet.tick().await.unwrap();
    assert_eq!(fleet.records("App", &host(0))[0]["reason"], "sick");
    let second = &fleet.records("App", &host(1))[0];
    assert_eq!((&second["reason"], &second["bytes"]), (&json!("active"), &json!(900_000.0)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_about_what_is_kept_anyway() {
    let fleet = Fleet::of(30, |_| 90);
    for (index, id) in fleet.ids.iter().enumerate() {
        let now = fleet.sim.now();
        fleet.sim.change(id, |it| match index % 3 {
            0 => it.state = InstanceState::Stopped,
            1 => it.launched_at = now - TimeDelta::minutes(10),
            _ => drop(it.tags.insert("catnap:protect".into(), "true".into())),
        });
    }
    assert_eq!(fleet.tick().await.unwrap().totals.kept, 20);
    assert_eq!((fleet.calls("GetMetricData"), fleet.calls("ListHealthChecks")), (0, 0));
    assert_eq!((fleet.records("reason", "recent").len(), fleet.records("reason", "protected").len()), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_starter_would_not_find_is_no_way_to_be_woken() {
    let fleet = Fleet::of(3, |_| 90);
    for (index, name) in ["App0.Example.com", "app1.example.com."].into_iter().enumerate() {
        fleet.sim.change(&fleet.ids[index], |it| {
            it.tags.insert("catnap:host".into(), name.into());
        });
    }
    fleet.tick().await.unwrap();
    assert_eq!(fleet.stopped(), [2]);
    let warning = &fleet.records("App", "App0.Example.com")[0]["warnings"][0];
    assert!(warning.as_str().unwrap().ends_with("it takes a host name in lower case such as app.example.com"));
}
