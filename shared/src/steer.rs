//! Moving visitors by the health check itself: away to the starter before a nap, home at once after a wake.
//!
//! Checkers take 12 to 100 s to see that an app is gone or back, and visitors of that time hang on a dead address. A
//! health check that is disabled counts as healthy without anybody looking, one that is disabled and inverted as
//! unhealthy (Route 53 API Reference, UpdateHealthCheck). What Catnap sets it marks in a tag of the health check,
//! with the version that the health check has from then on: a change by anybody else makes another version, and is
//! left alone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::model::{HealthCheckConfig, Instance, InstanceState, Unreadable};
use crate::trouble::Trouble;

/// The tags on the health check that tell Catnap's own steering from a person's: the stopper writes the first, the
/// starter the second. Should both steer at once, Route 53 takes one of the two changes, and the mark of that one must
/// not have been written over by the other.
pub const MARK_TAGS: [&str; 2] = ["catnap:steered", "catnap:steered-home"];

/// After so long nobody is led to the old address any more: a resolver keeps it 60 s, and Firefox, which keeps a
/// name longest, 60 s more and up to 60 s while it asks anew (measured: `wire/handoff/MEASURED.md`).
pub const LET_GO: TimeDelta = TimeDelta::seconds(180);

/// How long an app that came home counts as healthy unseen. Then the checkers look again.
pub const HOME_FOR: TimeDelta = TimeDelta::minutes(5);

/// A running app that is kept from its visitors for so long is stuck.
const AWAY_FOR_LONG: TimeDelta = TimeDelta::hours(1);

/// Where a health check leads visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lead {
    /// Where its checkers say: enabled, not inverted.
    Checked,
    /// To the starter, whatever the app does: disabled and inverted.
    Away,
    /// The same, and the instance is being stopped, or sleeps: nobody may lead them home before its next start.
    Closed,
    /// To the instance, whatever the app does: disabled.
    Home,
}

impl Lead {
    /// `Disabled`, as UpdateHealthCheck takes it.
    #[must_use]
    pub fn disabled(self) -> bool {
        self != Self::Checked
    }

    /// `Inverted`, as UpdateHealthCheck takes it.
    #[must_use]
    pub fn inverted(self) -> bool {
        matches!(self, Self::Away | Self::Closed)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Away => "away",
            Self::Closed => "closed",
            Self::Home => "home",
        }
    }
}

/// One of Catnap's own settings of a health check: `away 8 2026-01-31T18:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Where to: never [`Lead::Checked`].
    pub lead: Lead,
    /// The health check's version from then on.
    pub version: i64,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.lead.word(), self.version, self.since.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl FromStr for Mark {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let read = || {
            let mut words = text.split(' ');
            let word = words.next()?;
            let lead = [Lead::Away, Lead::Closed, Lead::Home].into_iter().find(|lead| lead.word() == word)?;
            let version = words.next()?.parse().ok()?;
            let since = DateTime::parse_from_rfc3339(words.next()?).ok()?.to_utc();
            words.next().is_none().then_some(Self { lead, version, since })
        };
        read().ok_or(Unreadable { takes: "what Catnap itself has written" })
    }
}

/// What Catnap writes beside a health check that it steers: what it sets next, and what it had set before. So a crash
/// between writing and setting leaves no setting that nobody knows the maker of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(pub Vec<Mark>);

impl Marks {
    /// The tag that they belong into.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        let is_home = self.0.first().is_some_and(|next| next.lead == Lead::Home);
        MARK_TAGS[usize::from(is_home)]
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&marks.join(" / "))
    }
}

impl FromStr for Marks {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        text.split(" / ").map(Mark::from_str).collect::<Result<_, _>>().map(Self)
    }
}

/// A health check that may be steered, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steering {
    /// What it is set to.
    pub config: HealthCheckConfig,
    /// Counted up by each change of it (GetHealthCheck, `HealthCheckVersion`).
    pub version: i64,
    /// What is written beside it, in both tags.
    pub marks: Marks,
}

