//! What happens, as lines for people. A line that only says the same again is counted instead.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::model::InstanceState;
use shared::sim::{Happening, LeadsTo};

use super::frame::name;
use crate::event::{Event, Got, Step, What};

/// What a line is about; the page shows it beside the line, and can hide requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Topic {
    /// A decision of the stopper's.
    Stopper,
    /// A decision of the starter's.
    Starter,
    /// EC2 was called.
    Call,
    /// The instance, its app, its health, DNS.
    World,
    /// A visitor.
    Visitor,
    /// A request and its answer.
    Request,
    /// What was done on the page.
    You,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    /// Its number: a line that comes again replaces the one of its number.
    pub(crate) n: usize,
    /// When it was first so…
    pub(crate) at: DateTime<Utc>,
    /// …and last.
    pub(crate) until: DateTime<Utc>,
    /// How often it was so.
    pub(crate) times: usize,
    /// What it is about.
    pub(crate) topic: Topic,
    /// The decision or the state in one word: the page has a look for some.
    pub(crate) mark: String,
    /// The line.
    pub(crate) text: String,
    /// What more is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) more: String,
}

/// Numbers the lines, and knows the last one of each stream.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    next: usize,
    last: HashMap<(Topic, String), (String, Line)>,
}

/// As many streams are remembered; each visitor is one.
const STREAMS: usize = 200;

/// What is told of an event.
#[derive(Debug, PartialEq)]
struct Told {
    topic: Topic,
    /// Lines that follow each other in a stream with the same mark and the same `same` are one; with none, they never are.
    stream: String,
    same: String,
    mark: String,
    text: String,
    more: String,
}

impl Teller {
    /// The line of an event, if it has one.
    pub(crate) fn tell(&mut self, event: &Event) -> Option<Line> {
        let Told { topic, stream, same, mark, text, more } = told(&event.what)?;
        if self.last.len() > STREAMS {
            self.last.clear();
        }
        let line = match self.last.remove(&(topic, stream.clone())) {
            Some((before, line)) if !same.is_empty() && before == same && line.mark == mark => {
                Line { until: event.at, times: line.times + 1, text, more, ..line }
            }
            _ => {
                self.next += 1;
                Line { n: self.next, at: event.at, until: event.at, times: 1, topic, mark, text, more }
            }
        };
        self.last.insert((topic, stream), (same, line.clone()));
        Some(line)
    }
}

fn told(what: &What) -> Option<Told> {
    let once = |topic, mark: &str, text: String| {
        let (mark, more) = (mark.into(), String::new());
        Some(Told { topic, stream: String::new(), same: String::new(), mark, text, more })
    };
    match what {
        What::Stopper { record } => stopper(record),
        What::Starter { record } => starter(record),
        What::FunctionFailed { function, message } => {
            once(if *function == "starter" { Topic::Starter } else { Topic::Stopper }, "failed", message.clone())
        }
        What::Request { who, request, to, status, got } => {
            let to = match to {
                LeadsTo::Instance => "the instance",
                LeadsTo::Gateway => "API Gateway",
            };
            let got = match got {
                Got::App => "the app",
                Got::WaitingPage => "the waiting page",
                Got::Starter => "an answer of the starter’s",
                Got::GatewayError => "an error of API Gateway’s",
                Got::Nothing => "no answer",
            };
            let status = status.map_or(String::new(), |status| format!(" ({status})"));
            let (mark, text) = ("asked".into(), format!("{who}: {request} from {to} gets {got}{status}"));
            Some(Told {
                topic: Topic::Request,
                stream: who.clone(),
                same: text.clone(),
                mark,
                text,
                more: String::new(),
            })
        }
        What::Visitor { who, step } => {
            let (mark, text) = match step {
                Step::Comes => ("comes", format!("{who} opens the app")),
                Step::Waits => ("waits", format!("{who} sees the waiting page")),
                Step::Arrives { after_seconds } => ("arrives", format!("{who} has the app after {after_seconds} s")),
                Step::GivesUp { after_seconds, reason } => {
                    ("gives-up", format!("{who} gives up after {after_seconds} s: {}", spoken(reason)))
                }
                Step::WaitsAgain => ("waits", format!("{who} had the app, and waits for it again")),
                Step::Leaves => ("leaves", format!("{who} has seen enough and leaves")),
            };
            once(Topic::Visitor, mark, text)
        }
        What::Call { by, operation, refused, .. } => {
            let (mark, text) = match refused {
                None => ("taken", format!("{operation} by the {by}")),
                Some(_) => ("refused", format!("{operation} by the {by} is refused")),
            };
            let (mark, more) = (mark.into(), refused.clone().unwrap_or_default());
            Some(Told { topic: Topic::Call, stream: (*by).into(), same: more.clone(), mark, text, more })
        }
        What::Turned { what } => once(Topic::You, "turned", what.clone()),
        What::Broken { law } => once(Topic::World, "broken", law.clone()),
        What::World(happening) => {
            let (mark, text) = world(happening);
            once(Topic::World, &mark, text)
        }
    }
}

