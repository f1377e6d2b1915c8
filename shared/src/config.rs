//! What can be set, and how it is read: one table of names, and the typed values behind it.

use std::net::SocketAddr;
use std::str::FromStr;

use chrono::TimeDelta;
use http::Uri;
use serde::Serialize;

use crate::classify::{WakeOn, WakePath};
use crate::idle::{OnSick, Policy};
use crate::look::{AppName, Logo, PageLook, Rgb, SupportUrl};
use crate::model::{HealthCheckId, HostName, Instance, InstanceId, Unreadable};
use crate::schedule::Windows;

/// One setting by all its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The parameter of `template.yaml`, where a user sets it.
    pub parameter: Option<&'static str>,
    /// The environment variable that the functions read.
    pub variable: Option<&'static str>,
    /// The tag on an instance that overrides it for that instance.
    pub tag: Option<&'static str>,
}

macro_rules! settings {
    ($($name:ident: $parameter:expr, $variable:expr, $tag:expr;)+) => {
        $(#[doc = concat!("The names of this setting: see [`SETTINGS`].")]
        pub const $name: Setting = Setting { parameter: $parameter, variable: $variable, tag: $tag };)+
        /// Every setting. Tests hold `template.yaml` and the README against this table.
        pub const SETTINGS: &[Setting] = &[$($name),+];
    };
}

settings! {
    APP_DOMAIN: Some("AppDomain"), Some("CATNAP_APP_DOMAIN"), Some("catnap:host");
    INSTANCE_ID: Some("InstanceId"), Some("CATNAP_INSTANCE_ID"), None;
    FLEET: Some("Fleet"), Some("CATNAP_FLEET"), Some("catnap:fleet");
    HEALTH_CHECK_ID: None, Some("CATNAP_HEALTH_CHECK_ID"), Some("catnap:health-check");
    HEALTH_PATH: Some("HealthPath"), Some("CATNAP_HEALTH_PATH"), None;
    ORIGIN: Some("Origin"), Some("CATNAP_ORIGIN"), Some("catnap:origin-port");
    ORIGIN_ADDRESS: None, Some("CATNAP_ORIGIN_ADDRESS"), None;
    WAKE_ON: Some("WakeOn"), Some("CATNAP_WAKE_ON"), None;
    WAKE_PATHS: Some("WakePaths"), Some("CATNAP_WAKE_PATHS"), None;
    HANDOFF: Some("Handoff"), Some("CATNAP_HANDOFF"), None;
    STATUS_ORIGIN: None, Some("CATNAP_STATUS_ORIGIN"), None;
    WAITING_STATUS: Some("WaitingStatus"), Some("CATNAP_WAITING_STATUS"), None;
    APP_NAME: Some("AppName"), Some("CATNAP_APP_NAME"), None;
    ACCENT_COLOR: Some("AccentColor"), Some("CATNAP_ACCENT_COLOR"), None;
    LOGO_URL: Some("LogoUrl"), Some("CATNAP_LOGO_URL"), None;
    SUPPORT_URL: Some("SupportUrl"), Some("CATNAP_SUPPORT_URL"), None;
    BOOT_DEADLINE: Some("BootDeadlineSeconds"), Some("CATNAP_BOOT_DEADLINE_SECONDS"), None;
    IDLE_MINUTES: Some("IdleMinutes"), Some("CATNAP_IDLE_MINUTES"), Some("catnap:idle-minutes");
    ACTIVITY_BYTES: Some("ActivityBytes"), Some("CATNAP_ACTIVITY_BYTES"), Some("catnap:activity-bytes");
    KEEP_AWAKE: Some("KeepAwake"), Some("CATNAP_KEEP_AWAKE"), Some("catnap:keep-awake");
    KEEP_AWAKE_UNTIL: None, None, Some("catnap:keep-awake-until");
    ON_SICK: Some("OnSick"), Some("CATNAP_ON_SICK"), None;
    STEER: Some("Steer"), Some("CATNAP_STEER"), None;
    DRY_RUN: Some("DryRun"), Some("CATNAP_DRY_RUN"), None;
    HOURLY_PRICE: Some("HourlyPrice"), Some("CATNAP_HOURLY_PRICE"), None;
    PROTECT: None, None, Some("catnap:protect");
    HOLD: None, None, Some("catnap:hold");
    WAKE_SECONDS: None, None, Some("catnap:wake-seconds");
    LAST_DRILL: None, None, Some("catnap:last-drill");
}

