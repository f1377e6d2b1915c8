//! All that a visitor is told, in one place: page, JSON and problem documents say the same.

use shared::cloud::Unforwarded;
use shared::wake::WakeReason;

use crate::handoff::bridge::Unbridged;
use crate::phase::{Phase, STEPS};

/// The page's own words, whatever the phase.
pub(crate) mod page {
    pub(crate) const WAKE: &str = "Wake it up";
    pub(crate) const AGAIN: &str = "Try again now";
    pub(crate) const OPEN: &str = "Open";
    pub(crate) const PROGRESS: &str = "How far the waking is";
    pub(crate) const STEPS: [&str; super::STEPS] = ["Server starts", "Server boots", "App starts", "Ready"];
    pub(crate) const REQUEST: &str = "Request";
    pub(crate) const SUPPORT: &str = "Get help";
    pub(crate) const NOT_DONE: &str =
        "What you sent was not carried out. Go back and send it again once the app is awake.";
    /// For browsers without script.
    pub(crate) const RELOADS: &str = "This page reloads by itself.";

    /// The words that the page's script puts together. `{}` is a number; `{elapsed}`, `{expected}` and `{left}` are times.
    pub(crate) const SCRIPT: [(&str, &str); 15] = [
        ("wake", WAKE),
        ("again", AGAIN),
        ("seconds", "{} s"),
        ("minutes", "{} min"),
        ("hours", "{} h"),
        ("usually", "{elapsed} of usually about {expected}"),
        ("longer", "{elapsed} so far, longer than the usual {expected}"),
        ("so_far", "{elapsed} so far"),
        ("paused", "Nobody was looking, so this page stopped asking. It goes on when you move or press something."),
        ("offline", "No answer just now. Trying again."),
        ("wakes_then", "It is woken as soon as it has stopped."),
        ("leaving", "You are being taken there."),
        ("leaving_in", "You are taken there in {left}: until then your browser may still be led here."),
        ("by_hand", "Your browser was led back here. Press the button to try again."),
        ("not_done", "Go back to where you came from: opening this address is not the same as sending what you sent."),
    ];
}

/// What a reason comes down to for a visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    /// The phase, for programs.
    pub(crate) phase: Phase,
    /// The headline.
    pub(crate) title: String,
    /// What happens next, or what to do.
    pub(crate) detail: String,
}

/// Words why the starter cannot answer for an app that answers.
pub(crate) fn words_for_unbridged(why: Unbridged, app: &str, is_safe: bool) -> Words {
    let soon = "From its own address it works: that is where this name leads in about a minute.";
    let undone = if is_safe { "" } else { " Nothing was done with what you sent." };
    let unclear = if is_safe { "" } else { " Whether it was carried out is not known: look before you send it again." };
    let detail = match why {
        Unbridged::Malformed => {
            "The request has something in it that HTTP does not allow. Nothing was done with it.".into()
        }
        Unbridged::WebSocket => {
            format!("A connection that stays open cannot be passed on while the app wakes up.{undone} {soon}")
        }
        Unbridged::Unforwarded(Unforwarded::NotReached(_)) => {
            format!("It answered a moment ago, and does not now.{undone} This is tried again shortly.")
        }
        Unbridged::Unforwarded(Unforwarded::Broken) => {
            format!("Its answer broke off.{unclear} This is tried again shortly.")
        }
        Unbridged::Unforwarded(Unforwarded::TimedOut) => {
            format!("Its answer takes longer than can be waited for on this way.{unclear} {soon}")
        }
        Unbridged::Unforwarded(Unforwarded::TooLarge) => {
            format!("Its answer is too large for this way.{unclear} {soon}")
        }
        Unbridged::Unforwarded(Unforwarded::Stream) => {
            format!("Its answer is a stream, and those cannot be passed on while the app wakes up.{unclear} {soon}")
        }
    };
    Words { phase: Phase::Ready, title: format!("{app} is awake"), detail }
}

