//! The pair in its world: Lambda around the real handlers, API Gateway in front of the starter, a schedule behind
//! the stopper.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use shared::config::{Config, ConfigError};
use shared::model::{HealthCheckId, HostName, InstanceId, Probe};
use shared::sim::{Browser, LeadsTo};
use starter::{Moment, Starter};
use stopper::Stopper;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::core::{Core, Function, Log};
use crate::event::{Got, What};
use crate::gateway::{self, Arrival};
use crate::port::Port;

/// The app's host name.
pub const APP: &str = "app.example.com";
/// The host name of the HTTP API itself, where only status is served.
pub const API: &str = "abc123def4.execute-api.eu-central-1.amazonaws.com";

/// `Timeout` of the functions in the template.
pub(crate) const STARTER_TIMEOUT: Duration = Duration::from_secs(29);
const STOPPER_TIMEOUT: Duration = Duration::from_secs(300);
/// The starter leaves itself time for the answer to get out.
const MARGIN: TimeDelta = TimeDelta::seconds(1);
/// A tick that failed is tried again, as Lambda does with what it is asked to do later (Lambda Developer Guide,
/// "Error handling for asynchronous invocations").
const TRY_AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// An environment that nobody needed for so long is gone.
const WARM_FOR: TimeDelta = TimeDelta::minutes(10);
const COLD_START: Duration = Duration::from_millis(150);
/// From a browser to API Gateway or the instance and back.
const WAY: Duration = Duration::from_millis(30);

type TheStarter = Starter<Port, Port, Log>;
type TheStopper = Stopper<Port, Log>;

/// Everything, for whoever takes part.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) core: Arc<Core>,
    pub(crate) instance: InstanceId,
    pub(crate) check: HealthCheckId,
    pair: Mutex<Pair>,
    schedule_changed: Notify,
    requests: AtomicU64,
    tasks: Mutex<JoinSet<()>>,
}

/// What is deployed.
#[derive(Debug)]
struct Pair {
    settings: BTreeMap<String, String>,
    config: Config,
    /// How often the stopper looks.
    schedule: TimeDelta,
    /// The starter's environments that are warm and have nothing to do, and since when.
    idle_starters: Vec<(DateTime<Utc>, Arc<TheStarter>)>,
    stopper: Option<Arc<TheStopper>>,
    /// How often it was deployed: an environment of an earlier one is not used again.
    deployed: u64,
}

/// Why a request got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The name does not exist.
    UnknownName,
    /// The connection to the instance failed in this way.
    NotReached(Probe),
}

impl World {
    pub(crate) fn new(
        core: Arc<Core>,
        (instance, check): (InstanceId, HealthCheckId),
        settings: BTreeMap<String, String>,
        schedule: TimeDelta,
    ) -> Result<Self, ConfigError> {
        let config = Config::read(|name| settings.get(name).cloned())?;
        let pair = Pair { settings, config, schedule, idle_starters: Vec::new(), stopper: None, deployed: 0 };
        let (pair, schedule_changed, requests) = (Mutex::new(pair), Notify::new(), AtomicU64::new(0));
        Ok(Self { core, instance, check, pair, schedule_changed, requests, tasks: Mutex::default() })
    }

    /// Something goes on by itself as time passes. Inside of the runtime.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }

