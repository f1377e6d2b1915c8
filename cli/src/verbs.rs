//! What an operator tells an instance to do, and whether it is done: pure.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use shared::config::{self, Setting};
use shared::idle::{self, IdleDecision, KeepReason};
use shared::model::{Hold, Instance, InstanceState, Unreadable};

use crate::words;

/// What comes of a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// StartInstances.
    Start,
    /// StartInstances, once it has stopped: EC2 refuses it before.
    StartOnceStopped,
    /// StopInstances.
    Stop,
    /// Nothing, since it is so already.
    Nothing(String),
    /// Nothing, and why not.
    Refuse(String),
    /// Nothing, by force either, and why not.
    Never(String),
}

/// Wakes an instance, unless it sleeps on purpose.
#[must_use]
pub fn wake(state: InstanceState, hold: Hold, force: bool) -> Act {
    match (state, hold) {
        (InstanceState::Running, _) => Act::Nothing("is awake already".into()),
        (InstanceState::Pending, _) => Act::Nothing("is waking up already".into()),
        (state, _) if state.is_gone() => Act::Refuse("is deleted and does not come back".into()),
        (_, Hold::Yes { until }) if !force => Act::Refuse(match until {
            Some(until) => {
                format!("is on hold until {}; --force wakes it all the same", until.format("%Y-%m-%d %H:%M UTC"))
            }
            None => "is on hold; --force wakes it all the same".into(),
        }),
        (InstanceState::Stopping, _) => Act::StartOnceStopped,
        _ => Act::Start,
    }
}

/// Naps an instance if the stopper would: what the next tick does, now.
#[must_use]
pub fn nap(instance: &Instance, decision: &IdleDecision, now: DateTime<Utc>, force: bool) -> Act {
    match (instance.state, idle::never_stopped(instance), decision) {
        (InstanceState::Running, Some(by), _) => {
            Act::Never(words::decision(&IdleDecision::Keep(KeepReason::Protected { by }), now))
        }
        (InstanceState::Running, None, IdleDecision::Nap(_)) => Act::Stop,
        (InstanceState::Running, None, _) if force => Act::Stop,
        (InstanceState::Running, None, decision) => Act::Refuse(words::decision(decision, now)),
        (InstanceState::Pending, ..) => Act::Refuse("is waking up".into()),
        (state, ..) => Act::Nothing(format!("is {} already", words::state(state))),
    }
}

/// A change of one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagChange {
    /// Its key.
    pub key: &'static str,
    /// Its new value; none takes it away.
    pub value: Option<String>,
    /// What that comes to, after the app's name.
    pub words: String,
}

impl TagChange {
    fn of(setting: Setting, value: Option<String>, words: String) -> Self {
        Self { key: setting.tag.unwrap_or_default(), value, words }
    }

    /// What it was before, for who would not have changed it: perhaps somebody else has set it.
    #[must_use]
    pub fn was(&self, tags: &BTreeMap<String, String>) -> String {
        let before = tags.get(self.key).filter(|before| Some(*before) != self.value.as_ref());
        before.map_or_else(String::new, |before| format!(" (was: {before})"))
    }
}

/// Reads a duration such as 90m, 3h or 2d: at most a year.
///
/// # Errors
/// What it takes, when the text is not that.
pub fn read_duration(text: &str) -> Result<TimeDelta, Unreadable> {
    let unreadable = Unreadable { takes: "minutes, hours or days such as 90m, 3h or 2d" };
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(unreadable.clone())?;
    let number: u16 = number.parse().map_err(|_| unreadable.clone())?;
    let time = match unit {
        "m" => TimeDelta::minutes(number.into()),
        "h" => TimeDelta::hours(number.into()),
        "d" => TimeDelta::days(number.into()),
        _ => return Err(unreadable),
    };
    (time > TimeDelta::zero() && time <= TimeDelta::days(366)).then_some(time).ok_or(unreadable)
}

/// Reads a time, with its zone.
///
/// # Errors
/// What it takes, when the text is not that.
pub fn read_time(text: &str) -> Result<DateTime<Utc>, Unreadable> {
    let takes = "a time with its zone such as 2026-01-31T18:00:00Z or 2026-01-31T18:00:00+01:00";
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| Unreadable { takes })
}

/// An end that is given as a time or as a duration from now.
#[must_use]
pub fn end(until: Option<DateTime<Utc>>, lasts: Option<TimeDelta>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    until.or_else(|| lasts.map(|lasts| now + lasts))
}

