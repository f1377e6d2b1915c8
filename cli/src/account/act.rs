//! What the command line does to an instance.

use std::time::Duration;

use aws_sdk_ec2::types::Tag;
use chrono::{DateTime, Utc};
use shared::cloud::{Cloud, Metric, Targets};
use shared::config::{self, Config};
use shared::idle::IdleDecision;
use shared::model::{HostName, Instance, InstanceState};
use shared::overrides::{Overrides, overrides};
use shared::record::Sink;
use stopper::{Report, Stopper};
use tokio::time::Instant;

use super::{Account, SetUp, SetUpError, of_port, unread};
use crate::doctor::{Failover, Read, Record, not_of_fleet};
use crate::status::{Status, month, month_of};
use crate::terminal::talk;
use crate::verbs::TagChange;

/// How long a look at the targets may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether an instance has stopped.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// Nobody reads the records of a stopper that is only asked.
#[derive(Debug, Clone, Copy)]
struct Nowhere;

impl Sink for Nowhere {
    fn take(&self, _line: String) {}
}

impl Account {
    /// What a set-up made by hand does not say itself: its health check and its instance. Whoever does not decide by
    /// the health check does without where Route 53 may not be asked and the instance is known all the same.
    pub(crate) async fn locate(&self, mut set_up: SetUp, decides: bool) -> Result<SetUp, SetUpError> {
        if set_up.stack.is_some() {
            return Ok(set_up);
        }
        let is_known =
            set_up.instance.is_some() || !self.carriers(&set_up).await.map_err(SetUpError::Unread)?.own.is_empty();
        let primary = match self.primary(&set_up.host).await {
            Ok(Some(primary)) => primary,
            Ok(None) => return Ok(set_up),
            Err(_) if is_known && !decides => return Ok(set_up),
            Err(unread) => return Err(SetUpError::Unread(unread)),
        };
        if !is_known && let Some(address) = primary.values.first() {
            set_up.instance = self.instance_at(address).await.map_err(SetUpError::Unread)?;
        }
        set_up.health_check = primary.health_check;
        Ok(set_up)
    }

    /// The primary record of the name.
    async fn primary(&self, host: &HostName) -> Read<Option<Record>> {
        let Some(zone) = self.zone(host.as_str(), None).await? else { return Ok(None) };
        let records = self.records(&zone.id, host).await?;
        Ok(records.into_iter().find(|it| it.failover == Some(Failover::Primary)))
    }

    /// The one instance behind the name, and what its tags say.
    pub(crate) async fn instance(&self, set_up: &SetUp) -> Result<(Instance, Overrides), SetUpError> {
        let targets = match &set_up.instance {
            Some(id) => Targets::One(id.clone()),
            None => Targets::Host(set_up.host.clone()),
        };
        let found = self.cloud.instances(&targets).await.map_err(|error| SetUpError::Unread(of_port(&error)))?;
        let config = set_up.config()?;
        let found = found.into_iter().filter(|instance| !instance.state.is_gone());
        // Where the stack goes by tags an instance is acted on under no other name than it carries.
        let tag = |it: &Instance| config::APP_DOMAIN.tag.and_then(|tag| it.tags.get(tag)).cloned();
        let has_name = |it: &Instance| config.instance_id.is_some() || tag(it).as_deref() == Some(set_up.host.as_str());
        let (mut found, others): (Vec<_>, Vec<_>) =
            found.partition(|it| set_up.stack.is_none() || (config.is_for(it) && has_name(it)));
        match (found.pop(), found.len()) {
            (Some(instance), 0) => {
                let is_stacks_own = set_up.host == config.app_domain;
                let overrides = overrides(&config, &instance, is_stacks_own, Utc::now());
                Ok((instance, overrides))
            }
            (None, _) => Err(match others.into_iter().next() {
                Some(other) => {
                    let why = if has_name(&other) {
                        not_of_fleet(config.fleet.as_deref())
                    } else {
                        format!("it lacks the tag catnap:host={}", set_up.host)
                    };
                    SetUpError::NotFound { instance: other.id, why }
                }
                None => SetUpError::NoInstance(set_up.host.clone()),
            }),
            (Some(_), others) => Err(SetUpError::Instances(set_up.host.clone(), others + 1)),
        }
    }

