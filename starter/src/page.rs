//! The waiting page.

use askama::Template;
use serde::Serialize;
use shared::classify::{STATUS_PATH, WAKE_PATH};
use shared::wake::WakeReason;

use crate::handoff::poll;
use crate::respond::{Answer, Status, retry_after};

/// Seconds between two reloads of a browser without script.
const REFRESH_SECONDS: u32 = 15;

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    nonce: &'a str,
    app: &'a str,
    title: &'a str,
    detail: &'a str,
    phase: &'a str,
    request_id: &'a str,
    /// Where the button posts to; it comes back to the page that was asked for.
    action: String,
    has_button: bool,
    is_ready: bool,
    /// The request was to change something, and did not.
    was_unsafe: bool,
    refresh: Option<u32>,
    settings: String,
}

/// What the page's script works with.
#[derive(Serialize)]
struct Settings<'a> {
    /// The API's own origin; and the app's, for who is kept from the other.
    status_urls: [String; 2],
    wake_url: &'a str,
    wakes_by_itself: bool,
    status: &'a Status<'a>,
}

/// The page for one answer.
pub(crate) fn page(answer: &Answer<'_>, status: &Status<'_>) -> Result<String, askama::Error> {
    let origin = answer.config.status_origin.as_deref().unwrap_or_default();
    let settings = Settings {
        status_urls: [origin, ""].map(|origin| format!("{origin}{STATUS_PATH}?app={}", status.app)),
        wake_url: WAKE_PATH,
        wakes_by_itself: answer.asked.class.lets_the_page_ask(answer.config.wake_on),
        status,
    };
    let here: String = form_urlencoded::byte_serialize(answer.asked.visit.path_and_query().as_bytes()).collect();
    let page = Page {
        nonce: &answer.asked.moment.nonce,
        app: status.app,
        title: &status.title,
        detail: &status.detail,
        phase: status.phase,
        request_id: &answer.asked.visit.request_id,
        action: format!("{WAKE_PATH}?to={here}"),
        has_button: answer.reason.can_wake() || matches!(answer.reason, WakeReason::FallingAsleep),
        is_ready: status.ready,
        was_unsafe: !answer.asked.visit.method.is_safe(),
        refresh: refresh(answer.reason),
        settings: inside_script(&settings)?,
    };
    page.render()
}

/// A browser without script reloads, more slowly when each reload keeps it from the app.
fn refresh(reason: &WakeReason) -> Option<u32> {
    match reason {
        WakeReason::Ready => Some(poll::NAVIGATE_AFTER_SECONDS[0] + 10),
        reason if reason.is_final() || matches!(reason, WakeReason::Asleep) => None,
        reason => Some(retry_after(reason, None).clamp(REFRESH_SECONDS, 300)),
    }
}

/// JSON that cannot end the script element it stands in.
fn inside_script(settings: &Settings<'_>) -> Result<String, askama::Error> {
    let json = serde_json::to_string(settings).map_err(|error| askama::Error::Custom(error.into()))?;
    Ok(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}
