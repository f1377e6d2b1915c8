//! The waiting page.

use std::collections::BTreeMap;

use askama::Template;
use serde::Serialize;
use shared::classify::{STATUS_PATH, WAKE_PATH};
use shared::look::{Logo, SupportUrl};
use shared::wake::WakeReason;

use crate::colours::{self, Scheme};
use crate::event::Visit;
use crate::handoff::poll;
use crate::phase::{ICON, Mood};
use crate::respond::{Answer, Status, retry_after};
use crate::wording::page as words;

/// Seconds between two reloads of a browser without script.
const REFRESH_SECONDS: u32 = 15;

/// A longer address is not kept for the way back: the page has to stay small.
const LONGEST_WAY_BACK: usize = 1_000;

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    nonce: &'a str,
    /// Each with the media it is for.
    schemes: [(Scheme, &'static str); 2],
    logo: Option<&'a str>,
    support: Option<&'a str>,
    app: &'a str,
    host: &'a str,
    title: &'a str,
    detail: &'a str,
    phase: String,
    mood: Mood,
    steps_done: Option<usize>,
    /// How much of the expected time has passed, below 1.
    share: Option<f64>,
    request_id: &'a str,
    /// Where the button posts to; it comes back to the page that was asked for.
    action: String,
    has_button: bool,
    /// The button is for something that went wrong.
    is_new_try: bool,
    is_ready: bool,
    /// The request was to change something, and did not.
    was_not_done: bool,
    refresh: Option<u32>,
    settings: String,
}

impl Page<'_> {
    /// The attributes of one step.
    fn step_state(&self, step: &usize) -> &'static str {
        match self.steps_done {
            Some(done) if *step < done => " class=\"done\"",
            Some(done) if *step == done => " aria-current=\"step\"",
            _ => "",
        }
    }
}

/// What the page's script works with.
#[derive(Serialize)]
struct Settings<'a> {
    /// The API's own origin; and the app's, for who is kept from the other.
    status_urls: [String; 2],
    wake_url: &'a str,
    wakes_by_itself: bool,
    was_unsafe: bool,
    /// With `{ground}` and `{lines}` for those of a mood.
    icon: &'static str,
    moods: BTreeMap<Mood, MoodLook>,
    words: BTreeMap<&'static str, &'static str>,
    status: &'a Status<'a>,
}

/// What a mood looks like in the browser's tab.
#[derive(Serialize)]
struct MoodLook {
    mark: &'static str,
    ground: &'static str,
    lines: &'static str,
}

impl From<Mood> for MoodLook {
    fn from(mood: Mood) -> Self {
        let (ground, lines) = mood.drawing();
        Self { mark: mood.mark(), ground, lines }
    }
}

/// The page for one answer.
pub(crate) fn page(answer: &Answer<'_>, status: &Status<'_>) -> Result<String, askama::Error> {
    let origin = answer.config.status_origin.as_deref().unwrap_or_default();
    let look = &answer.config.look;
    let was_unsafe = !answer.asked.visit.method.is_safe();
    let settings = Settings {
        status_urls: [origin, ""].map(|origin| format!("{origin}{STATUS_PATH}?app={}", status.app)),
        wake_url: WAKE_PATH,
        wakes_by_itself: answer.asked.class.lets_the_page_ask(answer.config.wake_on),
        was_unsafe,
        icon: ICON,
        moods: Mood::ALL.map(|mood| (mood, mood.into())).into(),
        words: words::SCRIPT.into(),
        status,
    };
    let page = Page {
        nonce: &answer.asked.moment.nonce,
        schemes: [(colours::light(look.accent), "all"), (colours::dark(look.accent), "(prefers-color-scheme: dark)")],
        logo: look.logo.as_ref().map(Logo::url),
        support: look.support.as_ref().map(SupportUrl::as_str),
        app: answer.app_name(),
        host: status.app,
        title: &status.title,
        detail: &status.detail,
        phase: status.phase.to_string(),
        mood: status.mood,
        steps_done: status.steps_done,
        share: share(status),
        request_id: &answer.asked.visit.request_id,
        action: format!("{WAKE_PATH}?to={}", way_back(answer.asked.visit)),
        has_button: answer.reason.can_wake() || matches!(answer.reason, WakeReason::FallingAsleep),
        is_new_try: matches!(status.mood, Mood::Waiting | Mood::Failed),
        is_ready: status.ready,
        // Where the app was asked, the detail says what is known of it.
        was_not_done: was_unsafe && answer.unbridged.is_none(),
        refresh: refresh(answer.reason),
        settings: inside_script(&settings)?,
    };
    page.render()
}

/// How much of the expected time has passed; none when it is not known, or more than all of it.
fn share(status: &Status<'_>) -> Option<f64> {
    let known = status.mood == Mood::Waking && status.steps_done.is_some();
    let [elapsed, expected] = [status.elapsed_seconds.unwrap_or(0), status.expected_seconds.into()];
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    (known && elapsed < expected).then(|| elapsed as f64 / expected as f64)
}

fn way_back(visit: &Visit) -> String {
    let here: String = form_urlencoded::byte_serialize(visit.path_and_query().as_bytes()).collect();
    if here.len() > LONGEST_WAY_BACK { "/".into() } else { here }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_script_has_all_its_words_and_no_other() {
        let script = include_str!("page.js");
        let names = |mark: &'static str| {
            let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            script.split(mark).skip(1).filter_map(move |rest| rest.split(ends).next())
        };
        let known: BTreeSet<_> = words::SCRIPT.iter().map(|(name, _)| *name).collect();
        assert_eq!(names(" words.").chain(names("(words.")).collect::<BTreeSet<_>>(), known);
    }
}
