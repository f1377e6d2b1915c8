//! The stopper: observe → decide → act → report, for every target of a tick.

mod batch;
mod lead;
mod observe;
mod pace;
mod read;
mod report;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use shared::cloud::{Cloud, Targets};
use shared::config::Config;
use shared::idle::{self, IdleDecision, NapReason};
use shared::model::InstanceId;
use shared::record::{self, Count, Sink};
use shared::trouble::{CloudError, Trouble};
use tokio::time::Instant;

use lead::Way;
use observe::{Observed, Target};
use pace::{Bucket, Budget};
pub use report::{Outcome, Report, Summary, Totals};

/// Calls that start or stop an instance at a time: one that is throttled waits, and holds up none of the others.
const CALLS_IN_FLIGHT: usize = 8;
/// How often a start is sent that EC2 throttles.
const STARTS_IF_THROTTLED: usize = 3;

/// What the stopper keeps between two ticks of a warm Lambda.
#[derive(Debug)]
pub struct Stopper<C, S> {
    config: Config,
    cloud: C,
    sink: S,
    buckets: Buckets,
    /// What EC2 did not stop at an earlier tick.
    refused: Mutex<HashSet<InstanceId>>,
}

/// The account's buckets, each with something left for others.
#[derive(Debug)]
struct Buckets {
    /// StartInstances: EC2's holds 5 calls and is refilled by 2 a second, and visitors need them too.
    starts: Bucket,
    /// StopInstances: EC2's holds 50 calls and is refilled by 5 a second (EC2 API Reference, "Request throttling").
    stops: Bucket,
    /// Datapoints of GetMetricData: CloudWatch gives 180,000 a second of the last three hours, and of earlier ones
    /// 90,000 or more (CloudWatch User Guide, "Service quotas"). One full call is 100,800.
    datapoints: Bucket,
    /// Route 53 takes 5 calls a second in all from an account (Route 53 Developer Guide, "Quotas").
    route53: Bucket,
}

/// What all acts of one tick go by.
#[derive(Debug)]
struct Tick {
    now: DateTime<Utc>,
    budget: Budget,
    /// No target is missing from the list.
    list_is_whole: bool,
}

impl<C: Cloud, S: Sink> Stopper<C, S> {
    /// Puts a stopper together. Asks nothing of anybody yet.
    pub fn new(config: Config, cloud: C, sink: S) -> Self {
        let buckets = Buckets {
            starts: Bucket::new(2.0, 1.0),
            stops: Bucket::new(40.0, 4.0),
            datapoints: Bucket::new(100_800.0, 80_000.0),
            route53: Bucket::new(2.0, 2.0),
        };
        Self { config, cloud, sink, buckets, refused: Mutex::default() }
    }