    /// What the stopper would decide now of each of its targets, by its own observation and its own decision.
    pub(crate) async fn reports(&self, set_up: &SetUp, now: DateTime<Utc>) -> Result<Vec<Report>, SetUpError> {
        let config = Config { dry_run: true, ..set_up.config()? };
        let stopper = Stopper::new(config, self.cloud.clone(), Nowhere);
        let summary = stopper.tick(now, Instant::now() + PATIENCE).await;
        let summary = summary.map_err(|error| SetUpError::Unread(of_port(&error)))?;
        if summary.more_records > 0 {
            talk(&format!("{} more are in the stopper's log alone", summary.more_records));
        }
        let mut reports = summary.records;
        if set_up.is_one_app {
            reports.retain(|report| report.app == set_up.host.as_str());
        }
        if let Some(id) = &set_up.instance {
            reports.retain(|report| report.instance == *id);
        }
        reports.sort_by(|one, other| one.app.cmp(&other.app));
        Ok(reports)
    }

    /// What the stopper would decide of the one app.
    pub(crate) async fn decision(&self, set_up: &SetUp, now: DateTime<Utc>) -> Result<Report, SetUpError> {
        let mut reports = self.reports(set_up, now).await?;
        // Of all that the stack serves.
        reports.retain(|report| report.app == set_up.host.as_str());
        match (reports.pop(), reports.len()) {
            (Some(report), 0) => Ok(report),
            (None, _) => Err(SetUpError::NoInstance(set_up.host.clone())),
            (Some(_), others) => Err(SetUpError::Instances(set_up.host.clone(), others + 1)),
        }
    }

    pub(crate) async fn status(&self, set_up: &SetUp, now: DateTime<Utc>) -> Result<Vec<Status>, SetUpError> {
        let config = set_up.config()?;
        let reports = self.reports(set_up, now).await?;
        let (_, from) = month_of(now);
        // Of five minutes each, under detailed monitoring as well: those of one minute are kept for 15 days only
        // (CloudWatch User Guide, "Metrics retention").
        let metrics: Vec<_> = reports
            .iter()
            .map(|report| Metric::NetworkIn {
                instance: report.instance.clone(),
                period: chrono::TimeDelta::minutes(5),
            })
            .collect();
        let mut all = Vec::new();
        // A month is up to 13,000 datapoints of each.
        let mut series = Vec::new();
        for some in metrics.chunks(7) {
            series.extend(self.cloud.metrics(some, from, now).await.unwrap_or_else(|_| vec![None; some.len()]));
        }
        for (report, series) in reports.into_iter().zip(series) {
            let active = match (&report.decision, &report.knowledge) {
                (IdleDecision::Keep(_) | IdleDecision::Nap(_), Some(knowledge)) => Some(knowledge.quiet_since),
                _ => None,
            };
            all.push(Status {
                since: match report.state {
                    InstanceState::Running | InstanceState::Pending => Some(report.launched_at),
                    _ => report.asleep_since,
                },
                last_activity: active.filter(|at| *at > report.launched_at),
                month: series.and_then(|series| month(&series, now, config.hourly_price)),
                warnings: report.warnings.into_iter().chain(report.error).collect(),
                app: report.app,
                instance: report.instance,
                state: report.state,
                decision: report.decision,
                outlook: report.outlook,
                dry_run: config.dry_run,
                led: report.led,
            });
        }
        Ok(all)
    }

    pub(crate) async fn start(&self, instance: &Instance) -> Result<(), SetUpError> {
        self.cloud.start(&instance.id).await.map_err(|error| SetUpError::Unread(of_port(&error)))
    }

    /// Waits until it has stopped, and starts it.
    pub(crate) async fn start_once_stopped(&self, set_up: &SetUp, instance: &Instance) -> Result<(), SetUpError> {
        while self.instance(set_up).await?.0.state == InstanceState::Stopping {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.start(instance).await
    }

    pub(crate) async fn stop(&self, instance: &shared::model::InstanceId) -> Result<(), SetUpError> {
        self.cloud.stop(instance).await.map_err(|error| SetUpError::Unread(of_port(&error)))
    }

    pub(crate) async fn change_tag(&self, instance: &Instance, change: &TagChange) -> Result<(), SetUpError> {
        let tag = Tag::builder().key(change.key).set_value(change.value.clone()).build();
        let id = instance.id.as_str();
        let done = if change.value.is_some() {
            let sent = self.ec2.create_tags().resources(id).tags(tag).send().await;
            sent.map(drop).map_err(|error| unread("ec2:CreateTags", &error))
        } else {
            let sent = self.ec2.delete_tags().resources(id).tags(tag).send().await;
            sent.map(drop).map_err(|error| unread("ec2:DeleteTags", &error))
        };
        done.map_err(SetUpError::Unread)
    }
}