/// Keeps it awake until then; none takes the tag away.
#[must_use]
pub fn keep_awake(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TagChange {
    let words = match until {
        Some(until) => format!("is kept awake until {}", words::clock(until, now)),
        None => "naps again when nobody uses it".into(),
    };
    TagChange::of(config::KEEP_AWAKE_UNTIL, until.map(text), words)
}

/// Never naps it; `off` takes the tag away.
#[must_use]
pub fn protect(off: bool) -> TagChange {
    let words = if off { "naps again when nobody uses it" } else { "is protected: it never naps" };
    TagChange::of(config::PROTECT, (!off).then(|| "true".into()), words.into())
}

/// Never wakes it, or not before then; `off` takes the tag away.
#[must_use]
pub fn hold(off: bool, until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TagChange {
    let (value, words) = match (off, until) {
        (true, _) => (None, "wakes again when someone comes".into()),
        (false, Some(until)) => {
            (Some(text(until)), format!("is on hold until {}: nobody wakes it", words::clock(until, now)))
        }
        (false, None) => (Some("true".into()), "is on hold: nobody wakes it".into()),
    };
    TagChange::of(config::HOLD, value, words)
}

/// A time as the tags take it.
fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use shared::idle::{NapReason, Protection};

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T20:00:00Z".parse().unwrap()
    }

    fn instance(state: InstanceState) -> Instance {
        Instance {
            id: "i-0123456789abcdef0".parse().unwrap(),
            state,
            state_reason: None,
            stopped_at: None,
            launched_at: now() - TimeDelta::hours(5),
            public_address: None,
            tags: BTreeMap::new(),
            detailed_monitoring: false,
            spot: false,
            instance_store_root: false,
        }
    }

    #[test]
    fn waking_row_by_row() {
        use InstanceState::{Pending, Running, Stopped, Stopping, Terminated};
        let (held, until) = (Hold::Yes { until: None }, Hold::Yes { until: Some(now()) });
        for (state, hold, force, act) in [
            (Stopped, Hold::No, false, Act::Start),
            (Stopping, Hold::No, false, Act::StartOnceStopped),
            (Pending, Hold::No, false, Act::Nothing("is waking up already".into())),
            (Running, held, false, Act::Nothing("is awake already".into())),
            (Terminated, Hold::No, true, Act::Refuse("is deleted and does not come back".into())),
            (Stopped, held, false, Act::Refuse("is on hold; --force wakes it all the same".into())),
            (
                Stopping,
                until,
                false,
                Act::Refuse("is on hold until 2026-03-01 20:00 UTC; --force wakes it all the same".into()),
            ),
            (Stopped, held, true, Act::Start),
        ] {
            assert_eq!(wake(state, hold, force), act, "{state:?} {hold:?} {force}");
        }
    }

    #[test]
    fn napping_row_by_row() {
        use InstanceState::{Pending, Running, Stopped, Stopping};
        let idle = IdleDecision::Nap(NapReason::Sick { since: now() });
        let used = IdleDecision::Keep(KeepReason::Active { at: now(), bytes: 9e5, floor: 3e4 });
        let nap = |state, decision, force| nap(&instance(state), decision, now(), force);
        assert_eq!(nap(Running, &idle, false), Act::Stop);
        assert_eq!(nap(Running, &used, true), Act::Stop);
        let Act::Refuse(why) = nap(Running, &used, false) else { panic!("it is in use") };
        assert_eq!(why, "keep: active (900 KB came in up to 20:00 UTC, and noise is up to 30 KB)");
        assert_eq!(nap(Pending, &used, true), Act::Refuse("is waking up".into()));
        assert_eq!(nap(Stopped, &used, true), Act::Nothing("is asleep already".into()));
        assert_eq!(nap(Stopping, &used, false), Act::Nothing("is falling asleep already".into()));
    }

    #[test]
    fn what_a_stop_would_lose_is_not_stopped_by_force_nor_behind_a_tag() {
        let member = || {
            let mut it = instance(InstanceState::Running);
            it.tags.insert("aws:autoscaling:groupName".into(), "web".into());
            it
        };
        let of_user = IdleDecision::Keep(KeepReason::Protected { by: Protection::Tag });
        let idle = IdleDecision::Nap(NapReason::Sick { since: now() });
        for (instance, why) in [
            (member(), "in an Auto Scaling group"),
            (Instance { spot: true, ..instance(InstanceState::Running) }, "a spot instance"),
            (Instance { instance_store_root: true, ..instance(InstanceState::Running) }, "an instance-store root"),
        ] {
            for (decision, force) in [(&of_user, true), (&of_user, false), (&idle, true)] {
                let act = nap(&instance, decision, now(), force);
                assert_eq!(act, Act::Never(format!("keep: protected ({why})")));
            }
        }
        assert_eq!(nap(&instance(InstanceState::Running), &of_user, now(), true), Act::Stop, "the user's own word");
    }

    #[test]
    fn what_a_tag_is_set_to_is_what_the_functions_read() {
        let until = end(None, Some(TimeDelta::hours(3)), now());
        assert_eq!(keep_awake(until, now()).value.as_deref(), Some("2026-03-01T23:00:00Z"));
        assert_eq!(hold(false, until, now()).value.unwrap().parse(), Ok(Hold::Yes { until }));
        assert_eq!(hold(false, None, now()).value.unwrap().parse(), Ok(Hold::Yes { until: None }));
        for off in [keep_awake(None, now()), protect(true), hold(true, until, now())] {
            assert_eq!(off.value, None);
        }
        assert_eq!(protect(false).key, "catnap:protect");
    }

    #[test]
    fn what_another_has_set_is_told_before_it_is_gone() {
        let set = |value: &str| BTreeMap::from([("catnap:keep-awake-until".to_owned(), value.to_owned())]);
        let change = keep_awake(end(None, Some(TimeDelta::hours(3)), now()), now());
        assert_eq!(change.was(&set("2026-03-03T08:00:00Z")), " (was: 2026-03-03T08:00:00Z)");
        assert_eq!(keep_awake(None, now()).was(&set("2026-03-03T08:00:00Z")), " (was: 2026-03-03T08:00:00Z)");
        assert_eq!(change.was(&set("2026-03-01T23:00:00Z")) + &change.was(&BTreeMap::new()), "", "it changes nothing");
    }

    #[test]
    fn durations_and_times_are_read() {
        for (text, minutes) in [("90m", 90), ("3h", 180), ("2d", 2_880)] {
            assert_eq!(read_duration(text).unwrap(), TimeDelta::minutes(minutes));
        }
        for text in ["", "m", "0h", "3", "3 h", "-1h", "1.5h", "367d", "3w", "1ü"] {
            assert!(read_duration(text).is_err(), "{text}");
        }
        assert_eq!(read_time("2026-03-01T21:00:00+01:00"), Ok(now()));
        assert!(read_time("2026-03-01T21:00:00").is_err(), "whose clock?");
    }
}
