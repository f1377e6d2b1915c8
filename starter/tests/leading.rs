//! Leading visitors home by the health check (`Steer`), over the simulated cloud.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::net::IpAddr;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use common::{World, ask, request, status, visit, wake};
use http::{Request, Response};
use shared::cloud::{App, Cloud, Destination, Limits, Unforwarded};
use shared::model::{CheckKind, HealthCheckConfig, HealthCheckId, HostName, Probe};
use shared::sim::Sim;
use shared::steer::{Lead, Stance};
use shared::trouble::Trouble;
use starter::{Mended, Moment, Starter, Visit, mend};

fn check() -> HealthCheckId {
    "hc-1".parse().unwrap()
}

/// Asleep, its visitors led to the starter.
async fn asleep() -> World {
    let world = World::new().with("CATNAP_STEER", "true").with("CATNAP_HEALTH_CHECK_ID", "hc-1");
    let config = HealthCheckConfig::new(CheckKind::Http, 30, 3);
    world.sim.add_health_check(&check(), config);
    lead(&world, Lead::Closed).await;
    world
}

/// Awake for two hours, and a nap has begun with leading its visitors away.
async fn draining() -> World {
    let world = asleep().await;
    (&world.sim).start(&world.id).await.unwrap();
    world.seconds(7_200);
    lead(&world, Lead::Away).await;
    world
}

async fn lead(world: &World, lead: Lead) {
    let steering = (&world.sim).steering(&check()).await.unwrap();
    (&world.sim).steer(&check(), &steering, lead, world.sim.now()).await.unwrap();
}

async fn stance(world: &World) -> Stance {
    (&world.sim).steering(&check()).await.unwrap().stance()
}

#[tokio::test]
async fn the_first_answer_after_a_wake_leads_visitors_home_and_the_checkers_take_over_later() {
    let world = asleep().await;
    let starter = world.starter();
    world.seconds(60);
    ask(&starter, &world.sim, wake()).await;
    world.seconds(20);
    ask(&starter, &world.sim, status()).await;
    assert!(matches!(stance(&world).await, Stance::Closed { .. }), "the app does not answer yet");
    world.seconds(30);
    let since = world.sim.now();
    assert_eq!(ask(&starter, &world.sim, visit()).await.status, 200);
    assert_eq!((stance(&world).await, world.lines.last()["led"].clone()), (Stance::Home { since }, "home".into()));
    let calls = world.sim.calls("GetHealthCheck", "");
    for _ in 0..13 {
        world.seconds(23);
        ask(&starter, &world.sim, visit()).await;
    }
    assert_eq!((stance(&world).await, world.lines.last().get("led")), (Stance::Home { since }, None));
    assert_eq!(world.sim.calls("GetHealthCheck", ""), calls + 1, "this test's; where they are led is known");
    world.seconds(1);
    ask(&starter, &world.sim, visit()).await;
    assert_eq!(stance(&world).await, Stance::Checked);
}