/// Who leads visitors, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum Stance {
    /// The checkers do.
    Checked,
    /// Catnap leads them to the starter.
    Away {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// The same, for an instance that is being stopped, or sleeps.
    Closed {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Catnap leads them to the instance.
    Home {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Somebody has disabled or inverted it, for reasons that Catnap does not know.
    ByHand,
}

impl Steering {
    /// Who leads visitors, and where to.
    #[must_use]
    pub fn stance(&self) -> Stance {
        match self.ours() {
            _ if self.config.goes_by_checkers() => Stance::Checked,
            Some(Mark { lead: Lead::Away, since, .. }) => Stance::Away { since },
            Some(Mark { lead: Lead::Closed, since, .. }) => Stance::Closed { since },
            Some(Mark { lead: Lead::Home, since, .. }) => Stance::Home { since },
            _ => Stance::ByHand,
        }
    }

    /// Whether it leads visitors to an instance that does not run, by somebody's hand: disabled, it counts as healthy,
    /// and nobody gets to the starter that could wake it.
    #[must_use]
    pub fn strands(&self, state: InstanceState) -> bool {
        let is_down = matches!(state, InstanceState::Stopping | InstanceState::Stopped);
        is_down && self.stance() == Stance::ByHand && self.config.disabled && !self.config.inverted
    }

    /// Whether it is set as Catnap has set it at `now`. Where the answer to a change is lost the SDK sends it again,
    /// and then it is refused as outdated.
    #[must_use]
    pub fn was_led(&self, lead: Lead, now: DateTime<Utc>) -> bool {
        self.ours().is_some_and(|mark| mark.lead == lead && mark.since.timestamp() == now.timestamp())
    }

    /// The mark of how it is set now, if Catnap has set it so.
    fn ours(&self) -> Option<Mark> {
        let flags = (self.config.disabled, self.config.inverted);
        let is_it =
            |mark: &&Mark| mark.version == self.version && flags == (mark.lead.disabled(), mark.lead.inverted());
        self.marks.0.iter().find(is_it).copied()
    }

    /// What to write beside it when it is steered, and has this version from then on; nothing where its checkers take
    /// over.
    #[must_use]
    pub fn marks_for(&self, lead: Lead, now: DateTime<Utc>, version: i64) -> Option<Marks> {
        let next = Mark { lead, version, since: now };
        (lead != Lead::Checked).then(|| Marks([next].into_iter().chain(self.ours()).collect()))
    }
}

/// How far the way to a nap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// Visitors are to be led away first.
    Begin,
    /// Some may still be led to the instance, or have been when nobody could see it yet.
    Wait,
    /// Nobody comes to the instance any more, and all who came have been seen.
    Over,
    /// There is none: EC2 has refused the stop before, and visitors would be led away for nothing at every other tick.
    /// Should EC2 stop it after all, the gap comes once.
    Spared,
}

/// How far the way is to the nap of an idle instance. Metrics are known up to `known_until`: what came after that is
/// CloudWatch's blind spot, and a drain is over when the last direct visit has left it. `refused`: EC2 did not stop it
/// at an earlier tick.
#[must_use]
pub fn before_nap(stance: Stance, known_until: DateTime<Utc>, refused: bool, now: DateTime<Utc>) -> Drain {
    match stance {
        Stance::Away { since } if now - since >= LET_GO && known_until >= since + LET_GO => Drain::Over,
        Stance::Away { .. } => Drain::Wait,
        Stance::Checked if refused => Drain::Spared,
        // Closed and still running: a tick ended between the two. Who came since was let in by nobody.
        Stance::Checked | Stance::Closed { .. } | Stance::Home { .. } | Stance::ByHand => Drain::Begin,
    }
}

/// What a tick puts right, where no nap is near.
#[must_use]
pub fn at_a_tick(stance: Stance, instance: &Instance, boot: TimeDelta, now: DateTime<Utc>) -> Option<Lead> {
    let has_booted = now - instance.launched_at >= boot;
    match (stance, instance.state) {
        // Left by a drain that ended otherwise, or by a start that no visitor made. Enabled again, a health check
        // counts as healthy until there is enough data: not before the app can be there.
        (Stance::Away { .. } | Stance::Closed { .. }, InstanceState::Running) => has_booted.then_some(Lead::Checked),
        (Stance::Home { since }, InstanceState::Running) => (now - since >= HOME_FOR).then_some(Lead::Checked),
        // It went down by another hand, and visitors would be led to a dead address.
        (Stance::Home { .. }, InstanceState::Stopping | InstanceState::Stopped) => Some(Lead::Closed),
        _ => None,
    }
}

/// Whether an instance has been on for long enough to be in a drain: none begins within its idle time of a start.
#[must_use]
pub fn may_drain(instance: &Instance, idle: TimeDelta, now: DateTime<Utc>) -> bool {
    now - instance.launched_at >= idle
}

/// What the starter does when the app answers, and someone is still led to the starter. `by_somebody`: a person, or
/// what wakes like one. `idle`: the instance's own.
#[must_use]
pub fn on_answer(
    stance: Stance,
    instance: &Instance,
    by_somebody: bool,
    idle: TimeDelta,
    now: DateTime<Utc>,
) -> Option<Lead> {
    match stance {
        // After a wake whoever asks; in a drain a person ends it, and a scanner does not.
        Stance::Away { .. } => (by_somebody || !may_drain(instance, idle, now)).then_some(Lead::Home),
        // Between the last look and the stop nobody may come in by this door.
        Stance::Closed { since } => (instance.launched_at >= since).then_some(Lead::Home),
        Stance::Home { since } => (now - since >= HOME_FOR).then_some(Lead::Checked),
        Stance::Checked | Stance::ByHand => None,
    }
}

/// What it means for a nap that Route 53 refused to lead visitors away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRefusal {
    /// The role may not: it naps as it would without `Steer`, for one that never naps costs money every night.
    NapWithout,
    /// Nor may it nap: its health check would count as healthy for ever, and nobody could wake it.
    Keep,
    /// Somebody else was faster: perhaps the starter, for a visitor.
    LookAgain,
    /// The next tick tries again.
    TryAgain,
}

/// What it means for a nap that Route 53 refused to lead visitors away, from where they are led now.
#[must_use]
pub fn after_refusal(trouble: Trouble, stance: Stance) -> AfterRefusal {
    match trouble {
        Trouble::NotPermitted if matches!(stance, Stance::Home { .. }) => AfterRefusal::Keep,
        Trouble::NotPermitted => AfterRefusal::NapWithout,
        Trouble::Outdated => AfterRefusal::LookAgain,
        _ => AfterRefusal::TryAgain,
    }
}

/// Whether a person has to look at it that a health check could not be steered. The rest passes by itself: whoever
/// comes next tries again, and what does not end is stuck.
#[must_use]
pub fn needs_somebody(trouble: Trouble) -> bool {
    !matches!(trouble, Trouble::Outdated | Trouble::Throttled | Trouble::Unreachable)
}

/// Whether a running app is kept from its visitors for longer than any drain takes.
#[must_use]
pub fn is_stuck(stance: Stance, instance: &Instance, now: DateTime<Utc>) -> bool {
    let long = |since: DateTime<Utc>| now - since.max(instance.launched_at) >= AWAY_FOR_LONG;
    let is_away = |stance| matches!(stance, Stance::Away { since } | Stance::Closed { since } if long(since));
    instance.state == InstanceState::Running && is_away(stance)
}

#[cfg(test)]
mod tests;
