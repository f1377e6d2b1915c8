//! What the tags on an instance override, each read on its own: an unreadable one warns and changes nothing.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{self, Config, Setting};
use crate::idle::Policy;
use crate::learned::WakeSeconds;
use crate::model::{HealthCheckId, Hold, Instance, Unreadable};
use crate::schedule::Windows;

/// The health check that watches an instance's app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthCheckRef {
    /// This one.
    Id(HealthCheckId),
    /// None, and the tag `catnap:health-check` = `none` says that this is meant.
    MeantNone,
    /// None that Catnap knows of.
    Unknown,
}

impl FromStr for Hold {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        match (yes_or_no(text), DateTime::parse_from_rfc3339(text)) {
            (Ok(false), _) => Ok(Self::No),
            (Ok(true), _) => Ok(Self::Yes { until: None }),
            (_, Ok(until)) => Ok(Self::Yes { until: Some(until.to_utc()) }),
            _ => Err(Unreadable { takes: "true, false or a time such as 2026-01-31T06:00:00Z" }),
        }
    }
}

/// What holds for one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Overrides {
    /// What the stopper goes by.
    pub policy: Policy,
    /// Its health check.
    pub health_check: HealthCheckRef,
    /// Where its app answers.
    pub origin: config::Origin,
    /// When to keep it awake, and to wake it at their beginning.
    pub keep_awake: Windows,
    /// Keep it awake until then.
    pub keep_awake_until: Option<DateTime<Utc>>,
    /// Never nap it.
    pub protect: bool,
    /// Whether it sleeps on purpose.
    pub hold: Hold,
    /// How long its last wakes took.
    pub wake_seconds: WakeSeconds,
    /// One sentence for each tag that could not be read.
    pub warnings: Vec<String>,
}

impl Overrides {
    /// The health check by which visitors are led, where they are.
    #[must_use]
    pub fn steerable(&self) -> Option<Steerable> {
        match &self.health_check {
            HealthCheckRef::Id(id) if self.policy.steer => Some(Steerable { id: id.clone(), idle: self.policy.idle }),
            _ => None,
        }
    }
}

/// A health check by which visitors are led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steerable {
    /// Its id.
    pub id: HealthCheckId,
    /// The idle time of its instance: so soon after a start no drain can have begun.
    pub idle: TimeDelta,
}

/// Reads what an instance's tags override.
///
/// `is_stacks_own` says that this is the instance behind `AppDomain`, whose health check the stack made.
#[must_use]
pub fn overrides(config: &Config, instance: &Instance, is_stacks_own: bool, now: DateTime<Utc>) -> Overrides {
    let mut tags = Tags { instance, warnings: Vec::new() };
    let mut policy = config.policy;
    if let Some(idle) = tags.read(config::IDLE_MINUTES, config::idle_minutes) {
        policy.idle = idle;
    }
    if let Some(bytes) = tags.read(config::ACTIVITY_BYTES, config::activity_bytes) {
        policy.activity_bytes = bytes;
    }
    let keep_awake = tags.read(config::KEEP_AWAKE, windows).unwrap_or_else(|| config.keep_awake.clone());
    let keep_awake_until = tags.read(config::KEEP_AWAKE_UNTIL, time);
    let mut origin = config.origin;
    if let Some(port) = tags.read(config::ORIGIN, port) {
        origin.port = port;
    }
    let stacks_own = match config.health_check_id.clone().filter(|_| is_stacks_own) {
        Some(id) => HealthCheckRef::Id(id),
        None => HealthCheckRef::Unknown,
    };
    // With `InstanceId` the roles may read the stack's own check and no other.
    let takes = |text: &str| match health_check(text)? {
        HealthCheckRef::Id(_) if config.instance_id.is_some() => {
            Err(Unreadable { takes: "none, where InstanceId is set" })
        }
        check => Ok(check),
    };
    let health_check = tags.read(config::HEALTH_CHECK_ID, takes).unwrap_or(stacks_own.clone());
    // The roles may steer the stack's own check and no other.
    policy.steer &= health_check == stacks_own && matches!(stacks_own, HealthCheckRef::Id(_));
    // Protection is the safe side: a value that cannot be read protects.
    let protect = tags.read(config::PROTECT, yes_or_no).unwrap_or_else(|| tags.has(config::PROTECT));
    let hold = match tags.read(config::HOLD, Hold::from_str) {
        Some(Hold::Yes { until: Some(until) }) if until <= now => Hold::No,
        hold => hold.unwrap_or(Hold::No),
    };
    let wake_seconds = tags.read(config::WAKE_SECONDS, WakeSeconds::from_str).unwrap_or_default();
    Overrides {
        policy,
        keep_awake,
        keep_awake_until,
        health_check,
        origin,
        protect,
        hold,
        wake_seconds,
        warnings: tags.warnings,
    }
}