#[tokio::test]
async fn a_pages_twenty_parts_ask_route_53_for_nothing() {
    let world = asleep().await;
    (&world.sim).start(&world.id).await.unwrap();
    world.seconds(60);
    let before = world.sim.calls("GetHealthCheck", "");
    let image = [("sec-fetch-dest", "image"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-site", "same-origin")];
    for _ in 0..20 {
        assert_eq!(world.ask(request("GET", "/logo.png", &image)).await.status, 200);
    }
    assert_eq!(world.sim.calls("GetHealthCheck", ""), before, "each in a Lambda of its own");
}

#[tokio::test]
async fn a_person_ends_a_drain_and_a_scanner_does_not() {
    let world = draining().await;
    for scanner in [request("GET", "/wp-login.php", &[]), request("HEAD", "/", &[])] {
        assert_eq!(world.ask(scanner).await.status, 200, "it is bridged");
        assert!(matches!(stance(&world).await, Stance::Away { .. }));
        assert_eq!(world.lines.last().get("Visits"), None, "no scanner keeps it awake");
    }
    assert_eq!(world.ask(visit()).await.status, 200);
    assert!(matches!(stance(&world).await, Stance::Home { .. }));
    assert_eq!(world.lines.last()["Visits"], 1, "the mark is gone in five minutes, and the person may be there");
    assert_eq!(world.ask(visit()).await.status, 200);
    assert_eq!(world.lines.last().get("Visits"), None, "nothing more was to be led");
}

#[tokio::test]
async fn a_person_who_comes_a_second_after_a_scanner_ends_a_drain_too() {
    let world = draining().await;
    let starter = world.starter();
    ask(&starter, &world.sim, request("GET", "/wp-login.php", &[])).await;
    assert!(matches!(stance(&world).await, Stance::Away { .. }));
    world.seconds(1);
    ask(&starter, &world.sim, visit()).await;
    assert!(matches!(stance(&world).await, Stance::Home { .. }));
}

#[tokio::test]
async fn a_scanner_after_a_wake_leads_home_when_nobody_else_has_and_is_no_visitor() {
    let world = asleep().await;
    world.seconds(60);
    (&world.sim).start(&world.id).await.unwrap();
    let starter = world.starter();
    for minute in 1..=7 {
        world.seconds(60);
        assert_eq!(ask(&starter, &world.sim, request("GET", "/wp-login.php", &[])).await.status, 200);
        let line = world.lines.last();
        let led = if minute == 6 { Some(&"home".into()) } else { None };
        assert_eq!((line.get("led"), line.get("Visits")), (led, None), "minute {minute}");
    }
}

#[tokio::test]
async fn whoever_comes_to_a_closed_door_is_counted_though_not_let_in() {
    let world = draining().await;
    lead(&world, Lead::Closed).await; // and the tick ended before its stop
    world.ask(request("GET", "/wp-login.php", &[])).await;
    assert_eq!(world.lines.last().get("Visits"), None);
    assert_eq!(world.ask(visit()).await.status, 200);
    assert_eq!((&world.lines.last()["Visits"], &world.lines.last()["led"]), (&1.into(), &"closed".into()));
}

#[tokio::test]
async fn an_answer_that_cannot_be_passed_on_leads_home_all_the_same() {
    let world = draining().await;
    world.sim.apps_answer(|_| Err(Unforwarded::TooLarge));
    assert_eq!(world.ask(visit()).await.status, 503);
    assert!(matches!(stance(&world).await, Stance::Home { .. }), "the app is up");

    let world = draining().await;
    let starter = world.starter();
    ask(&starter, &world.sim, request("HEAD", "/", &[])).await;
    world.seconds(10);
    world.sim.app_answers(&world.id, Probe::Refused);
    assert!(ask(&starter, &world.sim, visit()).await.is_page());
    assert!(matches!(stance(&world).await, Stance::Away { .. }), "it went away");
}

#[tokio::test]
async fn a_monitor_in_a_drain_makes_no_failover_that_is_stuck() {
    let world = draining().await;
    let starter = world.starter();
    for _ in 0..20 {
        assert_eq!(ask(&starter, &world.sim, request("HEAD", "/", &[])).await.status, 200);
        assert_eq!(world.lines.last()["failover"], "converging");
        world.seconds(60);
    }
}

#[tokio::test]
async fn in_a_drain_nobody_is_shown_the_way_to_the_instance() {
    let world = draining().await;
    let monitor = || request("HEAD", "/", &[]);
    assert_eq!(world.ask(monitor()).await.header("alt-svc"), "");
    lead(&world, Lead::Closed).await;
    assert_eq!(world.ask(visit()).await.header("alt-svc"), "");
    let world = asleep().await;
    (&world.sim).start(&world.id).await.unwrap();
    world.seconds(60);
    assert!(world.ask(visit()).await.header("alt-svc").starts_with("h2="), "after a wake");
}

#[tokio::test]
async fn a_late_answer_leaves_the_time_that_leading_may_take() {
    for (steer, seconds) in [("true", 25), ("false", 28)] {
        let world = draining().await.with("CATNAP_STEER", steer);
        let app = Hurried { sim: &world.sim, until: Mutex::default() };
        let starter = Starter::new(world.config(), &world.sim, &app, &world.lines);
        let now = world.sim.now();
        let moment = Moment { now, answer_by: now + TimeDelta::seconds(28), nonce: String::new() };
        let Mended { request, sent } = mend(visit()).unwrap();
        starter.answer(&Visit::new(&request.into(), sent), &moment).await;
        assert_eq!(*app.until.lock().unwrap(), Some(now + TimeDelta::seconds(seconds)), "{steer}");
    }
}

/// The simulated app, and by when it had to answer.
struct Hurried<'a> {
    sim: &'a Sim,
    until: Mutex<Option<DateTime<Utc>>>,
}

impl App for &Hurried<'_> {
    async fn probe(&self, to: &Destination, path: &str) -> Probe {
        App::probe(&self.sim, to, path).await
    }

    async fn forward(
        &self,
        to: &Destination,
        request: Request<Vec<u8>>,
        limits: Limits,
    ) -> Result<Response<Vec<u8>>, Unforwarded> {
        *self.until.lock().unwrap() = Some(limits.until);
        self.sim.forward(to, request, limits).await
    }

    async fn addresses(&self, host: &HostName) -> Vec<IpAddr> {
        self.sim.addresses(host).await
    }
}

