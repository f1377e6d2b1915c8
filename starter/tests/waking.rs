//! The waking table, through the handler: what a visitor sees, and what reaches the cloud.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{API, APP, World, ask, request, sample, status, visit, wake};
use serde_json::json;
use shared::model::{InstanceState, Probe};
use shared::trouble::Trouble;

#[tokio::test]
async fn from_the_first_click_to_the_app() {
    let world = World::new();
    let page = world.ask(visit()).await;
    assert_eq!((page.status, page.is_page(), world.starts()), (503, true, 0), "a GET wakes nothing");
    assert!(page.text.contains("app.example.com is asleep"), "{}", page.text);

    let woken = world.ask(wake()).await;
    assert_eq!((woken.status, woken.json()["phase"].clone(), world.starts()), (202, json!("waking"), 1));

    assert_eq!(world.ask(status()).await.json()["phase"], "booting");
    world.seconds(20);
    let starting = world.ask(status()).await.json();
    assert_eq!(
        (&starting["phase"], &starting["state"], &starting["ready"]),
        (&json!("starting"), &json!("running"), &json!(false))
    );
    assert_eq!((&starting["mood"], &starting["steps_done"]), (&json!("waking"), &json!(2)));
    assert_eq!((&starting["elapsed_seconds"], &starting["probe"]["seen"]), (&json!(20), &json!("refused")));
    world.seconds(25);
    let ready = world.ask(status()).await.json();
    assert_eq!((&ready["phase"], &ready["ready"], &ready["can_wake"]), (&json!("ready"), &json!(true), &json!(false)));

    let app = world.ask(visit()).await;
    assert_eq!((app.status, app.is_page()), (200, false), "{}", app.text);
    assert_eq!(world.sim.forwarded(), ["GET /reports/weekly?team=ops"]);
    assert_eq!(world.starts(), 1);
}

#[tokio::test]
async fn every_row_of_the_table_has_its_page_and_its_json() {
    let failure = |code: &'static str| {
        move |world: &World| {
            world.sim.change(&world.id, |it| {
                it.state_reason = Some(code.into());
                it.launched_at = world_start();
            })
        }
    };
    type Arrange = Box<dyn Fn(&World)>;
    let state = |state| -> Arrange { Box::new(move |world| world.sim.change(&world.id, |it| it.state = state)) };
    let running = |probe: Probe, age: i64| -> Arrange {
        Box::new(move |world| {
            world.sim.app_answers(&world.id, probe);
            world.sim.change(&world.id, |it| {
                it.state = InstanceState::Running;
                it.launched_at = world_start() - chrono::TimeDelta::seconds(age);
            });
        })
    };
    let tag = |value: &'static str| -> Arrange {
        Box::new(move |world| {
            world.sim.change(&world.id, |it| {
                it.tags.insert("catnap:hold".into(), value.into());
            })
        })
    };
    #[rustfmt::skip]
    let table: Vec<(&str, Arrange, u16, &str, &str)> = vec![
        // what                     world                                              page  reason            on the page
        ("terminated",              state(InstanceState::Terminated),                  500, "gone",           "does not exist any more"),
        ("shutting down",           state(InstanceState::ShuttingDown),                500, "gone",           "does not exist any more"),
        ("on hold for good",        tag("true"),                                       503, "on-hold",        "on hold"),
        ("on hold until",           tag("2026-03-01T12:00:00Z"),                       503, "on-hold",        "until 1 March 2026, 12:00 UTC"),
        ("start failed, lasting",   Box::new(failure("Client.InternalError")),         500, "start-failed",   "could not start"),
        ("start failed, passing",   Box::new(failure("Server.InsufficientInstanceCapacity")), 503, "start-failed", "tried again from 08:05 UTC on"),
        ("stopped",                 state(InstanceState::Stopped),                     503, "asleep",         "is asleep"),
        ("stopping",                state(InstanceState::Stopping),                    503, "falling-asleep", "just falling asleep"),
        ("pending",                 state(InstanceState::Pending),                     503, "booting",        "is booting"),
        ("running, app starts",     running(Probe::Unwell(502), 60),                   503, "starting-app",   "is starting"),
        ("running, app is late",    running(Probe::TlsFailed, 301),                    503, "overdue",        "TLS handshake fails"),
        ("running, app answers",    running(Probe::Ready, 60),                         503, "ready",          "is awake"),
    ];
    for (what, arrange, code, reason, words) in table {
        let world = World::new().with("CATNAP_HANDOFF", "poll"); // the bridge leads to the app instead
        arrange(&world);
        let page = world.ask(visit()).await;
        assert_eq!((page.status, page.is_page()), (code, true), "{what}");
        assert!(page.text.contains(words), "{what}: {}", page.text);
        assert_eq!(world.ask(status()).await.json()["reason"], reason, "{what}");
        let program = world.ask(sample("api")).await;
        assert_eq!(program.header("content-type"), "application/problem+json", "{what}");
        assert_eq!((program.status, program.json()["status"].clone()), (code, json!(code)), "{what}");
        assert_eq!(program.json()["reason"], reason, "{what}");
        assert!(program.header("retry-after").parse::<u32>().unwrap() > 0, "{what}");
        assert_eq!(world.starts(), 0, "{what}");
        assert_eq!(world.lines.last()["reason"], reason, "{what}: the log has the same reason");
    }
}