    /// What ended in a panic takes us with it: a handler must not.
    pub(crate) fn join_tasks(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            if let Err(panicked) = ended.map_err(JoinError::try_into_panic) {
                panicked.map_or_else(|_| (), |panic| std::panic::resume_unwind(panic));
            }
        }
    }

    fn pair(&self) -> MutexGuard<'_, Pair> {
        self.pair.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the pair is set to.
    pub(crate) fn config(&self) -> Config {
        self.pair().config.clone()
    }

    /// Deploys the pair with another setting.
    pub(crate) fn set(&self, variable: &str, value: &str) -> Result<(), ConfigError> {
        let mut pair = self.pair();
        let mut settings = pair.settings.clone();
        settings.insert(variable.into(), value.into());
        pair.config = Config::read(|name| settings.get(name).cloned())?;
        pair.settings = settings;
        pair.deploy();
        drop(pair);
        self.core.tell(What::Turned { what: format!("{variable} is {value}") });
        Ok(())
    }

    /// Lambda takes all environments away.
    pub(crate) fn forget_environments(&self) {
        self.pair().deploy();
    }

    pub(crate) fn schedule(&self) -> TimeDelta {
        self.pair().schedule
    }

    pub(crate) fn set_schedule(&self, every: TimeDelta) {
        self.pair().schedule = every;
        self.core.tell(What::Turned { what: format!("the stopper looks every {} min", every.num_minutes()) });
        self.schedule_changed.notify_one();
    }

    /// Runs the stopper on its schedule, for ever.
    pub(crate) async fn tick_for_ever(self: Arc<Self>) {
        let mut last = Instant::now();
        loop {
            let next = last + self.schedule().to_std().unwrap_or(Duration::from_secs(60));
            tokio::select! {
                biased;
                // A schedule that is deployed anew begins then; it makes up for nothing.
                () = self.schedule_changed.notified() => last = Instant::now(),
                () = sleep_until(next) => {
                    last = next;
                    self.spawn(Arc::clone(&self).tick());
                }
            }
        }
    }

    /// One tick, tried again when it fails.
    pub(crate) async fn tick(self: Arc<Self>) {
        for pause in [Duration::ZERO].into_iter().chain(TRY_AGAIN_AFTER) {
            sleep(pause).await;
            let stopper = self.stopper();
            let deadline = Instant::now() + STOPPER_TIMEOUT;
            match timeout(STOPPER_TIMEOUT, stopper.tick(self.core.now(), deadline)).await {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => self.failed(Function::Stopper, error.to_string()),
                Err(_) => {
                    self.pair().stopper = None;
                    self.failed(Function::Stopper, "it did not end in time".into());
                }
            }
        }
    }

    fn stopper(&self) -> Arc<TheStopper> {
        let mut pair = self.pair();
        let Pair { config, stopper, .. } = &mut *pair;
        let port = || Port::new(Arc::clone(&self.core), Function::Stopper, config.clone());
        let log = Log { core: Arc::clone(&self.core), function: Function::Stopper };
        Arc::clone(stopper.get_or_insert_with(|| Arc::new(Stopper::new(config.clone(), port(), log))))
    }

    fn failed(&self, function: Function, message: String) {
        self.core.tell(What::FunctionFailed { function: function.name(), message });
    }

    /// Sends a request from a browser: to the API's own host, or by DNS to whoever the app's name leads to.
    pub(crate) async fn send(
        &self,
        who: &str,
        browser: &mut Browser,
        request: Request<Vec<u8>>,
    ) -> Result<(Got, Response<Vec<u8>>), NoAnswer> {
        let host = request.uri().host().unwrap_or(APP).to_owned();
        let asked = format!("{} {}", request.method(), request.uri().path());
        sleep(WAY).await;
        let to = match host.parse::<HostName>() {
            _ if host == API => LeadsTo::Gateway,
            Ok(name) => self.core.sim().route(browser, &name).ok_or(NoAnswer::UnknownName)?,
            Err(_) => return Err(NoAnswer::UnknownName),
        };
        let answer = match to {
            LeadsTo::Gateway => Ok(self.through_gateway(&host, &request).await),
            LeadsTo::Instance => {
                let answer = self.core.sim().ask_app(&self.instance, request).map_err(NoAnswer::NotReached);
                answer.map(|answer| (Got::App, answer))
            }
        };
        if answer.is_err() {
            browser.lose_connection();
        }
        let status = answer.as_ref().ok().map(|(_, answer)| answer.status().as_u16());
        let got = answer.as_ref().map_or(Got::Nothing, |(got, _)| *got);
        self.core.tell(What::Request { who: who.into(), request: asked, to, status, got });
        answer
    }

    /// API Gateway: a request as a payload to the starter, and its answer back.
    async fn through_gateway(&self, domain: &str, request: &Request<Vec<u8>>) -> (Got, Response<Vec<u8>>) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let (request_id, now) = (format!("sim{number:08}="), self.core.now());
        let arrival = Arrival { domain, source_ip: "203.0.113.24", request_id: &request_id, now };
        match self.invoke_starter(gateway::event(request, &arrival)).await {
            Ok(answer) => match gateway::response(&answer) {
                Some(response) => (got(&response, request), response),
                None => {
                    self.failed(Function::Starter, "API Gateway can make no answer of what it gives".into());
                    (Got::GatewayError, gateway::own(500, "Internal Server Error"))
                }
            },
            Err(message) => {
                self.failed(Function::Starter, message);
                (Got::GatewayError, gateway::own(503, "Service Unavailable"))
            }
        }
    }

    async fn invoke_starter(&self, event: Value) -> Result<Value, String> {
        let now = self.core.now();
        let (deployed, warm) = {
            let mut pair = self.pair();
            pair.idle_starters.retain(|(since, _)| now - *since < WARM_FOR);
            (pair.deployed, pair.idle_starters.pop())
        };
        let starter = match warm {
            Some((_, starter)) => starter,
            None => {
                sleep(COLD_START).await;
                let config = self.config();
                let port = Port::new(Arc::clone(&self.core), Function::Starter, config.clone());
                let log = Log { core: Arc::clone(&self.core), function: Function::Starter };
                Arc::new(Starter::new(config, port.clone(), port, log))
            }
        };
        let now = self.core.now();
        let answer_by = now + TimeDelta::from_std(STARTER_TIMEOUT).unwrap_or_default() - MARGIN;
        let moment = Moment { now, answer_by, nonce: "c2FuZGJveA".into() };
        let answer = starter.invoke(LambdaEvent::new(event, Context::default()), &moment);
        let answer = timeout(STARTER_TIMEOUT, answer).await.map_err(|_| "it did not end in time".to_owned())?;
        let mut pair = self.pair();
        if pair.deployed == deployed {
            let now = self.core.now();
            pair.idle_starters.push((now, starter));
        }
        drop(pair);
        let answer = answer.map_err(|failed| failed.error_message)?;
        serde_json::to_value(answer).map_err(|error| error.to_string())
    }
}

impl Pair {
    fn deploy(&mut self) {
        self.deployed += 1;
        self.idle_starters.clear();
        self.stopper = None;
    }
}

/// What an answer of the starter's is: it bridges the app, or shows its page, or says something of its own.
fn got(response: &Response<Vec<u8>>, request: &Request<Vec<u8>>) -> Got {
    let own = response.headers().contains_key("x-robots-tag"); // what the starter itself says has it, always
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let wants_page =
        request.headers().get(ACCEPT).and_then(|it| it.to_str().ok()).is_some_and(|it| it.contains("html"));
    match (own, kind.starts_with("text/html") && wants_page) {
        (false, _) => Got::App,
        (true, true) => Got::WaitingPage,
        (true, false) => Got::Starter,
    }
}
