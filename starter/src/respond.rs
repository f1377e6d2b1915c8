//! What a request is answered with, by who asks: page, JSON or problem document.

use chrono::{DateTime, Utc};
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;
use serde_json::json;
use shared::classify::{Class, WAKE_HEADER, wants_page};
use shared::cloud::Unforwarded;
use shared::config::Config;
use shared::model::{Instance, InstanceState};
use shared::wake::WakeReason;

use crate::event::Visit;
use crate::handoff::bridge::Unbridged;
use crate::handoff::{self, poll};
use crate::observe::Seen;
use crate::phase::{Mood, Phase};
use crate::wording::{words, words_for_unbridged};
use crate::{Asked, page};

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
const PROBLEM: &str = "application/problem+json";

/// All that an answer is made from.
pub(crate) struct Answer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) asked: &'a Asked<'a>,
    pub(crate) seen: &'a Seen,
    pub(crate) reason: &'a WakeReason,
    /// Why the starter did not answer for the app, although it answers.
    pub(crate) unbridged: Option<Unbridged>,
}

impl Answer<'_> {
    /// What people call the app: its host name, unless it is the one that `AppName` names.
    pub(crate) fn app_name(&self) -> &str {
        let host = &self.asked.addressed.host;
        let named = *host == self.config.app_domain && *self.reason != WakeReason::UnknownHost;
        let name = self.config.look.app_name.as_ref().filter(|_| named);
        name.map_or(host.as_str(), |name| name.as_str())
    }
}

/// How far the waking is: the JSON of `/.catnap/status`.
#[derive(Debug, Serialize)]
pub(crate) struct Status<'a> {
    pub(crate) app: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<InstanceState>,
    pub(crate) phase: Phase,
    pub(crate) mood: Mood,
    /// How many steps of the waking are done.
    pub(crate) steps_done: Option<usize>,
    #[serde(flatten)]
    reason: &'a WakeReason,
    pub(crate) title: String,
    pub(crate) detail: String,
    /// When the current boot began; none while there is none.
    since: Option<DateTime<Utc>>,
    pub(crate) elapsed_seconds: Option<i64>,
    /// From StartInstances to the app's first answer, by the last wakes.
    pub(crate) expected_seconds: u32,
    pub(crate) ready: bool,
    /// Seconds after which the page navigates, once the app is ready: the first, second, … time.
    navigate_after_seconds: &'static [u32],
    /// Whether a wake call would do something.
    can_wake: bool,
    /// Whether a start that failed has waited its time: by the clock that set it, a browser's may be wrong.
    retry_is_due: bool,
}

impl<'a> Status<'a> {
    fn of(answer: &Answer<'a>) -> Self {
        let words = match answer.unbridged {
            Some(why) => words_for_unbridged(why, answer.app_name(), answer.asked.visit.method.is_safe()),
            None => words(answer.reason, answer.app_name()),
        };
        let boots = |instance: &&Instance| matches!(instance.state, InstanceState::Pending | InstanceState::Running);
        let since = answer.seen.instance().filter(boots).map(|instance| instance.launched_at);
        Self {
            app: answer.asked.addressed.host.as_str(),
            state: answer.seen.instance().map(|instance| instance.state),
            phase: words.phase,
            mood: words.phase.mood(),
            steps_done: words.phase.steps_done(),
            reason: answer.reason,
            title: words.title,
            detail: words.detail,
            since,
            elapsed_seconds: since.map(|since| (answer.asked.moment.now - since).num_seconds().max(0)),
            expected_seconds: answer.seen.wake_seconds.expected(),
            ready: *answer.reason == WakeReason::Ready,
            navigate_after_seconds: handoff::navigate_after(answer.config, answer.seen, answer.unbridged),
            can_wake: answer.reason.can_wake(),
            retry_is_due: answer.reason.retry_is_due(answer.asked.moment.now),
        }
    }
}

