//! What holds for any payload that Lambda may get. Called by the fuzz target, and by `starter/tests/fuzz_corpus.rs`
//! with what it has found so far.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use chrono::TimeDelta;
use http::{Method, Response, StatusCode};
use lambda_http::Body;
use serde_json::{Value, json};
use shared::config::Config;
use shared::model::{HostName, InstanceId, InstanceState};
use shared::record::Sink;
use shared::sim::{Phases, Sim};
use starter::{Mended, Moment, Starter, Visit, mend};

const APP: &str = "app.example.com";
const API: &str = "abc123def4.execute-api.eu-central-1.amazonaws.com";

/// Reads JSON, or lines that become a request's method, path, query and headers, and asserts what must hold.
pub(crate) fn check(data: &[u8]) {
    let event = serde_json::from_slice(data).unwrap_or_else(|_| event(&String::from_utf8_lossy(data)));
    let Ok(Mended { request, sent }) = mend(event) else { return };
    let visit = Visit::new(&lambda_http::Request::from(request), sent);
    assert!(visit.path.starts_with('/') && visit.path.is_ascii(), "{:?}", visit.path);
    for wake_on in ["visit", "request"] {
        asleep(&visit, wake_on);
    }
    awake(&visit);
}

fn sim() -> (Sim, InstanceId) {
    let Ok(now) = "2026-03-01T08:00:00Z".parse() else { panic!("no time") };
    let Ok(host) = APP.parse::<HostName>() else { panic!("no host") };
    let sim = Sim::new(now);
    let id = sim.add_instance(&host, Phases::default());
    (sim, id)
}

fn ask(sim: &Sim, id: &InstanceId, visit: &Visit, wake_on: &str) -> Response<Body> {
    let setting = |name: &str| match name {
        "CATNAP_APP_DOMAIN" => Some(APP.to_owned()),
        "CATNAP_INSTANCE_ID" => Some(id.to_string()),
        "CATNAP_STATUS_ORIGIN" => Some(format!("https://{API}")),
        "CATNAP_WAKE_ON" => Some(wake_on.to_owned()),
        _ => None,
    };
    let Ok(config) = Config::read(setting) else { panic!("no configuration") };
    let starter = Starter::new(config, sim, sim, Records);
    let now = sim.now();
    let moment = Moment { now, answer_by: now + TimeDelta::seconds(28), nonce: "n0nce".into() };
    // The simulated cloud answers at once.
    match pin!(starter.answer(visit, &moment)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(response) => response,
        Poll::Pending => panic!("the simulated cloud waits"),
    }
}

/// The starter's answer while the app is up: it passes the request on, to an app that gives back what it got.
fn awake(visit: &Visit) {
    let (sim, id) = sim();
    sim.change(&id, |instance| instance.state = InstanceState::Running);
    sim.apps_answer(|request| {
        let (parts, body) = request.into_parts();
        assert!(parts.uri.authority().is_none() && parts.uri.path().starts_with('/'), "{}", parts.uri);
        for of_one_connection in ["connection", "content-length", "transfer-encoding", "te", "upgrade", "host"] {
            assert!(!parts.headers.contains_key(of_one_connection), "{of_one_connection}");
        }
        let mut answer = Response::new(body);
        *answer.headers_mut() = parts.headers;
        Ok(answer)
    });
    let response = ask(&sim, &id, visit, "visit");
    if sim.forwarded().is_empty() {
        return;
    }
    // What `lambda_http` makes JSON of: text, and one value each.
    for (name, value) in response.headers() {
        assert!(std::str::from_utf8(value.as_bytes()).is_ok(), "{name}");
        assert!(name == "set-cookie" || response.headers().get_all(name).iter().count() == 1, "{name}");
    }
    let body = match response.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    assert_eq!(body, visit.sent.body, "a body went there and came back");
}

/// The starter's answer while the app sleeps.
fn asleep(visit: &Visit, wake_on: &str) {
    let (sim, id) = sim();
    let response = ask(&sim, &id, visit, wake_on);
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert!([200, 202, 303, 403, 404, 405, 500, 503].contains(&response.status().as_u16()), "{}", response.status());
    assert!(
        header("location").is_empty() || (header("location").starts_with('/') && !header("location").starts_with("//"))
    );
    let text = match response.body() {
        Body::Text(text) => text.as_str(),
        _ => "",
    };
    if text.is_empty() {
        assert!(visit.method == Method::HEAD || response.status() == StatusCode::SEE_OTHER);
    } else if header("content-type").contains("json") {
        assert!(serde_json::from_str::<Value>(text).is_ok_and(|json| json.is_object()), "{text}");
    } else {
        assert!(header("content-type").starts_with("text/html"));
        assert!(text.starts_with("<!doctype html>"), "{text}");
        assert_eq!(text.matches("<script").count(), 2, "the visitor has put one in: {text}");
    }
}

/// Takes records, and holds each to be one line of JSON.
#[derive(Debug)]
struct Records;

impl Sink for Records {
    fn take(&self, line: String) {
        assert!(!line.contains('\n') && serde_json::from_str::<Value>(&line).is_ok(), "{line}");
    }
}

fn event(text: &str) -> Value {
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    let (method, path, query, domain) = (next(), next(), next(), next());
    let headers: serde_json::Map<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().into()))
        .collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
        "requestContext": {
            "domainName": if domain.is_empty() { APP } else { domain }, "requestId": "r-1", "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7"},
        },
        "isBase64Encoded": false, "body": text,
    })
}
