//! The starter: observe → decide → act → respond, for each request that reaches API Gateway
//! because the app's instance does not answer.

mod colours;
mod event;
mod handoff;
mod http_app;
mod observe;
mod page;
mod phase;
mod respond;
mod tally;
mod wording;

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use http::Response;
use lambda_http::Body;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use shared::classify::{Class, classify};
use shared::cloud::{App, Cloud, Destination, Unforwarded};
use shared::config::Config;
use shared::record::{self, Count, Sink};
use shared::wake::{self, Action, WakeDecision};

pub use event::{Mended, Sent, Visit, mend};
pub use http_app::HttpApp;

use handoff::Bridged;
use handoff::bridge::Unbridged;
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
    /// When the answer must be there.
    pub answer_by: DateTime<Utc>,
    /// A value that nobody can guess, new for each answer: lets the page's own script and style through.
    pub nonce: String,
}

/// A request, and what it is about.
#[derive(Debug)]
struct Asked<'a> {
    visit: &'a Visit,
    moment: &'a Moment,
    addressed: &'a Addressed,
    class: Class,
}

impl<C: Cloud, A: App, S: Sink> Starter<C, A, S> {
    /// Puts a starter together. Asks nothing of anybody yet.
    pub fn new(config: Config, cloud: C, app: A, sink: S) -> Self {
        Self { config, cloud, app, sink, memory: Mutex::default() }
    }

    /// Answers one event of API Gateway (payload 2.0) as Lambda brings it, in the form in which Lambda takes it back.
    ///
    /// # Errors
    /// What is wrong with an event that is no HTTP request of API Gateway.
    pub async fn invoke(
        &self,
        event: LambdaEvent<Value>,
        moment: &Moment,
    ) -> Result<impl Serialize + use<C, A, S>, Diagnostic> {
        let Mended { request, sent } = mend(event.payload).map_err(|error| {
            record::failure(&self.sink, moment.now, &error);
            Diagnostic { error_type: "NotAnHttpRequest".into(), error_message: error.to_string() }
        })?;
        Ok(event::payload(self.answer(&Visit::new(&request.into(), sent), moment).await))
    }

    /// Answers one request.
    pub async fn answer(&self, visit: &Visit, moment: &Moment) -> Response<Body> {
        let Some(addressed) = observe::addressed(&self.config, visit) else {
            self.write(moment.now, "", &[], &tally::Entry::new(visit, None));
            return respond::not_an_app(visit);
        };
        let class = classify(&visit.request(&addressed.host), &self.config.wake_paths);
        let asked = Asked { visit, moment, addressed: &addressed, class };
        if let Some(refusal) = respond::refusal(class, addressed.on_api_origin, visit) {
            self.record_refusal(&asked);
            return refusal;
        }
        let (mut seen, mut decision) = self.look(&asked).await;
        let mut bridged = None;
        if let Some(to) = self.bridge_to(class, &seen, &decision) {
            let mut passed = self.bridge(&asked, &to, &seen).await;
            if matches!(passed.answer, Err(Unbridged::Unforwarded(Unforwarded::NotReached(_)))) {
                // It went away since it last answered.
                self.forget_ready(&addressed.host);
                (seen, decision) = self.look(&asked).await;
            } else {
                // It is up, whether its answer can be passed on or not.
                passed.led = self.lead(&asked, &seen).await;
            }
            bridged = Some(passed);
        }
        self.record(&asked, &seen, &decision, bridged.as_ref());
        let unbridged = match bridged.map(|bridged| bridged.answer) {
            Some(Ok(answer)) => return answer,
            Some(Err(why)) if decision.action == Action::HandOff => Some(why),
            _ => None,
        };
        let config = &self.config;
        respond::respond(&respond::Answer { config, asked: &asked, seen: &seen, reason: &decision.reason, unbridged })
    }

    /// Observes, decides and acts.
    async fn look(&self, asked: &Asked<'_>) -> (Seen, WakeDecision) {
        let now = asked.moment.now;
        let mut seen = self.observe(asked.addressed, asked.class.asks(self.config.wake_on), now).await;
        let mut decision = wake::decide(&seen.observation(&self.config));
        self.act(&mut decision, &mut seen, now).await;
        (seen, decision)
    }

    /// Where this request is passed on to, if it is.
    fn bridge_to(&self, class: Class, seen: &Seen, decision: &WakeDecision) -> Option<Destination> {
        let is_for_the_app = decision.action == Action::HandOff && !class.is_catnaps_own();
        is_for_the_app.then(|| handoff::bridge_to(&self.config, seen)).flatten()
    }

    async fn act(&self, decision: &mut WakeDecision, seen: &mut Seen, now: DateTime<Utc>) {
        let Some(instance) = seen.instance() else { return };
        if let Some(took) = seen.woke_within.filter(|_| !self.config.dry_run) {
            let learned = self.cloud.tag_wake_seconds(&instance.id, &seen.wake_seconds.with(took)).await;
            seen.error = learned.err().or(seen.error.take());
            return;
        }
        if decision.action != Action::Start {
            return;
        }
        let started = self.cloud.start(&instance.id).await;
        self.forget();
        if let Err(error) = started {
            self.remember_refusal(&instance.id, error.trouble, now);
            *decision = WakeDecision { action: Action::Wait, reason: wake::after_refused_start(error.trouble) };
            seen.error = Some(error);
        }
    }

    fn record(&self, asked: &Asked<'_>, seen: &Seen, decision: &WakeDecision, bridged: Option<&Bridged>) {
        let counts = tally::counts(asked.class, seen, decision, bridged);
        let entry = tally::Entry::new(asked.visit, Some(asked.class)).with_seen(seen, decision).with_bridged(bridged);
        self.write(asked.moment.now, asked.addressed.host.as_str(), &counts, &entry);
    }

    fn record_refusal(&self, asked: &Asked<'_>) {
        // At the API's own origin the visitor chooses the name, and each new one would be a metric to pay for.
        let counts: &[_] = if asked.addressed.on_api_origin { &[] } else { &[Count::IgnoredRequests] };
        let entry = tally::Entry::new(asked.visit, Some(asked.class));
        self.write(asked.moment.now, asked.addressed.host.as_str(), counts, &entry);
    }

    fn write(&self, now: DateTime<Utc>, app: &str, counts: &[Count], entry: &tally::Entry<'_>) {
        if let Ok(line) = record::line(now, self.config.app_domain.as_str(), app, counts, entry) {
            self.sink.take(line);
        }
    }
}