fn world_start() -> chrono::DateTime<chrono::Utc> {
    World::new().sim.now()
}

#[tokio::test]
async fn what_ec2_refuses_is_told_truthfully() {
    let table = [
        (Trouble::Capacity, "waiting-for-capacity"),
        (Trouble::Quota, "waiting-for-quota"),
        (Trouble::Throttled, "already-waking"),
        (Trouble::WrongState, "falling-asleep"),
        (Trouble::NotPermitted, "not-permitted"),
        (Trouble::NotFound, "gone"),
        (Trouble::Spot, "start-refused"),
        (Trouble::Unsupported, "start-refused"),
        (Trouble::StopProtected, "start-refused"),
        (Trouble::Unreachable, "start-refused"),
    ];
    for (trouble, reason) in table {
        let world = World::new();
        world.sim.fail_next("StartInstances", trouble);
        let answer = world.ask(wake()).await;
        assert_eq!(answer.json()["reason"], reason, "{trouble:?}");
        let lasts = ["not-permitted", "gone", "start-refused"].contains(&reason) && trouble != Trouble::Unreachable;
        assert_eq!(answer.status, if lasts { 500 } else { 202 }, "{trouble:?}");
        let record = world.lines.last();
        assert!(record["error"].as_str().unwrap().starts_with("StartInstances: Simulated"), "{record}");
        assert!(!answer.text.contains("Simulated"), "no internals: {}", answer.text);
    }
}

#[tokio::test]
async fn a_request_while_it_falls_asleep_wakes_it_as_soon_as_it_has_stopped() {
    let world = World::new();
    world.ask(wake()).await;
    world.seconds(60);
    shared::cloud::Cloud::stop(&&world.sim, &world.id).await.unwrap();
    assert_eq!(world.ask(wake()).await.json()["reason"], "falling-asleep");
    assert_eq!((world.ask(status()).await.json()["can_wake"].clone(), world.starts()), (json!(false), 1));
    world.seconds(30);
    assert_eq!(world.ask(status()).await.json()["can_wake"], true, "the page's script asks now");
    assert_eq!(world.ask(wake()).await.json()["reason"], "waking");
    assert_eq!(world.starts(), 2);
}

