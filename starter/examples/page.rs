//! The true starter over the simulated cloud, driven by lines of JSON: what `make page` and the tests of the
//! waiting page in a browser (`wire/page`) talk to.
//!
//! Each line on standard input is a command; its answer is a line on standard output. `{"new": {…}}` begins a new
//! world with these variables beside the usual ones, `{"set": {…}}` changes the instance behind Catnap's back,
//! `{"seconds": 5}` lets time pass, `{"calls": "StartInstances"}` counts, `{"ask": {…}, "nonce": "…"}` is a request
//! as API Gateway's payload.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};

use chrono::{TimeDelta, Utc};
use lambda_http::Body;
use serde_json::{Value, json};
use shared::config::Config;
use shared::model::{InstanceId, InstanceState, Probe};
use shared::record::Sink;
use shared::sim::{Phases, Sim};
use shared::trouble::Trouble;
use starter::{Mended, Moment, Starter, Visit, mend};

const APP: &str = "app.example.com";

/// Nobody reads the records here.
struct Nobody;

impl Sink for Nobody {
    fn take(&self, _: String) {}
}

/// One instance that naps, and a warm starter in front of it.
struct World {
    sim: &'static Sim,
    id: InstanceId,
    starter: Starter<&'static Sim, &'static Sim, Nobody>,
}

impl World {
    fn new(variables: &Value) -> Result<Self, Box<dyn Error>> {
        let sim: &'static Sim = Box::leak(Box::new(Sim::new(Utc::now()))); // one for each test: kept to the end
        let id = sim.add_instance(&APP.parse()?, Phases::default());
        let config = Config::read(|name| match (variables[name].as_str(), name) {
            (Some(value), _) => Some(value.into()),
            (None, "CATNAP_APP_DOMAIN") => Some(APP.into()),
            (None, "CATNAP_INSTANCE_ID") => Some(id.to_string()),
            _ => None,
        })?;
        let starter = Starter::new(config, sim, sim, Nobody);
        Ok(Self { sim, id, starter })
    }

    async fn obey(&mut self, command: &Value) -> Result<Value, Box<dyn Error>> {
        if let Some(variables) = command.get("new") {
            *self = Self::new(variables)?;
        } else if let Some(changes) = command.get("set") {
            self.set(changes)?;
        } else if let Some(seconds) = command["seconds"].as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "some seconds")]
            self.sim.advance(TimeDelta::milliseconds((seconds * 1_000.0) as i64));
        } else if let Some(operation) = command["calls"].as_str() {
            return Ok(json!(self.sim.calls(operation, "")));
        } else if let Some(event) = command.get("ask") {
            let nonce = command["nonce"].as_str().unwrap_or_default().into();
            return self.ask(event, nonce).await;
        } else {
            return Err(format!("no command: {command}").into());
        }
        Ok(Value::Null)
    }

    fn set(&self, changes: &Value) -> Result<(), Box<dyn Error>> {
        for (name, value) in changes.as_object().ok_or("set takes an object")? {
            let text = value.as_str().unwrap_or_default();
            match name.as_str() {
                "app" => self.sim.app_answers(&self.id, probe(text)?),
                "refuses" => self.sim.fail_next("StartInstances", trouble(text)?),
                "unseen" => {
                    let trouble = trouble(text)?;
                    (0..100).for_each(|_| self.sim.fail_next("DescribeInstances", trouble)); // for good, as tests go
                }
                "state" => {
                    let state = state(text)?;
                    self.sim.change(&self.id, |it| it.state = state);
                }
                "state_reason" => self.sim.change(&self.id, |it| it.state_reason = Some(text.into())),
                "launched_seconds_ago" => {
                    let at = self.sim.now() - TimeDelta::seconds(value.as_i64().ok_or("seconds")?);
                    self.sim.change(&self.id, |it| it.launched_at = at);
                }
                "no_address" => self.sim.change(&self.id, |it| it.public_address = None),
                "tags" => {
                    let tags: BTreeMap<String, String> = serde_json::from_value(value.clone())?;
                    self.sim.change(&self.id, |it| it.tags.extend(tags));
                }
                other => return Err(format!("nothing to set: {other}").into()),
            }
        }
        Ok(())
    }

    async fn ask(&self, event: &Value, nonce: String) -> Result<Value, Box<dyn Error>> {
        let Mended { request, sent } = mend(event.clone())?;
        let now = self.sim.now();
        let moment = Moment { now, answer_by: now + TimeDelta::seconds(28), nonce };
        let response = self.starter.answer(&Visit::new(&request.into(), sent), &moment).await;
        let headers: BTreeMap<_, _> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let body = match response.body() {
            Body::Text(text) => text.as_str(),
            _ => "",
        };
        Ok(json!({"statusCode": response.status().as_u16(), "headers": headers, "body": body}))
    }
}

fn state(name: &str) -> Result<InstanceState, Box<dyn Error>> {
    use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    named(name, &[Pending, Running, Stopping, Stopped, ShuttingDown, Terminated])
}

fn probe(name: &str) -> Result<Probe, Box<dyn Error>> {
    use Probe::{Broken, Ready, Refused, TimedOut, TlsFailed};
    named(name, &[Ready, Refused, TimedOut, TlsFailed, Broken])
}

fn trouble(name: &str) -> Result<Trouble, Box<dyn Error>> {
    use Trouble::{Capacity, NotPermitted, Quota, Spot, Throttled, Unreachable};
    named(name, &[Capacity, Quota, Throttled, NotPermitted, Spot, Unreachable])
}

/// The one that is called `name` in records and answers.
fn named<T: serde::Serialize + Copy>(name: &str, all: &[T]) -> Result<T, Box<dyn Error>> {
    let is_it = |one: &&T| match serde_json::to_value(one) {
        Ok(Value::Object(map)) => map["seen"] == name,
        Ok(value) => value == name,
        Err(_) => false,
    };
    all.iter().find(is_it).copied().ok_or_else(|| format!("nothing is called {name:?} here").into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut world = World::new(&json!({}))?;
    for line in stdin().lock().lines() {
        let answer = match world.obey(&serde_json::from_str(&line?)?).await {
            Ok(answer) => json!({"ok": answer}),
            Err(error) => json!({"error": error.to_string()}),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}
