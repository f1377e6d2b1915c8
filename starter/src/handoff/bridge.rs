//! Strategy `bridge`: the starter answers for the app until DNS leads to it.
//!
//! Only over TLS checked against the app's own name: a wrong instance at the address is not handed a visitor's
//! cookies. What of a request goes on, and what of an answer comes back, is decided here and without I/O.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use http::header::{
    ALT_SVC, CONNECTION, CONTENT_LENGTH, EXPECT, Entry, FORWARDED, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_KEY, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;
use shared::cloud::Unforwarded;
use shared::model::HostName;

use crate::event::Visit;

/// Seconds of silence before the page's first, second, … navigation. More than one is needed only when the app
/// went away in between.
pub(crate) const NAVIGATE_AFTER_SECONDS: [u32; 4] = [0, 3, 10, 65];

/// The most that an answer of a Lambda function may have, headers and base64 counted (Lambda quotas, "Invocation
/// payload", 6 MB).
const MOST_BYTES_OF_AN_ANSWER: usize = 6 * 1024 * 1024;
/// A body that has more is too large in any encoding, so no more of it is read.
pub(crate) const MOST_BYTES_TO_READ: usize = MOST_BYTES_OF_AN_ANSWER;
/// What an answer has around body and headers.
const BYTES_OF_THE_ENVELOPE: usize = 512;

/// Seconds. Each bridged answer renews it; an app that naps must not be looked for at its instance.
const WAY_OUT_HOLDS_FOR: u32 = 60;

