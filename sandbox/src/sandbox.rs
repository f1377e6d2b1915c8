//! The sandbox as its user sees it: set up, let time pass, do things to it, see what happens.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};
use serde::Serialize;
use shared::cloud::Metric;
use shared::config::ConfigError;
use shared::model::{CheckKind, HealthCheckConfig, HealthCheckId, InstanceId, InstanceState, Point, Probe};
use shared::sim::traffic::{Page, Pattern};
use shared::sim::{AppAnswer, Browser, LeadsTo, Life, Phases, Sim};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep_until;

use crate::core::Core;
use crate::crowd;
use crate::event::{Event, Got, What};
use crate::fault::{Fault, Weather};
use crate::visitor::{self, Visitor};
use crate::world::{API, APP, NoAnswer, World};

/// What the world is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// When it begins; the instance has been napping since the night before.
    pub began: DateTime<Utc>,
    /// What all that is random comes from.
    pub seed: u64,
    /// Variables of the pair, beside those that every stack has.
    pub settings: BTreeMap<String, String>,
    /// How often the stopper looks.
    pub schedule: TimeDelta,
    /// How long the instance and its app take.
    pub phases: Phases,
    /// What the health check is, and how many checks in a row change its mind.
    pub check: (HealthCheckConfig, u32),
    /// How long resolvers keep the app's address.
    pub ttl: TimeDelta,
    /// How long after their period metrics can be read.
    pub metric_delay: TimeDelta,
    /// What a page of the app weighs.
    pub page: Page,
    /// Whether the instance has detailed monitoring.
    pub detailed_monitoring: bool,
    /// Whether NetworkIn shows a datapoint before its time is over.
    pub partial_points: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let check = HealthCheckConfig::new(CheckKind::Http, 30, 3);
        Self {
            began: DateTime::from_timestamp(1_772_524_800, 0).unwrap_or_default(), // Tuesday, 3 March 2026, 8 o'clock
            seed: 1,
            settings: BTreeMap::new(),
            schedule: TimeDelta::minutes(5),
            phases: Phases::default(),
            check: (check, 3),
            ttl: TimeDelta::seconds(60),
            metric_delay: TimeDelta::minutes(3),
            page: Page::Heavy,
            detailed_monitoring: false,
            partial_points: false,
        }
    }
}

/// A sandbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The system gave no runtime.
    #[error(transparent)]
    Runtime(#[from] io::Error),
}

/// The pair in its world. Time passes only in [`Sandbox::run_until`] and while a request is answered.
#[derive(Debug)]
pub struct Sandbox {
    runtime: Runtime,
    world: Arc<World>,
    began: DateTime<Utc>,
    metric_delay: TimeDelta,
    seed: u64,
    faults: Mutex<BTreeSet<Fault>>,
}

/// How the world looks at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// The time.
    pub now: DateTime<Utc>,
    /// The instance's phase.
    pub state: InstanceState,
    /// Its last start.
    pub launched_at: DateTime<Utc>,
    /// What the app answers.
    pub app: Probe,
    /// Whom DNS leads to.
    pub leads_to: Option<LeadsTo>,
    /// Whether the health check says that it is well.
    pub healthy: bool,
    /// The checkers that find it well…
    pub checkers_well: usize,
    /// …of so many.
    pub checkers: usize,
    /// NetworkIn's newest datapoint that can be read, in bytes of five minutes.
    pub network_in: Option<Point>,
    /// For how many seconds the instance was on since the beginning…
    pub awake_seconds: i64,
    /// …and for how many it was not, which is what Catnap saves.
    pub asleep_seconds: i64,
    /// What that would have cost, by `HourlyPrice`.
    pub saved: Option<f64>,
}

