//! API Gateway's HTTP API: HTTP in, payload 2.0 to a function, the function's answer out.
//!
//! The same as `wire/gateway.py` does for the binaries; what AWS does not document is marked there.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, SET_COOKIE};
use http::{Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
];

/// Where a request comes from and what API Gateway calls it.
#[derive(Debug, Clone)]
pub(crate) struct Arrival<'a> {
    /// The domain that it came in at.
    pub(crate) domain: &'a str,
    /// The visitor's address.
    pub(crate) source_ip: &'a str,
    /// The id of the request.
    pub(crate) request_id: &'a str,
    /// When it came.
    pub(crate) now: DateTime<Utc>,
}

/// Payload 2.0 of a request. The path comes decoded, the query as it was sent.
pub(crate) fn event(request: &Request<Vec<u8>>, arrival: &Arrival<'_>) -> Value {
    let Arrival { domain, source_ip, request_id, now } = arrival;
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
    let query = request.uri().query().unwrap_or_default();
    let mut headers = Map::new();
    let mut cookies = Vec::new();
    for (name, value) in request.headers() {
        let value: String = value.as_bytes().iter().copied().map(char::from).collect();
        if name == COOKIE {
            cookies.extend(value.split("; ").filter(|cookie| !cookie.is_empty()).map(str::to_owned));
        } else if !HOP_BY_HOP.contains(&name.as_str()) && name != HOST {
            let joined = match headers.get(name.as_str()).and_then(Value::as_str) {
                Some(before) => format!("{before},{value}"),
                None => value,
            };
            headers.insert(name.as_str().into(), joined.into());
        }
    }
    let via = headers.get("x-forwarded-for").and_then(Value::as_str);
    let via = via.map_or_else(|| (*source_ip).to_owned(), |via| format!("{via}, {source_ip}"));
    for (name, value) in [
        ("host", (*domain).to_owned()),
        ("content-length", request.body().len().to_string()),
        ("x-forwarded-for", via),
        ("x-forwarded-port", "443".into()),
        ("x-forwarded-proto", "https".into()),
    ] {
        headers.insert(name.into(), value.into());
    }
    let agent = headers.get("user-agent").cloned().unwrap_or_else(|| "".into());
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123def4",
            "domainName": domain,
            "domainPrefix": domain.split('.').next(),
            "http": {
                "method": request.method().as_str(), "path": path, "protocol": "HTTP/1.1", "sourceIp": source_ip,
                "userAgent": agent,
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.timestamp_millis(),
        },
        "isBase64Encoded": false,
    });
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if !request.body().is_empty() {
        event["body"] = BASE64_STANDARD.encode(request.body()).into();
        event["isBase64Encoded"] = true.into();
    }
    event
}

/// A function's answer as HTTP; none for what API Gateway cannot make an answer of.
pub(crate) fn response(answer: &Value) -> Option<Response<Vec<u8>>> {
    let status = u16::try_from(answer.get("statusCode")?.as_u64()?).ok()?;
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = match answer.get("isBase64Encoded") {
        Some(Value::Bool(true)) => BASE64_STANDARD.decode(body).ok()?,
        _ => body.as_bytes().to_vec(),
    };
    let mut response = Response::builder().status(status).body(body).ok()?;
    let headers = answer.get("headers").and_then(Value::as_object).into_iter().flatten();
    for (name, value) in headers.filter_map(|(name, value)| Some((name, value.as_str()?))) {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if !HOP_BY_HOP.contains(&name.as_str()) {
            response.headers_mut().append(name, HeaderValue::from_str(value).ok()?);
        }
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        response.headers_mut().append(SET_COOKIE, HeaderValue::from_str(cookie.as_str()?).ok()?);
    }
    Some(response)
}

/// What API Gateway answers by itself.
pub(crate) fn own(status: u16, message: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(json!({ "message": message }).to_string().into_bytes());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
