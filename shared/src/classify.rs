//! Who asks: a pure reading of method, path and headers.
//!
//! The class says only whether a request may wake the instance, not what it is answered with.

use std::str::FromStr;

use http::header::{ACCEPT, ORIGIN, USER_AGENT};
use http::{HeaderMap, Method};
use serde::Serialize;

use crate::model::{HostName, Unreadable};

mod agent;

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
        let path = text.trim_end_matches('/');
        if path.starts_with('/') && !path.contains(['?', '#', '*', ' ']) {
            Ok(Self(path.into()))
        } else {
            let takes = "paths that begin with /, go on after it and have no wildcard, with commas between them";
            Err(Unreadable { takes })
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
    /// A wake call that another site may have made, or a browser that looks ahead, or with another method than POST.
    ForgedWakeCall,
    /// Another path under `/.catnap/`, which belongs to Catnap and not to the app.
    UnknownCatnapPath,
    /// Under one of `WakePaths`: wakes, whoever asks.
    WakePath,
    /// HEAD or OPTIONS: monitors and preflights.
    HeadOrOptions,
    /// A path that browsers ask for by themselves, or that scanners try.
    ProbePath,
    /// A program that says so by its user agent: a crawler, a link preview, a monitor, a feed reader, a library.
    Bot,
    /// It calls itself a browser of these years, without the headers that this one always sends: a script in
    /// disguise, or a person whose headers a proxy took away. So it gets the page, and the page may ask.
    Disguised,
    /// A person's browser opens a page.
    Navigation,
    /// An open tab of the app is used again: an unsafe request of the same origin.
    AppTab,
    /// It may come from a person: the app's own page fetches something, a form comes from another site, or there are
    /// no headers by which to tell.
    Client,
    /// Anything else: an image, a style, a script, what another site embeds, a connection that a page reopens.
    Other,
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

    /// Whether a person does this, or what wakes like one. A forgotten tab that polls does not, nor does a scanner.
    #[must_use]
    pub fn is_of_somebody(self) -> bool {
        matches!(self, Self::Navigation | Self::AppTab | Self::WakePath | Self::WakeCall(_))
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
    if path == STATUS_PATH && method == Method::GET {
        Class::StatusPoll
    } else if path == WAKE_PATH {
        wake_call(request).map_or(Class::ForgedWakeCall, Class::WakeCall)
    } else if path.starts_with("/.catnap/") {
        Class::UnknownCatnapPath
    } else if is_prefetch(headers) {
        Class::Prefetch
    } else if wake_paths.iter().any(|wake_path| wake_path.covers(path)) {
        Class::WakePath
    } else if method == Method::HEAD || method == Method::OPTIONS {
        Class::HeadOrOptions
    } else if is_probe_path(path, has_fetch_metadata(headers)) {
        Class::ProbePath
    } else {
        by_who_asks(request)
    }
}

fn by_who_asks(request: &Request<'_>) -> Class {
    let Request { method, headers, .. } = *request;
    let user_agent = text(headers, USER_AGENT.as_str());
    if agent::is_program(user_agent, has_fetch_metadata(headers)) || agent::is_headless(text(headers, "sec-ch-ua")) {
        Class::Bot
    } else if agent::has_fetch_metadata(user_agent) && !has_fetch_metadata(headers) && has_accept_headers(headers) {
        Class::Disguised
    } else if is_embedded_elsewhere(headers) {
        Class::Other
    } else if method == Method::GET && wants_page(headers) {
        Class::Navigation
    } else if !method.is_safe() && is_same_origin(request) && is_meant(headers) {
        Class::AppTab
    } else if may_be_a_persons(request) {
        Class::Client
    } else {
        Class::Other
    }
}

/// Whether a browser opens a page with this request, and so wants HTML to look at.
#[must_use]
pub fn wants_page(headers: &HeaderMap) -> bool {
    let accept = text(headers, ACCEPT.as_str()).to_ascii_lowercase();
    let html =
        accept.contains("text/html") || (accept == "*/*" && agent::accepts_anything(text(headers, "user-agent")));
    html && (navigates(headers) || !has_fetch_metadata(headers))
}

/// Every browser sends some of these. Without any, the absence of others tells nothing.
fn has_accept_headers(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("accept"))
}

