//! What a request leaves behind: one record, and what it counts for.

use serde::Serialize;
use shared::classify::{Ask, Class};
use shared::model::{InstanceId, InstanceState};
use shared::record::Count;
use shared::wake::{Action, WakeDecision, WakeReason};

use crate::event::Visit;
use crate::observe::Seen;

/// One request, for the log: with all that the visitor is not told.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Class>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    decision: Option<&'a WakeDecision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<Ask>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a InstanceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<InstanceState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
    method: &'a str,
    path: &'a str,
    source_ip: &'a str,
    user_agent: &'a str,
    request_id: &'a str,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(visit: &'a Visit, class: Option<Class>, seen: Option<(&'a Seen, &'a WakeDecision)>) -> Self {
        let instance = seen.and_then(|(seen, _)| seen.instance());
        Self {
            class,
            decision: seen.map(|(_, decision)| decision),
            ask: seen.map(|(seen, _)| seen.ask),
            instance: instance.map(|instance| &instance.id),
            state: instance.map(|instance| instance.state),
            error: seen.and_then(|(seen, _)| seen.error.as_ref()).map(ToString::to_string),
            warnings: seen.map_or(&[], |(seen, _)| &seen.warnings),
            method: visit.method.as_str(),
            path: &visit.path,
            source_ip: &visit.source_ip,
            user_agent: visit.headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default(),
            request_id: &visit.request_id,
        }
    }
}

/// What a request counts for.
pub(crate) fn counts(class: Class, ask: Ask, decision: &WakeDecision) -> Vec<Count> {
    let asks = ask != Ask::No;
    let by_a_person = asks || class == Class::Navigation;
    let sleeps = matches!(
        decision.reason,
        WakeReason::Asleep | WakeReason::FallingAsleep | WakeReason::DryRun | WakeReason::OnHold { .. }
    );
    let counts = [
        (asks, Count::Visits),
        (decision.action == Action::Start, Count::Wakes),
        (sleeps && !by_a_person && !class.is_catnaps_own(), Count::IgnoredRequests),
        (by_a_person && decision.reason.is_failure(), Count::WakeFailed),
        (by_a_person && matches!(decision.reason, WakeReason::Overdue { .. }), Count::Overdue),
    ];
    counts.into_iter().filter_map(|(applies, count)| applies.then_some(count)).collect()
}

#[cfg(test)]
mod tests {
    use shared::classify::Caller;

    use super::*;

    #[test]
    fn what_counts_for_what() {
        let decision = |action, reason| WakeDecision { action, reason };
        let started = decision(Action::Start, WakeReason::Waking);
        let gone = decision(Action::Wait, WakeReason::Gone);
        let asleep = decision(Action::Wait, WakeReason::Asleep);
        let call = Class::WakeCall(Caller::Script);
        assert_eq!(counts(call, Ask::Request, &started), [Count::Visits, Count::Wakes]);
        assert_eq!(counts(call, Ask::Request, &gone), [Count::Visits, Count::WakeFailed]);
        assert_eq!(counts(Class::Navigation, Ask::No, &gone), [Count::WakeFailed]);
        assert_eq!(counts(Class::Navigation, Ask::No, &asleep), []);
        assert_eq!(counts(Class::StatusPoll, Ask::No, &gone), []);
        assert_eq!(counts(Class::Bot, Ask::No, &asleep), [Count::IgnoredRequests]);
        let ready = decision(Action::HandOff, WakeReason::Ready);
        assert_eq!(counts(Class::Client, Ask::No, &ready), [], "an image of the app that is awake");
        assert_eq!(counts(Class::Client, Ask::No, &asleep), [Count::IgnoredRequests]);
    }
}
