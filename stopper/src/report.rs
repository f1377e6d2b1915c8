//! What a tick tells: one record a target, and a summary.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::idle::{self, IdleDecision, KeepReason, Knowledge, NapReason, Outlook};
use shared::model::{Instance, InstanceId, InstanceState};
use shared::record::Count;
use shared::steer::{self, Stance};
use shared::trouble::CloudError;

use crate::observe::Target;

/// What came of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing was to be done.
    Left,
    /// EC2 took the start.
    Started,
    /// EC2 took the stop.
    Stopped,
    /// It would have been started or stopped.
    DryRun,
    /// EC2 did not take the start or the stop, or Route 53 did not lead visitors away before it.
    Refused,
    /// Visitors are led to the starter first. A later tick stops it, if nobody comes.
    Draining,
    /// There was no time left, so the next tick starts or stops it, among the first.
    Postponed,
}

/// One target's record.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The app's name.
    pub app: String,
    /// Its instance.
    pub instance: InstanceId,
    /// The instance's state when it was looked at.
    pub state: InstanceState,
    /// What was decided, why, and the facts of that reason.
    #[serde(flatten)]
    pub decision: IdleDecision,
    /// What came of it.
    pub outcome: Outcome,
    /// The instance's last start.
    pub launched_at: DateTime<Utc>,
    /// The minutes since then: up to now, or up to its stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awake_minutes: Option<i64>,
    /// When it was stopped, as far as EC2 tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asleep_since: Option<DateTime<Utc>>,
    /// The minutes since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asleep_minutes: Option<i64>,
    /// What these minutes would have cost awake, in the currency of `HourlyPrice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<f64>,
    /// Where its health check led visitors when it was read; none where it is not Catnap's to steer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub led: Option<Stance>,
    /// It could not be steered, or leads them astray.
    #[serde(skip)]
    steer_failed: bool,
    /// It leads them to an instance that sleeps, and nobody to the starter.
    #[serde(skip)]
    strands: bool,
    /// EC2 did not take the stop.
    #[serde(skip)]
    pub(crate) stop_refused: bool,
    /// What the decision was made from.
    #[serde(flatten)]
    pub knowledge: Option<Knowledge>,
    /// What would change it.
    #[serde(flatten)]
    pub outlook: Outlook,
    /// What AWS refused, in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Tags that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        decision: IdleDecision,
        outcome: Outcome,
        error: Option<CloudError>,
        target: Target,
        (now, hourly_price): (DateTime<Utc>, Option<f64>),
    ) -> Self {
        let facts = target.facts(now);
        let knowledge = idle::knowledge(&facts, &decision);
        let mut outlook = idle::outlook(&facts, &decision);
        match (&decision, outcome) {
            (IdleDecision::Nap(_), Outcome::DryRun) => outlook.words = "would be stopped now, but for DryRun".into(),
            (IdleDecision::Wake(_), Outcome::DryRun) => outlook.words = "would be started now, but for DryRun".into(),
            (IdleDecision::Nap(_), Outcome::Draining) => {
                outlook.words =
                    "naps in some minutes, when visitors have been led to the starter, if none comes".into();
            }
            (IdleDecision::Nap(_) | IdleDecision::Wake(_), Outcome::Refused) => {
                outlook.words = "the next tick tries again".into();
            }
            (IdleDecision::Nap(_), Outcome::Postponed) => {
                outlook.words = "the next tick stops it, among the first".into();
            }
            (IdleDecision::Wake(_), Outcome::Postponed) => {
                outlook.words = "the next tick starts it, among the first".into();
            }
            _ => {}
        }
        let led = target.steering.as_ref().map(|(_, steering)| steering.stance());
        let is_stuck = led.is_some_and(|stance| steer::is_stuck(stance, &target.instance, now));
        let steer_failed = is_stuck
            || error.as_ref().is_some_and(|error| error.is_of_steering() && steer::needs_somebody(error.trouble));
        let strands = target.steering.as_ref().is_some_and(|(_, steering)| steering.strands(target.instance.state));
        if strands {
            outlook.words =
                "no visitor can wake it: somebody has disabled its health check, which counts as healthy".into();
        }
        let stop_refused = error.as_ref().is_some_and(|error| error.operation == "StopInstances");
        let Instance { state, launched_at, stopped_at, .. } = target.instance;
        let asleep_since = stopped_at.filter(|_| state == InstanceState::Stopped);
        let awake_until = asleep_since.or((state == InstanceState::Running).then_some(now));
        let asleep_minutes = asleep_since.map(|since| (now - since).num_minutes());
        Self {
            app: target.app,
            instance: target.instance.id,
            state,
            decision,
            outcome,
            launched_at,
            awake_minutes: awake_until.map(|until| (until - launched_at).num_minutes()),
            asleep_since,
            asleep_minutes,
            saved: asleep_minutes.zip(hourly_price).map(|(minutes, price)| cost(minutes, price)),
            led,
            steer_failed,
            strands,
            stop_refused,
            knowledge,
            outlook,
            error: error.or(target.error).map(|error| error.to_string()),
            warnings: target.overrides.warnings,
        }
    }

    fn wakes(&self) -> bool {
        matches!(self.decision, IdleDecision::Wake(_))
    }

    fn naps(&self) -> bool {
        matches!(self.decision, IdleDecision::Nap(_))
    }

    /// What it counts for.
    pub(crate) fn counts(&self) -> Vec<Count> {
        let mut counts = match &self.decision {
            IdleDecision::Wake(_) if self.outcome == Outcome::Started => vec![Count::Wakes],
            IdleDecision::Wake(_) if self.outcome == Outcome::Refused => vec![Count::WakeFailed],
            IdleDecision::Nap(_) if self.outcome == Outcome::Stopped => vec![Count::Naps],
            IdleDecision::Keep(KeepReason::FailoverOff { .. }) => vec![Count::FailoverOff],
            IdleDecision::Keep(KeepReason::NoData { .. }) => vec![Count::NoData],
            _ => Vec::new(),
        };
        if matches!(
            self.decision,
            IdleDecision::Nap(NapReason::Sick { .. }) | IdleDecision::Keep(KeepReason::Sick { .. })
        ) {
            counts.push(Count::Sick);
        }
        if self.steer_failed {
            counts.push(Count::SteerFailed);
        }
        if self.strands {
            counts.push(Count::FailoverOff);
        }
        // A refusal that says why the instance cannot be stopped is a reason, and no failure.
        if (self.naps() || self.wakes()) && self.outcome == Outcome::Refused {
            counts.push(Count::TickFailed);
        }
        counts
    }
}

