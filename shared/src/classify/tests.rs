use super::*;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PAGE: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

fn class(method: Method, path: &str, headers: &[(&'static str, &str)]) -> Class {
    let mut map = HeaderMap::new();
    map.insert(USER_AGENT, FIREFOX.parse().unwrap());
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let host = "app.example.com".parse().unwrap();
    let hooks = ["/hooks/".parse().unwrap(), "/api".parse().unwrap()];
    classify(&Request { method: &method, path, headers: &map, host: &host }, &hooks)
}

const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");
const PRERENDER: (&str, &str) = ("sec-purpose", "prefetch;prerender");
const HTML: (&str, &str) = ("accept", PAGE);
const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");

type Row = (Method, &'static str, &'static [(&'static str, &'static str)], Class);

#[test]
fn each_class_by_the_first_that_fits() {
    use Method as M;
    #[rustfmt::skip]
    let table: &[Row] = &[
        (M::GET, "/", &[HTML, NAVIGATE, PRERENDER], Class::Prefetch),
        (M::GET, "/hooks/a", &[("purpose", "prefetch")], Class::Prefetch),
        (M::GET, STATUS_PATH, &[], Class::StatusPoll),
        (M::POST, WAKE_PATH, &[("x-catnap", "wake")], Class::WakeCall(Caller::Script)),
        (M::POST, WAKE_PATH, &[("x-catnap", "press")], Class::WakeCall(Caller::Person)),
        (M::POST, WAKE_PATH, &[SAME], Class::WakeCall(Caller::Person)),
        (M::POST, WAKE_PATH, &[("origin", "https://app.example.com")], Class::WakeCall(Caller::Person)),
        (M::POST, WAKE_PATH, &[("origin", "https://evil.example.com")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("origin", "http://app.example.com")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[CROSS, ("origin", "https://app.example.com")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[], Class::ForgedWakeCall),
        (M::GET, WAKE_PATH, &[SAME, ("x-catnap", "wake")], Class::ForgedWakeCall),
        (M::POST, STATUS_PATH, &[SAME], Class::UnknownCatnapPath),
        (M::GET, "/.catnap/other", &[HTML, NAVIGATE], Class::UnknownCatnapPath),
        (M::POST, "/hooks/deploy", &[], Class::WakePath),
        (M::HEAD, "/hooks/deploy", &[("user-agent", "SomeBot/1.0")], Class::WakePath),
        (M::GET, "/api", &[], Class::WakePath),
        (M::GET, "/api/v1", &[], Class::WakePath),
        (M::GET, "/apify", &[HTML, NAVIGATE], Class::Navigation),
        (M::HEAD, "/", &[HTML], Class::HeadOrOptions),
        (M::OPTIONS, "/", &[], Class::HeadOrOptions),
        (M::GET, "/favicon.ico", &[], Class::ProbePath),
        (M::GET, "/robots.txt", &[HTML, NAVIGATE], Class::ProbePath),
        (M::GET, "/.well-known/acme-challenge/x", &[], Class::ProbePath),
        (M::GET, "/.git/config", &[HTML], Class::ProbePath),
        (M::GET, "/a/.ENV", &[HTML], Class::ProbePath),
        (M::POST, "/wp-login.PHP", &[SAME], Class::ProbePath),
        (M::GET, "/", &[HTML, ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")], Class::Bot),
        (M::GET, "/", &[HTML, ("user-agent", "WhatsApp/2.23")], Class::Bot),
        (M::GET, "/", &[HTML, ("user-agent", "")], Class::Bot),
        (M::GET, "/", &[HTML, NAVIGATE], Class::Navigation),
        (M::GET, "/deep/link?x=1", &[HTML], Class::Navigation),
        (M::POST, "/save", &[SAME], Class::AppTab),
        (M::POST, "/save", &[HTML, NAVIGATE, SAME], Class::AppTab),
        (M::POST, "/save", &[CROSS], Class::Client),
        (M::GET, "/data.json", &[SAME], Class::Client),
        (M::GET, "/", &[HTML, ("sec-fetch-mode", "cors")], Class::Client),
        (M::GET, "/", &[("accept", "*/*"), ("user-agent", "curl/8.5.0")], Class::Client),
    ];
    for (method, path, headers, expected) in table {
        assert_eq!(class(method.clone(), path, headers), *expected, "{method} {path} {headers:?}");
    }
}

#[test]
fn what_asks_to_wake_in_each_mode() {
    use {Ask as A, Class as C, WakeOn as W};
    #[rustfmt::skip]
    let table = [
        //                               visit       click       request
        (C::WakeCall(Caller::Script), [A::Request, A::No,      A::Request]),
        (C::WakeCall(Caller::Person), [A::Person,  A::Person,  A::Person]),
        (C::WakePath,                 [A::Request, A::Request, A::Request]),
        (C::AppTab,                   [A::Request, A::No,      A::Request]),
        (C::Navigation,               [A::No,      A::No,      A::Request]),
        (C::Client,                   [A::No,      A::No,      A::Request]),
        (C::Prefetch,                 [A::No,      A::No,      A::No]),
        (C::StatusPoll,               [A::No,      A::No,      A::No]),
        (C::ForgedWakeCall,           [A::No,      A::No,      A::No]),
        (C::UnknownCatnapPath,        [A::No,      A::No,      A::No]),
        (C::HeadOrOptions,            [A::No,      A::No,      A::No]),
        (C::ProbePath,                [A::No,      A::No,      A::No]),
        (C::Bot,                      [A::No,      A::No,      A::No]),
    ];
    for (class, expected) in table {
        assert_eq!([W::Visit, W::Click, W::Request].map(|mode| class.asks(mode)), expected, "{class:?}");
    }
}
