//! All that a visitor is told, in one place: page, JSON and problem documents say the same.

use shared::cloud::Unforwarded;
use shared::model::HostName;
use shared::wake::WakeReason;

use crate::handoff::bridge::Unbridged;

/// What a reason comes down to for a visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    /// The phase, for programs.
    pub(crate) phase: &'static str,
    /// The headline.
    pub(crate) title: String,
    /// What happens next, or what to do.
    pub(crate) detail: String,
}

/// Words why the starter cannot answer for an app that answers.
pub(crate) fn words_for_unbridged(why: Unbridged, app: &HostName, is_safe: bool) -> Words {
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
    Words { phase: "ready", title: format!("{app} is awake"), detail }
}

/// Words a reason. Names no id, no role and no address.
pub(crate) fn words(reason: &WakeReason, app: &HostName) -> Words {
    let (phase, title, detail) = match reason {
        WakeReason::UnknownHost => (
            "refused",
            "There is no app here".into(),
            format!("{app} is not the name of an app that can be woken here."),
        ),
        WakeReason::Ambiguous => (
            "refused",
            format!("{app} cannot be woken"),
            "Two servers claim this name. Whoever runs it has to settle which one it is.".into(),
        ),
        WakeReason::NoAddress => (
            "refused",
            format!("{app} cannot be reached"),
            "Its server runs without a public address. Whoever runs it has to give it one.".into(),
        ),
        WakeReason::Gone => ("failed", format!("{app} cannot be woken"), "Its server does not exist any more.".into()),
        WakeReason::NotPermitted => (
            "failed",
            format!("{app} cannot be woken"),
            "The permission to do so is missing. Whoever runs it finds the details in the logs.".into(),
        ),
        WakeReason::Unclear { .. } => (
            "checking",
            format!("Looking for {app}"),
            "It cannot be seen just now. This is tried again shortly.".into(),
        ),
        WakeReason::OnHold { until: Some(until) } => (
            "on-hold",
            format!("{app} is asleep on purpose"),
            format!("It stays asleep until {}.", until.format("%-d %B %Y, %H:%M UTC")),
        ),
        WakeReason::OnHold { until: None } => {
            ("on-hold", format!("{app} is asleep on purpose"), "Whoever runs it has put it on hold.".into())
        }
        WakeReason::StartFailed { lasting: true, .. } => (
            "failed",
            format!("{app} could not start"),
            "Its server was told to start and went off again at once. Whoever runs it has to look at it.".into(),
        ),
        WakeReason::StartFailed { retry_at, .. } => (
            "failed",
            format!("{app} could not start"),
            format!(
                "Its server was told to start and went off again at once. \
                 This is tried again from {} on, or now by the button.",
                retry_at.format("%H:%M UTC")
            ),
        ),
        WakeReason::StartRefused { lasting: true, .. } => (
            "failed",
            format!("{app} cannot be woken"),
            "AWS does not start its server as it is set up. Whoever runs it finds the details in the logs.".into(),
        ),
        WakeReason::StartRefused { .. } => (
            "waiting",
            format!("{app} could not be started"),
            "AWS did not take the start. This is tried again shortly.".into(),
        ),
        WakeReason::Asleep => ("asleep", format!("{app} is asleep"), "It wakes up when you ask for it.".into()),
        WakeReason::DryRun => (
            "asleep",
            format!("{app} is asleep"),
            "Catnap is set to a dry run: it tells what it would do, and starts nothing.".into(),
        ),
        WakeReason::Waking => ("waking", format!("{app} is waking up"), "Its server is being started.".into()),
        WakeReason::AlreadyWaking => (
            "waking",
            format!("{app} is already waking up"),
            "Many are asking for it just now. You are let in as soon as it is there.".into(),
        ),
        WakeReason::WaitingForCapacity => (
            "waiting",
            format!("{app} waits for a free server"),
            "AWS has no server of its kind free at the moment. This is tried again until there is one.".into(),
        ),
        WakeReason::WaitingForQuota => (
            "waiting",
            format!("{app} waits for its turn"),
            "As many servers as its account may have are running. This is tried again until one is free.".into(),
        ),
        WakeReason::FallingAsleep => (
            "falling-asleep",
            format!("{app} is just falling asleep"),
            "It can be woken as soon as it has stopped, and then it is.".into(),
        ),
        WakeReason::Booting => ("booting", format!("{app} is waking up"), "Its server is booting.".into()),
        WakeReason::StartingApp { .. } => {
            ("starting", format!("{app} is waking up"), "Its server is on, the app itself is starting.".into())
        }
        WakeReason::Overdue { probe, .. } => (
            "overdue",
            format!("{app} takes longer than usual"),
            format!("Its server is on, but the app does not answer: {}.", probe),
        ),
        WakeReason::Ready => ("ready", format!("{app} is awake"), "You are being taken there.".into()),
    };
    Words { phase, title, detail }
}