fn world(happening: &Happening) -> (String, String) {
    match happening {
        Happening::State { state, why, .. } => {
            let why = why.as_ref().map_or(String::new(), |why| format!(" ({why})"));
            (name(state), format!("The instance is {}{why}", state_words(*state)))
        }
        Happening::App { answers: true, .. } => ("answers".into(), "The app answers".into()),
        Happening::App { answers: false, .. } => ("silent".into(), "The app no longer answers".into()),
        Happening::Health { healthy, well, of, .. } => {
            let healthy = if *healthy { "healthy" } else { "unhealthy" };
            (healthy.into(), format!("The health check says {healthy}: {well} of {of} checkers find it well"))
        }
        Happening::Dns { host, to: LeadsTo::Instance } => ("dns".into(), format!("DNS leads {host} to the instance")),
        Happening::Dns { host, to: LeadsTo::Gateway } => ("dns".into(), format!("DNS leads {host} to the starter")),
    }
}

fn state_words(state: InstanceState) -> String {
    match state {
        InstanceState::Pending => "being started".into(),
        InstanceState::Stopping => "being stopped".into(),
        InstanceState::Stopped => "stopped: it naps".into(),
        other => name(&other),
    }
}

fn stopper(record: &Value) -> Option<Told> {
    let field = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let (topic, stream) = (Topic::Stopper, String::new());
    let Some(decision) = record.get("decision").and_then(Value::as_str) else {
        let message = record.get("message").and_then(Value::as_str)?; // else a tick's sum, whose targets have their lines
        let (mark, text) = ("failed".into(), message.to_owned());
        return Some(Told { topic, stream, same: text.clone(), mark, text, more: String::new() });
    };
    let error = record.get("error").and_then(Value::as_str).map(|error| format!(" {error}"));
    let text = format!("{}{}", why(record), error.unwrap_or_default());
    let same = format!("{decision} {} {} {}", field("reason"), field("outcome"), field("at"));
    let more = match field("outcome") {
        "refused" => "AWS did not take it".into(),
        "dry-run" => "A dry run: nothing is done".into(),
        "postponed" => "Left for the next tick".into(),
        _ => field("would_change").to_owned(),
    };
    Some(Told { topic, stream, same, mark: decision.into(), text, more })
}

/// The reason of a record of the stopper's in words.
fn why(record: &Value) -> String {
    let field = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let time = |name: &str| clock(field(name));
    let until = || {
        record.get("until").and_then(Value::as_str).map_or(String::new(), |until| format!(" until {}", clock(until)))
    };
    let bytes = |name: &str| record.get(name).and_then(Value::as_f64).map_or("–".into(), kilobytes);
    let decision = field("decision");
    match field("reason") {
        "not-running" => "It sleeps already".into(),
        "recent" => format!("It was started at {}, which is too recent", time("launched_at")),
        "active" => format!("{} came in by {}, more than the floor of {}", bytes("bytes"), time("at"), bytes("floor")),
        "visitors" => format!("Somebody waited at the starter at {}", time("at")),
        "busy" => format!("It is said to be busy{}", until()),
        "window" if decision == "wake" => format!("A keep-awake window has begun; it lasts{}", until()),
        "window" => format!("A keep-awake window{}", until()),
        "until" => format!("Kept awake{}", until()),
        "no-data" => format!("Missing data is no idleness: {}", spoken(field("missing"))),
        "failover-off" => "Nothing watches it, so a visit could not wake it".into(),
        "protected" => format!("Protected by {}", spoken(field("by"))),
        "sick" if decision == "nap" => {
            format!("Nobody could reach it since {}: the next visit boots it afresh", time("since"))
        }
        "sick" => format!("Nobody could reach it since {}", time("since")),
        "idle" => format!(
            "Nobody was there since {}: all that came in is below the floor of {}",
            time("since"),
            bytes("floor")
        ),
        other => sentence(other),
    }
}

