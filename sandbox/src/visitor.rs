//! A person with a browser. On the waiting page the browser does what `page.js` does.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, Request, Response};
use serde_json::Value;
use shared::sim::Browser;
use shared::sim::traffic::{random, until_next};
use tokio::time::sleep;

use crate::event::{Got, Step, What};
use crate::world::{API, APP, World};

/// Someone who opens the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Visitor {
    /// What they are called in the records.
    pub name: String,
    /// The name by which they open the app.
    pub host: String,
    /// How long they wait for it.
    pub patience: TimeDelta,
    /// How many pages they look at once they have it.
    pub pages: u32,
    /// How long they look at each, in the mean.
    pub reads: TimeDelta,
}

impl Visitor {
    /// Someone with a usual patience, who looks at three pages.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            host: APP.into(),
            patience: TimeDelta::minutes(15),
            pages: 3,
            reads: TimeDelta::seconds(40),
        }
    }
}

/// What browsers of these years send when a person opens a page.
pub(crate) const NAVIGATION: [(&str, &str); 8] = [
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "none"),
    ("sec-fetch-user", "?1"),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"),
];

/// What a script of the page sends.
const FETCH: [(&str, &str); 4] = [
    ("accept", "*/*"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-dest", "empty"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"),
];

// page.js: milliseconds between two polls, and after a wake call that was refused.
const EAGER: u64 = 1_000;
const FAST: u64 = 3_000;
const STEADY: u64 = 8_000;
const SLOW: u64 = 15_000;
const ASK_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(15);
// Until it pauses when nobody looks, and how often it goes to the app by itself and is led back.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::minutes(15);
const ROUND_TRIPS: usize = 3;

/// How long it takes until somebody looks at a page again that has paused meanwhile.
pub(crate) const LOOKS_AGAIN_AFTER: Duration = Duration::from_secs(120);

/// How long a person looks for the button, and waits with pressing it again where it did not help.
const BEFORE_PRESS: Duration = Duration::from_secs(5);
const PRESS_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(60);

/// How long a browser tries to connect, and a person looks at its error page.
const NO_CONNECTION: Duration = Duration::from_secs(20);
const BEFORE_RELOAD: Duration = Duration::from_secs(10);

/// One wake call, as a page sends it that was open before.
pub(crate) async fn wake_call(world: Arc<World>, name: String) {
    let mut request = request(Method::POST, APP, "/.catnap/wake", &FETCH);
    request.headers_mut().insert("x-catnap", http::HeaderValue::from_static("wake"));
    let mut browser = Browser::default();
    browser.keep_to_gateway(world.core.now());
    let _ = world.send(&name, &mut browser, request).await;
}

struct Visit {
    world: Arc<World>,
    visitor: Visitor,
    browser: Browser,
    /// When they came, or had the app no more.
    came: DateTime<Utc>,
    /// How often this tab went to the app, and when it last did.
    tries: (usize, DateTime<Utc>),
}

/// What a browser shows.
enum Shows {
    App,
    WaitingPage(Response<Vec<u8>>),
    /// Something that a reload may help against.
    Error,
    NoConnection,
}

/// The waiting page in a browser, with what its script knows.
struct Page {
    settings: Value,
    seen: Value,
    /// It asks by itself, or somebody has pressed its button.
    willing: bool,
    asked: bool,
    ask_again_at: DateTime<Utc>,
    failures: u32,
    /// Since when its phase is what it is.
    since: DateTime<Utc>,
}

/// How the waiting page was left.
enum Left {
    ForTheApp,
    /// They had no more patience; the reason that the page gave last.
    OutOfPatience(String),
}

/// The whole of a visit.
pub(crate) async fn visit(world: Arc<World>, visitor: Visitor) {
    let came = world.core.now();
    let mut visit = Visit { world, visitor, browser: Browser::default(), came, tries: (0, came) };
    visit.tell(Step::Comes);
    let shows = visit.open("/").await;
    if visit.get_there(shows, "/").await && visit.look_around().await {
        visit.tell(Step::Leaves);
    }
}

impl Visit {
    fn tell(&self, step: Step) {
        self.world.core.tell(What::Visitor { who: self.visitor.name.clone(), step });
    }

    fn seconds(&self) -> i64 {
        (self.world.core.now() - self.came).num_seconds()
    }

    fn has_patience(&self) -> bool {
        self.world.core.now() - self.came < self.visitor.patience
    }