fn has_fetch_metadata(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"))
}

fn navigates(headers: &HeaderMap) -> bool {
    text(headers, "sec-fetch-mode") == "navigate"
}

/// Whether another site has this in a frame of a page of its own: a navigation, but of nobody who came here.
fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let is_framed = ["iframe", "frame", "fencedframe", "embed", "object"].contains(&text(headers, "sec-fetch-dest"));
    is_framed && text(headers, "sec-fetch-site") == "cross-site"
}

/// Whether a page asked by what someone did in it. Beacons, pings and reports are sent when a tab is closed, too.
fn is_meant(headers: &HeaderMap) -> bool {
    text(headers, "sec-fetch-mode") != "no-cors" && text(headers, "sec-fetch-dest") != "report"
}

/// Neither page nor open tab. Where the browser tells, it is a fetch of the app's own site, or a form that another
/// site sends here (a sign-in that comes back). Where it does not, only `Accept` tells a page's parts from a page.
fn may_be_a_persons(request: &Request<'_>) -> bool {
    let Request { method, headers, .. } = *request;
    if has_fetch_metadata(headers) {
        let fetches = matches!(text(headers, "sec-fetch-mode"), "cors" | "same-origin")
            && text(headers, "sec-fetch-dest") == "empty"
            && !text(headers, ACCEPT.as_str()).contains("text/event-stream");
        navigates(headers) || (fetches && text(headers, "sec-fetch-site") != "cross-site")
    } else {
        method == Method::GET && !has_accept_headers(headers)
    }
}

/// A header's value as text; empty when it is not there or not readable.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// A prerender carries all marks of a navigation by a person, so this is looked at before who asks.
fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| {
        let value = text(headers, name).to_ascii_lowercase();
        value.contains("prefetch") || value.contains("prerender") || value.contains("preview")
    })
}

fn wake_call(request: &Request<'_>) -> Option<Caller> {
    if request.method != Method::POST || is_prefetch(request.headers) {
        return None;
    }
    let names_its_site = ["sec-fetch-site", ORIGIN.as_str()].iter().any(|name| request.headers.contains_key(*name));
    match text(request.headers, WAKE_HEADER) {
        _ if names_its_site && !is_same_origin(request) => None,
        "wake" => Some(Caller::Script),
        "press" => Some(Caller::Person),
        _ => names_its_site.then_some(Caller::Person),
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

/// What machines ask for; and what scanners try, unless a browser's engine asks: then the app is written so.
fn is_probe_path(path: &str, is_engine: bool) -> bool {
    const EXACT: &[&str] = &["/robots.txt", "/sitemap.xml", "/ads.txt", "/app-ads.txt", "/security.txt", "/humans.txt"];
    const PARTS: &[&str] = &["/favicon.ico", "/apple-touch-icon", "/browserconfig.xml", "/crossdomain.xml"];
    const TRIED_PREFIXES: &[&str] = &["/cgi-bin/", "/vendor/", "/actuator/", "/boaform/", "/phpmyadmin", "/hnap1"];
    const TRIED_SUFFIXES: &[&str] = &[".php", ".asp", ".aspx", ".jsp", ".cgi", ".env", ".bak", ".sql"];
    let path = path.to_ascii_lowercase();
    let is_tried = || {
        path.contains("/wp-")
            || TRIED_PREFIXES.iter().any(|prefix| path.starts_with(prefix))
            || TRIED_SUFFIXES.iter().any(|suffix| path.ends_with(suffix))
    };
    EXACT.contains(&path.as_str())
        || PARTS.iter().any(|part| path.contains(part))
        || path.contains("/.") // dotfiles and /.well-known/
        || (!is_engine && is_tried())
}

#[cfg(test)]
mod tests;