#[tokio::test]
async fn a_warm_starter_looks_at_most_once_in_two_seconds_and_remembers_a_ready_app() {
    let world = World::new();
    let starter = world.starter();
    for _ in 0..5 {
        ask(&starter, &world.sim, status()).await;
    }
    assert_eq!(world.sim.calls("DescribeInstances", ""), 1);
    world.seconds(2);
    ask(&starter, &world.sim, wake()).await;
    assert_eq!(ask(&starter, &world.sim, status()).await.json()["reason"], "booting", "after a start it looks anew");
    world.seconds(60);
    assert_eq!(ask(&starter, &world.sim, status()).await.json()["ready"], true);
    let looks = world.sim.calls("DescribeInstances", "");
    world.seconds(29);
    ask(&starter, &world.sim, status()).await;
    assert_eq!(world.sim.calls("DescribeInstances", ""), looks);
    world.seconds(1);
    ask(&starter, &world.sim, status()).await;
    assert_eq!(world.sim.calls("DescribeInstances", ""), looks + 1);
}

#[tokio::test]
async fn a_refused_start_is_told_to_all_and_not_repeated_at_once() {
    let world = World::new();
    let starter = world.starter();
    world.sim.fail_next("StartInstances", Trouble::Capacity);
    ask(&starter, &world.sim, wake()).await;
    world.seconds(3);
    assert_eq!(ask(&starter, &world.sim, status()).await.json()["reason"], "waiting-for-capacity");
    assert_eq!(ask(&starter, &world.sim, wake()).await.json()["reason"], "waiting-for-capacity");
    assert_eq!(world.starts(), 1);
    world.seconds(15);
    assert_eq!(ask(&starter, &world.sim, wake()).await.json()["reason"], "waking");
    assert_eq!(world.starts(), 2);
}

#[tokio::test]
async fn where_lambda_is_kept_out_route_53_tells() {
    let check: shared::model::HealthCheckId = "check-1".parse().unwrap();
    let world = World::new().with("CATNAP_HEALTH_CHECK_ID", "check-1");
    world.sim.app_answers(&world.id, Probe::TimedOut);
    world.ask(wake()).await;
    world.seconds(60);
    assert_eq!(world.ask(status()).await.json()["ready"], true);
    world.sim.set_unhealthy(&check);
    assert_eq!(world.ask(status()).await.json()["ready"], false);
    // A refused connection is an answer of the instance itself: nobody else is asked.
    world.sim.app_answers(&world.id, Probe::Refused);
    let asked = world.sim.calls("GetHealthCheckStatus", "");
    assert_eq!(world.ask(status()).await.json()["ready"], false);
    assert_eq!(world.sim.calls("GetHealthCheckStatus", ""), asked);
}

#[tokio::test]
async fn an_instance_is_found_by_its_tag_compared_exactly() {
    let by_tag = || World::new().with("CATNAP_INSTANCE_ID", "");
    assert_eq!(by_tag().ask(wake()).await.json()["reason"], "waking");

    let other = by_tag();
    other.sim.change(&other.id, |it| {
        it.tags.insert("catnap:host".into(), "*.example.com".into());
    });
    let answer = other.ask(visit()).await;
    assert_eq!((answer.status, answer.is_page()), (404, true));

    let another_pairs = by_tag();
    another_pairs.sim.change(&another_pairs.id, |it| {
        it.tags.insert("catnap:fleet".into(), "staging".into());
    });
    assert_eq!(another_pairs.ask(wake()).await.status, 404);
    assert_eq!(another_pairs.with("CATNAP_FLEET", "staging").ask(wake()).await.json()["reason"], "waking");

    let replaced = by_tag();
    let successor = replaced.sim.add_instance(&APP.parse().unwrap(), shared::sim::Phases::default());
    replaced.sim.change(&replaced.id, |it| it.state = InstanceState::ShuttingDown);
    assert_eq!(replaced.ask(wake()).await.json()["reason"], "waking");
    assert_eq!(replaced.sim.calls("StartInstances", successor.as_str()), 1);
    replaced.sim.change(&successor, |it| it.state = InstanceState::Terminated);
    assert_eq!(replaced.ask(status()).await.json()["reason"], "gone");

    let two = by_tag();
    two.sim.add_instance(&APP.parse().unwrap(), shared::sim::Phases::default());
    assert_eq!(two.ask(wake()).await.json()["reason"], "ambiguous");
    assert_eq!((two.ask(visit()).await.status, two.starts()), (500, 0));

    let no_address = by_tag();
    no_address.sim.change(&no_address.id, |it| {
        it.state = InstanceState::Running;
        it.public_address = None;
    });
    assert_eq!(no_address.ask(status()).await.json()["reason"], "no-address");
    assert_eq!(no_address.ask(visit()).await.status, 500);
}

