//! Stories made up from a seed: a world, and what is done to it.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_xorshift::XorShiftRng;
use shared::cloud::Metric;
use shared::model::{CheckKind, HealthCheckConfig};
use shared::sim::Phases;
use shared::sim::traffic::random;
use shared::trouble::Trouble;

use crate::fault::{Fault, Weather};
use crate::port::IN_US_EAST_1;
use crate::sandbox::{Sandbox, Setup};
use crate::visitor::Visitor;
use crate::world::APP;

/// A world, and what is done to it.
#[derive(Debug, Clone)]
pub struct Story {
    /// What it was made from.
    pub seed: u64,
    /// The world.
    pub setup: Setup,
    /// What is done, in order.
    pub acts: Vec<Act>,
}

/// Something that is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// How long after the beginning.
    pub at: TimeDelta,
    /// What.
    pub deed: Deed,
}

/// What can be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Someone comes.
    Visit(Visitor),
    /// A page that was open before asks to wake the app.
    WakeCall,
    /// A program asks.
    Bot,
    /// A webhook comes, for one of `WakePaths` where there are any.
    Hook,
    /// Something goes wrong for so long.
    Fault(Fault, TimeDelta),
    /// The calls of an operation meet this for so long; an empty name is every one, to the
    /// app as well.
    Weather(&'static str, Weather, TimeDelta),
    /// EC2 takes starts for so long, and they come to nothing for this reason.
    StartsFail(&'static str, TimeDelta),
    /// CloudWatch cannot read this metric for so long.
    Unreadable(&'static str, TimeDelta),
    /// The operator's hand for so long: a tag of this name with `true`, which is taken away again, or with the time
    /// when it ends.
    Tag {
        /// Which.
        name: &'static str,
        /// It says when it ends.
        until: bool,
        /// How long it holds.
        lasts: TimeDelta,
    },
    /// Another tick, beside the schedule.
    Tick,
    /// Lambda takes all environments away.
    ForgetEnvironments,
    /// Someone stops the instance, or it shuts itself down, with this reason.
    Stop(&'static str),
    /// Someone starts it in the console.
    Start,
    /// A job on it says that it runs.
    Busy,
    /// Another `IdleMinutes` is deployed.
    Idle(u32),
}

impl Act {
    /// When what it does ends.
    fn end(&self) -> Option<TimeDelta> {
        self.deed.lasts().map(|lasts| self.at + lasts)
    }
}

impl Deed {
    /// Whether both put the same thing wrong.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fault(one, _), Self::Fault(other, _)) => one == other,
            (Self::Weather(operation, weather, _), Self::Weather(other, other_weather, _)) => {
                (operation, weather) == (other, other_weather)
            }
            (Self::Unreadable(one, _), Self::Unreadable(other, _)) => one == other,
            (Self::StartsFail(..), Self::StartsFail(..)) => true,
            (Self::Tag { name, until, .. }, Self::Tag { name: other, until: other_until, .. }) => {
                (name, until) == (other, other_until)
            }
            _ => false,
        }
    }

    /// How long it is in the way of things.
    #[must_use]
    pub fn lasts(&self) -> Option<TimeDelta> {
        match self {
            Self::Fault(_, lasts) | Self::Weather(_, _, lasts) => Some(*lasts),
            Self::StartsFail(_, lasts) | Self::Unreadable(_, lasts) | Self::Tag { lasts, .. } => Some(*lasts),
            Self::Stop(_) | Self::Idle(_) => Some(TimeDelta::zero()),
            _ => None,
        }
    }

    /// Does it, or ends it.
    pub(crate) fn act(&self, sandbox: &Sandbox, begins: bool) {
        match self {
            Self::Fault(fault, _) => sandbox.fault(*fault, begins),
            Self::Weather(operation, weather, _) => sandbox.weather(operation, *weather, begins),
            Self::StartsFail(reason, _) => {
                let what = format!("{}: starts fail for {reason}", if begins { "from now on" } else { "no more" });
                sandbox.turn(&what, |sim, id, _| sim.starts_fail(id, begins.then_some(reason)));
            }
            Self::Unreadable(metric, _) => sandbox.unreadable(metric, begins),
            Self::Tag { name, until: true, lasts } if begins => {
                let until = (sandbox.now() + *lasts).to_rfc3339_opts(SecondsFormat::Secs, true);
                tag(sandbox, name, Some(&until));
            }
            Self::Tag { name, until: false, .. } => tag(sandbox, name, begins.then_some("true")),
            _ if !begins => {}
            Self::Visit(visitor) => sandbox.visit(visitor.clone()),
            Self::WakeCall => sandbox.wake_call("an old tab"),
            Self::Bot => sandbox.bot("/wp-login.php", "Mozilla/5.0 zgrab/0.x"),
            Self::Hook => sandbox.bot("/hooks/deploy", "GitHub-Hookshot/044aadd"),
            Self::Tick => sandbox.tick(),
            Self::ForgetEnvironments => sandbox.forget_environments(),
            Self::Stop(reason) => _ = sandbox.turn("stopped by hand", |sim, id, _| sim.stop_by_hand(id, reason)),
            Self::Start => _ = sandbox.turn("started by hand", |sim, id, _| sim.start_by_hand(id)),
            Self::Busy => sandbox.turn("a job says that it runs", |sim, _, _| {
                if let Ok(host) = APP.parse() {
                    sim.count(Metric::Busy(host), 1.0);
                }
            }),
            Self::Idle(minutes) => _ = sandbox.set("CATNAP_IDLE_MINUTES", &minutes.to_string()),
            Self::Tag { .. } => {} // ends by itself
        }
    }
}

fn tag(sandbox: &Sandbox, name: &str, value: Option<&str>) {
    sandbox.turn(&format!("the tag {name} is {}", value.unwrap_or("taken away")), |sim, id, _| {
        sim.change(id, |instance| match value {
            Some(value) => _ = instance.tags.insert(name.into(), value.into()),
            None => _ = instance.tags.remove(name),
        });
    });
}

/// By which visitors are led.
const STEERING: [&str; 4] = ["GetHealthCheck", "ListTagsForResource", "ChangeTagsForResource", "UpdateHealthCheck"];
/// An empty name is every call; what stands here twice comes as often.
const OPERATIONS: [&str; 16] = [
    "",
    "DescribeInstances",
    "StartInstances",
    "StartInstances",
    "StopInstances",
    "CreateTags",
    "GetHealthCheck",
    "GetHealthCheckStatus",
    "GetMetricData",
    IN_US_EAST_1,
    "UpdateHealthCheck",
    "ChangeTagsForResource",
    "ListTagsForResource",
    "Probe",
    "Forward",
    "LookUp",
];
/// Why a start can fail that EC2 has taken (EC2 User Guide, "Troubleshoot instance launch issues").
const START_FAILURES: [&str; 5] = [
    "Client.InternalError",
    "Client.VolumeLimitExceeded",
    "Client.InvalidSnapshot.NotFound",
    "Server.InternalError",
    "Server.InsufficientInstanceCapacity",
];
const METRICS: [&str; 4] = ["NetworkIn", "HealthCheckStatus", "Visits", "Busy"];
const TAGS: [(&str, bool); 4] =
    [("catnap:hold", false), ("catnap:hold", true), ("catnap:protect", false), ("catnap:keep-awake-until", true)];
const TROUBLES: [Trouble; 9] = [
    Trouble::NotFound,
    Trouble::NotPermitted,
    Trouble::WrongState,
    Trouble::Quota,
    Trouble::Capacity,
    Trouble::Outdated,
    Trouble::Throttled,
    Trouble::Unreachable,
    Trouble::Unexpected,
];

impl Story {
    /// Makes one up.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let setup = setup(seed);
        let steers = setup.settings.get("CATNAP_STEER").is_some_and(|steer| steer == "true");
        let mut rng = random(seed, "acts");
        let hours: i64 = rng.random_range(2..14);
        let mut acts: Vec<_> =
            (0..rng.random_range(3..24)).map(|number| act(&mut rng, number, hours, steers)).collect();
        acts.sort_by_key(|act| act.at);
        Self { seed, setup, acts }
    }

    /// When each act begins (true), and when what it does ends, in order. Of two of one kind the end of the first is
    /// none.
    pub(crate) fn moments(&self) -> Vec<(TimeDelta, &Act, bool)> {
        let mut moments = Vec::new();
        for act in &self.acts {
            moments.push((act.at, act, true));
            let Some(end) = act.end() else { continue };
            let goes_on = |other: &Act| {
                other.deed.is_same(&act.deed) && (other.at..).contains(&end) && other.end().is_some_and(|it| end < it)
            };
            if !self.acts.iter().any(goes_on) {
                moments.push((end, act, false));
            }
        }
        moments.sort_by_key(|(at, _, _)| *at);
        moments
    }
}