/// What so many minutes cost, to the hundredth of a cent.
fn cost(minutes: i64, hourly_price: f64) -> f64 {
    (minutes as f64 / 60.0 * hourly_price * 1e4).round() / 1e4
}

/// What a tick did, in numbers.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Totals {
    /// Targets looked at.
    pub targets: usize,
    /// Started, or to be started in a dry run.
    pub woken: usize,
    /// Stopped, or to be stopped in a dry run.
    pub napped: usize,
    /// Kept awake.
    pub kept: usize,
    /// Not running.
    pub skipped: usize,
    /// To be started or stopped, but AWS did not take it.
    pub failed: usize,
    /// To be started or stopped, and left for the next tick.
    pub postponed: usize,
    /// Nothing was really stopped.
    pub dry_run: bool,
}

/// What a tick did.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// In numbers.
    #[serde(flatten)]
    pub totals: Totals,
    /// One record a target, those that were to be stopped first: up to 500 of them, the log has all.
    pub records: Vec<Report>,
    /// How many records are in the log alone.
    pub more_records: usize,
}

/// Records in a summary. A Lambda may answer with 6 MB, and a refusal of IAM makes a record of some kilobytes.
const RECORDS: usize = 500;

impl Summary {
    pub(crate) fn of(mut records: Vec<Report>, dry_run: bool) -> Self {
        let count = |matches: fn(&Report) -> bool| records.iter().filter(|report| matches(report)).count();
        let totals = Totals {
            targets: records.len(),
            woken: count(|it| it.wakes() && matches!(it.outcome, Outcome::Started | Outcome::DryRun)),
            napped: count(|it| it.naps() && matches!(it.outcome, Outcome::Stopped | Outcome::DryRun)),
            kept: count(|it| matches!(it.decision, IdleDecision::Keep(_))),
            skipped: count(|it| matches!(it.decision, IdleDecision::Skip(_))),
            failed: count(|it| (it.naps() || it.wakes()) && it.outcome == Outcome::Refused),
            postponed: count(|it| it.outcome == Outcome::Postponed),
            dry_run,
        };
        records.truncate(RECORDS);
        Self { totals, more_records: totals.targets - records.len(), records }
    }
}

/// A call that failed, and with it a part of the tick.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    level: &'static str,
    message: String,
}

impl Failure {
    pub(crate) fn of(error: &CloudError) -> Self {
        Self { level: "ERROR", message: error.to_string() }
    }
}
