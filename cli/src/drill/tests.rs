//! A drill from start to end: the simulated cloud, the true starter behind a simulated API Gateway, and a DNS that
//! follows the health check.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;

use serde_json::json;
use shared::config::Config;
use shared::model::Probe;
use shared::record::Sink;
use shared::sim::{Phases, Sim};
use starter::{Mended, Moment, Starter, Visit, mend};

use super::*;

const GATEWAY: &str = "198.51.100.7";
/// Route 53's own time: three checks, each half a minute apart, less what the first is early.
const DNS_TURNS_AFTER: TimeDelta = TimeDelta::seconds(65);

struct Nowhere;

impl Sink for Nowhere {
    fn take(&self, _line: String) {}
}

/// What the visitor has in front of them: DNS, API Gateway with the starter, and the instance.
struct World<'a> {
    sim: &'a Sim,
    drilled: Drilled,
    starter: Starter<&'a Sim, &'a Sim, Nowhere>,
    /// Whether the health check is healthy, and since when it says so.
    health: Mutex<(bool, DateTime<Utc>)>,
    asked: Mutex<Vec<String>>,
}

impl App for World<'_> {
    async fn probe(&self, to: &Destination, path: &str) -> Probe {
        (&self.sim).probe(to, path).await
    }

    async fn addresses(&self, _host: &HostName) -> Vec<IpAddr> {
        let to = self.destination();
        let is_up = (&self.sim).probe(&to, "/").await == Probe::Ready;
        let mut health = self.health.lock().unwrap();
        if health.0 != is_up {
            *health = (is_up, self.sim.now());
        }
        let turned = self.sim.now() - health.1 >= DNS_TURNS_AFTER;
        vec![if health.0 == turned { self.drilled.address } else { GATEWAY.parse().unwrap() }]
    }

    async fn forward(
        &self,
        to: &Destination,
        request: Request<Vec<u8>>,
        limits: Limits,
    ) -> Result<Response<Vec<u8>>, Unforwarded> {
        self.asked.lock().unwrap().push(format!("{} {} at {}", request.method(), request.uri(), to.address.ip()));
        if to.address.ip() == self.drilled.address {
            return (&self.sim).forward(to, request, limits).await;
        }
        let Mended { request, sent } = mend(event(&request)).unwrap();
        let now = self.sim.now();
        let moment = Moment { now, answer_by: limits.until, nonce: "n0nce".into() };
        let (parts, body) = self.starter.answer(&Visit::new(&request.into(), sent), &moment).await.into_parts();
        Ok(Response::from_parts(parts, body.to_vec()))
    }
}

/// API Gateway's payload of a request.
fn event(request: &Request<Vec<u8>>) -> Value {
    let path = format!("{}/../events/api.json", env!("CARGO_MANIFEST_DIR"));
    let mut event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    event["rawPath"] = request.uri().path().into();
    event["rawQueryString"] = request.uri().query().unwrap_or_default().into();
    event["queryStringParameters"] = json!({"app": "app.example.com"});
    event["requestContext"]["http"]["method"] = request.method().as_str().into();
    event["requestContext"]["http"]["path"] = request.uri().path().into();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())));
    event["headers"] = headers.collect::<serde_json::Map<_, _>>().into();
    event
}

impl World<'_> {
    fn destination(&self) -> Destination {
        let origin = Origin { tls: true, port: 443 };
        Destination { host: self.drilled.host.clone(), address: (self.drilled.address, 443).into(), origin }
    }
}

fn sim() -> (Sim, InstanceId) {
    let sim = Sim::new("2026-03-01T08:00:00Z".parse().unwrap());
    let id = sim.add_instance(&"app.example.com".parse().unwrap(), Phases::default());
    sim.change(&id, |it| it.state = InstanceState::Running);
    sim.apps_answer(|_| Ok(Response::new(b"<h1>Team wiki</h1>".to_vec())));
    (sim, id)
}

fn world<'a>(sim: &'a Sim, id: &InstanceId) -> World<'a> {
    world_with(sim, id, &[])
}

