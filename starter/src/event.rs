//! API Gateway's payload, mended and read; and the answer's.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use lambda_http::Body;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::request::{LambdaRequest, RequestContext};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::Error;
use serde_json::{Map, Value};
use shared::classify;
use shared::model::HostName;

/// What the starter reads from a request.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The method.
    pub method: Method,
    /// The path as it came, without the query.
    pub path: String,
    /// The query as it came, without the question mark.
    pub query: String,
    /// All headers as text: what is no visible ASCII is percent-encoded.
    pub headers: HeaderMap,
    /// What goes on to the app when the request is bridged.
    pub sent: Sent,
    /// The host name that API Gateway took the request for (`requestContext.domainName`), not the Host header.
    pub domain: String,
    /// API Gateway's id of the request, to find it in the logs.
    pub request_id: String,
    /// The visitor's address as API Gateway saw it.
    pub source_ip: String,
}

/// The parts of a request that must reach the app as the visitor sent them.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// All headers, byte for byte; cookies in one.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// What HTTP does not allow, by its name: a header, or a body that is no base64. API Gateway lets none through.
    pub malformed: Option<String>,
}

impl Visit {
    /// Reads a request of `lambda_http`, and takes over what it was mended from.
    #[must_use]
    pub fn new(request: &lambda_http::Request, sent: Sent) -> Self {
        let (domain, request_id, source_ip) = match request.extensions().get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => (
                context.domain_name.clone().unwrap_or_default(),
                context.request_id.clone().unwrap_or_default(),
                context.http.source_ip.clone().unwrap_or_default(),
            ),
            _ => <_>::default(),
        };
        Self {
            method: request.method().clone(),
            path: request.uri().path().into(),
            query: request.uri().query().unwrap_or_default().into(),
            headers: request.headers().clone(),
            sent,
            domain,
            request_id,
            source_ip,
        }
    }

    /// What it is classified by.
    pub(crate) fn request<'a>(&'a self, host: &'a HostName) -> classify::Request<'a> {
        classify::Request { method: &self.method, path: &self.path, headers: &self.headers, host }
    }

    /// The first value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Path and query, as the visitor's browser shows them.
    pub(crate) fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}

/// Outside of these a query cannot be part of an [`http::Uri`]. It comes as the visitor sent it.
const NOT_IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#');
/// API Gateway decodes the path of an HTTP API (`rawPath` as well), so what browsers encode is encoded again.
/// A `%` stays one when two hexadecimal digits follow: see `docs/decisions/0007-what-the-bridge-changes.md`.
const NOT_IN_PATH: &AsciiSet = &NOT_IN_QUERY.add(b'`').add(b'{').add(b'}').add(b'|').add(b'\\').add(b'^').add(b'?');

/// API Gateway's payload 2.0 in a form that `lambda_http` can read without failing, and what that form lost.
#[derive(Debug)]
pub struct Mended {
    /// What `lambda_http` reads.
    pub request: LambdaRequest,
    /// What it does not.
    pub sent: Sent,
}

/// Makes of API Gateway's payload 2.0 what `lambda_http` can read without failing.
///
/// `lambda_http` refuses the whole event for one header with a byte outside of ASCII, and panics on a Host header
/// or path that is no URL, or a body that is no base64. A visitor with an odd cookie must get in all the same, so
/// such bytes are percent-encoded, and the host is one that it can read. Nothing else reads it: which app is meant
/// says [`Visit::domain`].
///
/// # Errors
/// What is wrong with an event that is no HTTP request of API Gateway.
pub fn mend(mut event: Value) -> Result<Mended, serde_json::Error> {
    let mut sent = Sent::default();
    if let Some(event) = event.as_object_mut() {
        if is_too_large(event) {
            return Err(serde_json::Error::custom("path, query or headers are larger than API Gateway lets through"));
        }
        mend_text(event, "rawPath", NOT_IN_PATH);
        mend_text(event, "rawQueryString", NOT_IN_QUERY);
        if let Some(Value::String(path)) = event.get_mut("rawPath") {
            if !path.starts_with('/') {
                path.insert(0, '/');
            }
            *path = with_lone_percents_encoded(path);
        }
        let headers = match event.remove("headers") {
            Some(Value::Object(headers)) => headers,
            _ => Map::new(),
        };
        sent = read_as_sent(event, &headers);
        let mut headers: Map<_, _> = headers.into_iter().filter_map(mend_header).collect();
        headers.insert("x-forwarded-proto".into(), "https".into()); // an HTTP API has nothing else
        headers.insert("host".into(), "unread.invalid".into()); // not every host name is one to a URL parser: `a.0`
        event.insert("headers".into(), headers.into());
    }
    Ok(Mended { request: serde_json::from_value(event)?, sent })
}