/// Where the app answers: the scheme and the port. The address is the instance's, the name is the app's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// HTTPS, with a certificate that holds for the app's name.
    pub tls: bool,
    /// The port.
    pub port: u16,
}

impl FromStr for Origin {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let unreadable = Unreadable { takes: "a URL without a path such as https://app.example.com:8443" };
        let uri: Uri = text.parse().map_err(|_| unreadable.clone())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(unreadable),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(unreadable);
        }
        Ok(Self { tls, port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }) })
    }
}

/// How a waiting visitor gets to the woken app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handoff {
    /// The starter answers for the app until DNS leads to it. Only over TLS.
    Bridge,
    /// The page waits until DNS leads to the app and its connection has closed, then navigates.
    Poll,
}

impl FromStr for Handoff {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        match text {
            "bridge" => Ok(Self::Bridge),
            "poll" => Ok(Self::Poll),
            _ => Err(Unreadable { takes: "bridge or poll" }),
        }
    }
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It must be set.
    #[error("{variable} is not set: it takes {takes}")]
    Missing {
        /// Its name.
        variable: &'static str,
        /// What would be right.
        takes: &'static str,
    },
    /// It is set to something else.
    #[error("{variable} is {value:?}: it takes {takes}")]
    Unreadable {
        /// Its name.
        variable: &'static str,
        /// What it is set to.
        value: String,
        /// What would be right.
        takes: &'static str,
    },
}

/// Everything that can be set by environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The app's host name.
    pub app_domain: HostName,
    /// The one instance; none means that instances are found by their tag `catnap:host`.
    pub instance_id: Option<InstanceId>,
    /// Which of the instances with a tag `catnap:host`: those whose tag `catnap:fleet` is this; none means, without one.
    pub fleet: Option<String>,
    /// The health check of `app_domain`.
    pub health_check_id: Option<HealthCheckId>,
    /// What the starter asks the app for, to see whether it answers.
    pub health_path: String,
    /// Where the app answers.
    pub origin: Origin,
    /// For local runs: where to connect instead of the instance's own address.
    pub origin_address: Option<SocketAddr>,
    /// When a request wakes.
    pub wake_on: WakeOn,
    /// What wakes in every mode.
    pub wake_paths: Vec<WakePath>,
    /// How a waiting visitor gets to the woken app.
    pub handoff: Handoff,
    /// Where the page asks for its status, `https://…` without a path; none is the app's own origin.
    pub status_origin: Option<String>,
    /// The status of the waiting page.
    pub waiting_status: u16,
    /// How the waiting page looks.
    pub look: PageLook,
    /// How long a boot may take before it is called overdue.
    pub boot_deadline: TimeDelta,
    /// What the stopper goes by, where no tag says otherwise.
    pub policy: Policy,
    /// When instances are kept awake, and woken, where no tag says otherwise.
    pub keep_awake: Windows,
    /// What an hour awake costs, in a currency of the operator's choice.
    pub hourly_price: Option<f64>,
    /// Decide and tell, but neither start nor stop.
    pub dry_run: bool,
}

/// What `IdleMinutes` takes.
const IDLE_TAKES: &str = "minutes, a whole number from 5 to 10080 (a week)";
/// What `ActivityBytes` takes.
const BYTES_TAKES: &str = "auto, or bytes in five minutes as a whole number";