#[tokio::test]
async fn the_host_header_names_nobody() {
    let world = World::new();
    let mut event = visit();
    event["headers"]["host"] = json!("other.example.com");
    event["headers"]["x-forwarded-host"] = json!("other.example.com");
    assert!(world.ask(event).await.text.contains("app.example.com is asleep"));
    let mut event = visit();
    event["requestContext"]["domainName"] = json!("other.example.com");
    assert_eq!((world.ask(event).await.status, world.starts()), (404, 0));
}

#[tokio::test]
async fn the_apis_own_origin_serves_the_status_and_nothing_else() {
    let world = World::new();
    let answer = world.ask(status()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(answer.header("vary"), "Origin");
    for (mut event, code) in [(visit(), 404), (wake(), 404), (sample("webhook"), 404)] {
        event["requestContext"]["domainName"] = json!(API);
        event["rawQueryString"] = json!("app=app.example.com");
        assert_eq!((world.ask(event).await.status, world.starts()), (code, 0));
    }
    // A name that the visitor chose must not become a metric: each would be paid for.
    let mut event = visit();
    event["requestContext"]["domainName"] = json!(API);
    event["rawQueryString"] = json!("app=made-up.example.com");
    world.ask(event).await;
    assert!(world.lines.last()["_aws"].is_null(), "{}", world.lines.last());
    for query in ["", "app=", "app=other.example.com", "app=*", "app=app.example.com.evil.org"] {
        let mut event = status();
        event["rawQueryString"] = json!(query);
        let answer = world.ask(event).await;
        assert_eq!(answer.status, 404, "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_dry_run_starts_nothing_and_says_so() {
    let world = World::new().with("CATNAP_DRY_RUN", "true");
    assert_eq!(world.ask(wake()).await.json()["reason"], "dry-run");
    assert_eq!(world.starts(), 0);
}

#[tokio::test]
async fn an_unknown_instance_gives_a_page_without_internals_and_a_log_line_with_them() {
    let world = World::new().with("CATNAP_INSTANCE_ID", "i-0ffffffffffffffff");
    let page = world.ask(visit()).await;
    assert_eq!((page.status, page.is_page()), (500, true));
    assert!(!page.text.contains("i-0f") && !page.text.contains("DescribeInstances"), "{}", page.text);
    let request_id = visit()["requestContext"]["requestId"].as_str().unwrap().to_owned();
    assert!(page.text.contains(&request_id));
    let record = world.lines.last();
    assert_eq!((&record["reason"], &record["request_id"]), (&json!("gone"), &json!(request_id)));
    assert!(record["error"].as_str().unwrap().contains("DescribeInstances"), "{record}");
    assert_eq!(record["WakeFailed"], 1);
}

#[tokio::test]
async fn the_record_says_who_woke_it() {
    let world = World::new();
    world.ask(request("GET", "/", &[("user-agent", "SomeBot/1.0")])).await;
    assert_eq!(world.lines.last()["IgnoredRequests"], 1);
    world.ask(wake()).await;
    let record = world.lines.last();
    assert_eq!((&record["class"]["wake-call"], &record["action"]), (&json!("script"), &json!("start")));
    assert_eq!((&record["Visits"], &record["Wakes"]), (&json!(1), &json!(1)));
    assert_eq!(record["source_ip"], wake()["requestContext"]["http"]["sourceIp"]);
}