/// Takes the body out of the event, and reads headers and cookies as they came.
fn read_as_sent(event: &mut Map<String, Value>, headers: &Map<String, Value>) -> Sent {
    let mut sent = Sent::default();
    match event.remove("body") {
        Some(Value::String(body)) if event.get("isBase64Encoded") == Some(&Value::Bool(true)) => {
            match BASE64_STANDARD.decode(body) {
                Ok(body) => sent.body = body,
                Err(_) => sent.malformed = Some("body".into()),
            }
        }
        Some(Value::String(body)) => sent.body = body.into_bytes(),
        _ => {}
    }
    for (name, value) in headers {
        let value = value.as_str().unwrap_or_default();
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes())) {
            (Ok(HOST), _) => {} // the app's own name goes there
            (Ok(name), Ok(value)) => _ = sent.headers.append(name, value),
            _ => sent.malformed = Some(name.clone()),
        }
    }
    if let Some(Value::Array(cookies)) = event.get("cookies") {
        let cookies: Vec<_> = cookies.iter().filter_map(Value::as_str).collect();
        match HeaderValue::from_bytes(cookies.join("; ").as_bytes()) {
            Ok(cookies) if !cookies.is_empty() => _ = sent.headers.insert(COOKIE, cookies),
            Ok(_) => {}
            Err(_) => sent.malformed = Some(COOKIE.to_string()),
        }
    }
    sent
}

/// An answer as API Gateway takes it (payload 2.0). Not left to `lambda_http`: it would empty a cookie for one byte
/// outside of ASCII, and read a text by the charset that it claims and write it anew as UTF-8.
pub(crate) fn payload(answer: Response<Body>) -> ApiGatewayV2httpResponse {
    let (parts, body) = answer.into_parts();
    let mut payload = ApiGatewayV2httpResponse::default();
    payload.status_code = parts.status.as_u16().into();
    payload.headers = parts.headers;
    let cookies = payload.headers.get_all(SET_COOKIE).iter();
    payload.cookies = cookies.map(|cookie| String::from_utf8_lossy(cookie.as_bytes()).into()).collect();
    payload.headers.remove(SET_COOKIE);
    payload.is_base64_encoded = matches!(body, Body::Binary(_));
    payload.body = Some(body).filter(|body| !matches!(body, Body::Empty));
    payload
}

/// A `%` without two hexadecimal digits behind it was `%25` before API Gateway decoded the path.
fn with_lone_percents_encoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_encoded = part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
        whole.push_str(if is_encoded { "%" } else { "%25" });
        whole.push_str(part);
    }
    whole
}

/// API Gateway takes 10,240 bytes of request line and headers; `lambda_http` panics on some tens of thousands.
fn is_too_large(event: &Map<String, Value>) -> bool {
    let text = |field| event.get(field).and_then(Value::as_str).map_or(0, str::len);
    let headers = event.get("headers").and_then(Value::as_object).map_or(0, Map::len);
    text("rawPath") + text("rawQueryString") > 16_384 || headers > 1_000
}

fn mend_text(event: &mut Map<String, Value>, field: &str, not_allowed: &'static AsciiSet) {
    if let Some(Value::String(text)) = event.get_mut(field) {
        *text = utf8_percent_encode(text, not_allowed).to_string();
    }
}