    async fn open(&mut self, path: &str) -> Shows {
        let request = request(Method::GET, &self.visitor.host, path, &NAVIGATION);
        match self.world.send(&self.visitor.name, &mut self.browser, request).await {
            Ok((Got::App, answer)) if answer.status().as_u16() < 500 => Shows::App,
            Ok((Got::WaitingPage, page)) => Shows::WaitingPage(page),
            Ok(_) => Shows::Error,
            Err(_) => Shows::NoConnection,
        }
    }

    /// Stays until the app is there, as long as they have patience. Says whether it is.
    async fn get_there(&mut self, mut shows: Shows, path: &str) -> bool {
        let (mut waits, mut reason) = (false, String::new());
        loop {
            match shows {
                Shows::App => {
                    self.tell(Step::Arrives { after_seconds: self.seconds() });
                    return true;
                }
                Shows::WaitingPage(page) => {
                    if !std::mem::replace(&mut waits, true) {
                        self.tell(Step::Waits);
                    }
                    if let Left::OutOfPatience(last) = self.wait(&page).await {
                        reason = last;
                    }
                }
                Shows::Error => sleep(BEFORE_RELOAD).await,
                Shows::NoConnection => sleep(NO_CONNECTION + BEFORE_RELOAD).await,
            }
            if !self.has_patience() {
                self.tell(Step::GivesUp { after_seconds: self.seconds(), reason });
                return false;
            }
            shows = self.open(path).await;
        }
    }