/// The answer to a request for an app.
pub(crate) fn respond(answer: &Answer<'_>) -> Response<Body> {
    let status = Status::of(answer);
    match answer.asked.class {
        Class::StatusPoll => status_poll(answer, &status),
        Class::WakeCall(_) if answer.asked.visit.headers.contains_key(WAKE_HEADER) => {
            json(failure_status(answer).unwrap_or(StatusCode::ACCEPTED), "application/json", &status)
        }
        Class::WakeCall(_) => back_to_the_page(answer.asked.visit),
        _ if wants_page(&answer.asked.visit.headers) => waiting_page(answer, &status),
        _ => for_a_program(answer, &status),
    }
}

/// Requests that are refused before anything is looked at.
pub(crate) fn refusal(class: Class, on_api_origin: bool, visit: &Visit) -> Option<Response<Body>> {
    match class {
        Class::ForgedWakeCall if visit.method != Method::POST => {
            let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "Waking takes a POST", "", visit);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            Some(response)
        }
        Class::ForgedWakeCall => {
            let why = "Waking takes the header x-catnap, or a form of the app's own site.";
            Some(problem(StatusCode::FORBIDDEN, "This did not come from the app's own page", why, visit))
        }
        Class::UnknownCatnapPath => Some(problem(StatusCode::NOT_FOUND, "There is nothing here", "", visit)),
        Class::StatusPoll => None,
        _ if on_api_origin => {
            let why = "Here only /.catnap/status is served. Open the app by its own name.";
            Some(problem(StatusCode::NOT_FOUND, "There is no app here", why, visit))
        }
        _ => None,
    }
}

/// The answer where neither the domain nor the parameter `app` is a host name.
pub(crate) fn not_an_app(visit: &Visit) -> Response<Body> {
    let why = "The request names no app: at the API's own address the parameter app=HOST does.";
    problem(StatusCode::NOT_FOUND, "There is no app here", why, visit)
}

/// Seconds until it is worth asking again.
pub(crate) fn retry_after(reason: &WakeReason, now: Option<DateTime<Utc>>) -> u32 {
    // A time that has passed is due when someone asks for the app, which a poll does not.
    let until = |at: DateTime<Utc>| {
        let seconds = now.map_or(60, |now| (at - now).num_seconds());
        u32::try_from(seconds).ok().filter(|seconds| *seconds > 0).unwrap_or(300)
    };
    match reason {
        WakeReason::OnHold { until: Some(at) } | WakeReason::StartFailed { retry_at: at, .. } => until(*at),
        WakeReason::OnHold { until: None } => 3_600,
        WakeReason::Asleep | WakeReason::Waking | WakeReason::DryRun => 60,
        WakeReason::Ready => poll::RETRY_AFTER_SECONDS,
        WakeReason::WaitingForCapacity
        | WakeReason::WaitingForQuota
        | WakeReason::StartRefused { lasting: false, .. }
        | WakeReason::Overdue { .. } => 30,
        reason if reason.is_final() => 3_600,
        _ => 15,
    }
}

/// 404 and 500 will not pass by waiting, all else may.
fn failure_status(answer: &Answer<'_>) -> Option<StatusCode> {
    match answer.reason {
        _ if answer.unbridged.is_some() => answer.unbridged.map(status_of_unbridged),
        WakeReason::UnknownHost => Some(StatusCode::NOT_FOUND),
        reason if reason.is_final() => Some(StatusCode::INTERNAL_SERVER_ERROR),
        _ => None,
    }
}