#[tokio::test]
async fn how_soon_a_drain_can_have_begun_goes_by_the_instances_own_idle_minutes() {
    let world = draining().await;
    world.sim.change(&world.id, |it| {
        it.launched_at += TimeDelta::minutes(80); // forty minutes ago
        it.tags.insert("catnap:idle-minutes".into(), "15".into());
    });
    assert_eq!(world.ask(request("GET", "/wp-login.php", &[])).await.status, 200);
    assert!(matches!(stance(&world).await, Stance::Away { .. }), "a scanner in a drain");
}

#[tokio::test]
async fn nobody_is_led_to_an_instance_that_is_about_to_be_stopped() {
    let world = draining().await;
    lead(&world, Lead::Closed).await;
    assert_eq!(world.ask(visit()).await.status, 200, "it still runs");
    assert!(matches!(stance(&world).await, Stance::Closed { .. }));
    (&world.sim).stop(&world.id).await.unwrap();
    assert!(world.ask(visit()).await.is_page());
    assert!(matches!(stance(&world).await, Stance::Closed { .. }));
}

#[tokio::test]
async fn a_route_53_that_refuses_keeps_nobody_from_the_app() {
    for operation in ["GetHealthCheck", "ListTagsForResource", "ChangeTagsForResource", "UpdateHealthCheck"] {
        for (trouble, counted) in
            [(Trouble::Throttled, false), (Trouble::Outdated, false), (Trouble::NotPermitted, true)]
        {
            let world = draining().await;
            world.sim.fail_next(operation, trouble);
            let starter = world.starter();
            assert_eq!(ask(&starter, &world.sim, visit()).await.status, 200);
            let line = world.lines.last();
            assert!(line["error"].as_str().unwrap().starts_with(operation), "{line}");
            assert_eq!(line.get("SteerFailed").is_some(), counted, "{operation} {trouble:?}");
            assert_eq!(line["Visits"], 1, "a person was there, wherever they are led");
            world.seconds(10);
            ask(&starter, &world.sim, visit()).await;
            assert!(matches!(stance(&world).await, Stance::Home { .. }), "the next one is led home");
        }
    }
}

#[tokio::test]
async fn route_53_is_asked_once_in_ten_seconds() {
    let world = draining().await;
    world.sim.set_health_check(&check(), false, false); // by hand, and the checkers have not agreed yet
    let starter = world.starter();
    let before = world.sim.calls("GetHealthCheck", "");
    for _ in 0..11 {
        ask(&starter, &world.sim, visit()).await;
        world.seconds(1);
    }
    assert_eq!(world.sim.calls("GetHealthCheck", "") - before, 2);
}

#[tokio::test]
async fn what_a_person_set_is_left_alone_and_so_is_everything_without_steer() {
    let world = draining().await;
    world.sim.set_health_check(&check(), true, true);
    assert_eq!(world.ask(visit()).await.status, 200);
    assert_eq!(stance(&world).await, Stance::ByHand);
    for (name, value) in [("CATNAP_STEER", "false"), ("CATNAP_DRY_RUN", "true")] {
        let world = draining().await.with(name, value);
        let before = world.sim.calls("GetHealthCheck", "");
        assert_eq!(world.ask(visit()).await.status, 200);
        assert_eq!(world.sim.calls("GetHealthCheck", "") - before, 0);
    }
}