    /// Looks at more of the app, and waits for it where it is gone. Says whether they have seen all.
    async fn look_around(&mut self) -> bool {
        let mut rng = random(self.visitor.pages.into(), &self.visitor.name);
        for _ in 1..self.visitor.pages {
            let reads = until_next(&mut rng, self.visitor.reads.as_seconds_f64());
            sleep(Duration::from_millis((reads * 1_000.0) as u64)).await;
            let now = self.world.core.now();
            match self.open("/page").await {
                Shows::App => {}
                shows => {
                    self.came = now;
                    self.tell(Step::WaitsAgain);
                    if !self.get_there(shows, "/page").await {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Waits on the page as its script does: asks to wake, polls, and goes once the app is ready.
    async fn wait(&mut self, page: &Response<Vec<u8>>) -> Left {
        let Some(settings) = settings(page) else { return Left::OutOfPatience("an unreadable page".into()) };
        let presses = settings["wakes_by_itself"] != true;
        let now = self.world.core.now();
        let seen = settings["status"].clone();
        let mut page =
            Page { settings, seen, willing: !presses, asked: false, ask_again_at: now, failures: 0, since: now };
        let (mut press_at, mut looked_at, mut touched) = (self.came, now, false);
        while self.has_patience() {
            if presses && has_button(&page.seen, page.willing) && self.world.core.now() >= press_at {
                sleep(BEFORE_PRESS).await;
                (page.willing, page.asked, touched, looked_at) = (true, false, true, self.world.core.now());
                press_at = looked_at + PRESS_AGAIN_AFTER;
            }
            self.poll(&mut page, presses).await;
            if page.seen["ready"] == true {
                self.leave(&page, touched).await;
                return Left::ForTheApp;
            }
            let now = self.world.core.now();
            if now - looked_at < GIVE_UP_AFTER {
                sleep(Duration::from_millis(page.pace(now))).await;
            } else {
                sleep(LOOKS_AGAIN_AFTER).await;
                looked_at = self.world.core.now();
            }
        }
        Left::OutOfPatience(page.seen["reason"].as_str().unwrap_or_default().into())
    }

    /// One poll of the page's script. What does not get through says nothing.
    async fn poll(&mut self, page: &mut Page, presses: bool) {
        let mut answers = true;
        if page.failures > 0 || !page.is_to_ask(self.world.core.now()) {
            let url = &page.settings["status_urls"][(page.failures as usize / 3) % 2];
            let url = url.as_str().unwrap_or_default().to_owned();
            let (host, path) = match url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) {
                Some((host, path)) => (host.to_owned(), format!("/{path}")),
                None => (self.visitor.host.clone(), url),
            };
            let status = self.call(Method::GET, &host, &path, "").await;
            answers = page.show(status, self.world.core.now());
        }
        let now = self.world.core.now();
        if answers && page.is_to_ask(now) {
            // A press is one try.
            let is_try = !page.asked || page.seen["phase"] != "failed" || page.seen["retry_is_due"] == true;
            (page.asked, page.ask_again_at) = (true, now);
            let (host, url) = (self.visitor.host.clone(), page.settings["wake_url"].clone());
            let by = if presses && is_try { "press" } else { "wake" };
            let status = self.call(Method::POST, &host, url.as_str().unwrap_or_default(), by).await;
            let now = self.world.core.now();
            answers = page.show(status, now);
            if answers && page.seen["phase"] != "falling-asleep" {
                page.ask_again_at = now + ASK_AGAIN_AFTER;
            }
        }
        page.failures = if answers { 0 } else { page.failures + 1 };
    }

    /// Goes to the app, after the pause that the page makes before. One that was led back thrice begins it when somebody
    /// touches it.
    async fn leave(&mut self, page: &Page, touched: bool) {
        let (count, at) = self.tries;
        let minutes = if page.settings["status"]["ready"] == true { 30 } else { 1 };
        let tries = if self.world.core.now() - at < TimeDelta::minutes(minutes) { count } else { 0 };
        if tries >= ROUND_TRIPS && !touched {
            sleep(BEFORE_PRESS).await;
        }
        let delays = page.seen["navigate_after_seconds"].as_array().map_or(&[][..], Vec::as_slice);
        let delay = delays.get(tries.min(delays.len().saturating_sub(1))).and_then(Value::as_u64);
        sleep(Duration::from_secs(delay.unwrap_or(0))).await;
        self.tries = (tries + 1, self.world.core.now());
    }

    /// A request of the page's script, if it is to wake with by whom; none when its answer is no status.
    async fn call(&mut self, method: Method, host: &str, path: &str, by: &str) -> Option<Value> {
        let mut request = request(method.clone(), host, path, &FETCH);
        let site = if host == API { "cross-site" } else { "same-origin" };
        request.headers_mut().insert("sec-fetch-site", site.parse().ok()?);
        request.headers_mut().insert("origin", format!("https://{}", self.visitor.host).parse().ok()?);
        if method == Method::POST {
            request.headers_mut().insert("x-catnap", by.parse().ok()?);
        }
        let (_, answer) = match self.world.send(&self.visitor.name, &mut self.browser, request).await {
            Ok(answer) => answer,
            Err(_) => {
                sleep(Duration::from_secs(10)).await; // the script's own time-out
                return None;
            }
        };
        let status: Value = serde_json::from_slice(answer.body()).ok()?;
        status["mood"].is_string().then_some(status)
    }
}

impl Page {
    /// Takes a status in, if one came. Says whether it did.
    fn show(&mut self, status: Option<Value>, now: DateTime<Utc>) -> bool {
        let Some(status) = status else { return false };
        if status["phase"] != self.seen["phase"] {
            self.since = now;
        }
        self.seen = status;
        true
    }

    fn is_to_ask(&self, now: DateTime<Utc>) -> bool {
        self.willing && (!self.asked || (self.seen["can_wake"] == true && now >= self.ask_again_at))
    }

    /// Milliseconds until the next poll.
    fn pace(&self, now: DateTime<Utc>) -> u64 {
        match (self.failures, self.seen["mood"].as_str(), self.seen["phase"].as_str()) {
            (1.., ..) => (FAST << (self.failures - 1).min(3)).min(SLOW),
            _ if self.is_to_ask(now) => 0,
            (_, Some("waking"), _) if now - self.since >= TimeDelta::seconds(120) => STEADY,
            (_, Some("waking"), Some("starting")) => EAGER,
            (_, Some("waking"), _) => FAST,
            _ => SLOW,
        }
    }
}

/// Whether the page shows its button, to a person who has to press it or has.
fn has_button(seen: &Value, pressed: bool) -> bool {
    let can_press = seen["can_wake"] == true || seen["phase"] == "falling-asleep";
    can_press && !(pressed && matches!(seen["mood"].as_str(), Some("asleep" | "waking")))
}

/// A request as a browser sends it.
pub(crate) fn request(method: Method, host: &str, path: &str, headers: &[(&str, &str)]) -> Request<Vec<u8>> {
    let mut request = Request::builder().method(method).uri(format!("https://{host}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Vec::new()).unwrap_or_default()
}

/// What the waiting page tells its script.
fn settings(page: &Response<Vec<u8>>) -> Option<Value> {
    let html = std::str::from_utf8(page.body()).ok()?;
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"settings\">")?;
    serde_json::from_str(rest.split_once("</script>")?.0).ok()
}