    /// One tick, cut off at `deadline`: decides each target on its own, naps what is idle, wakes what a window wants,
    /// and reports one record a target. What there is no time for is left to the next tick.
    ///
    /// # Errors
    /// When a call failed that more than one target depends on, after all others have been decided and napped.
    /// Then Lambda tries the tick again, and the alarm on its errors rings. What is wrong with one target alone
    /// stands in that target's record.
    pub async fn tick(&self, now: DateTime<Utc>, deadline: Instant) -> Result<Summary, CloudError> {
        let budget = Budget::until(deadline);
        let Observed { targets, failures, whole } = self.observe(now, &budget).await;
        let tick = Tick { now, budget, list_is_whole: whole };
        let decided = targets.into_iter().map(|target| (idle::decide(&target.facts(now)), target));
        let (mut naps, others): (Vec<_>, Vec<_>) =
            decided.partition(|(decision, _)| matches!(decision, IdleDecision::Nap(_)));
        let (wakes, kept): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(decision, _)| matches!(decision, IdleDecision::Wake(_)));
        let mut left = Vec::with_capacity(kept.len());
        for (decision, target) in kept {
            let report = self.leave(decision, target, &tick).await;
            self.write(now, &report.app, &report.counts(), &report);
            left.push(report);
        }
        self.sort(&mut naps);
        let act = |(decision, target)| self.act(decision, target, &tick);
        let in_flight = |acts| stream::iter(acts).map(act).buffer_unordered(CALLS_IN_FLIGHT);
        // Side by side: starts are slow, and a morning's windows must not hold up the stops.
        let mut calls = stream::select(in_flight(wakes), in_flight(naps));
        let mut reports = Vec::new();
        while let Some(report) = calls.next().await {
            self.write(now, &report.app, &report.counts(), &report);
            reports.push(report);
        }
        self.remember_refused(&reports);
        reports.extend(left);
        let summary = Summary::of(reports, self.config.dry_run);
        // A tick that finds nobody must be seen too: a tag was forgotten, or an instance deleted.
        self.write(now, self.config.app_domain.as_str(), &[], &summary.totals);
        for error in &failures {
            self.write(now, self.config.app_domain.as_str(), &[Count::TickFailed], &report::Failure::of(error));
        }
        failures.into_iter().next().map_or(Ok(summary), Err)
    }

    /// What a tick has no time to stop is still running at the next: the quietest first, so that none waits for
    /// ever. What EC2 refused to stop is the quietest of all at every tick, and must not use up the others' time.
    fn sort(&self, naps: &mut [(IdleDecision, Target)]) {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        naps.sort_by_cached_key(|(decision, target)| {
            (refused.contains(&target.instance.id), Reverse(quiet_seconds(decision)))
        });
    }

    /// Whether EC2 did not stop it at an earlier tick.
    fn was_refused(&self, id: &InstanceId) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    fn remember_refused(&self, reports: &[Report]) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let again = reports.iter().filter(|report| match report.outcome {
            Outcome::Refused => report.stop_refused,
            Outcome::Postponed => refused.contains(&report.instance),
            _ => false,
        });
        *refused = again.map(|report| report.instance.clone()).collect();
    }

    async fn act(&self, decision: IdleDecision, target: Target, tick: &Tick) -> Report {
        if self.config.dry_run {
            return self.report(decision, Outcome::DryRun, None, target, tick.now);
        }
        match decision {
            IdleDecision::Wake(_) => self.wake(decision, target, tick).await,
            _ => self.nap(decision, target, tick).await,
        }
    }

    async fn wake(&self, decision: IdleDecision, target: Target, tick: &Tick) -> Report {
        let (mut outcome, mut error) = (Outcome::Postponed, None);
        // The next tick may be an hour away, and a window begins now.
        for _ in 0..STARTS_IF_THROTTLED {
            if !self.buckets.starts.take(1.0, tick.budget.stop_until).await {
                break;
            }
            let started = self.cloud.start(&target.instance.id).await;
            outcome = if started.is_ok() { Outcome::Started } else { Outcome::Refused };
            error = started.err();
            if !error.as_ref().is_some_and(|error| error.trouble == Trouble::Throttled) {
                break;
            }
        }
        self.report(decision, outcome, error, target, tick.now)
    }

    async fn nap(&self, decision: IdleDecision, target: Target, tick: &Tick) -> Report {
        let (decision, outcome, error) = self.try_nap(decision, &target, tick).await;
        self.report(decision, outcome, error, target, tick.now)
    }

    /// Naps an idle instance if its name is its own and its visitors have been led away: what came of it, and by what
    /// decision.
    async fn try_nap(
        &self,
        decision: IdleDecision,
        target: &Target,
        tick: &Tick,
    ) -> (IdleDecision, Outcome, Option<CloudError>) {
        if !self.buckets.stops.take(1.0, tick.budget.stop_until).await {
            return (decision, Outcome::Postponed, None);
        }
        // One that was not listed may carry the same name, and then no visitor could wake either.
        if !tick.list_is_whole {
            match self.carriers(target).await.map(idle::after_counting_names) {
                Ok(None) => {}
                Ok(Some(reason)) => {
                    let error = self.mend(target, tick).await.err();
                    return (IdleDecision::Keep(reason), Outcome::Left, error);
                }
                Err(error) => return (decision, Outcome::Postponed, Some(error)),
            }
        }
        let unled = match self.drain(&decision, target, tick).await {
            Ok(Way::Clear) => None,
            Ok(Way::Unled(error)) => Some(error),
            Ok(Way::Draining) => return (decision, Outcome::Draining, None),
            Ok(Way::Kept(reason, error)) => return (IdleDecision::Keep(reason), Outcome::Left, error),
            Err(error) => return (decision, Outcome::Refused, Some(error)),
        };
        match self.cloud.stop(&target.instance.id).await {
            Ok(()) => (decision, Outcome::Stopped, unled),
            Err(error) => {
                let decision = idle::after_refused_stop(error.trouble).map_or(decision, IdleDecision::Keep);
                // Should that fail, the next tick puts it right.
                let _ = self.reopen(target, tick).await;
                (decision, Outcome::Refused, Some(error))
            }
        }
    }

    fn report(
        &self,
        decision: IdleDecision,
        outcome: Outcome,
        error: Option<CloudError>,
        target: Target,
        now: DateTime<Utc>,
    ) -> Report {
        Report::new(decision, outcome, error, target, (now, self.config.hourly_price))
    }

    /// How many instances the starter would find by the target's name.
    async fn carriers(&self, target: &Target) -> Result<usize, CloudError> {
        let (None, Some(host)) = (&self.config.instance_id, &target.host) else { return Ok(1) };
        let found = self.cloud.instances(&Targets::Host(host.clone())).await?;
        Ok(found.iter().filter(|instance| !instance.state.is_gone() && self.config.is_for(instance)).count())
    }

    fn write(&self, now: DateTime<Utc>, app: &str, counts: &[Count], fields: &impl serde::Serialize) {
        if let Ok(line) = record::line(now, self.config.app_domain.as_str(), app, counts, fields) {
            self.sink.take(line);
        }
    }
}

fn quiet_seconds(decision: &IdleDecision) -> i64 {
    match decision {
        IdleDecision::Nap(NapReason::Idle { quiet, .. }) => quiet.num_seconds(),
        _ => i64::MAX,
    }
}