impl Sandbox {
    /// Sets up a world.
    ///
    /// # Errors
    /// A setting that cannot be read, or a system without resources.
    pub fn new(setup: &Setup) -> Result<Self, SetupError> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let entered = runtime.enter();
        let core = Arc::new(Core::new(setup.began));
        let (instance, check) = people_the_world(core.sim(), setup);
        let mut settings = BTreeMap::from([
            ("CATNAP_APP_DOMAIN".to_owned(), APP.to_owned()),
            ("CATNAP_INSTANCE_ID".to_owned(), instance.to_string()),
            ("CATNAP_HEALTH_CHECK_ID".to_owned(), check.to_string()),
            ("CATNAP_STATUS_ORIGIN".to_owned(), format!("https://{API}")),
        ]);
        settings.extend(setup.settings.clone());
        let world = Arc::new(World::new(core, (instance, check), settings, setup.schedule)?);
        world.spawn(Arc::clone(&world).tick_for_ever());
        drop(entered);
        let Setup { began, metric_delay, seed, .. } = *setup;
        Ok(Self { runtime, world, began, metric_delay, seed, faults: Mutex::default() })
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.inside(|world| world.core.now())
    }

    /// When it began.
    #[must_use]
    pub fn began(&self) -> DateTime<Utc> {
        self.began
    }

    /// Lets time pass up to this moment.
    pub fn run_until(&self, at: DateTime<Utc>) {
        let instant = self.world.core.instant(at);
        self.runtime.block_on(async { sleep_until(instant).await });
        self.inside(|world| {
            world.core.now();
            world.join_tasks();
        });
    }

    /// Lets time pass.
    pub fn run(&self, time: TimeDelta) {
        self.run_until(self.now() + time);
    }

    /// What has happened since this was last asked, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.inside(|world| world.core.take_events())
    }

    /// How the world looks now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.inside(|world| {
            let sim = world.core.sim();
            let instance = sim.instance(&world.instance);
            let (healthy, checkers_well, checkers) = sim.health(&world.check).unwrap_or_default();
            let metric = Metric::NetworkIn { instance: world.instance.clone(), period: TimeDelta::minutes(5) };
            let ledger = world.core.ledger();
            let asleep_seconds = ledger.asleep.num_seconds();
            Snapshot {
                now: sim.now(),
                state: instance.state,
                launched_at: instance.launched_at,
                app: sim.app(&world.instance),
                leads_to: APP.parse().ok().and_then(|host| sim.leads(&host)),
                healthy,
                checkers_well,
                checkers,
                network_in: sim.newest(&metric),
                awake_seconds: ledger.awake.num_seconds(),
                asleep_seconds,
                saved: world.config().hourly_price.map(|price| asleep_seconds as f64 / 3_600.0 * price),
            }
        })
    }

    /// The datapoints of NetworkIn of five minutes from `from` on that can be read now.
    pub(crate) fn network_in_since(&self, from: DateTime<Utc>) -> Vec<Point> {
        self.inside(|world| {
            let metric = Metric::NetworkIn { instance: world.instance.clone(), period: TimeDelta::minutes(5) };
            let series = world.core.sim().readable(&metric, from, world.core.now());
            series.map_or_else(Vec::new, |series| series.points)
        })
    }

    /// A visitor comes, and goes on by themselves as time passes.
    pub fn visit(&self, visitor: Visitor) {
        self.inside(|world| world.spawn(visitor::visit(Arc::clone(&self.world), visitor)));
    }

    /// Sends one request from a browser: its address has a host ([`APP`] or [`API`]) and a path. For the app's host
    /// it goes where that browser's DNS and connections lead it. Some of the world's time passes.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn request(&self, browser: &mut Browser, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, NoAnswer> {
        self.send("you", browser, request).map(|(_, answer)| answer)
    }

    pub(crate) fn send(
        &self,
        who: &str,
        browser: &mut Browser,
        request: Request<Vec<u8>>,
    ) -> Result<(Got, Response<Vec<u8>>), NoAnswer> {
        self.runtime.block_on(self.world.send(who, browser, request))
    }

    /// Something that is no browser asks: a crawler, a scanner, a monitor.
    pub fn bot(&self, path: &str, user_agent: &str) {
        let (world, path, agent) = (Arc::clone(&self.world), path.to_owned(), user_agent.to_owned());
        self.inside(|inner| inner.spawn(async move { crowd::knock(&world, &path, &agent).await }));
    }

    /// Bots knock from now on, so far apart in the mean.
    pub fn bots(&self, every: TimeDelta) {
        self.inside(|world| world.spawn(crowd::bots(Arc::clone(&self.world), every, self.seed)));
    }

    /// People come by themselves, by this pattern, for so many days from the Monday of this week on.
    pub fn people(&self, pattern: Pattern, days: i64) {
        self.inside(|world| world.spawn(crowd::people(Arc::clone(&self.world), pattern, days, self.seed)));
    }

    /// A page that was open before asks to wake the app, over a connection that it has kept.
    pub fn wake_call(&self, who: &str) {
        self.inside(|world| world.spawn(visitor::wake_call(Arc::clone(&self.world), who.into())));
    }

    /// The operator gives the app another name: tag, records, and the health check by a tag.
    pub fn rename(&self, host: &str) {
        self.turn(&format!("the app is called {host} now"), |sim, instance, check| {
            sim.change(instance, |it| {
                it.tags.insert("catnap:host".into(), host.into());
                it.tags.insert("catnap:health-check".into(), check.to_string());
            });
            if let Ok(host) = host.parse() {
                sim.add_name(instance, &host);
            }
        });
    }

    /// `IdleMinutes`, as it is set now.
    #[must_use]
    pub fn idle(&self) -> TimeDelta {
        self.world.config().policy.idle
    }

    /// How often an operation of the cloud was called.
    #[must_use]
    pub fn calls(&self, operation: &str) -> usize {
        self.inside(|world| world.core.sim().calls(operation, ""))
    }

    /// The stopper looks now, besides its schedule.
    pub fn tick(&self) {
        self.inside(|world| world.spawn(Arc::clone(&self.world).tick()));
    }

    /// Deploys the pair with another setting, by the name of its variable.
    ///
    /// # Errors
    /// What it takes; then nothing has changed.
    pub fn set(&self, variable: &str, value: &str) -> Result<(), ConfigError> {
        self.inside(|world| world.set(variable, value))
    }

    /// Changes how often the stopper looks.
    pub fn set_schedule(&self, every: TimeDelta) {
        self.inside(|world| world.set_schedule(every));
    }

    /// Lambda takes all warm environments away.
    pub fn forget_environments(&self) {
        self.inside(World::forget_environments);
    }

    /// Switches a fault on or off. Of two that concern the same thing the newer one is met, and once that ends the
    /// other again.
    pub fn fault(&self, fault: Fault, on: bool) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        _ = if on { faults.insert(fault) } else { faults.remove(&fault) };
        let replaced = faults.iter().copied().find(|other| !on && other.replaces(fault));
        let (met, is_met) = replaced.map_or((fault, on), |other| (other, true));
        let delay = self.metric_delay;
        let what = format!("{}: {}", if on { "from now on" } else { "no more" }, fault.words());
        self.turn(&what, |sim, instance, check| met.switch(is_met, sim, (instance, check), delay));
    }

    /// The faults that are on.
    #[must_use]
    pub fn faults(&self) -> BTreeSet<Fault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on CloudWatch cannot read this metric, by its name, or can again.
    pub(crate) fn unreadable(&self, name: &str, on: bool) {
        let what = format!("CloudWatch {} {name}", if on { "cannot read" } else { "can again read" });
        self.turn(&what, |sim, instance, check| {
            let period = sim.instance(instance).network_in_period();
            let metric = match (name, APP.parse()) {
                ("NetworkIn", _) => Metric::NetworkIn { instance: instance.clone(), period },
                ("Visits", Ok(host)) => Metric::Visits(host),
                ("Busy", Ok(host)) => Metric::Busy(host),
                _ => Metric::HealthStatus(check.clone()),
            };
            if on {
                sim.set_unreadable(metric);
            } else {
                sim.set_readable(&metric);
            }
        });
    }

    /// What the calls of an operation meet on their way from now on, or no more; an empty name is every operation.
    pub fn weather(&self, operation: &'static str, weather: Weather, on: bool) {
        self.inside(|world| world.core.set_weather(operation, weather, on));
    }

    /// Turns another knob of the simulated cloud: the operator's hand. `what` says it in the record.
    pub fn turn<T>(&self, what: &str, turn: impl FnOnce(&Sim, &InstanceId, &HealthCheckId) -> T) -> T {
        self.inside(|world| {
            world.core.tell(What::Turned { what: what.into() });
            turn(world.core.sim(), &world.instance, &world.check)
        })
    }

    /// What the app answers from now on to those who have reached it.
    pub fn app_answers(&self, answer: AppAnswer) {
        self.inside(|world| world.core.sim().apps_answer(answer));
    }

    /// Inside of the runtime, whose clock is the world's.
    fn inside<T>(&self, act: impl FnOnce(&World) -> T) -> T {
        let _entered = self.runtime.enter();
        act(&self.world)
    }
}

fn people_the_world(sim: &Sim, setup: &Setup) -> (InstanceId, HealthCheckId) {
    #[expect(clippy::expect_used, reason = "constants")]
    let (host, check) = (APP.parse().expect("a name"), "sandbox-check".parse::<HealthCheckId>().expect("an id"));
    let instance = sim.add_instance(&host, setup.phases);
    let (config, threshold) = setup.check;
    let life = Life { check: check.clone(), config, threshold, ttl: setup.ttl, seed: setup.seed };
    sim.bring_to_life(&instance, &host, &life);
    sim.set_metric_delay(setup.metric_delay);
    sim.pages_weigh(setup.page);
    sim.meter_calls();
    sim.change(&instance, |it| it.detailed_monitoring = setup.detailed_monitoring);
    if setup.partial_points {
        sim.show_partial_points();
    }
    sim.apps_answer(|request| {
        let page = format!("<!doctype html><title>The app</title><h1>The app</h1><p>{}</p>", request.uri().path());
        let html = Response::builder().header("content-type", "text/html; charset=utf-8").body(page.into_bytes());
        Ok(html.unwrap_or_default())
    });
    (instance, check)
}