fn world_with<'a>(sim: &'a Sim, id: &InstanceId, settings: &[(&str, &str)]) -> World<'a> {
    let config = Config::read(|name| match name {
        "CATNAP_APP_DOMAIN" => Some("app.example.com".into()),
        "CATNAP_INSTANCE_ID" => Some(id.to_string()),
        name => settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()),
    });
    let drilled = Drilled {
        host: "app.example.com".parse().unwrap(),
        instance: id.clone(),
        address: sim.instance(id).public_address.unwrap(),
        bridged: true,
    };
    let starter = Starter::new(config.unwrap(), sim, sim, Nowhere);
    let health = Mutex::new((true, sim.now() - TimeDelta::hours(1)));
    World { sim, drilled, starter, health, asked: Mutex::default() }
}

async fn run(world: &World<'_>) -> Result<Times, Failed> {
    let sim = world.sim;
    let clock = Clock { now: || sim.now(), sleep: async |time| sim.advance(time) };
    drill(&sim, world, &world.drilled, &clock, |_, _| {}).await
}

#[tokio::test]
async fn a_drill_naps_visits_wakes_and_follows_to_the_app() {
    let (sim, id) = sim();
    let world = world(&sim, &id);
    let times = run(&world).await.unwrap();
    let [nap, page, wake, ready, bridged, direct] = times.seconds.map(Option::unwrap);
    // The simulated phases: 30 s to stop, 15 to start, 25 for the app; DNS turns 65 s after each.
    assert!((30..=32).contains(&nap) && (64..=70).contains(&page) && (40..=44).contains(&ready), "{times:?}");
    assert_eq!((wake, bridged), (0, 0));
    assert!((60..=70).contains(&direct), "{times:?}");
    assert_eq!(times.waited(), wake + ready + bridged);
    assert_eq!((sim.calls("StopInstances", ""), sim.calls("StartInstances", "")), (1, 1));
    let asked = world.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|it| it.starts_with("POST /.catnap/wake")).count(), 1);
    assert_eq!(asked.last().unwrap(), &format!("GET / at {}", world.drilled.address));
}

#[tokio::test]
async fn one_that_sleeps_already_is_not_stopped() {
    let (sim, id) = sim();
    sim.change(&id, |it| it.state = InstanceState::Stopped);
    let world = world(&sim, &id);
    let times = run(&world).await.unwrap();
    assert_eq!(times.seconds[0], None);
    assert_eq!(sim.calls("StopInstances", ""), 0);
}

#[tokio::test]
async fn where_it_comes_to_an_end_is_said_with_what_was_seen() {
    let (sim, id) = sim();
    sim.app_answers(&id, Probe::Unwell(502));
    let world = world(&sim, &id);
    *world.health.lock().unwrap() = (false, sim.now() - TimeDelta::hours(1));
    let error = run(&world).await.unwrap_err();
    assert!(matches!(error, Failed::Late { step: Step::Ready, .. }), "{error}");
    assert!(error.to_string().starts_with("the app answers did not happen within 15 minutes: the page says: "));
}

#[tokio::test]
async fn a_failover_that_does_not_converge_is_found() {
    let (sim, id) = sim();
    let mut world = world(&sim, &id);
    world.drilled.address = "192.0.2.250".parse().unwrap(); // the record leads to somebody else
    let error = run(&world).await.unwrap_err();
    assert_eq!(error.to_string(), "the app by DNS did not happen within 15 minutes: DNS still leads to the starter");
}

#[tokio::test]
async fn the_waiting_page_is_not_taken_for_the_app_and_without_a_bridge_the_way_is_by_dns() {
    let (sim, id) = sim();
    let mut world = world_with(&sim, &id, &[("CATNAP_HANDOFF", "poll"), ("CATNAP_WAITING_STATUS", "200")]);
    let error = run(&world).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the app on the screen did not happen within 2 minutes: it is still the waiting page"
    );
    world.drilled.bridged = false;
    let times = run(&world).await.unwrap();
    assert_eq!(times.seconds[Step::Bridged as usize], None);
    assert!(times.waited() > 60, "{times:?}");
}
