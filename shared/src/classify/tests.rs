use super::*;

/// One that does not send `Sec-Fetch-*`.
const SAFARI_15: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                         Version/15.6.1 Safari/605.1.15";
const FIREFOX: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
const PAGE: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

fn class(method: Method, path: &str, headers: &[(&'static str, &str)]) -> Class {
    let mut map = HeaderMap::new();
    map.insert(USER_AGENT, SAFARI_15.parse().unwrap());
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let host = "app.example.com".parse().unwrap();
    let hooks = ["/hooks/".parse().unwrap(), "/api".parse().unwrap()];
    classify(&Request { method: &method, path, headers: &map, host: &host }, &hooks)
}

const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");
const CORS: (&str, &str) = ("sec-fetch-mode", "cors");
const NO_CORS: (&str, &str) = ("sec-fetch-mode", "no-cors");
const FETCH: (&str, &str) = ("sec-fetch-dest", "empty");
const FRAME: (&str, &str) = ("sec-fetch-dest", "iframe");
const IMAGE: (&str, &str) = ("sec-fetch-dest", "image");
const PRERENDER: (&str, &str) = ("sec-purpose", "prefetch;prerender");
const HTML: (&str, &str) = ("accept", PAGE);
const ANY: (&str, &str) = ("accept", "*/*");
const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
const SAME_SITE: (&str, &str) = ("sec-fetch-site", "same-site");
const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
const NONE: (&str, &str) = ("sec-fetch-site", "none");
const OWN: (&str, &str) = ("origin", "https://app.example.com");
const EVIL: (&str, &str) = ("origin", "https://evil.example.com");
const CALL: (&str, &str) = ("x-catnap", "wake");
const PRESS: (&str, &str) = ("x-catnap", "press");

type Row = (Method, &'static str, &'static [(&'static str, &'static str)], Class);

fn assert_classes(table: &[Row]) {
    for (method, path, headers, expected) in table {
        assert_eq!(class(method.clone(), path, headers), *expected, "{method} {path} {headers:?}");
    }
}

#[test]
#[rustfmt::skip]
fn each_class_by_the_first_that_fits() {
    use Method as M;
    assert_classes(&[
        (M::GET, "/", &[HTML, NAVIGATE, PRERENDER], Class::Prefetch),
        (M::GET, "/", &[HTML, ("x-purpose", "preview")], Class::Prefetch),
        (M::GET, "/", &[HTML, NAVIGATE, ("sec-purpose", "Prefetch")], Class::Prefetch),
        (M::GET, "/hooks/a", &[("purpose", "prefetch")], Class::Prefetch),
        (M::GET, STATUS_PATH, &[], Class::StatusPoll),
        (M::GET, STATUS_PATH, &[("purpose", "prefetch")], Class::StatusPoll),
        (M::POST, WAKE_PATH, &[CALL, SAME, PRERENDER], Class::ForgedWakeCall),
        (M::GET, "/.catnap/other", &[HTML, NAVIGATE, PRERENDER], Class::UnknownCatnapPath),
        (M::POST, STATUS_PATH, &[SAME], Class::UnknownCatnapPath),
        (M::GET, "/.catnap/other", &[HTML, NAVIGATE], Class::UnknownCatnapPath),
        (M::POST, "/.catnap/wake/", &[CALL, SAME], Class::UnknownCatnapPath),
        (M::POST, "/hooks/deploy", &[], Class::WakePath),
        (M::HEAD, "/hooks/deploy", &[("user-agent", "SomeBot/1.0")], Class::WakePath),
        (M::GET, "/api", &[], Class::WakePath),
        (M::GET, "/api/v1", &[], Class::WakePath),
        (M::GET, "/apify", &[HTML, NAVIGATE], Class::Navigation),
        (M::HEAD, "/", &[HTML], Class::HeadOrOptions),
        (M::OPTIONS, "/", &[], Class::HeadOrOptions),
        (M::GET, "/", &[HTML, ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")], Class::Bot),
        (M::GET, "/", &[HTML, NAVIGATE, ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")], Class::Bot),
        (M::GET, "/", &[HTML, ("user-agent", "WhatsApp/2.23")], Class::Bot),
        (M::GET, "/", &[HTML, ("user-agent", "")], Class::Bot),
        (M::GET, "/", &[HTML, NAVIGATE, ("user-agent", "")], Class::Navigation),
        (M::GET, "/", &[HTML, NAVIGATE, ("user-agent", "AcmeIntranet 7")], Class::Navigation),
        (M::GET, "/", &[ANY, ("user-agent", "curl/8.5.0")], Class::Bot),
        (M::POST, "/save", &[OWN, ("user-agent", "curl/8.5.0")], Class::Bot),
        (M::GET, "/", &[HTML, NAVIGATE], Class::Navigation),
        (M::GET, "/deep/link?x=1", &[HTML], Class::Navigation),
        (M::POST, "/save", &[SAME], Class::AppTab),
        (M::POST, "/save", &[OWN], Class::AppTab),
        (M::POST, "/save", &[HTML, NAVIGATE, SAME], Class::AppTab),
        (M::GET, "/", &[HTML, CORS], Class::Other),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_wake_call_comes_from_the_apps_own_page() {
    use Method as M;
    let (script, person) = (Class::WakeCall(Caller::Script), Class::WakeCall(Caller::Person));
    assert_classes(&[
        (M::POST, WAKE_PATH, &[CALL], script),
        (M::POST, WAKE_PATH, &[CALL, SAME, CORS, OWN], script),
        (M::POST, WAKE_PATH, &[PRESS], person),
        (M::POST, WAKE_PATH, &[PRESS, SAME, OWN], person),
        // a form, without script
        (M::POST, WAKE_PATH, &[SAME], person),
        (M::POST, WAKE_PATH, &[SAME, NAVIGATE, OWN, HTML], person),
        (M::POST, WAKE_PATH, &[OWN], person),
        (M::POST, WAKE_PATH, &[("origin", "https://APP.example.com")], person),
        // another site's form, page or frame: it cannot send the header unasked, but if it could …
        (M::POST, WAKE_PATH, &[EVIL], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[EVIL, CALL], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[CROSS, NAVIGATE, EVIL], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[CROSS, CORS, EVIL, CALL], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[CROSS, OWN], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[SAME_SITE, ("origin", "https://other.example.com")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[SAME_SITE, PRESS], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[NONE], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("origin", "null")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("origin", "null"), CALL], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("origin", "http://app.example.com")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("origin", "https://app.example.com.evil.org")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("origin", "https://app.example.com, https://evil.org")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("sec-fetch-site", "same-origin,cross-site")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("x-catnap", "wake,press")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[("referer", "https://app.example.com/")], Class::ForgedWakeCall),
        (M::POST, WAKE_PATH, &[], Class::ForgedWakeCall),
        (M::GET, WAKE_PATH, &[SAME, CALL], Class::ForgedWakeCall),
        (M::PUT, WAKE_PATH, &[SAME, CALL], Class::ForgedWakeCall),
        (M::OPTIONS, WAKE_PATH, &[EVIL, ("access-control-request-headers", "x-catnap")], Class::ForgedWakeCall),
    ]);
}

#[test]
#[rustfmt::skip]
fn what_machines_ask_for_and_what_scanners_try() {
    use Method as M;
    assert_classes(&[
        (M::GET, "/favicon.ico", &[], Class::ProbePath),
        (M::GET, "//favicon.ico", &[], Class::ProbePath),
        (M::GET, "/robots.txt", &[HTML, NAVIGATE], Class::ProbePath),
        (M::GET, "/.well-known/acme-challenge/x", &[], Class::ProbePath),
        (M::GET, "/.git/config", &[HTML, NAVIGATE], Class::ProbePath),
        (M::GET, "/a/.ENV", &[HTML], Class::ProbePath),
        (M::POST, "/wp-login.PHP", &[OWN], Class::ProbePath),
        (M::GET, "/blog/wp-admin/", &[HTML], Class::ProbePath),
        // An app may be written so: a browser's engine is told apart.
        (M::GET, "/index.php", &[HTML, NAVIGATE, NONE], Class::Navigation),
        (M::GET, "/wp-admin/", &[HTML, NAVIGATE, SAME], Class::Navigation),
        (M::POST, "/wp-login.php", &[HTML, NAVIGATE, SAME], Class::AppTab),
        (M::POST, "/save.php", &[SAME, CORS, FETCH, ANY], Class::AppTab),
    ]);
}

#[test]
#[rustfmt::skip]
fn an_open_tab_that_is_used_wakes_one_that_polls_by_itself_does_not() {
    use Method as M;
    assert_classes(&[
        (M::POST, "/api2/save", &[SAME, CORS, FETCH, ANY, OWN], Class::AppTab),
        (M::DELETE, "/items/1", &[SAME, CORS, FETCH, ANY, OWN], Class::AppTab),
        (M::POST, "/items", &[SAME, NAVIGATE, HTML, OWN], Class::AppTab),
        // What a page sends when it is closed, and the browser by itself.
        (M::POST, "/beacon", &[SAME, NO_CORS, FETCH, ANY, OWN], Class::Other),
        (M::POST, "/csp", &[SAME, NO_CORS, ("sec-fetch-dest", "report")], Class::Other),
        (M::POST, "/csp", &[SAME, CORS, ("sec-fetch-dest", "report")], Class::Other),
        (M::GET, "/items", &[SAME, CORS, FETCH, ANY], Class::Client),
        (M::GET, "/events", &[SAME, CORS, FETCH, ("accept", "text/event-stream")], Class::Other),
        (M::GET, "/socket", &[SAME, ("sec-fetch-mode", "websocket"), ("sec-fetch-dest", "websocket")], Class::Other),
    ]);
    assert_eq!(Class::Client.asks(WakeOn::Visit), Ask::No, "a forgotten tab that polls");
}

#[test]
#[rustfmt::skip]
fn a_page_and_its_parts_are_told_apart() {
    use Method as M;
    assert_classes(&[
        (M::GET, "/logo.png", &[SAME, NO_CORS, IMAGE, ("accept", "image/avif,image/webp,*/*;q=0.8")], Class::Other),
        (M::GET, "/logo.png", &[CROSS, NO_CORS, IMAGE], Class::Other),
        (M::GET, "/app.js", &[SAME, NO_CORS, ("sec-fetch-dest", "script"), ANY], Class::Other),
        (M::GET, "/font.woff2", &[SAME, CORS, ("sec-fetch-dest", "font"), ANY], Class::Other),
        (M::GET, "/app.webmanifest", &[SAME, CORS, ("sec-fetch-dest", "manifest"), ANY], Class::Other),
        (M::GET, "/logo.png", &[("accept", "image/webp,*/*;q=0.8")], Class::Other),
        (M::GET, "/", &[ANY], Class::Other),
        // Another site embeds, fetches or sends.
        (M::GET, "/data.json", &[CROSS, CORS, FETCH, ANY], Class::Other),
        (M::GET, "/", &[CROSS, NO_CORS, FETCH, ANY], Class::Other),
        (M::POST, "/save", &[CROSS, CORS, FETCH, ANY, EVIL], Class::Other),
        (M::POST, "/save", &[ANY, EVIL], Class::Other),
        (M::GET, "/", &[CROSS, NAVIGATE, HTML, FRAME], Class::Other),
        (M::POST, "/save", &[CROSS, NAVIGATE, HTML, EVIL, FRAME], Class::Other),
        (M::GET, "/", &[CROSS, NAVIGATE, HTML, ("sec-fetch-dest", "object")], Class::Other),
        (M::POST, "/save", &[ANY], Class::Other),
        // A page of the same site, a sign-in that comes back, a browser of which there is nothing but its name.
        (M::GET, "/data.json", &[SAME_SITE, CORS, FETCH, ANY], Class::Client),
        (M::POST, "/signed-in", &[CROSS, NAVIGATE, HTML, EVIL], Class::Client),
        (M::GET, "/", &[CROSS, NAVIGATE, HTML, ("sec-fetch-dest", "document")], Class::Navigation),
        (M::GET, "/part", &[SAME, NAVIGATE, HTML, FRAME], Class::Navigation),
        (M::GET, "/reports", &[], Class::Client),
        (M::GET, "/reports", &[("accept-encoding", "gzip")], Class::Other),
        (M::GET, "/reports", &[ANY, ("user-agent", "Links (2.28; Linux 6.1 x86_64; GNU C 12.2; text)")], Class::Navigation),
        (M::GET, "/reports", &[ANY, ("user-agent", "ELinks/0.13.2 (textmode; Linux 6.1 x86_64; 80x24-2)")], Class::Navigation),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_script_that_calls_itself_a_browser_lacks_the_browsers_headers() {
    use Method as M;
    const CHROME: (&str, &str) = ("user-agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, \
        like Gecko) Chrome/120.0.0.0 Safari/537.36");
    const OLD_CHROME: (&str, &str) = ("user-agent", "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, \
        like Gecko) Chrome/32.0.1700.107 Safari/537.36");
    const EDGE: (&str, &str) = ("user-agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, \
        like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0");
    const UC: (&str, &str) = ("user-agent", "Mozilla/5.0 (Linux; U; Android 12; en-US; M2004J19C) AppleWebKit/537.36 \
        (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.5.0.1313 Mobile Safari/537.36");
    const PALE_MOON: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 \
        Goanna/6.7 Firefox/128.0 PaleMoon/33.3.1");
    const FIREFOX_PHONE: (&str, &str) = ("user-agent", "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 \
        Firefox/140.0");
    assert_classes(&[
        (M::GET, "/", &[HTML, CHROME], Class::Disguised),
        (M::GET, "/", &[HTML, EDGE], Class::Disguised),
        (M::GET, "/", &[ANY, FIREFOX], Class::Disguised),
        (M::GET, "/", &[HTML, FIREFOX_PHONE], Class::Disguised),
        (M::POST, "/xmlrpc", &[ANY, FIREFOX, OWN], Class::Disguised),
        (M::GET, "/", &[HTML, CHROME, NAVIGATE], Class::Navigation),
        (M::GET, "/", &[HTML, FIREFOX, NAVIGATE], Class::Navigation),
        (M::GET, "/", &[CHROME, ("accept-encoding", "gzip")], Class::Disguised),
        (M::GET, "/", &[CHROME], Class::Client), // of which nothing is known but its name
        (M::GET, "/", &[HTML, OLD_CHROME], Class::Navigation),
        (M::GET, "/", &[HTML, UC], Class::Navigation),
        (M::GET, "/", &[HTML, PALE_MOON], Class::Navigation),
        (M::GET, "/", &[HTML, CHROME, NAVIGATE, ("sec-ch-ua", "\"HeadlessChrome\";v=\"120\"")], Class::Bot),
    ]);
    // It may be a person whose headers a proxy took away: the page asks.
    assert!(Class::Disguised.lets_the_page_ask(WakeOn::Visit) && Class::Disguised.lets_the_page_ask(WakeOn::Request));
    assert!(!Class::Disguised.lets_the_page_ask(WakeOn::Click));
    assert!(!Class::Bot.lets_the_page_ask(WakeOn::Visit));
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
        (C::Disguised,                [A::No,      A::No,      A::No]),
        (C::Other,                    [A::No,      A::No,      A::No]),
    ];
    for (class, expected) in table {
        assert_eq!([W::Visit, W::Click, W::Request].map(|mode| class.asks(mode)), expected, "{class:?}");
    }
}