fn mend_header((name, value): (String, Value)) -> Option<(String, Value)> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let value = value.as_str()?;
    Some((name.as_str().into(), utf8_percent_encode(value, CONTROLS).to_string().into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(event: Value) -> Visit {
        let Mended { request, sent } = mend(event).unwrap();
        Visit::new(&lambda_http::Request::from(request), sent)
    }

    fn event(path: &str, query: &str, headers: Value) -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
            "requestContext": {
                "domainName": "app.example.com", "requestId": "r-1", "stage": "$default",
                "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7"},
            },
            "isBase64Encoded": false,
        })
    }

    #[test]
    fn what_api_gateway_vouches_for_is_taken_not_what_the_visitor_sends() {
        let visit = read(event("/a", "b=c", json!({"host": "evil.example.org", "x-forwarded-host": "evil"})));
        assert_eq!((visit.domain.as_str(), visit.request_id.as_str()), ("app.example.com", "r-1"));
        assert_eq!(visit.source_ip, "192.0.2.7");
        assert_eq!((visit.path.as_str(), visit.query.as_str()), ("/a", "b=c"));
        assert_eq!(visit.parameter("b").as_deref(), Some("c"));
    }

    #[test]
    fn odd_bytes_are_kept_and_do_no_harm() {
        let visit =
            read(event("/grüße/ {x}?y#z", "q=ä|\"", json!({"user-agent": "Größe\u{7f}", "bad name": "x", "n": 1})));
        assert_eq!(visit.path, "/gr%C3%BC%C3%9Fe/%20%7Bx%7D%3Fy%23z");
        assert_eq!(visit.query, "q=%C3%A4|%22");
        assert_eq!(visit.headers["user-agent"], "Gr%C3%B6%C3%9Fe%7F");
        assert!(!visit.headers.contains_key("n"));
        assert!(visit.sent.malformed.is_some());
    }

    #[test]
    fn what_the_app_gets_is_what_was_sent() {
        let mut event = event("/", "", json!({"x-name": "Größe", "host": "evil.example.org"}));
        event["cookies"] = json!(["a=1", "b=ü"]);
        event["body"] = "AP8=".into();
        event["isBase64Encoded"] = true.into();
        let Sent { headers, body, malformed } = read(event.clone()).sent;
        assert_eq!(headers["x-name"].as_bytes(), "Größe".as_bytes());
        assert_eq!(headers["cookie"].as_bytes(), "a=1; b=ü".as_bytes());
        assert_eq!((headers.len(), body, malformed), (2, vec![0, 255], None));
        event["isBase64Encoded"] = false.into();
        assert_eq!(read(event).sent.body, b"AP8=");
    }

    #[test]
    fn a_path_that_api_gateway_decoded_is_encoded_again() {
        for (decoded, encoded) in [
            ("/100%", "/100%25"),
            ("/a%2Fb", "/a%2Fb"),
            ("/50% off?", "/50%25%20off%3F"),
            ("/%é", "/%25%C3%A9"),
            ("//evil.example.org/x", "//evil.example.org/x"),
        ] {
            assert_eq!(read(event(decoded, "", json!({}))).path, encoded, "{decoded}");
        }
    }

    #[test]
    fn a_body_that_is_no_base64_is_told_and_no_panic() {
        let mut event = event("/", "", json!({}));
        event["body"] = "%".into();
        event["isBase64Encoded"] = true.into();
        assert_eq!(read(event).sent.malformed.as_deref(), Some("body"));
    }

    #[test]
    fn without_headers_it_is_a_request_all_the_same() {
        let mut bare = event("/", "", json!(null));
        bare.as_object_mut().unwrap().remove("headers");
        assert_eq!(read(bare).path, "/");
    }

    #[test]
    fn a_domain_that_is_no_url_host_does_no_harm() {
        for domain in ["a.0", "0x7f.1", "xn--a.example", "[", "a b", ""] {
            let mut event = event("/", "", json!({"host": domain}));
            event["requestContext"]["domainName"] = domain.into();
            assert_eq!(read(event).domain, domain);
        }
    }

    #[test]
    fn what_is_no_request_is_an_error_not_a_panic() {
        for odd in [json!({}), json!(null), json!([1]), json!("x"), json!({"source": "aws.scheduler"})] {
            let message = mend(odd).unwrap_err().to_string();
            assert!(message.contains("API Gateway"), "{message}");
        }
    }

    #[test]
    fn what_api_gateway_would_not_let_through_is_an_error_not_a_panic() {
        assert!(mend(event(&"/x".repeat(9_000), "", json!({}))).is_err());
        let many: Map<_, _> = (0..40_000).map(|number| (format!("x-{number}"), json!("v"))).collect();
        assert!(mend(event("/", "", many.into())).is_err());
    }

    proptest! {
        #[test]
        fn any_text_anywhere_is_read(path in ".*", query in ".*", name in ".*", value in ".*", domain in ".*") {
            let mut event = event(&path, &query, json!({(name): value, "host": domain}));
            event["requestContext"]["domainName"] = domain.into();
            event["cookies"] = json!([value]);
            event["body"] = value.into();
            read(event);
        }
    }
}
