//! Who asks: a pure reading of method, path and headers.
//!
//! The class says only whether a request may wake the instance, not what it is answered with.

use std::str::FromStr;

use http::header::{ACCEPT, ORIGIN, USER_AGENT};
use http::{HeaderMap, Method};
use serde::Serialize;

use crate::model::{HostName, Unreadable};

/// The path of the page's live status.
pub const STATUS_PATH: &str = "/.catnap/status";
/// The path of the wake call.
pub const WAKE_PATH: &str = "/.catnap/wake";
/// The header that only a script of the same origin can send without being asked (CORS) first.
pub const WAKE_HEADER: &str = "x-catnap";

/// When a request wakes the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WakeOn {
    /// The waiting page's own script asks, at once: a person's browser does, a bot does not.
    Visit,
    /// The person presses the button.
    Click,
    /// Any request that the filter lets through.
    Request,
}

impl FromStr for WakeOn {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        match text {
            "visit" => Ok(Self::Visit),
            "click" => Ok(Self::Click),
            "request" => Ok(Self::Request),
            _ => Err(Unreadable { takes: "visit, click or request" }),
        }
    }
}

/// A path that wakes whoever asks for it: itself, and what lies under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WakePath(String);

impl WakePath {
    /// Whether `path` is this path or lies under it. `/api` covers `/api` and `/api/x`, not `/apify`.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for WakePath {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        if text.starts_with('/') && text.len() > 1 && !text.contains(['?', '#', '*', ' ']) {
            Ok(Self(text.trim_end_matches('/').into()))
        } else {
            Err(Unreadable { takes: "paths that begin with / and have no wildcard, with commas between them" })
        }
    }
}

/// What a request is read from.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, without a query.
    pub path: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The host that API Gateway vouches for.
    pub host: &'a HostName,
}

/// What kind of request it is; the first that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The browser looks ahead; nobody has asked for the page yet.
    Prefetch,
    /// The waiting page asks how far it is.
    StatusPoll,
    /// The page's script, or the person in front of it, asks to wake the app.
    WakeCall(Caller),
    /// A wake call that another site may have made, or with another method than POST.
    ForgedWakeCall,
    /// Another path under `/.catnap/`, which belongs to Catnap and not to the app.
    UnknownCatnapPath,
    /// Under one of `WakePaths`: wakes, whoever asks.
    WakePath,
    /// HEAD or OPTIONS: monitors and preflights.
    HeadOrOptions,
    /// A path that browsers ask for by themselves, or that scanners try.
    ProbePath,
    /// A crawler, a link preview or a monitor, by its user agent.
    Bot,
    /// A person's browser opens a page.
    Navigation,
    /// An open tab of the app is used again: an unsafe request of the same origin.
    AppTab,
    /// Anything else: an API client, a script, an image.
    Client,
}

/// Who sent a wake call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// The page's script, by itself.
    Script,
    /// A person, by the button.
    Person,
}

/// Whether this request asks for the instance to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// It does not.
    No,
    /// It does, by what it is.
    Request,
    /// A person pressed the button.
    Person,
}

impl Class {
    /// Whether a request of this class asks to wake, under `wake_on`.
    #[must_use]
    pub fn asks(self, wake_on: WakeOn) -> Ask {
        match (self, wake_on) {
            (Self::WakeCall(Caller::Person), _) => Ask::Person,
            (Self::WakePath, _)
            | (Self::WakeCall(Caller::Script) | Self::AppTab, WakeOn::Visit | WakeOn::Request)
            | (Self::Navigation | Self::Client, WakeOn::Request) => Ask::Request,
            _ => Ask::No,
        }
    }

    /// Whether this is Catnap's own business rather than the app's.
    #[must_use]
    pub fn is_catnaps_own(self) -> bool {
        matches!(self, Self::StatusPoll | Self::WakeCall(_) | Self::ForgedWakeCall | Self::UnknownCatnapPath)
    }
}