struct Tags<'a> {
    instance: &'a Instance,
    warnings: Vec<String>,
}

impl Tags<'_> {
    fn has(&self, setting: Setting) -> bool {
        setting.tag.is_some_and(|tag| self.instance.tags.contains_key(tag))
    }

    fn read<T>(&mut self, setting: Setting, parse: impl Fn(&str) -> Result<T, Unreadable>) -> Option<T> {
        let tag = setting.tag?;
        let value = self.instance.tags.get(tag)?.trim();
        parse(value)
            .map_err(|Unreadable { takes }| self.warnings.push(format!("tag {tag} is {value:?}: it takes {takes}")))
            .ok()
    }
}

fn port(text: &str) -> Result<u16, Unreadable> {
    text.parse().ok().filter(|port| *port > 0).ok_or(Unreadable { takes: "a port from 1 to 65535" })
}

fn windows(text: &str) -> Result<Windows, Unreadable> {
    if text == "none" { Ok(Windows::default()) } else { text.parse() }
}

fn time(text: &str) -> Result<DateTime<Utc>, Unreadable> {
    let takes = Unreadable { takes: "a time such as 2026-01-31T18:00:00Z or 2026-01-31T18:00:00+01:00" };
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| takes)
}

fn health_check(text: &str) -> Result<HealthCheckRef, Unreadable> {
    if text == "none" { Ok(HealthCheckRef::MeantNone) } else { HealthCheckId::from_str(text).map(HealthCheckRef::Id) }
}

