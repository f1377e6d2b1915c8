//! Leading visitors by the health check around naps (`Steer`): ticks over the simulated cloud.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
#[path = "common/led.rs"]
mod led;

use std::time::Duration;

use chrono::TimeDelta;
use common::check_id;
use led::World;
use serde_json::Value;
use shared::cloud::{Cloud, Metric};
use shared::model::InstanceState;
use shared::sim::Phases;
use shared::steer::{Lead, Stance};
use shared::trouble::Trouble;
use tokio::time::Instant;

fn told(record: &Value) -> (&str, &str, &str) {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    (text("decision"), text("reason"), text("outcome"))
}

#[tokio::test]
async fn visitors_are_led_away_before_a_nap_and_not_led_back_by_it() {
    let world = World::new();
    assert_eq!(told(&world.tick().await), ("nap", "idle", "draining"));
    let began = world.now();
    assert_eq!((world.stance().await, world.state()), (Stance::Away { since: began }, InstanceState::Running));
    let record = world.five_minutes_later().await;
    assert_eq!((told(&record), &record["led"]["to"]), (("nap", "idle", "stopped"), &"away".into()));
    assert!(matches!(world.stance().await, Stance::Closed { .. }), "until the next start");
    assert_eq!(world.state(), InstanceState::Stopping);
    let (marks, sets) = (world.sim.calls("ChangeTagsForResource", ""), world.sim.calls("UpdateHealthCheck", ""));
    assert_eq!((marks, sets), (2, 2));
    world.sim.advance(TimeDelta::minutes(60));
    assert_eq!(told(&world.tick().await), ("skip", "not-running", "left"));
    assert!(matches!(world.stance().await, Stance::Closed { .. }));
}

#[tokio::test]
async fn a_nap_waits_until_metrics_are_known_of_the_time_when_all_had_let_go() {
    let world = World::new();
    world.tick().await;
    world.sim.advance(TimeDelta::minutes(5)); // NetworkIn is as old as before
    assert_eq!(told(&world.tick().await), ("nap", "idle", "draining"));
    world.sim.advance(TimeDelta::minutes(5));
    world.traffic(10, 700.0);
    assert_eq!(told(&world.tick().await), ("nap", "idle", "stopped"));
}

#[tokio::test]
async fn who_came_in_the_blind_spot_is_seen_and_the_checkers_take_over_again() {
    let world = World::new();
    world.tick().await;
    world.sim.advance(TimeDelta::minutes(5));
    world.traffic(5, 90_000.0); // came before the traffic was led away, and could not be seen yet
    assert_eq!(told(&world.tick().await), ("keep", "active", "left"));
    assert_eq!((world.stance().await, world.state()), (Stance::Checked, InstanceState::Running));
}

#[tokio::test]
async fn a_visitor_whom_the_starter_led_home_keeps_it_awake() {
    let world = World::new();
    world.tick().await;
    world.sim.advance(TimeDelta::minutes(2));
    world.lead(Lead::Home).await;
    world.sim.count(Metric::Visits("app.example.com".parse().unwrap()), 1.0); // as the starter does
    world.sim.advance(TimeDelta::minutes(3));
    world.traffic(5, 700.0);
    let record = world.tick().await;
    assert_eq!(told(&record), ("keep", "visitors", "left"));
    assert!(matches!(world.stance().await, Stance::Home { .. }), "for some minutes");
    for _ in 0..11 {
        world.sim.advance(TimeDelta::minutes(5));
        world.quiet(5);
        assert_eq!(told(&world.tick().await), ("keep", "visitors", "left"), "for the whole idle time");
        assert_eq!((world.stance().await, world.state()), (Stance::Checked, InstanceState::Running));
    }
    world.sim.advance(TimeDelta::minutes(5));
    world.quiet(5);
    assert_eq!(told(&world.tick().await), ("nap", "idle", "draining"));
}