fn setup(seed: u64) -> Setup {
    let rng = &mut random(seed, "setup");
    let mut pick = |all: &[&'static str]| all.choose(rng).copied().unwrap_or_default().to_owned();
    let schedule = TimeDelta::minutes(pick(&["5", "5", "15", "60"]).parse().unwrap_or(5));
    let handoff = pick(&["bridge", "bridge", "poll"]);
    let may_steer = handoff == "bridge" && schedule <= TimeDelta::minutes(10); // the template's own rule
    let steer = (may_steer && pick(&["true", "true", "false"]) == "true").to_string();
    let settings = [
        ("CATNAP_IDLE_MINUTES", pick(&["5", "15", "30", "60", "120"])),
        ("CATNAP_WAKE_ON", pick(&["visit", "visit", "visit", "request", "request", "click"])),
        ("CATNAP_WAKE_PATHS", pick(&["", "", "/hooks"])),
        ("CATNAP_HANDOFF", handoff),
        ("CATNAP_STEER", steer),
        ("CATNAP_ON_SICK", pick(&["nap", "nap", "keep"])),
        ("CATNAP_BOOT_DEADLINE_SECONDS", pick(&["60", "300", "600"])),
        ("CATNAP_KEEP_AWAKE", pick(&["", "", "", "Mon-Sun 11:00-12:30 Europe/Berlin"])),
        ("CATNAP_DRY_RUN", pick(&["", "", "", "", "", "", "", "", "", "true"])),
        ("CATNAP_WAITING_STATUS", pick(&["503", "200"])),
        ("CATNAP_INSTANCE_ID", pick(&["", "i-00000000000000001"])),
    ];
    let kind = *[CheckKind::Tcp, CheckKind::Http, CheckKind::Https].choose(rng).unwrap_or(&CheckKind::Http);
    let interval_seconds = *[10, 30].choose(rng).unwrap_or(&30);
    let regions = *[3, 8].choose(rng).unwrap_or(&3);
    let mut seconds = |least, most| TimeDelta::seconds(rng.random_range(least..most));
    let phases = Phases { pending: seconds(5, 90), app_start: seconds(5, 240), stopping: seconds(10, 120) };
    let (metric_delay, ttl) = (seconds(60, 480), seconds(30, 90));
    Setup {
        began: DateTime::<Utc>::from_timestamp(1_772_524_800, 0).unwrap_or_default() + seconds(0, 7 * 86_400),
        seed,
        settings: settings.map(|(name, value)| (name.into(), value)).into(),
        schedule,
        phases,
        check: (HealthCheckConfig::new(kind, interval_seconds, regions), rng.random_range(1..5)),
        ttl,
        metric_delay,
        detailed_monitoring: rng.random_ratio(1, 4),
        partial_points: rng.random_ratio(1, 4),
        ..Setup::default()
    }
}

fn act(rng: &mut XorShiftRng, number: usize, hours: i64, steers: bool) -> Act {
    let at = TimeDelta::milliseconds(rng.random_range(0..hours * 3_600_000));
    let lasts = |rng: &mut XorShiftRng| {
        // Some are over before anybody meets them; some last for hours.
        let most = *[30, 900, 3_600, 7_200].choose(rng).unwrap_or(&900);
        TimeDelta::seconds(rng.random_range(1..most))
    };
    // An idle time has to pass in it, or somebody has to come.
    let long = |rng: &mut XorShiftRng| TimeDelta::seconds(rng.random_range(600..14_400));
    let deed = match rng.random_range(0..26) {
        0..6 => Deed::Visit(Visitor {
            patience: TimeDelta::minutes(*[1, 5, 10, 15, 60].choose(rng).unwrap_or(&5)),
            pages: rng.random_range(1..20),
            reads: TimeDelta::seconds(rng.random_range(2..400)),
            ..Visitor::named(format!("visitor {number}"))
        }),
        6 => Deed::WakeCall,
        7 => Deed::Bot,
        8..12 => Deed::Fault(*Fault::ALL.choose(rng).unwrap_or(&Fault::NoCapacity), lasts(rng)),
        12..16 => {
            // Visitors are led a few times a day only.
            let is_steering = steers && rng.random();
            let operations = if is_steering { &STEERING[..] } else { &OPERATIONS };
            let operation = operations.choose(rng).copied().unwrap_or_default();
            let weather = match rng.random_range(0..3) {
                1 if operation == "UpdateHealthCheck" && rng.random() => Weather::Refused(Trouble::Outdated),
                0 => Weather::Slow(TimeDelta::milliseconds(rng.random_range(200..30_000))),
                1 => Weather::Refused(*TROUBLES.choose(rng).unwrap_or(&Trouble::Unexpected)),
                _ => Weather::AnswerLost,
            };
            Deed::Weather(operation, weather, if is_steering { long(rng) } else { lasts(rng) })
        }
        16 => Deed::Tick,
        17 => Deed::ForgetEnvironments,
        18 if rng.random() => {
            Deed::Stop(if rng.random() { "Client.UserInitiatedShutdown" } else { "Client.InstanceInitiatedShutdown" })
        }
        18 => Deed::Start,
        19 => Deed::Busy,
        20 => Deed::Hook,
        21 | 22 => {
            let (name, until) = *TAGS.choose(rng).unwrap_or(&TAGS[0]);
            Deed::Tag { name, until, lasts: long(rng) }
        }
        23 => Deed::Unreadable(METRICS.choose(rng).copied().unwrap_or_default(), long(rng)),
        24 => Deed::StartsFail(START_FAILURES.choose(rng).copied().unwrap_or_default(), lasts(rng)),
        _ => Deed::Idle(*[5, 20, 60].choose(rng).unwrap_or(&60)),
    };
    Act { at, deed }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup { settings, schedule, phases, check, metric_delay, ttl, .. } = &self.setup;
        let set: Vec<_> = settings.iter().filter(|(_, value)| !value.is_empty()).collect();
        let set: Vec<_> = set.iter().map(|(name, value)| format!("{name}={value}")).collect();
        writeln!(f, "seed {}: begins {}, a tick each {} min", self.seed, self.setup.began, schedule.num_minutes())?;
        writeln!(f, "  {}", set.join(" "))?;
        writeln!(
            f,
            "  pending {} s, app {} s, stopping {} s; metrics after {} s; TTL {} s; {:?}, {} in a row{}{}",
            phases.pending.num_seconds(),
            phases.app_start.num_seconds(),
            phases.stopping.num_seconds(),
            metric_delay.num_seconds(),
            ttl.num_seconds(),
            check.0,
            check.1,
            if self.setup.detailed_monitoring { "; detailed monitoring" } else { "" },
            if self.setup.partial_points { "; partial points" } else { "" },
        )?;
        for act in &self.acts {
            writeln!(f, "  {act}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.num_seconds();
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "+{hours:02}:{minutes:02}:{seconds:02}.{:03} ", self.at.subsec_nanos() / 1_000_000)?;
        match &self.deed {
            Deed::Visit(visitor) => write!(
                f,
                "{} comes, waits up to {} min, looks at {} pages for {} s each",
                visitor.name,
                visitor.patience.num_minutes(),
                visitor.pages,
                visitor.reads.num_seconds()
            ),
            Deed::Fault(fault, lasts) => write!(f, "for {} s: {}", lasts.num_seconds(), fault.words()),
            Deed::Weather(operation, weather, lasts) => {
                let operation = if operation.is_empty() { "every call" } else { operation };
                write!(f, "for {} s: {operation}: {weather:?}", lasts.num_seconds())
            }
            Deed::StartsFail(reason, lasts) => {
                write!(f, "for {} s: EC2 takes starts, and they fail: {reason}", lasts.num_seconds())
            }
            Deed::Unreadable(metric, lasts) => {
                write!(f, "for {} s: CloudWatch cannot read {metric}", lasts.num_seconds())
            }
            Deed::Tag { name, until, lasts } => {
                let how = if *until { ", with its end" } else { "" };
                write!(f, "for {} s: the tag {name}{how}", lasts.num_seconds())
            }
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_overlap_the_end_of_the_first_ends_nothing() {
        let minutes = TimeDelta::minutes;
        let act = |at, lasts| Act { at: minutes(at), deed: Deed::Fault(Fault::AppDown, minutes(lasts)) };
        let other = Act { at: minutes(0), deed: Deed::Fault(Fault::Quota, minutes(15)) };
        let story = Story { acts: vec![other, act(0, 10), act(5, 20), act(6, 2), act(30, 5)], ..Story::of(1) };
        let ends = story.moments().into_iter().filter(|(_, _, begins)| !begins);
        let ends: Vec<_> = ends.map(|(at, act, _)| (at.num_minutes(), act.at.num_minutes())).collect();
        assert_eq!(ends, [(15, 0), (25, 5), (35, 30)]);
        let same = Story { acts: vec![act(0, 10), act(0, 10)], ..Story::of(1) };
        assert!(same.moments().iter().any(|(_, _, begins)| !begins), "one of them ends it");
    }
}