/// Reads the tag `catnap:host`. Only a name as names are compared: EC2 finds a tag by its exact text, so the starter
/// would not find one in capital letters.
///
/// # Errors
/// What it takes, when the text is not that.
pub fn host_tag(text: &str) -> Result<HostName, Unreadable> {
    let takes = Unreadable { takes: "a host name in lower case such as app.example.com" };
    text.parse().ok().filter(|host: &HostName| host.as_str() == text).ok_or(takes)
}

/// Reads `IdleMinutes`.
///
/// # Errors
/// What it takes, when the text is not that.
pub fn idle_minutes(text: &str) -> Result<TimeDelta, Unreadable> {
    whole(text, 5..=10_080).map(TimeDelta::minutes).ok_or(Unreadable { takes: IDLE_TAKES })
}

/// Reads `ActivityBytes`: none for `auto`.
///
/// # Errors
/// What it takes, when the text is not that.
pub fn activity_bytes(text: &str) -> Result<Option<f64>, Unreadable> {
    if text == "auto" {
        return Ok(None);
    }
    let bytes = whole(text, 0..=1_000_000_000).ok_or(Unreadable { takes: BYTES_TAKES })?;
    #[expect(clippy::cast_precision_loss, reason = "a thousand million is exact")]
    Ok(Some(bytes as f64))
}

/// Reads `HourlyPrice`.
///
/// # Errors
/// What it takes, when the text is not that.
pub fn hourly_price(text: &str) -> Result<f64, Unreadable> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let price = text.parse().ok().filter(|price| plain && (0.0..=100_000.0).contains(price));
    price.ok_or(Unreadable { takes: "what an hour costs, such as 0.0416" })
}

fn whole(text: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    text.parse().ok().filter(|number| range.contains(number))
}

impl Config {
    /// Reads the configuration from variables; an empty one counts as not set.
    ///
    /// ```
    /// use shared::config::Config;
    ///
    /// let config = Config::read(|name| (name == "CATNAP_APP_DOMAIN").then(|| "app.example.com".into()))?;
    /// assert_eq!(config.policy.idle.num_minutes(), 60);
    ///
    /// let error = Config::read(|_| None).unwrap_err();
    /// assert_eq!(error.to_string(), "CATNAP_APP_DOMAIN is not set: it takes a host name such as app.example.com");
    /// # Ok::<(), shared::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// The first variable that is missing or cannot be read, by name, with its value and what it takes.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let lookup = Lookup(&variable);
        let boot_deadline = lookup
            .get(BOOT_DEADLINE, |text| {
                whole(text, 10..=3_600)
                    .map(TimeDelta::seconds)
                    .ok_or(Unreadable { takes: "seconds, a whole number from 10 to 3600" })
            })?
            .unwrap_or(TimeDelta::seconds(300));
        let handoff = lookup.get(HANDOFF, Handoff::from_str)?.unwrap_or(Handoff::Bridge);
        let origin = lookup.get(ORIGIN, Origin::from_str)?.unwrap_or(Origin { tls: true, port: 443 });
        // In a drain visitors are bridged, and who is not is not led home.
        let steer = |text: &str| match (flag(text)?, handoff, origin.tls) {
            (true, Handoff::Poll, _) => Err(Unreadable { takes: "false where Handoff is poll" }),
            (true, _, false) => Err(Unreadable { takes: "false where Origin is http://" }),
            (steer, ..) => Ok(steer),
        };
        Ok(Self {
            app_domain: lookup.get(APP_DOMAIN, HostName::from_str)?.ok_or(ConfigError::Missing {
                variable: APP_DOMAIN.variable.unwrap_or_default(),
                takes: "a host name such as app.example.com",
            })?,
            instance_id: lookup.get(INSTANCE_ID, InstanceId::from_str)?,
            fleet: lookup.get(FLEET, fleet)?,
            health_check_id: lookup.get(HEALTH_CHECK_ID, HealthCheckId::from_str)?,
            health_path: lookup.get(HEALTH_PATH, path)?.unwrap_or_else(|| "/".into()),
            origin,
            origin_address: lookup.get(ORIGIN_ADDRESS, |text| {
                text.parse().map_err(|_| Unreadable { takes: "an address and a port such as 127.0.0.1:8080" })
            })?,
            wake_on: lookup.get(WAKE_ON, WakeOn::from_str)?.unwrap_or(WakeOn::Visit),
            wake_paths: lookup.get(WAKE_PATHS, list)?.unwrap_or_default(),
            handoff,
            status_origin: lookup.get(STATUS_ORIGIN, status_origin)?,
            waiting_status: lookup
                .get(WAITING_STATUS, |text| match text {
                    "503" => Ok(503),
                    "200" => Ok(200),
                    _ => Err(Unreadable { takes: "503 or 200" }),
                })?
                .unwrap_or(503),
            look: PageLook {
                app_name: lookup.get(APP_NAME, AppName::from_str)?,
                accent: lookup.get(ACCENT_COLOR, Rgb::from_str)?.unwrap_or_default(),
                logo: lookup.get(LOGO_URL, Logo::from_str)?,
                support: lookup.get(SUPPORT_URL, SupportUrl::from_str)?,
            },
            boot_deadline,
            policy: Policy {
                idle: lookup.get(IDLE_MINUTES, idle_minutes)?.unwrap_or(TimeDelta::minutes(60)),
                activity_bytes: lookup.get(ACTIVITY_BYTES, activity_bytes)?.flatten(),
                boot_deadline,
                on_sick: lookup.get(ON_SICK, OnSick::from_str)?.unwrap_or(OnSick::Nap),
                steer: lookup.get(STEER, steer)?.unwrap_or(false),
            },
            keep_awake: lookup.get(KEEP_AWAKE, Windows::from_str)?.unwrap_or_default(),
            hourly_price: lookup.get(HOURLY_PRICE, hourly_price)?,
            dry_run: lookup.get(DRY_RUN, flag)?.unwrap_or(false),
        })
    }
}

