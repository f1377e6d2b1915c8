//! What is told of a run, in the order in which it happened.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::model::{InstanceId, InstanceState};
use shared::sim::{Happening, LeadsTo};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When, by the world's clock.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What can happen. As JSON each has its `kind`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A record of the starter: the request, the decision, its reason.
    Starter {
        /// The line that it logs.
        record: Value,
    },
    /// A record of the stopper: a target's decision and its reason, or a tick's sum.
    Stopper {
        /// The line that it logs.
        record: Value,
    },
    /// A function failed, or did not end in time.
    FunctionFailed {
        /// Which.
        function: &'static str,
        /// How.
        message: String,
    },
    /// A request and its answer.
    Request {
        /// Who asked.
        who: String,
        /// Its method and path.
        request: String,
        /// Where it went.
        to: LeadsTo,
        /// The answer's status; none when there was no answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// What it got: the app, the waiting page, a status …
        got: Got,
    },
    /// What became of a visitor.
    Visitor {
        /// Who.
        who: String,
        /// What.
        step: Step,
    },
    /// EC2 was called.
    Call {
        /// By whom.
        by: &'static str,
        /// The operation.
        operation: &'static str,
        /// Its subject.
        instance: InstanceId,
        /// The state that the caller last saw it in.
        #[serde(skip_serializing_if = "Option::is_none")]
        seen: Option<InstanceState>,
        /// What was refused, if it was.
        #[serde(skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// Someone turned a knob: a setting, a fault, the operator's hand.
    Turned {
        /// What, in words.
        what: String,
    },
    /// A law was broken.
    Broken {
        /// Which, and how.
        law: String,
    },
    /// What the simulated cloud did by itself.
    #[serde(untagged)]
    World(Happening),
}

/// What a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Got {
    /// The app, directly or over the bridge.
    App,
    /// The waiting page.
    WaitingPage,
    /// Some other answer of the starter's.
    Starter,
    /// An error of API Gateway's own.
    GatewayError,
    /// Nothing: the connection timed out or was refused.
    Nothing,
}

/// The steps of a visitor.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Opens the app.
    Comes,
    /// Looks at the waiting page.
    Waits,
    /// Has the app on the screen.
    Arrives {
        /// Seconds since they came, or since they wait again.
        after_seconds: i64,
    },
    /// Had the app, and the next page is not there.
    WaitsAgain,
    /// Had no more patience.
    GivesUp {
        /// Seconds since they came, or since they wait again.
        after_seconds: i64,
        /// The reason that the page gave last.
        reason: String,
    },
    /// Is done.
    Leaves,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.at.format("%a %d %b %H:%M:%S"), self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starter { record } => {
                let ask = text(record, "class");
                write!(f, "starter   {ask}: {} ({})", text(record, "action"), text(record, "reason"))?;
                extra(f, record)
            }
            Self::Stopper { record } if record.get("decision").is_some() => {
                write!(
                    f,
                    "stopper   {} ({}): {}",
                    text(record, "decision"),
                    text(record, "reason"),
                    text(record, "outcome")
                )?;
                write!(f, "; {}", text(record, "would_change"))?;
                extra(f, record)
            }
            Self::Stopper { record } => {
                write!(f, "stopper   tick of {} target(s)", record.get("targets").unwrap_or(&Value::Null))?;
                extra(f, record)
            }
            Self::FunctionFailed { function, message } => write!(f, "{function}   FAILED: {message}"),
            Self::Request { who, request, to, status, got } => {
                let status = status.map_or("–".into(), |status| status.to_string());
                write!(f, "request   {who}: {request} → {}: {status}, {}", named(to), named(got))
            }
            Self::Visitor { who, step } => match step {
                Step::Comes => write!(f, "visitor   {who} comes"),
                Step::Waits => write!(f, "visitor   {who} sees the waiting page"),
                Step::Arrives { after_seconds } => write!(f, "visitor   {who} has the app after {after_seconds} s"),
                Step::GivesUp { after_seconds, reason } => {
                    write!(f, "visitor   {who} gives up after {after_seconds} s ({reason})")
                }
                Step::WaitsAgain => write!(f, "visitor   {who} had the app, and waits for it again"),
                Step::Leaves => write!(f, "visitor   {who} leaves"),
            },
            Self::Call { by, operation, instance, refused, .. } => {
                write!(f, "ec2       {operation} {instance} by the {by}")?;
                refused.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
            }
            Self::Turned { what } => write!(f, "knob      {what}"),
            Self::Broken { law } => write!(f, "BROKEN    {law}"),
            Self::World(Happening::State { state, why, .. }) => {
                write!(f, "instance  {}", named(state))?;
                why.as_ref().map_or(Ok(()), |why| write!(f, " ({why})"))
            }
            Self::World(Happening::App { answers: true, .. }) => write!(f, "app       answers"),
            Self::World(Happening::App { answers: false, .. }) => write!(f, "app       no longer answers"),
            Self::World(Happening::Health { healthy, well, of, .. }) => {
                let healthy = if *healthy { "healthy" } else { "unhealthy" };
                write!(f, "route 53  {healthy}: {well} of {of} checkers find it well")
            }
            Self::World(Happening::Dns { host, to }) => write!(f, "dns       {host} leads to the {}", named(to)),
        }
    }
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or("–")
}

fn extra(f: &mut fmt::Formatter<'_>, record: &Value) -> fmt::Result {
    match record.get("error").or_else(|| record.get("message")).and_then(Value::as_str) {
        Some(error) => write!(f, " [{error}]"),
        None => Ok(()),
    }
}

/// What records call it.
fn named(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}