/// An app that has been bridged for longer has a failover that does not converge: checkers, resolver and browser
/// take four minutes at most.
const CONVERGES_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// After a pause as long as this, a time of being bridged is another one.
const PAUSE: TimeDelta = TimeDelta::minutes(5);

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What concerns one connection only (RFC 9110, section 7.6.1), beside what `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What cannot be bridged, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unbridged {
    /// A connection that stays open in both directions.
    WebSocket,
    /// Something in it that HTTP does not allow.
    Malformed,
    /// It did not get there, or its answer did not get back.
    #[serde(untagged)]
    Unforwarded(Unforwarded),
}

impl Unbridged {
    /// Whether the same may work in a few seconds, and not only once DNS leads to the app.
    pub(crate) fn passes_soon(self) -> bool {
        matches!(self, Self::Unforwarded(Unforwarded::NotReached(_) | Unforwarded::Broken))
    }
}

/// The request as it goes on to the app: its address is path and query.
///
/// # Errors
/// What kind of request cannot be passed on.
pub(crate) fn outgoing(visit: &Visit, host: &HostName) -> Result<Request<Vec<u8>>, Unbridged> {
    let sent = &visit.sent;
    if sent.malformed.is_some() {
        return Err(Unbridged::Malformed);
    }
    let upgrades = sent.headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if upgrades || sent.headers.contains_key(SEC_WEBSOCKET_KEY) {
        return Err(Unbridged::WebSocket);
    }
    let mut request = Request::builder()
        .method(visit.method.clone())
        .uri(visit.path_and_query())
        .body(sent.body.clone())
        .map_err(|_| Unbridged::Malformed)?;
    let mut headers = without_hop_by_hop(sent.headers.clone());
    // The length is counted anew; nobody waits for a `100 Continue` any more; and what a visitor says about the way
    // so far is kept in one header only, where the last address is the one that API Gateway saw.
    for name in [CONTENT_LENGTH, EXPECT, FORWARDED] {
        headers.remove(name);
    }
    let via = headers.get(X_FORWARDED_FOR).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let via = with_last(via, &visit.source_ip);
    for (name, value) in [
        (X_FORWARDED_FOR, via.as_str()),
        (X_FORWARDED_HOST, host.as_str()),
        (X_FORWARDED_PORT, "443"),
        (X_FORWARDED_PROTO, "https"),
    ] {
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| Unbridged::Malformed)?);
    }
    *request.headers_mut() = headers;
    Ok(request)
}

/// The app's answer as it goes back through Lambda and API Gateway.
///
/// `instance` is where visitors reach the app without us.
///
/// # Errors
/// [`Unforwarded::TooLarge`] for one that Lambda does not take.
pub(crate) fn incoming(
    answer: Response<Vec<u8>>,
    method: &Method,
    instance: Option<IpAddr>,
) -> Result<Response<Body>, Unbridged> {
    let (mut parts, body) = answer.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Unbridged::WebSocket);
    }
    let mut headers = without_hop_by_hop(parts.headers);
    let own = headers.remove(ALT_SVC); // its ports are the instance's, not API Gateway's
    if let Some(way_out) = instance.and_then(|instance| way_out(own.as_ref(), instance)) {
        headers.insert(ALT_SVC, way_out);
    }
    if method != Method::HEAD {
        headers.remove(CONTENT_LENGTH); // API Gateway counts
    }
    parts.headers = in_one_line_each(&headers);
    let room = MOST_BYTES_OF_AN_ANSWER - BYTES_OF_THE_ENVELOPE;
    let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 6).sum();
    let body = encoded(body);
    if headers + bytes(&body) > room {
        return Err(Unbridged::Unforwarded(Unforwarded::TooLarge));
    }
    Ok(Response::from_parts(parts, body))
}

/// Leads browsers off the bridge at once, whatever DNS says and however long they keep their connection
/// (RFC 7838): Firefox goes to the instance over HTTP/2, Chromium over HTTP/3 where the app has it. Measured:
/// `docs/decisions/0006-the-handoff-is-the-bridge.md`. The certificate is checked against the app's name as ever.
fn way_out(own: Option<&HeaderValue>, instance: IpAddr) -> Option<HeaderValue> {
    let has_h3 = own.and_then(|own| own.to_str().ok()).is_some_and(|own| own.contains("h3=\":443\""));
    let host = if instance.is_ipv6() { format!("[{instance}]") } else { instance.to_string() };
    let h2 = format!("h2=\"{host}:443\"; ma={WAY_OUT_HOLDS_FOR}");
    let ways = if has_h3 { format!("h3=\"{host}:443\"; ma={WAY_OUT_HOLDS_FOR}, {h2}") } else { h2 };
    HeaderValue::from_str(&ways).ok()
}

fn without_hop_by_hop(mut headers: HeaderMap) -> HeaderMap {
    let named: Vec<_> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in HOP_BY_HOP.into_iter().chain(named) {
        headers.remove(name);
    }
    headers
}

/// The addresses on the way so far, the last one being `address`.
fn with_last(via: &str, address: &str) -> String {
    match via.rsplit(',').next().map(str::trim) {
        Some("") | None => address.into(),
        Some(last) if last == address => via.into(),
        _ => format!("{via}, {address}"),
    }
}

/// Payload 2.0 has one value for each header, and text for all: several become a list (RFC 9110, section 5.3), and
/// bytes that are no UTF-8 are read as ISO 8859-1, which is what they once meant. Cookies have a place of their own.
fn in_one_line_each(headers: &HeaderMap) -> HeaderMap {
    let mut lines = HeaderMap::new();
    for (name, value) in headers {
        let Ok(value) = HeaderValue::from_bytes(text(value.as_bytes()).as_bytes()) else { continue };
        if name == SET_COOKIE {
            lines.append(name, value);
            continue;
        }
        match lines.entry(name) {
            Entry::Vacant(entry) => _ = entry.insert(value),
            Entry::Occupied(mut entry) => {
                let both = [entry.get().as_bytes(), value.as_bytes()].join(&b", "[..]);
                if let Ok(both) = HeaderValue::from_bytes(&both) {
                    entry.insert(both);
                }
            }
        }
    }
    lines
}

fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), Into::into)
}

/// As text where that is shorter in JSON than base64 is.
fn encoded(body: Vec<u8>) -> Body {
    match String::from_utf8(body) {
        Ok(text) if text.is_empty() => Body::Empty,
        Ok(text) if bytes_in_json(&text) <= bytes_in_base64(text.len()) => Body::Text(text),
        Ok(text) => Body::Binary(text.into_bytes()),
        Err(error) => Body::Binary(error.into_bytes()),
    }
}

fn bytes(body: &Body) -> usize {
    match body {
        Body::Text(text) => bytes_in_json(text),
        Body::Binary(bytes) => bytes_in_base64(bytes.len()),
        _ => 0,
    }
}

fn bytes_in_base64(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

fn bytes_in_json(text: &str) -> usize {
    let in_json = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(in_json).sum()
}

/// A time in which an app was bridged because DNS did not lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unconverged {
    since: DateTime<Utc>,
    last: DateTime<Utc>,
}

impl Unconverged {
    /// Goes on with it, or begins it.
    pub(crate) fn again(before: Option<Self>, now: DateTime<Utc>) -> Self {
        let since = before.filter(|before| now - before.last < PAUSE).map_or(now, |before| before.since);
        Self { since, last: now }
    }

    /// Whether somebody should look why: DNS may lead elsewhere because it shall.
    pub(crate) fn drags_on(self) -> bool {
        self.last - self.since >= CONVERGES_WITHIN / 2
    }

    /// Whether the failover should long have converged.
    pub(crate) fn is_stuck(self) -> bool {
        self.last - self.since > CONVERGES_WITHIN
    }
}

#[cfg(test)]
mod tests;
