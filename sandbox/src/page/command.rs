//! What can be done on the page, as it comes in.

use serde::{Deserialize, Serialize};
use shared::config::{self, Setting};

/// Something to do. As JSON `{"do": "skip", "minutes": 60}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub(crate) enum Command {
    /// Somebody opens the app.
    Visit {},
    /// A program asks for something.
    Bot {
        /// What kind of program.
        kind: Bot,
    },
    /// How many people come by themselves.
    Traffic {
        /// How many.
        level: Traffic,
    },
    /// How fast time passes; 0 stops it.
    Speed {
        /// The world's seconds to one of ours.
        factor: u32,
    },
    /// Time passes at once.
    Skip {
        /// How much of it.
        minutes: u32,
    },
    /// A fault begins or ends.
    Fault {
        /// Which.
        name: String,
        /// Whether it is to be there.
        on: bool,
    },
    /// The operator's hand.
    Act {
        /// What it does.
        act: Act,
    },
    /// A tag is put on the instance, or taken off.
    Tag {
        /// Which.
        tag: Tag,
        /// Whether it is to be there.
        on: bool,
    },
    /// The pair is deployed with another setting.
    Set {
        /// The parameter of the template.
        parameter: String,
        /// Its value.
        value: String,
    },
    /// The stopper looks more or less often.
    Schedule {
        /// Between two looks.
        minutes: u32,
    },
    /// The window is closed and opened as another browser's: it knows no addresses and has no connections.
    Browser {},
    /// The world begins anew.
    Restart {},
}

/// What asks, and is no person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bot {
    Scanner,
    Crawler,
    Preview,
    Monitor,
}

impl Bot {
    /// Its path and its user agent.
    pub(crate) fn asks(self) -> (&'static str, &'static str) {
        match self {
            Self::Scanner => ("/wp-login.php", "Mozilla/5.0 zgrab/0.x"),
            Self::Crawler => ("/", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
            Self::Preview => ("/", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
            Self::Monitor => ("/", "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"),
        }
    }
}

/// How many people come by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Traffic {
    /// Nobody.
    #[default]
    Quiet,
    /// Somebody every hour or so, in office hours.
    Some,
    /// Somebody every few minutes, at any hour.
    Busy,
}

/// What an operator does once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    /// Stops the instance in the console.
    Stop,
    /// Starts it there.
    Start,
    /// Runs the stopper.
    Tick,
    /// Lambda takes all warm environments away.
    Cold,
}

/// A tag of Catnap's that says something by being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tag {
    /// Never wake it.
    Hold,
    /// Never nap it.
    Protect,
}

impl Tag {
    /// Its name on the instance.
    pub(crate) fn name(self) -> &'static str {
        let setting = match self {
            Self::Hold => config::HOLD,
            Self::Protect => config::PROTECT,
        };
        setting.tag.unwrap_or_default()
    }
}

/// The settings that can be changed on the page, and what they are at first.
pub(crate) const SETTINGS: [(Setting, &str); 7] = [
    (config::IDLE_MINUTES, "60"),
    (config::WAKE_ON, "visit"),
    (config::HANDOFF, "bridge"),
    (config::STEER, "false"),
    (config::KEEP_AWAKE, ""),
    (config::HOURLY_PRICE, "0.0416"), // a t3.medium's in us-east-1
    (config::DRY_RUN, "false"),
];

/// The names of a setting's parameter and variable.
pub(crate) fn names(setting: &Setting) -> (&'static str, &'static str) {
    (setting.parameter.unwrap_or_default(), setting.variable.unwrap_or_default())
}

/// What the template refuses of settings that do not go together, for people.
///
/// # Errors
/// What Steer needs.
pub(crate) fn go_together(steer: bool, handoff: &str, schedule: u32) -> Result<(), String> {
    if steer && handoff != "bridge" {
        return Err("Steer needs Handoff bridge: the starter answers for the app before a nap".into());
    }
    if steer && schedule > 10 {
        return Err("Steer takes two looks for a nap: it needs a schedule of 10 min or less".into());
    }
    Ok(())
}

/// How fast time can pass: stopped, as ours, and three times faster.
pub(crate) const SPEEDS: [u32; 5] = [0, 1, 60, 600, 3_600];

/// A week is as much as is skipped at once.
pub(crate) const LONGEST_SKIP: u32 = 7 * 24 * 60;

impl Command {
    /// Reads a command.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(crate) fn read(json: &[u8]) -> Result<Self, String> {
        let command: Self = serde_json::from_slice(json).map_err(|error| format!("this is no command: {error}"))?;
        match &command {
            Self::Speed { factor } if !SPEEDS.contains(factor) => {
                Err(format!("{factor} is no speed: it takes 0 (which stops time), 1, 60, 600 or 3600"))
            }
            Self::Skip { minutes } if !(1..=LONGEST_SKIP).contains(minutes) => {
                Err(format!("{minutes} min cannot be skipped: it takes 1 to {LONGEST_SKIP}, a week"))
            }
            Self::Schedule { minutes } if !(1..=1_440).contains(minutes) => {
                Err(format!("{minutes} min is no schedule: it takes 1 to 1440, a day"))
            }
            _ => Ok(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_or_told_what_is_wrong() {
        assert_eq!(Command::read(br#"{"do":"skip","minutes":60}"#), Ok(Command::Skip { minutes: 60 }));
        assert_eq!(Command::read(br#"{"do":"bot","kind":"scanner"}"#), Ok(Command::Bot { kind: Bot::Scanner }));
        assert_eq!(Command::read(br#"{"do":"visit"}"#), Ok(Command::Visit {}));
        for (json, told) in [
            (r#"{"do":"speed","factor":7}"#, "0 (which stops time), 1, 60, 600 or 3600"),
            (r#"{"do":"skip","minutes":0}"#, "1 to 10080"),
            (r#"{"do":"schedule","minutes":1441}"#, "1 to 1440"),
            (r#"{"do":"dance"}"#, "unknown variant `dance`"),
            (r#"{"do":"visit","who":"me"}"#, "unknown field `who`"),
            (r#"{"do":"fault","name":"x"}"#, "missing field `on`"),
            ("", "EOF"),
        ] {
            let error = Command::read(json.as_bytes()).unwrap_err();
            assert!(error.contains(told), "{json}: {error}");
        }
    }
}
