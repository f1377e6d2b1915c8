//! What holds for the class of any request. Called by the fuzz target, and by `shared/tests/fuzz_corpus.rs` with what
//! it has found so far.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use shared::classify::{Ask, Caller, Class, Request, WAKE_PATH, WakeOn, classify, wants_page};

const HOST: &str = "app.example.com";

/// Reads `METHOD path` and then headers, one a line, and asserts what must hold. What is no request is passed over.
pub(crate) fn check(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = lines.next().and_then(|line| str::from_utf8(line).ok()).and_then(|line| line.split_once(' '));
    let Some((method, path)) = first else { return };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let headers: HeaderMap = lines.filter_map(header).collect();
    let (Ok(host), Ok(hooks)) = (HOST.parse(), "/hooks/".parse()) else { panic!("no host, no path") };
    let request = Request { method: &method, path, headers: &headers, host: &host };

    let class = classify(&request, std::slice::from_ref(&hooks));
    assert_eq!(class, classify(&request, std::slice::from_ref(&hooks)), "the same request, another class");

    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_prefetch = ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| {
        let value = text(name).to_lowercase();
        ["prefetch", "prerender", "preview"].iter().any(|word| value.contains(word))
    });
    let is_catnaps = path.starts_with("/.catnap/");
    assert_eq!(class == Class::Prefetch, is_prefetch && !is_catnaps, "of the app, one before it is anything else");

    if let Class::WakeCall(caller) = class {
        assert_eq!((&method, path, is_prefetch), (&Method::POST, WAKE_PATH, false));
        let own = |origin: &str| origin.eq_ignore_ascii_case(&format!("https://{HOST}"));
        match (headers.contains_key("sec-fetch-site"), headers.contains_key("origin")) {
            (true, _) if !text("sec-fetch-site").is_empty() => assert_eq!(text("sec-fetch-site"), "same-origin"),
            (_, true) => assert!(own(text("origin")), "woken by {:?}", text("origin")),
            _ => assert!(["wake", "press"].contains(&text("x-catnap")), "woken by nobody"),
        }
        assert_eq!(caller == Caller::Script, text("x-catnap") == "wake");
    }
    assert_eq!(class.is_catnaps_own(), is_catnaps, "{class:?} of {path}");
    if class == Class::Navigation {
        assert!(method == Method::GET && wants_page(&headers));
    }
    if class == Class::AppTab {
        assert!(!method.is_safe(), "a forgotten tab that polls would wake");
    }

    let [visit, click, request] = [WakeOn::Visit, WakeOn::Click, WakeOn::Request].map(|mode| class.asks(mode));
    let is_hook = matches!(class, Class::WakePath);
    assert!(visit == Ask::No || request != Ask::No, "{class:?} wakes with `visit` and not with `request`");
    assert!(click == Ask::No || is_hook || class == Class::WakeCall(Caller::Person), "{class:?} wakes with `click`");
    assert!(visit == Ask::No || is_hook || !method.is_safe(), "a {method} wakes with `visit`");
    assert!(!class.lets_the_page_ask(WakeOn::Click));
    assert!(class != Class::Bot || (request == Ask::No && !class.lets_the_page_ask(WakeOn::Visit)));
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
}