/// Words a reason. Names no id, no role and no address. `app` is what people call it.
pub(crate) fn words(reason: &WakeReason, app: &str) -> Words {
    let (phase, title, detail) = match reason {
        WakeReason::UnknownHost => (
            Phase::Refused,
            "There is no app here".into(),
            format!("{app} is not the name of an app that can be woken here."),
        ),
        WakeReason::Ambiguous => (
            Phase::Refused,
            format!("{app} cannot be woken"),
            "Two servers claim this name. Whoever runs it has to settle which one it is.".into(),
        ),
        WakeReason::NoAddress => (
            Phase::Refused,
            format!("{app} cannot be reached"),
            "Its server runs without a public address. Whoever runs it has to give it one.".into(),
        ),
        WakeReason::Gone => {
            (Phase::Failed, format!("{app} cannot be woken"), "Its server does not exist any more.".into())
        }
        WakeReason::NotPermitted => (
            Phase::Failed,
            format!("{app} cannot be woken"),
            "The permission to do so is missing. Whoever runs it finds the details in the logs.".into(),
        ),
        WakeReason::Unclear { .. } => (
            Phase::Checking,
            format!("Looking for {app}"),
            "It cannot be seen just now. This is tried again shortly.".into(),
        ),
        WakeReason::OnHold { until: Some(until) } => (
            Phase::OnHold,
            format!("{app} is asleep on purpose"),
            format!("It stays asleep until {}.", until.format("%-d %B %Y, %H:%M UTC")),
        ),
        WakeReason::OnHold { until: None } => {
            (Phase::OnHold, format!("{app} is asleep on purpose"), "Whoever runs it has put it on hold.".into())
        }
        WakeReason::StartFailed { lasting: true, .. } => (
            Phase::Failed,
            format!("{app} could not start"),
            "Its server was told to start and went off again at once. Whoever runs it has to look at it.".into(),
        ),
        WakeReason::StartFailed { retry_at, .. } => (
            Phase::Failed,
            format!("{app} could not start"),
            format!(
                "Its server was told to start and went off again at once. \
                 This is tried again from {} on, or now by the button.",
                retry_at.format("%H:%M UTC")
            ),
        ),
        WakeReason::StartRefused { lasting: true, .. } => (
            Phase::Failed,
            format!("{app} cannot be woken"),
            "AWS does not start its server as it is set up. Whoever runs it finds the details in the logs.".into(),
        ),
        WakeReason::StartRefused { .. } => (
            Phase::Waiting,
            format!("{app} could not be started"),
            "AWS did not take the start. This is tried again shortly.".into(),
        ),
        WakeReason::Asleep => (Phase::Asleep, format!("{app} is asleep"), "It wakes up when you ask for it.".into()),
        WakeReason::DryRun => (
            Phase::Asleep,
            format!("{app} is asleep"),
            "Catnap is set to a dry run: it tells what it would do, and starts nothing.".into(),
        ),
        WakeReason::Waking => (Phase::Waking, format!("{app} is waking up"), "Its server is being started.".into()),
        WakeReason::AlreadyWaking => (
            Phase::Waking,
            format!("{app} is already waking up"),
            "Many are asking for it just now. You are let in as soon as it is there.".into(),
        ),
        WakeReason::WaitingForCapacity => (
            Phase::Waiting,
            format!("{app} waits for a free server"),
            "AWS has no server of its kind free at the moment. This is tried again until there is one.".into(),
        ),
        WakeReason::WaitingForQuota => (
            Phase::Waiting,
            format!("{app} waits for its turn"),
            "As many servers as its account may have are running. This is tried again until one is free.".into(),
        ),
        WakeReason::FallingAsleep => (
            Phase::FallingAsleep,
            format!("{app} is just falling asleep"),
            "Its server is being stopped, and can be woken as soon as it has.".into(),
        ),
        WakeReason::Booting => (Phase::Booting, format!("{app} is waking up"), "Its server is booting.".into()),
        WakeReason::StartingApp { .. } => {
            (Phase::Starting, format!("{app} is waking up"), "Its server is on, the app itself is starting.".into())
        }
        WakeReason::Overdue { probe, .. } => (
            Phase::Overdue,
            format!("{app} takes longer than usual"),
            format!("Its server is on, but the app does not answer: {}.", probe),
        ),
        WakeReason::Ready => (Phase::Ready, format!("{app} is awake"), "The app answers.".into()),
    };
    Words { phase, title, detail }
}