#[tokio::test]
async fn a_visitor_between_the_look_and_the_stop_is_not_shut_out() {
    let world = World::new();
    world.tick().await;
    world.sim.advance(TimeDelta::minutes(5));
    world.traffic(5, 700.0);
    // The starter leads home after the tick has read the health check: simulated by another version.
    world.sim.fail_next("UpdateHealthCheck", Trouble::Outdated);
    let record = world.tick().await;
    assert_eq!((told(&record).2, world.state()), ("refused", InstanceState::Running));
    world.lead(Lead::Home).await;
    assert_eq!(told(&world.tick().await), ("keep", "visitors", "left"));
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_made() {
    let world = World::new();
    world.sim.lose_next_answer();
    assert_eq!(told(&world.tick().await), ("nap", "idle", "draining"));
    assert!(matches!(world.stance().await, Stance::Away { .. }));
    world.sim.lose_next_answer();
    assert_eq!(told(&world.five_minutes_later().await), ("nap", "idle", "stopped"));
    assert_eq!((world.sim.calls("UpdateHealthCheck", ""), world.state()), (4, InstanceState::Stopping));
}

#[tokio::test]
async fn of_two_who_steer_at_once_the_one_that_comes_first_is_known_for_it() {
    for [first, second] in [[Lead::Home, Lead::Closed], [Lead::Closed, Lead::Home], [Lead::Home, Lead::Home]] {
        let world = World::new();
        world.lead(Lead::Away).await;
        let seen = world.steering().await;
        let [won, lost] = [first, second].map(async |lead| {
            (&world.sim).steer(&check_id(0), &seen, lead, world.now()).await.map_err(|error| error.trouble)
        });
        assert_eq!((won.await, lost.await), (Ok(()), Err(Trouble::Outdated)));
        let since = world.now();
        let stance = if first == Lead::Home { Stance::Home { since } } else { Stance::Closed { since } };
        assert_eq!(world.stance().await, stance, "{first:?} before {second:?}");
    }
}

#[tokio::test]
async fn what_a_person_set_is_left_alone_and_no_nap_comes_of_it() {
    for (disabled, inverted) in [(true, false), (true, true), (false, true)] {
        let world = World::new();
        world.sim.set_health_check(&check_id(0), disabled, inverted);
        let before = world.steering().await;
        assert_eq!(told(&world.tick().await), ("keep", "failover-off", "left"));
        assert_eq!((world.steering().await, world.sim.calls("UpdateHealthCheck", "")), (before, 0));
    }
    let world = World::new();
    world.tick().await;
    world.sim.set_health_check(&check_id(0), true, false); // in the middle of a drain
    assert_eq!(told(&world.five_minutes_later().await), ("keep", "failover-off", "left"));
}

#[tokio::test]
async fn what_was_left_steered_is_put_right_by_the_next_tick() {
    // The instance was started by hand, and no visitor came.
    let world = World::new();
    world.lead(Lead::Closed).await;
    let now = world.now();
    world.sim.change(&world.id, |it| it.launched_at = now - TimeDelta::minutes(6));
    assert_eq!(told(&world.tick().await), ("keep", "recent", "left"));
    assert_eq!(world.stance().await, Stance::Checked);
    // It crashed while the health check counted as healthy whatever it did.
    let world = World::new();
    world.lead(Lead::Home).await;
    world.sim.change(&world.id, |it| it.state = InstanceState::Stopped);
    world.tick().await;
    assert!(matches!(world.stance().await, Stance::Closed { .. }));
}

/// Another instance that carries the app's name, and sleeps.
fn another_of_that_name(world: &World) {
    world.sim.add_instance(&"app.example.com".parse().unwrap(), Phases::default());
}

#[tokio::test]
async fn what_was_left_steered_is_put_right_where_another_carries_that_name_too() {
    for lead in [Lead::Away, Lead::Closed, Lead::Home] {
        let world = World::new();
        let stopper = world.stopper_of(None, "true");
        world.lead(lead).await;
        let began = world.now();
        another_of_that_name(&world);
        let by_id = |records: &[Value]| records.iter().rfind(|it| it["instance"] == *world.id.as_str()).cloned();
        for (minutes, still_home) in [(1, lead == Lead::Home), (6, false)] {
            world.sim.advance(TimeDelta::minutes(minutes) - (world.now() - began));
            world.tick_of(&stopper).await;
            let record = by_id(&world.lines.0.lock().unwrap()).unwrap();
            assert_eq!((told(&record), &record["because"]), (("keep", "failover-off", "left"), &"shared-name".into()));
            let stance = world.stance().await;
            let is_it = if still_home { matches!(stance, Stance::Home { .. }) } else { stance == Stance::Checked };
            assert!(is_it, "{stance:?} {minutes} min after {lead:?}");
        }
    }
}

#[tokio::test]
async fn a_drain_ends_where_the_name_turns_out_to_be_shared_right_before_the_nap() {
    let world = World::new();
    let stopper = world.stopper_of(None, "true");
    assert_eq!(told(&world.tick_of(&stopper).await), ("nap", "idle", "draining"));
    another_of_that_name(&world);
    world.sim.set_page_size(1);
    world.sim.fail_after("DescribeInstances", 1, Trouble::Unreachable); // the other one is not listed
    world.sim.advance(TimeDelta::minutes(5));
    world.traffic(5, 700.0);
    stopper.tick(world.now(), Instant::now() + Duration::from_secs(300)).await.unwrap_err();
    assert_eq!((world.stance().await, world.state()), (Stance::Checked, InstanceState::Running));
}

#[tokio::test]
async fn a_stop_that_ec2_refuses_does_not_keep_visitors_away() {
    let world = World::new();
    world.tick().await;
    world.sim.fail_next("StopInstances", Trouble::StopProtected);
    assert_eq!(told(&world.five_minutes_later().await), ("keep", "protected", "refused"));
    assert_eq!(world.stance().await, Stance::Checked);
}

#[tokio::test]
async fn what_ec2_will_not_stop_is_not_led_away_at_every_other_tick() {
    let world = World::new();
    let stopper = world.stopper("true");
    world.sim.refuse("StopInstances", Some(Trouble::StopProtected));
    let mut outcomes = Vec::new();
    for _ in 0..8 {
        let record = world.tick_of(&stopper).await;
        outcomes.push(told(&record).2.to_owned());
        world.sim.advance(TimeDelta::minutes(5));
        world.quiet(5);
    }
    assert_eq!(outcomes[..2], ["draining", "refused"]);
    assert!(outcomes[2..].iter().all(|outcome| outcome == "refused"), "{outcomes:?}");
    assert_eq!((world.stance().await, world.sim.calls("ChangeTagsForResource", "")), (Stance::Checked, 2));
    world.sim.refuse("StopInstances", None);
    assert_eq!(told(&world.tick_of(&stopper).await), ("nap", "idle", "stopped"));
}

#[tokio::test]
async fn what_route_53_refused_is_led_away_before_its_nap_all_the_same() {
    for trouble in [Trouble::Throttled, Trouble::Unexpected] {
        let world = World::new();
        let stopper = world.stopper("true");
        world.sim.fail_next("UpdateHealthCheck", trouble);
        assert_eq!(told(&world.tick_of(&stopper).await).2, "refused");
        assert_eq!(told(&world.tick_of(&stopper).await).2, "draining");
    }
}

#[tokio::test]
async fn each_call_can_fail_and_two_ticks_later_it_naps() {
    for operation in ["ChangeTagsForResource", "UpdateHealthCheck", "GetHealthCheck", "ListTagsForResource"] {
        for trouble in [Trouble::Throttled, Trouble::Unreachable, Trouble::Unexpected, Trouble::Outdated] {
            for ticks_before in 0..2 {
                let world = World::new();
                for _ in 0..ticks_before {
                    world.tick().await;
                    world.sim.advance(TimeDelta::minutes(5));
                    world.traffic(5, 700.0);
                }
                world.sim.fail_next(operation, trouble);
                world.tick().await;
                for _ in 0..2 {
                    world.five_minutes_later().await;
                }
                let what = format!("{operation} {trouble:?} after {ticks_before} ticks");
                assert_ne!(world.state(), InstanceState::Running, "{what}");
                assert!(matches!(world.stance().await, Stance::Closed { .. }), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_role_that_may_not_steer_naps_as_it_would_without_and_says_so() {
    let world = World::new();
    world.sim.fail_next("ChangeTagsForResource", Trouble::NotPermitted);
    let record = world.tick().await;
    assert_eq!((told(&record), &record["SteerFailed"]), (("nap", "idle", "stopped"), &1.into()));
    assert!(record["error"].as_str().unwrap().starts_with("ChangeTagsForResource"));
}

#[tokio::test]
async fn a_role_that_may_not_steer_naps_nothing_that_would_count_as_healthy_for_ever() {
    let world = World::new();
    world.lead(Lead::Home).await;
    world.sim.refuse("ChangeTagsForResource", Some(Trouble::NotPermitted));
    world.sim.refuse("UpdateHealthCheck", Some(Trouble::NotPermitted));
    for _ in 0..11 {
        world.five_minutes_later().await; // the checkers cannot take over
    }
    for _ in 0..2 {
        let record = world.five_minutes_later().await;
        assert_eq!(
            (told(&record), &record["because"]),
            (("keep", "failover-off", "left"), &"health-check-disabled".into())
        );
        assert_eq!(
            (&record["FailoverOff"], &record["SteerFailed"], world.state()),
            (&1.into(), &1.into(), InstanceState::Running)
        );
    }
    for operation in ["ChangeTagsForResource", "UpdateHealthCheck"] {
        world.sim.refuse(operation, None);
    }
    assert_eq!(told(&world.tick().await), ("nap", "idle", "draining"), "the role has been mended");
}

#[tokio::test]
async fn what_passes_by_itself_rings_no_alarm_of_steering() {
    for (trouble, rings) in [(Trouble::Throttled, false), (Trouble::Unexpected, true)] {
        let world = World::new();
        world.sim.fail_next("UpdateHealthCheck", trouble);
        let record = world.tick().await;
        assert_eq!((told(&record).2, &record["TickFailed"]), ("refused", &1.into()));
        assert_eq!(record.get("SteerFailed").is_some(), rings, "{trouble:?}");
    }
}

#[tokio::test]
async fn an_app_that_is_kept_away_for_long_is_counted() {
    let world = World::new();
    world.lead(Lead::Away).await;
    world.sim.advance(TimeDelta::hours(1));
    world.sim.fail_next("UpdateHealthCheck", Trouble::Throttled);
    assert_eq!(world.tick().await["SteerFailed"], 1);
}

#[tokio::test]
async fn a_tick_that_ended_between_door_and_stop_is_followed_by_a_new_drain() {
    let world = World::new();
    world.lead(Lead::Closed).await;
    world.sim.advance(TimeDelta::minutes(5));
    world.traffic(5, 700.0);
    assert_eq!(told(&world.tick().await), ("nap", "idle", "draining"));
    assert!(matches!(world.stance().await, Stance::Away { .. }), "whoever came since may come in");
    assert_eq!(told(&world.five_minutes_later().await), ("nap", "idle", "stopped"));
}

#[tokio::test]
async fn it_naps_as_well_where_route_53_counts_a_change_of_nothing_for_none() {
    let world = World::new();
    world.sim.count_changes_alone();
    assert_eq!(told(&world.tick().await), ("nap", "idle", "draining"));
    assert_eq!(told(&world.five_minutes_later().await), ("nap", "idle", "stopped"));
    assert!(matches!(world.stance().await, Stance::Closed { .. }), "the mark says so, by the version that it has");
}

#[tokio::test]
async fn whom_a_hand_has_stranded_rings() {
    let world = World::new();
    world.lead(Lead::Closed).await;
    world.sim.change(&world.id, |it| it.state = InstanceState::Stopped);
    assert_eq!(world.tick().await.get("FailoverOff"), None);
    world.sim.set_health_check(&check_id(0), true, false);
    let record = world.tick().await;
    assert_eq!((told(&record), &record["FailoverOff"]), (("skip", "not-running", "left"), &1.into()));
    assert!(record["would_change"].as_str().unwrap().starts_with("no visitor can wake it"));
}

#[tokio::test]
async fn without_steer_and_in_a_dry_run_nothing_is_led() {
    let world = World::new();
    world.stopper("false").tick(world.now(), Instant::now() + Duration::from_secs(300)).await.unwrap();
    assert_eq!((world.state(), world.sim.calls("UpdateHealthCheck", "")), (InstanceState::Stopping, 0));
    assert_eq!(world.sim.calls("ListTagsForResource", ""), 0);
}
