//! The stopper: observe → decide → act → report, for every target of a tick.

mod observe;
mod report;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use shared::cloud::Cloud;
use shared::config::Config;
use shared::idle::{self, IdleDecision, NapReason};
use shared::record::{self, Count, Sink};
use shared::trouble::CloudError;

use observe::{Checks, Target};
pub use report::{Outcome, Report, Summary, Totals};

/// What the stopper keeps between two ticks of a warm Lambda.
#[derive(Debug)]
pub struct Stopper<C, S> {
    config: Config,
    cloud: C,
    sink: S,
    checks: Mutex<Checks>,
}

impl<C: Cloud, S: Sink> Stopper<C, S> {
    /// Puts a stopper together. Asks nothing of anybody yet.
    pub fn new(config: Config, cloud: C, sink: S) -> Self {
        Self { config, cloud, sink, checks: Mutex::new(HashMap::new()) }
    }

    /// One tick: decides each target on its own, naps what is idle, and reports one record a target.
    ///
    /// # Errors
    /// When the targets cannot be listed, or their metrics cannot be read. Then Lambda tries the tick again,
    /// and the alarm on its errors rings. What is wrong with one target alone stands in that target's record.
    pub async fn tick(&self, now: DateTime<Utc>) -> Result<Summary, CloudError> {
        let (targets, metrics) = match self.observe(now).await {
            Ok(observed) => observed,
            Err(error) => {
                self.write(now, self.config.app_domain.as_str(), &[Count::TickFailed], &report::Failure::of(&error));
                return Err(error);
            }
        };
        let mut decided: Vec<_> =
            targets.into_iter().map(|target| (idle::decide(&target.facts(now)), target)).collect();
        // What a tick could not stop is still running at the next: the quietest first, so that none waits for ever.
        decided.sort_by_key(|(decision, _)| Reverse(quiet_seconds(decision)));
        let mut reports = Vec::with_capacity(decided.len());
        for (decision, target) in decided {
            let report = self.act(decision, target, now).await;
            self.write(now, &report.app, &report.counts(), &report);
            reports.push(report);
        }
        let summary = Summary::of(reports, self.config.dry_run);
        // A tick that finds nobody must be seen too: a tag was forgotten, or an instance deleted.
        self.write(now, self.config.app_domain.as_str(), &[], &summary.totals);
        metrics.map(|()| summary)
    }

    async fn act(&self, decision: IdleDecision, target: Target, now: DateTime<Utc>) -> Report {
        if matches!(decision, IdleDecision::Keep(_) | IdleDecision::Skip(_)) {
            return Report::new(decision, Outcome::Left, None, target, now);
        }
        if self.config.dry_run {
            return Report::new(decision, Outcome::DryRun, None, target, now);
        }
        if let IdleDecision::Wake(_) = decision {
            return match self.cloud.start(&target.instance.id).await {
                Ok(()) => Report::new(decision, Outcome::Started, None, target, now),
                Err(error) => Report::new(decision, Outcome::Refused, Some(error), target, now),
            };
        }
        match self.cloud.stop(&target.instance.id).await {
            Ok(()) => Report::new(decision, Outcome::Stopped, None, target, now),
            Err(error) => {
                let decision = idle::after_refused_stop(error.trouble).map_or(decision, IdleDecision::Keep);
                Report::new(decision, Outcome::Refused, Some(error), target, now)
            }
        }
    }

    fn write(&self, now: DateTime<Utc>, app: &str, counts: &[Count], fields: &impl serde::Serialize) {
        if let Ok(line) = record::line(now, app, counts, fields) {
            self.sink.take(line);
        }
    }
}

fn quiet_seconds(decision: &IdleDecision) -> i64 {
    match decision {
        IdleDecision::Nap(NapReason::Idle { quiet, .. }) => quiet.num_seconds(),
        // Someone counts on a window's beginning: first of all.
        IdleDecision::Nap(NapReason::Sick { .. }) | IdleDecision::Wake(_) => i64::MAX,
        _ => -1,
    }
}
