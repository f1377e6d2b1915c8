//! The network of the browser window: what a real browser sends here goes into the world, and what comes back is
//! rewritten as little as can be.
//!
//! The window is a frame of the sandbox's page, on an origin of its own (a second port). Three things of the true
//! waiting page would not work there. It never asks to wake inside of a frame, and allows none: both are lifted. It
//! asks the API's own host for its status, which has no address here: that host is a path of this origin. And the
//! seconds for which it waits before it goes to the app are the world's.
//!
//! Browsers leave `Sec-Fetch-*` out where they find a connection unsafe, as plain HTTP to any address but this
//! machine's own: a phone that opens `http://192.168.1.20:4747`. Over HTTPS, as in the world, it would send them.

use http::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, ORIGIN, REFERER,
    TRANSFER_ENCODING, USER_AGENT,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use serde::Serialize;
use shared::model::Probe;
use shared::sim::{LeadsTo, Way};

use crate::event::Got;
use crate::world::{API, APP, NoAnswer};

/// Why the page does not ask inside of a frame.
const FRAME_GUARD: &str = "window.top === window.self && ";
const NO_FRAMES: &str = "frame-ancestors 'none'";
const COUNTDOWN: &str = "\"navigate_after_seconds\":[";

/// What became of the window's last request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Sent {
    /// Its path and query.
    pub(crate) path: String,
    /// Whether the window opened it, or its page's script asked.
    pub(crate) is_page: bool,
    /// Who was asked.
    pub(crate) to: Option<LeadsTo>,
    /// How the browser knew that.
    pub(crate) way: Option<Way>,
    /// What came.
    pub(crate) got: Got,
    /// The answer's status.
    pub(crate) status: Option<u16>,
}

/// The request as the browser would send it over the real network.
pub(crate) fn outward(parts: Parts, body: Vec<u8>) -> Option<Request<Vec<u8>>> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let api = format!("/@{API}");
    let (host, path) = path.strip_prefix(&api).map_or((APP, path), |path| (API, path));
    let mut request = Request::builder().method(parts.method).uri(format!("https://{host}{path}")).body(body).ok()?;
    *request.headers_mut() = headers(parts.headers, host == API);
    Some(request)
}

fn headers(mut headers: HeaderMap, to_the_api: bool) -> HeaderMap {
    let app = format!("https://{APP}");
    let here = headers.remove(HOST).and_then(|host| Some(format!("http://{}", host.to_str().ok()?)));
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    for name in [ORIGIN, REFERER] {
        let Some(value) = headers.remove(&name) else { continue };
        let ours = here.as_deref().zip(value.to_str().ok()).and_then(|(here, value)| value.strip_prefix(here));
        if let Some(Ok(value)) = ours.map(|rest| HeaderValue::from_str(&format!("{app}{rest}"))) {
            headers.insert(name, value);
        }
    }
    if !headers.keys().any(|name| name.as_str().starts_with("sec-fetch-")) && says(&headers, &USER_AGENT, "Mozilla/") {
        add_fetch_metadata(&mut headers);
    }
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|it| it == value);
    let (framed, from_outside) = (is("sec-fetch-dest", "iframe"), is("sec-fetch-site", "same-site"));
    if framed {
        headers.insert("sec-fetch-dest", HeaderValue::from_static("document"));
    }
    if from_outside {
        headers.insert("sec-fetch-site", HeaderValue::from_static("none")); // its address was typed in
    }
    if to_the_api && headers.contains_key("sec-fetch-site") {
        headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
        headers.insert(ORIGIN, HeaderValue::from_str(&app).unwrap_or(HeaderValue::from_static("null")));
    }
    headers
}

fn says(headers: &HeaderMap, name: &HeaderName, text: &str) -> bool {
    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(text))
}

