//! What a request leaves behind: one record, and what it counts for.

use serde::Serialize;
use shared::classify::{Ask, Class};
use shared::model::{InstanceId, InstanceState};
use shared::record::Count;
use shared::steer::{self, Lead};
use shared::wake::{Action, WakeDecision, WakeReason};

use crate::event::Visit;
use crate::handoff::bridge::Unbridged;
use crate::handoff::{Bridged, Failover};
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
    /// The app's own status, where the starter answered for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bridged: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unbridged: Option<Unbridged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failover: Option<Failover>,
    #[serde(skip_serializing_if = "Option::is_none")]
    led: Option<Lead>,
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
    pub(crate) fn new(visit: &'a Visit, class: Option<Class>) -> Self {
        Self {
            class,
            decision: None,
            ask: None,
            instance: None,
            state: None,
            bridged: None,
            unbridged: None,
            failover: None,
            led: None,
            error: None,
            warnings: &[],
            method: visit.method.as_str(),
            path: &visit.path,
            source_ip: &visit.source_ip,
            user_agent: visit.headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default(),
            request_id: &visit.request_id,
        }
    }

    pub(crate) fn with_seen(self, seen: &'a Seen, decision: &'a WakeDecision) -> Self {
        Self {
            decision: Some(decision),
            ask: Some(seen.ask),
            instance: seen.instance().map(|instance| &instance.id),
            state: seen.instance().map(|instance| instance.state),
            error: seen.error.as_ref().map(ToString::to_string),
            warnings: &seen.warnings,
            ..self
        }
    }

    pub(crate) fn with_bridged(self, bridged: Option<&Bridged>) -> Self {
        let answer = bridged.map(|bridged| &bridged.answer);
        let led = bridged.map(|bridged| &bridged.led);
        Self {
            bridged: answer.and_then(|answer| answer.as_ref().ok()).map(|answer| answer.status().as_u16()),
            unbridged: answer.and_then(|answer| answer.as_ref().err()).copied(),
            failover: bridged.map(|bridged| bridged.failover),
            led: led.and_then(|led| *led.as_ref().ok()?),
            error: led.and_then(|led| led.as_ref().err()).map(ToString::to_string).or(self.error),
            ..self
        }
    }
}

/// What a request counts for.
pub(crate) fn counts(class: Class, seen: &Seen, decision: &WakeDecision, bridged: Option<&Bridged>) -> Vec<Count> {
    // The mark of who was led home is gone as soon as the checkers take over. Who could not be led, as far as the
    // starter heard of it, or came when the way was closed for a stop that did not come, was there all the same.
    let is_led = |bridged: &Bridged| matches!(bridged.led, Ok(Some(Lead::Home | Lead::Closed)) | Err(_));
    let leads_home = class.is_of_somebody() && bridged.is_some_and(is_led);
    let woke = seen.woke_within.map(|took| Count::WakeSeconds(u32::try_from(took.num_seconds()).unwrap_or_default()));
    let mut counts = counts_by_class(class, seen.ask, leads_home, decision);
    counts.extend(woke);
    let unled = bridged.and_then(|bridged| bridged.led.as_ref().err());
    counts.extend(unled.filter(|error| steer::needs_somebody(error.trouble)).map(|_| Count::SteerFailed));
    counts.extend(bridged.filter(|bridged| bridged.failover == Failover::Stuck).map(|_| Count::FailoverStuck));
    counts
}

fn counts_by_class(class: Class, ask: Ask, leads_home: bool, decision: &WakeDecision) -> Vec<Count> {
    let asks = ask != Ask::No;
    let by_a_person = asks || class == Class::Navigation;
    let sleeps = matches!(
        decision.reason,
        WakeReason::Asleep | WakeReason::FallingAsleep | WakeReason::DryRun | WakeReason::OnHold { .. }
    );
    let counts = [
        (asks || leads_home, Count::Visits),
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
        assert_eq!(counts_by_class(call, Ask::Request, false, &started), [Count::Visits, Count::Wakes]);
        assert_eq!(counts_by_class(call, Ask::Request, false, &gone), [Count::Visits, Count::WakeFailed]);
        assert_eq!(counts_by_class(Class::Navigation, Ask::No, false, &gone), [Count::WakeFailed]);
        assert_eq!(counts_by_class(Class::Navigation, Ask::No, false, &asleep), []);
        assert_eq!(counts_by_class(Class::StatusPoll, Ask::No, false, &gone), []);
        assert_eq!(counts_by_class(Class::Bot, Ask::No, false, &asleep), [Count::IgnoredRequests]);
        let ready = decision(Action::HandOff, WakeReason::Ready);
        assert_eq!(counts_by_class(Class::Client, Ask::No, false, &ready), [], "an image of the app that is awake");
        assert_eq!(counts_by_class(Class::Client, Ask::No, false, &asleep), [Count::IgnoredRequests]);
        assert_eq!(counts_by_class(Class::Navigation, Ask::No, true, &ready), [Count::Visits], "it ended a drain");
        assert_eq!(counts_by_class(Class::WakePath, Ask::Request, true, &ready), [Count::Visits]);
    }
}
