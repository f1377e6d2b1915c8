//! The starter: observe → decide → act → respond, for each request that reaches API Gateway
//! because the app's instance does not answer.

mod event;
mod handoff;
mod http_app;
mod observe;
mod page;
mod respond;
mod tally;
mod wording;

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use http::Response;
use lambda_http::Body;
use shared::classify::{Class, classify};
use shared::cloud::{App, Cloud};
use shared::config::Config;
use shared::record::{self, Sink};
use shared::wake::{self, Action, WakeDecision};

pub use event::{Visit, mend};
pub use http_app::HttpApp;

use observe::{Addressed, Memory, Seen};

/// What the starter keeps between two requests of a warm Lambda.
#[derive(Debug)]
pub struct Starter<C, A, S> {
    config: Config,
    cloud: C,
    app: A,
    sink: S,
    memory: Mutex<Memory>,
}

/// What a handler may not take from the world by itself.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The time.
    pub now: DateTime<Utc>,
    /// A value that nobody can guess, new for each answer: lets the page's own script and style through.
    pub nonce: String,
}

impl<C: Cloud, A: App, S: Sink> Starter<C, A, S> {
    /// Puts a starter together. Asks nothing of anybody yet.
    pub fn new(config: Config, cloud: C, app: A, sink: S) -> Self {
        Self { config, cloud, app, sink, memory: Mutex::default() }
    }

    /// Answers one request.
    pub async fn answer(&self, visit: &Visit, moment: &Moment) -> Response<Body> {
        let Some(addressed) = observe::addressed(&self.config, visit) else {
            self.write(moment.now, "", &[], &tally::Entry::new(visit, None, None));
            return respond::not_an_app(visit);
        };
        let class = classify(&visit.request(&addressed.host), &self.config.wake_paths);
        if let Some(refusal) = respond::refusal(class, addressed.on_api_origin, visit) {
            self.record_refusal(visit, moment, &addressed, class);
            return refusal;
        }
        let mut seen = self.observe(&addressed, class.asks(self.config.wake_on), moment.now).await;
        let mut decision = wake::decide(&seen.observation(&self.config));
        self.act(&mut decision, &mut seen, moment.now).await;
        self.record(visit, moment, &addressed, class, &seen, &decision);
        respond::respond(&respond::Answer {
            config: &self.config,
            visit,
            moment,
            addressed: &addressed,
            class,
            instance: seen.instance(),
            reason: &decision.reason,
        })
    }

    async fn act(&self, decision: &mut WakeDecision, seen: &mut Seen, now: DateTime<Utc>) {
        if decision.action != Action::Start {
            return;
        }
        let Some(instance) = seen.instance() else { return };
        let started = self.cloud.start(&instance.id).await;
        self.forget();
        if let Err(error) = started {
            self.remember_refusal(&instance.id, error.trouble, now);
            *decision = WakeDecision { action: Action::Wait, reason: wake::after_refused_start(error.trouble) };
            seen.error = Some(error);
        }
    }

    fn record(
        &self,
        visit: &Visit,
        moment: &Moment,
        addressed: &Addressed,
        class: Class,
        seen: &Seen,
        decision: &WakeDecision,
    ) {
        let counts = tally::counts(class, seen.ask, decision);
        let entry = tally::Entry::new(visit, Some(class), Some((seen, decision)));
        self.write(moment.now, addressed.host.as_str(), &counts, &entry);
    }

    fn record_refusal(&self, visit: &Visit, moment: &Moment, addressed: &Addressed, class: Class) {
        // At the API's own origin the visitor chooses the name, and each new one would be a metric to pay for.
        let counts: &[_] = if addressed.on_api_origin { &[] } else { &[record::Count::IgnoredRequests] };
        self.write(moment.now, addressed.host.as_str(), counts, &tally::Entry::new(visit, Some(class), None));
    }

    fn write(&self, now: DateTime<Utc>, app: &str, counts: &[record::Count], entry: &tally::Entry<'_>) {
        if let Ok(line) = record::line(now, app, counts, entry) {
            self.sink.take(line);
        }
    }
}
