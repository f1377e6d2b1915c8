use http::header::{CONTENT_TYPE, COOKIE};
use proptest::prelude::*;

use super::*;
use crate::event::Sent;

fn visit(method: Method, headers: &[(&'static str, &str)]) -> Visit {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
    Visit {
        method,
        path: "/a%20b".into(),
        query: "c=d&e".into(),
        headers: HeaderMap::new(),
        sent: Sent { headers: headers.collect(), body: b"x=1".to_vec(), malformed: None },
        domain: "app.example.com".into(),
        request_id: "r-1".into(),
        source_ip: "192.0.2.7".into(),
    }
}

fn sent_on(headers: &[(&'static str, &str)]) -> HeaderMap {
    outgoing(&visit(Method::GET, headers), &"app.example.com".parse().unwrap()).unwrap().into_parts().0.headers
}

fn back(headers: &[(&'static str, &[u8])], body: impl Into<Vec<u8>>) -> Result<Response<Body>, Unbridged> {
    let mut answer = Response::new(body.into());
    for (name, value) in headers {
        answer.headers_mut().append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    incoming(answer, &Method::GET, None)
}

#[test]
fn method_path_query_and_body_go_on_as_they_came() {
    let request = outgoing(&visit(Method::PATCH, &[]), &"app.example.com".parse().unwrap()).unwrap();
    assert_eq!((request.method(), request.uri().to_string()), (&Method::PATCH, "/a%20b?c=d&e".into()));
    assert_eq!(request.body(), b"x=1");
}

#[test]
fn what_concerns_one_connection_stays_behind() {
    let headers = sent_on(&[
        ("connection", "close, X-Hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("content-length", "999"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "Basic x"),
        ("expect", "100-continue"),
        ("forwarded", "for=evil"),
        ("cookie", "a=1; b=2"),
        ("authorization", "Bearer x"),
        ("if-none-match", "\"e\""),
        ("range", "bytes=0-9"),
        ("accept-encoding", "br, gzip"),
    ]);
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    #[rustfmt::skip]
    assert_eq!(names, [
        "accept-encoding", "authorization", "cookie", "if-none-match", "range",
        "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
    ]);
    assert_eq!(headers[COOKIE], "a=1; b=2");
}

#[test]
fn who_asks_is_who_api_gateway_saw_whatever_the_visitor_says() {
    for (sent, forwarded) in [
        (None, "192.0.2.7"),
        (Some("192.0.2.7"), "192.0.2.7"),
        (Some("203.0.113.1, 192.0.2.7"), "203.0.113.1, 192.0.2.7"),
        (Some("203.0.113.1"), "203.0.113.1, 192.0.2.7"),
        (Some("192.0.2.7, 127.0.0.1"), "192.0.2.7, 127.0.0.1, 192.0.2.7"),
        (Some(""), "192.0.2.7"),
    ] {
        let sent: Vec<_> = sent.map(|value| ("x-forwarded-for", value)).into_iter().collect();
        assert_eq!(sent_on(&sent)["x-forwarded-for"], forwarded, "{sent:?}");
    }
    let headers = sent_on(&[("x-forwarded-host", "evil"), ("x-forwarded-proto", "http"), ("x-forwarded-port", "1")]);
    assert_eq!(headers["x-forwarded-host"], "app.example.com");
    assert_eq!((&headers["x-forwarded-proto"], &headers["x-forwarded-port"]), (&"https".parse().unwrap(), &443.into()));
}

#[test]
fn what_cannot_be_passed_on_is_refused_before_anything_is_sent() {
    let refused = |headers: &[(&'static str, &str)]| {
        outgoing(&visit(Method::GET, headers), &"app.example.com".parse().unwrap()).unwrap_err()
    };
    assert_eq!(refused(&[("upgrade", "WebSocket")]), Unbridged::WebSocket);
    assert_eq!(refused(&[("sec-websocket-key", "x")]), Unbridged::WebSocket, "API Gateway may drop Upgrade");
    let mut odd = visit(Method::GET, &[]);
    odd.sent.malformed = Some("x\r\ny".into());
    assert_eq!(outgoing(&odd, &"app.example.com".parse().unwrap()).unwrap_err(), Unbridged::Malformed);
}

#[test]
fn an_answer_comes_back_as_it_is_but_for_its_connection() {
    let answer = back(
        &[
            ("content-type", b"text/plain; charset=iso-8859-1"),
            ("connection", b"keep-alive, x-hop"),
            ("x-hop", b"1"),
            ("transfer-encoding", b"chunked"),
            ("content-length", b"3"),
            ("alt-svc", b"h3=\":443\""),
            ("set-cookie", b"a=1; Path=/"),
            ("set-cookie", b"b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT"),
            ("vary", b"Accept"),
            ("vary", b"Origin"),
            ("x-name", b"Gr\xfc\xdfe"),
            ("strict-transport-security", b"max-age=1"),
        ],
        *b"\xe4\xf6\xfc",
    )
    .unwrap();
    let headers = answer.headers();
    for gone in ["connection", "x-hop", "transfer-encoding", "content-length", "alt-svc"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
    assert_eq!(headers.get_all(SET_COOKIE).iter().count(), 2);
    assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["Accept, Origin"]);
    assert_eq!(headers["x-name"].as_bytes(), "Grüße".as_bytes());
    assert_eq!(headers["strict-transport-security"], "max-age=1");
    assert_eq!(headers[CONTENT_TYPE], "text/plain; charset=iso-8859-1");
    assert_eq!(answer.body(), &Body::Binary(b"\xe4\xf6\xfc".to_vec()));
}

#[test]
fn browsers_are_shown_the_way_to_the_instance_itself() {
    let way_out = |own: Option<&'static str>| {
        let mut answer = Response::new(Vec::new());
        answer.headers_mut().extend(own.map(|own| (ALT_SVC, HeaderValue::from_static(own))));
        let answer = incoming(answer, &Method::GET, "203.0.113.10".parse().ok()).unwrap();
        answer.headers()[ALT_SVC].to_str().unwrap().to_owned()
    };
    let h2 = "h2=\"203.0.113.10:443\"; ma=60";
    assert_eq!(way_out(None), h2);
    assert_eq!(way_out(Some("h3=\":443\"; ma=2592000")), format!("h3=\"203.0.113.10:443\"; ma=60, {h2}"));
    assert_eq!(way_out(Some("h3=\":8443\"")), h2, "another port than visitors come to");
    assert_eq!(way_out(Some("clear")), h2);
}

#[test]
fn the_length_of_a_head_answer_is_kept() {
    let mut answer = Response::new(Vec::new());
    answer.headers_mut().insert(CONTENT_LENGTH, 12.into());
    assert_eq!(incoming(answer, &Method::HEAD, None).unwrap().headers()[CONTENT_LENGTH], "12");
}

#[test]
fn what_lambda_does_not_take_is_too_large() {
    let too_large = Unbridged::Unforwarded(Unforwarded::TooLarge);
    let room = MOST_BYTES_OF_AN_ANSWER - BYTES_OF_THE_ENVELOPE;
    assert!(back(&[], vec![b'x'; room]).is_ok());
    assert_eq!(back(&[], vec![b'x'; room + 1]).unwrap_err(), too_large);
    assert!(back(&[], vec![0xff; room / 4 * 3 - 3]).is_ok(), "base64 makes four bytes of three");
    assert_eq!(back(&[], vec![0xff; room / 4 * 3 + 3]).unwrap_err(), too_large);
    assert!(matches!(back(&[], vec![0; 4_000_000]).unwrap().body(), Body::Binary(_)), "six bytes each as text");
    assert_eq!(back(&[("x-long", &[b'x'; 600])], vec![b'x'; room]).unwrap_err(), too_large, "headers count");
}

#[test]
fn a_failover_is_stuck_after_ten_minutes_of_bridging_without_a_pause() {
    let start: DateTime<Utc> = "2026-03-01T08:00:00Z".parse().unwrap();
    let after = |minutes: &[i64]| {
        minutes
            .iter()
            .fold(None, |before, at| Some(Unconverged::again(before, start + TimeDelta::minutes(*at))))
            .unwrap()
    };
    assert!(!after(&[0]).is_stuck());
    assert!(!after(&[0, 4, 8, 10]).is_stuck());
    assert!(after(&[0, 4, 8, 11]).is_stuck());
    assert!(!after(&[0, 4, 9, 11]).is_stuck(), "nobody came for five minutes: DNS may have converged in between");
}

proptest! {
    #[test]
    fn any_answer_comes_back_whole_or_not_at_all(
        body in prop::collection::vec(any::<u8>(), 0..200),
        values in prop::collection::vec(prop::collection::vec(32_u8.., 0..20), 0..5),
    ) {
        let mut answer = Response::new(body.clone());
        for value in &values {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                answer.headers_mut().append("x-any", value);
            }
        }
        let back = incoming(answer, &Method::GET, None).unwrap();
        let bytes = match back.body() {
            Body::Text(text) => text.as_bytes().to_vec(),
            Body::Binary(bytes) => bytes.clone(),
            _ => Vec::new(),
        };
        prop_assert_eq!(bytes, body);
        // What `lambda_http` makes JSON of: text, and one value each.
        for (name, value) in back.headers() {
            prop_assert!(std::str::from_utf8(value.as_bytes()).is_ok());
            prop_assert_eq!(back.headers().get_all(name).iter().count(), 1);
        }
    }

    #[test]
    fn no_request_smuggles_another(name in "[a-zA-Z-]{1,12}", value in ".*", path in ".*", body in ".*") {
        let event = serde_json::json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "body": body,
            "headers": {(name): value, "transfer-encoding": "chunked", "content-length": "5"},
            "requestContext": {"domainName": "app.example.com", "requestId": "r", "stage": "$default",
                "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7"}},
        });
        let crate::event::Mended { request, sent } = crate::event::mend(event).unwrap();
        let visit = Visit::new(&request.into(), sent);
        if let Ok(request) = outgoing(&visit, &"app.example.com".parse().unwrap()) {
            prop_assert!(!request.headers().contains_key(TRANSFER_ENCODING));
            prop_assert!(!request.headers().contains_key(CONTENT_LENGTH), "counted anew by the client");
            prop_assert!(request.uri().authority().is_none(), "{}", request.uri());
            prop_assert!(request.uri().path().starts_with('/'));
            prop_assert_eq!(request.body(), body.as_bytes());
        }
    }
}
