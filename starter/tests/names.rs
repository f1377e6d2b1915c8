//! One starter for thousands of host names: what it asks EC2 for one of them, and for names that nobody carries.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{API, APP, World, ask, status, visit, wake};
use serde_json::{Value, json};
use shared::sim::Phases;

/// The page's poll for this app, at the API's own origin.
fn poll(app: &str) -> Value {
    let mut event = status();
    event["requestContext"]["domainName"] = json!(API);
    event["rawQueryString"] = json!(format!("app={app}"));
    event["queryStringParameters"] = json!({"app": app});
    event
}

#[tokio::test]
async fn a_visitor_of_one_among_thousands_costs_one_call() {
    let world = World::new().with("CATNAP_INSTANCE_ID", "");
    for number in 0..2_500 {
        world.sim.add_instance(&format!("app{number}.example.com").parse().unwrap(), Phases::default());
    }
    let starter = world.starter();
    let calls = || world.sim.calls("DescribeInstances", "");
    assert_eq!(ask(&starter, &world.sim, poll(APP)).await.json()["reason"], "asleep");
    assert_eq!(ask(&starter, &world.sim, poll(APP)).await.json()["reason"], "asleep");
    assert_eq!(calls(), 1, "and looks no more often than every two seconds");
    assert_eq!(ask(&starter, &world.sim, poll("app2400.example.com")).await.json()["reason"], "asleep");
    assert_eq!(calls(), 2);
    world.seconds(2);
    ask(&starter, &world.sim, poll(APP)).await;
    assert_eq!(calls(), 3);
}

#[tokio::test]
async fn made_up_names_do_not_use_up_the_accounts_calls() {
    let world = World::new().with("CATNAP_INSTANCE_ID", "");
    let starter = world.starter();
    let calls = || world.sim.calls("DescribeInstances", "");
    ask(&starter, &world.sim, poll(APP)).await;
    world.seconds(60);
    for number in 0..50 {
        let answer = ask(&starter, &world.sim, poll(&format!("made-up{number}.example.com"))).await.json();
        assert_eq!(answer["reason"], if number < 5 { "unknown-host" } else { "unclear" });
    }
    assert_eq!(calls(), 1 + 5);
    // A name that has been seen is looked up all the same.
    assert_eq!(ask(&starter, &world.sim, poll(APP)).await.json()["reason"], "asleep");
    assert_eq!(calls(), 1 + 5 + 1);
    world.seconds(2);
    assert_eq!(ask(&starter, &world.sim, poll("made-up9.example.com")).await.json()["reason"], "unknown-host");
}

#[tokio::test]
async fn made_up_names_keep_nobody_from_an_app_that_is_visited_by_its_own_name() {
    let world = World::new().with("CATNAP_INSTANCE_ID", "");
    let starter = world.starter();
    for number in 0..10 {
        ask(&starter, &world.sim, poll(&format!("made-up{number}.example.com"))).await;
    }
    let page = ask(&starter, &world.sim, visit()).await;
    assert!(page.text.contains("is asleep"), "{}", page.text);
    assert_eq!(ask(&starter, &world.sim, wake()).await.json()["reason"], "waking");
}