fn yes_or_no(text: &str) -> Result<bool, Unreadable> {
    match text.to_ascii_lowercase().as_str() {
        "" | "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(Unreadable { takes: "true or false" }),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::model::InstanceState;

    fn instance(tags: &[(&str, &str)]) -> Instance {
        Instance {
            id: "i-0123456789abcdef0".parse().unwrap(),
            state: InstanceState::Running,
            state_reason: None,
            stopped_at: None,
            launched_at: DateTime::UNIX_EPOCH,
            public_address: None,
            tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            detailed_monitoring: false,
            spot: false,
            instance_store_root: false,
        }
    }

    fn read(tags: &[(&str, &str)], is_stacks_own: bool) -> Overrides {
        let config = Config::read(|name| match name {
            "CATNAP_APP_DOMAIN" => Some("app.example.com".into()),
            "CATNAP_HEALTH_CHECK_ID" => Some("the-stacks-own".into()),
            _ => None,
        });
        let instance = instance(tags);
        overrides(&config.unwrap(), &instance, is_stacks_own, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn without_tags_the_configuration_stands() {
        let read = read(&[], true);
        assert_eq!(read.policy.idle, TimeDelta::minutes(60));
        assert_eq!(read.health_check, HealthCheckRef::Id("the-stacks-own".parse().unwrap()));
        assert_eq!((read.protect, read.hold, read.warnings.len()), (false, Hold::No, 0));
    }

    #[test]
    fn the_stacks_health_check_is_not_another_apps() {
        assert_eq!(read(&[], false).health_check, HealthCheckRef::Unknown);
        assert_eq!(read(&[("catnap:health-check", "none")], false).health_check, HealthCheckRef::MeantNone);
        let own = read(&[("catnap:health-check", "another")], true).health_check;
        assert_eq!(own, HealthCheckRef::Id("another".parse().unwrap()));
    }

    #[test]
    fn with_an_instance_id_the_roles_may_read_the_stacks_own_check_alone() {
        let config = Config::read(|name| match name {
            "CATNAP_APP_DOMAIN" => Some("app.example.com".into()),
            "CATNAP_INSTANCE_ID" => Some("i-0123456789abcdef0".into()),
            "CATNAP_HEALTH_CHECK_ID" => Some("the-stacks-own".into()),
            _ => None,
        });
        let instance = instance(&[("catnap:health-check", "another")]);
        let read = overrides(&config.unwrap(), &instance, true, DateTime::UNIX_EPOCH);
        assert_eq!(read.health_check, HealthCheckRef::Id("the-stacks-own".parse().unwrap()));
        assert_eq!(read.warnings.len(), 1);
    }

    #[test]
    fn tags_override() {
        let tags = [("catnap:idle-minutes", "15"), ("catnap:activity-bytes", "9000"), ("catnap:origin-port", "8443")];
        let read = read(&tags, true);
        assert_eq!(read.policy.idle, TimeDelta::minutes(15));
        assert_eq!(read.policy.activity_bytes, Some(9_000.0));
        assert_eq!(read.origin, config::Origin { tls: true, port: 8443 });
    }

    #[test]
    fn keep_awake_overrides_the_stacks_windows_or_takes_them_away() {
        let config = Config::read(|name| match name {
            "CATNAP_APP_DOMAIN" => Some("app.example.com".into()),
            "CATNAP_KEEP_AWAKE" => Some("Mon-Fri 08:00-18:00 Europe/Berlin".into()),
            _ => None,
        });
        let config = config.unwrap();
        let windows =
            |tags: &[(&str, &str)]| overrides(&config, &instance(tags), true, DateTime::UNIX_EPOCH).keep_awake;
        assert_eq!(windows(&[]), config.keep_awake);
        assert_eq!(windows(&[("catnap:keep-awake", "whenever")]), config.keep_awake);
        assert_eq!(windows(&[("catnap:keep-awake", "none")]), Windows::default());
        assert_eq!(windows(&[("catnap:keep-awake", "Sat 10:00-14:00 UTC")]), "Sat 10:00-14:00 UTC".parse().unwrap());
        let until = |text: &str| read(&[("catnap:keep-awake-until", text)], true).keep_awake_until;
        assert_eq!(until("2026-01-31T18:00:00+01:00"), "2026-01-31T17:00:00Z".parse().ok());
        assert_eq!(until("tomorrow"), None);
    }

    #[test]
    fn a_hold_ends_when_it_says_so() {
        let until = |text: &str| read(&[("catnap:hold", text)], true).hold;
        assert_eq!(until("true"), Hold::Yes { until: None });
        assert_eq!(until("2026-01-02T00:00:00Z"), Hold::Yes { until: "2026-01-02T00:00:00Z".parse().ok() });
        assert_eq!(until("2025-12-31T00:00:00Z"), Hold::No);
        assert_eq!(until("false"), Hold::No);
    }

    #[test]
    fn an_unreadable_tag_warns_by_name_and_the_safe_default_stands() {
        let bad = [
            ("catnap:idle-minutes", "soon"),
            ("catnap:activity-bytes", "lots"),
            ("catnap:origin-port", "0"),
            ("catnap:health-check", "a b"),
            ("catnap:hold", "tomorrow"),
            ("catnap:keep-awake", "Mon-Fri 8-18"),
            ("catnap:keep-awake-until", "18:00"),
            ("catnap:protect", "maybe"),
            ("catnap:wake-seconds", "soon"),
        ];
        for (tag, value) in bad {
            let with = read(&[(tag, value)], true);
            assert_eq!(with.warnings.len(), 1, "{tag}");
            assert!(with.warnings[0].starts_with(&format!("tag {tag} is {value:?}: it takes ")), "{:?}", with.warnings);
            let plain = read(&[], true);
            assert_eq!((with.policy, with.hold, with.origin), (plain.policy, plain.hold, plain.origin), "{tag}");
        }
        assert!(read(&[("catnap:protect", "maybe")], true).protect, "protection is the safe side");
    }
}