/// Says what kind of request this is.
///
/// ```
/// use http::{HeaderMap, Method};
/// use shared::classify::{Class, Request, classify};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("accept", "text/html".parse()?);
/// headers.insert("sec-fetch-mode", "navigate".parse()?);
/// headers.insert("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".parse()?);
/// let host = "app.example.com".parse()?;
/// let request = Request { method: &Method::GET, path: "/", headers: &headers, host: &host };
/// assert_eq!(classify(&request, &[]), Class::Navigation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn classify(request: &Request<'_>, wake_paths: &[WakePath]) -> Class {
    let Request { method, path, headers, .. } = *request;
    if is_prefetch(headers) {
        Class::Prefetch
    } else if path == STATUS_PATH && method == Method::GET {
        Class::StatusPoll
    } else if path == WAKE_PATH {
        wake_call(request).map_or(Class::ForgedWakeCall, Class::WakeCall)
    } else if path.starts_with("/.catnap/") {
        Class::UnknownCatnapPath
    } else if wake_paths.iter().any(|wake_path| wake_path.covers(path)) {
        Class::WakePath
    } else if method == Method::HEAD || method == Method::OPTIONS {
        Class::HeadOrOptions
    } else if is_probe_path(path) {
        Class::ProbePath
    } else if is_bot(text(headers, USER_AGENT.as_str())) {
        Class::Bot
    } else if method == Method::GET && wants_page(headers) {
        Class::Navigation
    } else if !method.is_safe() && is_same_origin(request) {
        Class::AppTab
    } else {
        Class::Client
    }
}

/// Whether a browser opens a page with this request, and so wants HTML to look at.
#[must_use]
pub fn wants_page(headers: &HeaderMap) -> bool {
    let html = text(headers, ACCEPT.as_str()).to_ascii_lowercase().contains("text/html");
    let tells_mode = headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"));
    html && (!tells_mode || text(headers, "sec-fetch-mode") == "navigate")
}

/// A header's value as text; empty when it is not there or not readable.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// A prerender carries all marks of a navigation by a person, so this is looked at first.
fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        let value = text(headers, name);
        value.contains("prefetch") || value.contains("prerender") || value.contains("preview")
    })
}

fn wake_call(request: &Request<'_>) -> Option<Caller> {
    if request.method != Method::POST {
        return None;
    }
    match text(request.headers, WAKE_HEADER) {
        "wake" => Some(Caller::Script),
        "press" => Some(Caller::Person),
        _ => is_same_origin(request).then_some(Caller::Person),
    }
}

/// `Sec-Fetch-Site` where the browser sends it, else `Origin`.
fn is_same_origin(request: &Request<'_>) -> bool {
    match text(request.headers, "sec-fetch-site") {
        "" => text(request.headers, ORIGIN.as_str())
            .strip_prefix("https://")
            .is_some_and(|origin| origin.eq_ignore_ascii_case(request.host.as_str())),
        site => site == "same-origin",
    }
}

fn is_probe_path(path: &str) -> bool {
    const EXACT: &[&str] = &["/favicon.ico", "/robots.txt", "/sitemap.xml", "/ads.txt", "/security.txt", "/humans.txt"];
    const PREFIXES: &[&str] = &["/apple-touch-icon", "/wp-", "/cgi-bin/", "/vendor/", "/actuator/", "/boaform/"];
    const SUFFIXES: &[&str] = &[".php", ".asp", ".aspx", ".jsp", ".cgi", ".env", ".bak", ".sql"];
    let path = path.to_ascii_lowercase();
    EXACT.contains(&path.as_str())
        || PREFIXES.iter().any(|prefix| path.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| path.ends_with(suffix))
        || path.contains("/.") // dotfiles and /.well-known/
}

/// Marks of programs that nobody sits in front of, in lower case. An empty user agent is one too.
fn is_bot(user_agent: &str) -> bool {
    const MARKS: &[&str] = &[
        "bot",
        "crawl",
        "spider",
        "slurp",
        "preview",
        "facebookexternalhit",
        "facebookcatalog",
        "whatsapp",
        "skypeuripreview",
        "embedly",
        "iframely",
        "pinterest",
        "mastodon",
        "bluesky",
        "vkshare",
        "outbrain",
        "monitor",
        "uptime",
        "pingdom",
        "statuscake",
        "site24x7",
        "datadog",
        "newrelic",
        "route53-health-check",
        "headlesschrome",
        "phantomjs",
        "lighthouse",
        "pagespeed",
        "gtmetrix",
        "scan",
        "nmap",
        "zgrab",
        "masscan",
        "censys",
        "shodan",
        "nikto",
        "nuclei",
        "sqlmap",
        "wpscan",
        "expanse",
        "internet-measurement",
        "feed",
        "rss",
        "archive",
        "validator",
        "checker",
        "google-read-aloud",
        "googleother",
        "google-inspectiontool",
        "apis-google",
        "mediapartners",
        "bingpreview",
        "yandex",
        "baidu",
        "ahrefs",
        "semrush",
        "chatgpt",
        "claude",
        "perplexity",
    ]; // fmt: one mark a line would be longer than the rest of the file
    let user_agent = user_agent.to_ascii_lowercase();
    user_agent.is_empty() || MARKS.iter().any(|mark| user_agent.contains(mark))
}

#[cfg(test)]
mod tests {
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
}
