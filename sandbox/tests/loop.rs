//! The whole loop: a visitor wakes the instance, gets the app, leaves; it naps again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use chrono::TimeDelta;
use sandbox::{API, APP, Event, Fault, Got, Sandbox, Setup, Step, Visitor, Weather, What};
use shared::model::{InstanceState, Probe};
use shared::sim::traffic::Pattern;
use shared::sim::{Browser, LeadsTo};

fn at(events: &[Event], wanted: impl Fn(&What) -> bool) -> Option<chrono::DateTime<chrono::Utc>> {
    events.iter().find(|event| wanted(&event.what)).map(|event| event.at)
}

#[test]
fn a_visitor_wakes_it_and_it_naps_again() {
    let sandbox = Sandbox::new(&Setup::default()).unwrap();
    sandbox.run(TimeDelta::minutes(10));
    sandbox.visit(Visitor::named("Ada"));
    sandbox.run(TimeDelta::hours(3));
    let events = sandbox.events();
    let arrives =
        at(&events, |what| matches!(what, What::Visitor { step: Step::Arrives { after_seconds: 40..=45 }, .. }));
    let arrives = arrives.expect("the app starts 40 s after the wake call, and the bridge leads there at once");
    let bridged = |what: &What| matches!(what, What::Request { to: LeadsTo::Gateway, got: Got::App, .. });
    assert_eq!(at(&events, bridged), Some(arrives));
    let turns =
        at(&events, |what| matches!(what, What::World(shared::sim::Happening::Dns { to: LeadsTo::Instance, .. })));
    assert!((60..100).contains(&(turns.unwrap() - arrives).num_seconds()), "three checks, 30 s apart");
    let naps =
        at(&events, |what| matches!(what, What::Call { operation: "StopInstances", refused: None, .. })).unwrap();
    // Ada reads for 80 s; then 60 minutes of quiet, which are known 3 minutes later, at the next tick.
    assert!((64..=74).contains(&(naps - arrives).num_minutes()), "{naps}");
    let napped = |what: &What| matches!(what, What::Stopper { record } if record["decision"] == "nap");
    assert_eq!(at(&events, napped), Some(naps), "with its reason");
    let now = sandbox.snapshot();
    assert_eq!((now.state, now.leads_to), (InstanceState::Stopped, Some(LeadsTo::Gateway)));
    let all = (sandbox.now() - sandbox.began()).num_seconds();
    assert!((all - 1..=all).contains(&(now.awake_seconds + now.asleep_seconds)), "{now:?}");
    let running = (naps - arrives).num_seconds() + 26; // the app takes 25 s of it
    assert!((running - 2..=running + 2).contains(&now.awake_seconds), "{now:?}");
}

#[test]
fn a_real_browser_can_look_in() {
    let sandbox = Sandbox::new(&Setup::default()).unwrap();
    let mut browser = Browser::default();
    let get = |uri: String| {
        let request = http::Request::get(uri).header("accept", "text/html").header("sec-fetch-mode", "navigate");
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0";
        request.header("accept-language", "en").header("user-agent", agent).body(Vec::new()).unwrap()
    };
    let page = sandbox.request(&mut browser, get(format!("https://{APP}/reports?team=ops"))).unwrap();
    assert_eq!(page.status(), 503);
    assert!(String::from_utf8_lossy(page.body()).contains("<script"), "the true waiting page");
    let status = sandbox.request(&mut browser, get(format!("https://{API}/.catnap/status?app={APP}"))).unwrap();
    let status: serde_json::Value = serde_json::from_slice(status.body()).unwrap();
    assert_eq!(status["phase"], "asleep");
    sandbox.set("CATNAP_WAITING_STATUS", "200").unwrap();
    let page = sandbox.request(&mut browser, get(format!("https://{APP}/"))).unwrap();
    assert_eq!(page.status(), 200, "settings change while it runs");
    assert!(sandbox.set("CATNAP_IDLE_MINUTES", "soon").is_err());
}

#[test]
fn of_two_faults_of_one_kind_the_other_is_met_when_one_ends() {
    let sandbox = Sandbox::new(&Setup::default()).unwrap();
    sandbox.fault(Fault::NoCapacity, true);
    sandbox.fault(Fault::Quota, true);
    sandbox.fault(Fault::Quota, false);
    assert_eq!(sandbox.faults().into_iter().collect::<Vec<_>>(), [Fault::NoCapacity]);
    sandbox.visit(Visitor::named("Ada"));
    sandbox.run(TimeDelta::minutes(5));
    assert_eq!(sandbox.snapshot().state, InstanceState::Stopped, "AWS still has no room");
    sandbox.fault(Fault::AppDown, true);
    sandbox.fault(Fault::Certificate, true);
    sandbox.fault(Fault::NoCapacity, false);
    sandbox.run(TimeDelta::minutes(5));
    let app = |of: &Sandbox| (of.snapshot().state, of.snapshot().app);
    assert_eq!(app(&sandbox), (InstanceState::Running, Probe::TlsFailed));
    sandbox.fault(Fault::Certificate, false);
    assert_eq!(app(&sandbox), (InstanceState::Running, Probe::Refused));
    sandbox.fault(Fault::AppDown, false);
    assert_eq!(app(&sandbox), (InstanceState::Running, Probe::Ready));
}