fn starter(record: &Value) -> Option<Told> {
    let field = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let (action, reason) = (field("action"), field("reason"));
    if action.is_empty() {
        let text = record.get("message").and_then(Value::as_str)?.to_owned();
        let (topic, mark, same) = (Topic::Starter, "failed".into(), text.clone());
        return Some(Told { topic, stream: String::new(), same, mark, text, more: String::new() });
    }
    let ignored = record.get("IgnoredRequests").is_some();
    let mark = if ignored { "ignored" } else { action };
    let text = match (mark, reason) {
        ("ignored", _) => {
            format!("{} {} wakes nothing: {}", field("method"), field("path"), class_words(field("class")))
        }
        ("start", _) => "Somebody wants the app: the instance is started".into(),
        (_, "asleep") if field("class") == "navigation" => {
            "It sleeps: the visitor gets the waiting page, which may ask".into()
        }
        (_, "asleep") => "It sleeps, and this request does not ask for it".into(),
        (_, "dry-run") => "It sleeps, and a dry run starts nothing".into(),
        (_, "already-waking") => "EC2 takes no more calls just now; this is tried again shortly".into(),
        (_, "waiting-for-capacity") => "AWS has no room for it now; this is tried again".into(),
        (_, "waiting-for-quota") => "The account may not run more now; this is tried again".into(),
        (_, "falling-asleep") => "It is just falling asleep, and is woken as soon as it has stopped".into(),
        (_, "booting") => "EC2 starts it".into(),
        (_, "starting-app") => "The instance is on, the app does not answer yet".into(),
        (_, "overdue") => "It has been on for longer than a boot may take, and the app does not answer".into(),
        (_, "ready") if record.get("bridged").is_some() => {
            "The app’s answer is passed on, until DNS leads there".into()
        }
        (_, "ready") => "The app answers: the visitor is handed over".into(),
        (_, "on-hold") => "It sleeps on purpose: it is on hold".into(),
        (_, "start-failed") => "EC2 took a start and could not carry it out".into(),
        (_, "start-refused") => "EC2 does not take the start".into(),
        (_, "not-permitted") => "The starter’s role may not do this".into(),
        (_, "unclear") => "The instance cannot be looked at just now".into(),
        (_, other) => sentence(other),
    };
    let more = ["error", "code", "trouble"].into_iter().map(field).find(|text| !text.is_empty()).unwrap_or_default();
    let (topic, same, more) = (Topic::Starter, text.clone(), more.to_owned());
    Some(Told { topic, stream: String::new(), same, mark: mark.into(), text, more })
}

fn class_words(class: &str) -> &str {
    match class {
        "probe-path" => "a path that scanners and machines try",
        "bot" => "a program that says so",
        "head-or-options" => "monitors ask like this",
        "prefetch" => "a browser looks ahead",
        "disguised" => "a script in disguise",
        "forged-wake-call" => "another site may have sent it",
        _ => "not somebody who opens a page",
    }
}

/// `no-data` becomes `no data`.
fn spoken(name: &str) -> String {
    name.replace('-', " ")
}

fn sentence(name: &str) -> String {
    let mut letters = name.replace('-', " ").chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    letters.into_iter().collect()
}

fn clock(time: &str) -> String {
    time.parse::<DateTime<Utc>>().map_or_else(|_| time.into(), |time| time.format("%H:%M").to_string())
}

fn kilobytes(bytes: f64) -> String {
    if bytes < 10_000.0 { format!("{:.1} KB", bytes / 1e3) } else { format!("{:.0} KB", bytes / 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(minute: u32, what: What) -> Event {
        Event { at: DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minute.into()), what }
    }

    fn keeps(reason: &str) -> What {
        What::Stopper {
            record: json!({"decision": "keep", "reason": reason, "outcome": "left", "would_change": "naps later",
                           "launched_at": "2026-03-03T08:10:00Z"}),
        }
    }

    #[test]
    fn what_only_says_the_same_again_is_counted() {
        let mut teller = Teller::default();
        let first = teller.tell(&event(0, keeps("recent"))).unwrap();
        assert_eq!(first.text, "It was started at 08:10, which is too recent");
        assert_eq!((first.mark.as_str(), first.more.as_str()), ("keep", "naps later"));
        let dns = What::World(Happening::Dns { host: "app.example.com".parse().unwrap(), to: LeadsTo::Instance });
        assert_eq!(teller.tell(&event(2, dns)).unwrap().text, "DNS leads app.example.com to the instance");
        let again = teller.tell(&event(5, keeps("recent"))).unwrap();
        assert_eq!((again.n, again.times, again.at), (first.n, 2, first.at));
        let other = teller.tell(&event(10, keeps("visitors"))).unwrap();
        assert_eq!((other.n, other.times), (3, 1));
        let anew = teller.tell(&event(15, keeps("recent"))).unwrap();
        assert_eq!((anew.n, anew.times), (4, 1), "it was otherwise in between");
    }

    #[test]
    fn a_scanner_is_said_to_wake_nothing() {
        let record = json!({"action": "wait", "reason": "asleep", "class": "probe-path", "method": "GET",
                            "path": "/wp-login.php", "IgnoredRequests": 1});
        let line = Teller::default().tell(&event(0, What::Starter { record })).unwrap();
        assert_eq!((line.topic, line.mark.as_str()), (Topic::Starter, "ignored"));
        assert_eq!(line.text, "GET /wp-login.php wakes nothing: a path that scanners and machines try");
    }

    #[test]
    fn a_tick_s_sum_has_no_line_and_its_failure_has() {
        let mut teller = Teller::default();
        assert_eq!(teller.tell(&event(0, What::Stopper { record: json!({"targets": 1}) })), None);
        let failed = What::Stopper { record: json!({"level": "ERROR", "message": "DescribeInstances: throttled"}) };
        assert_eq!(teller.tell(&event(0, failed)).unwrap().mark, "failed");
    }
}