impl Config {
    /// Whether an instance is for this pair: another in the same region may have a fleet of its own.
    #[must_use]
    pub fn is_for(&self, instance: &Instance) -> bool {
        let fleet = FLEET.tag.and_then(|tag| instance.tags.get(tag));
        self.instance_id.is_some() || fleet == self.fleet.as_ref()
    }
}

/// Reads one variable at a time, and names it when it cannot be read.
struct Lookup<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Lookup<'_> {
    fn get<T>(
        &self,
        setting: Setting,
        parse: impl Fn(&str) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, ConfigError> {
        let variable = setting.variable.unwrap_or_default();
        let Some(value) = (self.0)(variable).filter(|value| !value.trim().is_empty()) else {
            return Ok(None);
        };
        match parse(value.trim()) {
            Ok(parsed) => Ok(Some(parsed)),
            Err(Unreadable { takes }) => Err(ConfigError::Unreadable { variable, value, takes }),
        }
    }
}

fn path(text: &str) -> Result<String, Unreadable> {
    let readable = text.starts_with('/') && text.parse::<Uri>().is_ok();
    readable.then(|| text.into()).ok_or(Unreadable { takes: "a path that begins with /" })
}

fn flag(text: &str) -> Result<bool, Unreadable> {
    text.parse().map_err(|_| Unreadable { takes: "true or false" })
}

fn fleet(text: &str) -> Result<String, Unreadable> {
    let readable = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    readable.then(|| text.into()).ok_or(Unreadable { takes: "at most 64 letters, digits and hyphens" })
}

fn list(text: &str) -> Result<Vec<WakePath>, Unreadable> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(WakePath::from_str).collect()
}

fn status_origin(text: &str) -> Result<String, Unreadable> {
    Origin::from_str(text).map(|_| text.trim_end_matches('/').into())
}

#[cfg(test)]
mod tests;
