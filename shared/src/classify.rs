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

    /// Whether the script of a page that answers this request may ask to wake without anybody pressing anything.
    /// A bot that runs scripts finds the button, and nothing that presses it.
    #[must_use]
    pub fn lets_the_page_ask(self, wake_on: WakeOn) -> bool {
        wake_on != WakeOn::Click && self != Self::Bot
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
mod tests;
