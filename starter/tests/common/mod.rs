//! A starter over the simulated cloud, asked with API Gateway's payload.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Mutex;

use chrono::TimeDelta;
use http::Response;
use lambda_http::Body;
use serde_json::{Value, json};
use shared::config::Config;
use shared::model::{HostName, InstanceId};
use shared::record::Sink;
use shared::sim::{Phases, Sim};
use starter::{Mended, Moment, Starter, Visit, mend};

pub(crate) const APP: &str = "app.example.com";
pub(crate) const API: &str = "abc123def4.execute-api.eu-central-1.amazonaws.com";

/// Records, kept in memory.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Vec<Value>>);

impl Sink for &Lines {
    fn take(&self, line: String) {
        self.0.lock().unwrap().push(serde_json::from_str(&line).unwrap());
    }
}

impl Lines {
    pub(crate) fn last(&self) -> Value {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

/// One instance that naps, and what the starter in front of it is set to.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) id: InstanceId,
    pub(crate) lines: Lines,
    pub(crate) settings: Vec<(&'static str, String)>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) response: Response<Body>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn is_page(&self) -> bool {
        self.header("content-type").starts_with("text/html") && self.text.starts_with("<!doctype html>")
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let sim = Sim::new("2026-03-01T08:00:00Z".parse().unwrap());
        let host: HostName = APP.parse().unwrap();
        let id = sim.add_instance(&host, Phases::default());
        let settings = vec![
            ("CATNAP_APP_DOMAIN", APP.into()),
            ("CATNAP_INSTANCE_ID", id.to_string()),
            ("CATNAP_STATUS_ORIGIN", format!("https://{API}")),
        ];
        Self { sim, id, lines: Lines::default(), settings }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    pub(crate) fn config(&self) -> Config {
        let setting =
            |name: &str| self.settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        Config::read(setting).unwrap()
    }

    pub(crate) fn starter(&self) -> Starter<&Sim, &Sim, &Lines> {
        Starter::new(self.config(), &self.sim, &self.sim, &self.lines)
    }

    /// Asks a cold starter.
    pub(crate) async fn ask(&self, event: Value) -> Answer {
        ask(&self.starter(), &self.sim, event).await
    }

    pub(crate) fn seconds(&self, seconds: i64) {
        self.sim.advance(TimeDelta::seconds(seconds));
    }

    pub(crate) fn starts(&self) -> usize {
        self.sim.calls("StartInstances", "")
    }
}

pub(crate) async fn ask(starter: &Starter<&Sim, &Sim, &Lines>, sim: &Sim, event: Value) -> Answer {
    let Mended { request, sent } = mend(event).unwrap();
    let now = sim.now();
    let moment = Moment { now, answer_by: now + TimeDelta::seconds(28), nonce: "n0nce".into() };
    let response = starter.answer(&Visit::new(&request.into(), sent), &moment).await;
    let text = match response.body() {
        Body::Text(text) => text.clone(),
        Body::Binary(bytes) => format!("{} bytes", bytes.len()),
        Body::Empty => String::new(),
        other => panic!("a body of another kind: {other:?}"),
    };
    Answer { status: response.status().as_u16(), response, text }
}

/// A sample event, as `sam local invoke` takes it.
pub(crate) fn sample(name: &str) -> Value {
    let path = format!("{}/../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn visit() -> Value {
    sample("visit")
}

pub(crate) fn wake() -> Value {
    sample("wake")
}

pub(crate) fn status() -> Value {
    sample("status")
}

/// A sample event with another method, path and further headers.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Value {
    let mut event = sample("api");
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = path.into();
    for (name, value) in headers {
        event["headers"][*name] = json!(value);
    }
    event
}