#[test]
fn a_fault_is_met_and_told() {
    let sandbox = Sandbox::new(&Setup::default()).unwrap();
    sandbox.fault(Fault::NoCapacity, true);
    sandbox.visit(Visitor::named("Ada"));
    sandbox.run(TimeDelta::minutes(5));
    assert_eq!(sandbox.snapshot().state, InstanceState::Stopped);
    sandbox.fault(Fault::NoCapacity, false);
    sandbox.run(TimeDelta::minutes(2));
    let events = sandbox.events();
    let refused = |what: &What| matches!(what, What::Starter { record } if record["reason"] == "waiting-for-capacity");
    assert!(at(&events, refused).is_some());
    assert!(at(&events, |what| matches!(what, What::Visitor { step: Step::Arrives { .. }, .. })).is_some());
}

/// Somebody comes in a drain, and each call of Route 53 takes so much longer: whether they have the app after so many
/// seconds, and where DNS leads then.
fn comes_in_a_drain(slow: TimeDelta, seconds: i64) -> (bool, Option<LeadsTo>) {
    let settings = [("CATNAP_STEER", "true"), ("CATNAP_IDLE_MINUTES", "15")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let sandbox = Sandbox::new(&Setup { settings, ..Setup::default() }).unwrap();
    sandbox.visit(Visitor::named("Ada"));
    let leads_away = |sandbox: &Sandbox| {
        sandbox.run(TimeDelta::minutes(1));
        let now = sandbox.snapshot();
        now.state == InstanceState::Running && now.app == Probe::Ready && now.leads_to == Some(LeadsTo::Gateway)
    };
    sandbox.run(TimeDelta::minutes(10)); // awake, and its checkers agree
    assert!((0..30).any(|_| leads_away(&sandbox)), "a drain begins");
    for operation in ["GetHealthCheck", "ListTagsForResource", "ChangeTagsForResource", "UpdateHealthCheck"] {
        sandbox.weather(operation, Weather::Slow(slow), true);
    }
    sandbox.visit(Visitor::named("Bob"));
    sandbox.run(TimeDelta::seconds(seconds));
    let bob = |what: &What| matches!(what, What::Visitor { who, step: Step::Arrives { .. } } if who == "Bob");
    (at(&sandbox.events(), bob).is_some(), sandbox.snapshot().leads_to)
}

#[test]
fn from_the_other_side_of_the_world_visitors_are_led_home_at_once_too() {
    assert_eq!(comes_in_a_drain(TimeDelta::milliseconds(400), 3), (true, Some(LeadsTo::Instance)));
}

#[test]
fn nobody_waits_for_a_route_53_that_is_slow_to_be_steered() {
    assert_eq!(comes_in_a_drain(TimeDelta::seconds(20), 4), (true, Some(LeadsTo::Gateway)));
}

#[test]
fn people_and_bots_come_by_themselves() {
    let sandbox = Sandbox::new(&Setup::default()).unwrap(); // a Tuesday morning
    sandbox.people(Pattern::Office, 7);
    sandbox.bots(TimeDelta::minutes(30));
    sandbox.run(TimeDelta::days(1));
    let events = sandbox.events();
    let count = |wanted: fn(&What) -> bool| events.iter().filter(|event| wanted(&event.what)).count();
    let comes = count(|what| matches!(what, What::Visitor { step: Step::Comes, .. }));
    let arrives = count(|what| matches!(what, What::Visitor { step: Step::Arrives { .. }, .. }));
    assert!((20..90).contains(&comes) && arrives == comes, "{comes} come, {arrives} get the app");
    assert!((20..90).contains(&count(|what| matches!(what, What::Request { who, .. } if who == "a bot"))));
    let night = sandbox.snapshot();
    assert_eq!(night.state, InstanceState::Stopped);
    assert!((8 * 3_600..12 * 3_600).contains(&night.awake_seconds), "{night:?}");
}

#[test]
fn a_sandbox_can_be_driven_from_any_thread() {
    let sandbox = Sandbox::new(&Setup::default()).unwrap();
    let now = std::thread::spawn(move || {
        sandbox.run(TimeDelta::hours(1));
        sandbox.now() - sandbox.began()
    });
    assert_eq!(now.join().unwrap(), TimeDelta::hours(1));
}

#[test]
fn a_shorter_schedule_makes_up_for_nothing() {
    let sandbox = Sandbox::new(&Setup { schedule: TimeDelta::hours(1), ..Setup::default() }).unwrap();
    sandbox.run(TimeDelta::minutes(58));
    assert_eq!(sandbox.calls("DescribeInstances"), 0);
    sandbox.set_schedule(TimeDelta::minutes(1));
    sandbox.run(TimeDelta::seconds(90));
    assert_eq!(sandbox.calls("DescribeInstances"), 1);
}
