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
    came: DateTime<Utc>,
    tries: usize,
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
    let mut visit = Visit { world, visitor, browser: Browser::default(), came, tries: 0 };
    visit.tell(Step::Comes);
    let end = visit.get_there().await;
    visit.tell(end.clone());
    if matches!(end, Step::Arrives { .. }) {
        visit.look_around().await;
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

    async fn get_there(&mut self) -> Step {
        let (mut waits, mut reason) = (false, String::new());
        while self.has_patience() {
            let request = request(Method::GET, &self.visitor.host, "/", &NAVIGATION);
            match self.world.send(&self.visitor.name, &mut self.browser, request).await {
                Ok((Got::App, answer)) if answer.status().as_u16() < 500 => {
                    return Step::Arrives { after_seconds: self.seconds() };
                }
                Ok((Got::WaitingPage, page)) => {
                    if !std::mem::replace(&mut waits, true) {
                        self.tell(Step::Waits);
                    }
                    match self.wait(&page).await {
                        Left::ForTheApp => self.tries += 1,
                        Left::OutOfPatience(last) => reason = last,
                    }
                }
                Ok(_) => sleep(BEFORE_RELOAD).await,
                Err(_) => sleep(NO_CONNECTION + BEFORE_RELOAD).await,
            }
        }
        Step::GivesUp { after_seconds: self.seconds(), reason }
    }

    /// Waits on the page as its script does: asks to wake, polls, and goes once the app is ready.
    async fn wait(&mut self, page: &Response<Vec<u8>>) -> Left {
        let Some(settings) = settings(page) else { return Left::OutOfPatience("an unreadable page".into()) };
        let presses = settings["wakes_by_itself"] != true;
        let (mut willing, mut press_at) = (!presses, self.came);
        let mut seen = settings["status"].clone();
        let (mut asked, mut ask_again_at) = (false, self.came);
        let (mut failures, mut since) = (0_u32, self.world.core.now());
        let mut phase = seen["phase"].clone();
        while self.has_patience() {
            if presses && has_button(&seen, willing) && self.world.core.now() >= press_at {
                sleep(BEFORE_PRESS).await;
                (willing, asked, press_at) = (true, false, self.world.core.now() + PRESS_AGAIN_AFTER);
            }
            let now = self.world.core.now();
            let is_to_ask =
                |seen: &Value| willing && if asked { seen["can_wake"] == true && now >= ask_again_at } else { true };
            let status = if is_to_ask(&seen) {
                // A press is one try.
                let by = if presses && !(asked && seen["phase"] == "failed") { "press" } else { "wake" };
                (asked, ask_again_at) = (true, now);
                let host = self.visitor.host.clone();
                let url = settings["wake_url"].as_str().unwrap_or_default();
                let status = self.call(Method::POST, &host, url, by).await;
                let falling = status.as_ref().is_some_and(|status| status["phase"] == "falling-asleep");
                if status.is_some() && !falling {
                    ask_again_at = self.world.core.now() + ASK_AGAIN_AFTER;
                }
                status
            } else {
                let urls = &settings["status_urls"];
                let url = urls[(failures as usize / 3) % 2].as_str().unwrap_or_default().to_owned();
                let (host, path) = match url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) {
                    Some((host, path)) => (host.to_owned(), format!("/{path}")),
                    None => (self.visitor.host.clone(), url),
                };
                self.call(Method::GET, &host, &path, "").await
            };
            match status {
                Some(status) => (seen, failures) = (status, 0),
                None => failures += 1,
            }
            if seen["phase"] != phase {
                (phase, since) = (seen["phase"].clone(), self.world.core.now());
            }
            if seen["ready"] == true {
                let delays = seen["navigate_after_seconds"].as_array().cloned().unwrap_or_default();
                let delay = delays.get(self.tries.min(delays.len().saturating_sub(1))).and_then(Value::as_u64);
                sleep(Duration::from_secs(delay.unwrap_or(0))).await;
                return Left::ForTheApp;
            }
            sleep(Duration::from_millis(self.pace(&seen, failures, since))).await;
        }
        Left::OutOfPatience(seen["reason"].as_str().unwrap_or_default().into())
    }

    fn pace(&self, seen: &Value, failures: u32, since: DateTime<Utc>) -> u64 {
        match (failures, seen["mood"].as_str(), seen["phase"].as_str()) {
            (1.., ..) => (FAST << (failures - 1).min(3)).min(SLOW),
            (_, Some("waking"), _) if self.world.core.now() - since >= TimeDelta::seconds(120) => STEADY,
            (_, Some("waking"), Some("starting")) => EAGER,
            (_, Some("waking"), _) => FAST,
            _ => SLOW,
        }
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

    async fn look_around(&mut self) {
        let mut rng = random(self.visitor.pages.into(), &self.visitor.name);
        for _ in 1..self.visitor.pages {
            let reads = until_next(&mut rng, self.visitor.reads.as_seconds_f64());
            sleep(Duration::from_millis((reads * 1_000.0) as u64)).await;
            let request = request(Method::GET, &self.visitor.host, "/page", &NAVIGATION);
            let _ = self.world.send(&self.visitor.name, &mut self.browser, request).await;
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