fn status_of_unbridged(why: Unbridged) -> StatusCode {
    match why {
        Unbridged::Malformed => StatusCode::BAD_REQUEST,
        Unbridged::Unforwarded(Unforwarded::Broken) => StatusCode::BAD_GATEWAY,
        Unbridged::Unforwarded(Unforwarded::TimedOut) => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn status_poll(answer: &Answer<'_>, status: &Status<'_>) -> Response<Body> {
    let code = if *answer.reason == WakeReason::UnknownHost { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let mut response = json(code, "application/json", status);
    // Only the app's own page may read it, and API Gateway's own CORS setting would swallow the app's.
    if let Ok(origin) = HeaderValue::from_str(&format!("https://{}", answer.asked.addressed.host)) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    with_retry_after(response, answer)
}

fn waiting_page(answer: &Answer<'_>, status: &Status<'_>) -> Response<Body> {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let waiting = StatusCode::from_u16(answer.config.waiting_status).unwrap_or(unavailable);
    let code = failure_status(answer).unwrap_or(match (answer.asked.class, answer.reason) {
        // A person's own visit alone, and not when it failed: all else would take 200 for the app's answer.
        (Class::Navigation, WakeReason::StartFailed { .. } | WakeReason::StartRefused { .. }) => unavailable,
        (Class::Navigation, _) => waiting,
        _ => unavailable,
    });
    let Ok(html) = page::page(answer, status) else { return for_a_program(answer, status) };
    let body = if answer.asked.visit.method == Method::HEAD { Body::Empty } else { Body::Text(html) };
    let mut response = bare(code, "text/html; charset=utf-8", body);
    let nonce = &answer.asked.moment.nonce;
    let api = answer.config.status_origin.as_deref().unwrap_or_default();
    let logo = answer.config.look.logo.as_ref().and_then(|logo| logo.origin()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self' {api}; \
         img-src data: {logo}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    with_retry_after(response, answer)
}

/// Never HTML, and never 200: a program must not take it for the app's answer.
fn for_a_program(answer: &Answer<'_>, status: &Status<'_>) -> Response<Body> {
    let code = failure_status(answer).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let how = match answer.asked.class {
        _ if answer.unbridged.is_some() => "It is awake.",
        Class::AppTab => "Nothing was done with this request. Send it again once the app is awake.",
        Class::WakePath => "This request wakes the app. Nothing else was done with it: send it again.",
        _ => "Open the app in a browser, or ask for one of its wake paths. Nothing was done with this request.",
    };
    let problem = Problem {
        r#type: "about:blank",
        code: code.as_u16(),
        how_to_wake: how,
        request_id: &answer.asked.visit.request_id,
        status,
    };
    let mut response = json(code, PROBLEM, &problem);
    if answer.asked.visit.method == Method::HEAD {
        *response.body_mut() = Body::Empty;
    }
    with_retry_after(response, answer)
}

/// RFC 9457, with the status beside its own fields.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    #[serde(rename = "status")]
    code: u16,
    how_to_wake: &'static str,
    request_id: &'a str,
    #[serde(flatten)]
    status: &'a Status<'a>,
}

fn problem(code: StatusCode, title: &str, detail: &str, visit: &Visit) -> Response<Body> {
    let problem = json!({
        "type": "about:blank", "status": code.as_u16(), "title": title, "detail": detail,
        "request_id": visit.request_id,
    });
    json(code, PROBLEM, &problem)
}

/// After a form post, with or without script: the page that the person was on.
fn back_to_the_page(visit: &Visit) -> Response<Body> {
    let to = visit.parameter("to").filter(|to| is_own_path(to)).unwrap_or_else(|| "/".into());
    let mut response = bare(StatusCode::SEE_OTHER, "text/plain", Body::Empty);
    let to = HeaderValue::from_str(&to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, to);
    response
}

/// A path of this site: not `//other.site`, nor what a browser takes for it.
fn is_own_path(to: &str) -> bool {
    to.starts_with('/') && !to.starts_with("//") && !to.contains('\\') && to.bytes().all(|b| b.is_ascii_graphic())
}

fn json(code: StatusCode, content_type: &'static str, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_string(value) {
        Ok(text) => bare(code, content_type, Body::Text(text)),
        Err(_) => bare(StatusCode::INTERNAL_SERVER_ERROR, content_type, Body::Text("{}".into())),
    }
}

fn bare(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_ROBOTS_TAG, "noindex"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (RETRY_AFTER, "15"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn with_retry_after(mut response: Response<Body>, answer: &Answer<'_>) -> Response<Body> {
    let seconds = retry_after(answer.reason, Some(answer.asked.moment.now));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}