/// What the browser would send over HTTPS: for a page that is opened (its address typed in, unless a page of the app
/// led to it), or for what a page's script asks.
fn add_fetch_metadata(headers: &mut HeaderMap) {
    let from_here = [ORIGIN, REFERER].iter().any(|name| headers.contains_key(name));
    let values = match (says(headers, &ACCEPT, "text/html"), from_here) {
        (true, true) => ["navigate", "document", "same-origin"],
        (true, false) => ["navigate", "document", "none"],
        (false, _) => ["cors", "empty", "same-origin"],
    };
    for (name, value) in ["sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site"].into_iter().zip(values) {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Whether the window opens a page by this request; else its page's script asks.
pub(crate) fn is_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate")
}

/// An answer as the window can show it. `page_port` may frame it; time passes `speed` times faster than here.
pub(crate) fn inward(answer: Response<Vec<u8>>, got: Got, page_port: u16, speed: u32) -> Response<Vec<u8>> {
    let (mut parts, mut body) = answer.into_parts();
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    if let Some(policy) = parts.headers.get_mut(CONTENT_SECURITY_POLICY) {
        let framed = policy.to_str().unwrap_or_default().replace(NO_FRAMES, &frame_ancestors(page_port));
        *policy = HeaderValue::from_str(&framed).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    }
    let app = format!("https://{APP}");
    if let Some(to) = parts.headers.get_mut(LOCATION) {
        let path = to.to_str().ok().and_then(|to| HeaderValue::from_str(to.strip_prefix(&app)?).ok());
        *to = path.unwrap_or_else(|| to.clone());
    }
    if matches!(got, Got::WaitingPage | Got::Starter) && is_text(&parts.headers) {
        let text = String::from_utf8_lossy(&body);
        let text = text.replace(FRAME_GUARD, "").replace(&format!("https://{API}"), &format!("/@{API}"));
        body = count_down_faster(&text, speed).into_bytes();
    }
    Response::from_parts(parts, body)
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/html") || kind.starts_with("application/json")
}

/// What may show the window.
pub(crate) fn frame_ancestors(page_port: u16) -> String {
    format!("frame-ancestors *:{page_port}")
}

fn count_down_faster(text: &str, speed: u32) -> String {
    let parts = text.split_once(COUNTDOWN).and_then(|(before, rest)| Some((before, rest.split_once(']')?)));
    let Some((before, (seconds, rest))) = parts else { return text.into() };
    let seconds = seconds.split(',').map(|one| {
        let one: f64 = one.trim().parse().unwrap_or(0.0);
        format!("{:.1}", one / f64::from(speed.max(1)))
    });
    let seconds: Vec<_> = seconds.collect();
    format!("{before}{COUNTDOWN}{}]{rest}", seconds.join(","))
}

/// What a browser shows by itself when nobody answers.
pub(crate) fn no_answer(why: NoAnswer, page_port: u16) -> Response<Vec<u8>> {
    let what = match why {
        NoAnswer::UnknownName => "This name does not exist.",
        NoAnswer::NotReached(Probe::Refused) => "The server refused the connection.",
        NoAnswer::NotReached(Probe::TlsFailed) => "The connection is not private: the certificate does not hold.",
        NoAnswer::NotReached(Probe::TimedOut) => "The server took too long to respond.",
        NoAnswer::NotReached(_) => "The server's answer cannot be shown.",
    };
    let page = include_str!("web/no-answer.html").replace("{what}", what).replace("{app}", APP);
    let mut response = Response::new(page.into_bytes());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    let policy = format!("default-src 'none'; style-src 'unsafe-inline'; {}", frame_ancestors(page_port));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(path: &str, headers: &[(&str, &str)]) -> Request<Vec<u8>> {
        let mut request = Request::get(path).header("host", "127.0.0.1:4001");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        outward(request.body(()).unwrap().into_parts().0, Vec::new()).unwrap()
    }

    #[test]
    fn a_frame_s_request_goes_out_as_a_window_s() {
        let typed =
            [("sec-fetch-dest", "iframe"), ("sec-fetch-site", "same-site"), ("referer", "http://127.0.0.1:4000/")];
        let request = sent("/reports?team=ops", &typed);
        assert_eq!(request.uri(), "https://app.example.com/reports?team=ops");
        assert_eq!(request.headers()["sec-fetch-dest"], "document");
        assert_eq!(request.headers()["sec-fetch-site"], "none");
        assert!(!request.headers().contains_key("referer"), "it was typed in");
        let own = [("origin", "http://127.0.0.1:4001"), ("sec-fetch-site", "same-origin")];
        let request = sent("/.catnap/wake", &own);
        assert_eq!(request.headers()["origin"], "https://app.example.com");
        assert_eq!(request.headers()["sec-fetch-site"], "same-origin");
        let request = sent(&format!("/@{API}/.catnap/status?app={APP}"), &own);
        assert_eq!(request.uri().to_string(), format!("https://{API}/.catnap/status?app={APP}"));
        assert_eq!(request.headers()["sec-fetch-site"], "cross-site");
    }

    #[test]
    fn a_phone_without_https_sends_what_it_would_send_with_it() {
        let fetch_metadata = |request: &Request<Vec<u8>>| {
            let value = |name| request.headers().get(name).map_or("–", |value| value.to_str().unwrap()).to_owned();
            (["sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site"].map(value), is_page(request.headers()))
        };
        let agent =
            ("user-agent", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0");
        let (page, script) = (("accept", "text/html,*/*;q=0.8"), ("accept", "*/*"));
        let all = |values: [&str; 3]| values.map(str::to_owned);
        let opened = sent("/", &[agent, page, ("referer", "http://127.0.0.1:4000/")]);
        assert_eq!(fetch_metadata(&opened), (all(["navigate", "document", "none"]), true));
        let pressed = sent("/.catnap/wake", &[agent, page, ("origin", "http://127.0.0.1:4001")]);
        assert_eq!(fetch_metadata(&pressed), (all(["navigate", "document", "same-origin"]), true));
        let asks = sent("/.catnap/wake", &[agent, script, ("origin", "http://127.0.0.1:4001")]);
        assert_eq!(fetch_metadata(&asks), (all(["cors", "empty", "same-origin"]), false));
        let polls = sent(&format!("/@{API}/.catnap/status?app={APP}"), &[agent, script]);
        assert_eq!(fetch_metadata(&polls), (all(["cors", "empty", "cross-site"]), false));
        let program = sent("/", &[("user-agent", "curl/8.12.1"), script]);
        assert_eq!(fetch_metadata(&program), (all(["–", "–", "–"]), true), "it would not send them over HTTPS either");
    }

    #[test]
    fn of_the_app_s_own_answers_nothing_is_rewritten() {
        let body = format!("{FRAME_GUARD} https://{API} {COUNTDOWN}60]");
        let answer = Response::builder().header("content-type", "text/html").body(body.clone().into_bytes()).unwrap();
        assert_eq!(inward(answer, Got::App, 4000, 10).body(), body.as_bytes());
    }

    #[test]
    fn the_countdown_is_the_world_s() {
        assert_eq!(
            count_down_faster("{\"navigate_after_seconds\":[65,0],\"x\":1}", 10),
            "{\"navigate_after_seconds\":[6.5,0.0],\"x\":1}"
        );
        assert_eq!(count_down_faster("{}", 10), "{}");
    }
}
