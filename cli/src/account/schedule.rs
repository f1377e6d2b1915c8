//! EventBridge Scheduler: what calls the stopper.

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::primitives::DateTime;
use aws_sdk_scheduler::types::Target;
use serde_json::{Value, json};

use super::{Account, unread};
use crate::doctor::{Read, Schedule};

impl Account {
    /// The schedule whose target is this function, by its name.
    pub(super) async fn schedule(&self, function: &str) -> Read<Option<Schedule>> {
        let client = aws_sdk_scheduler::Client::new(&self.config);
        let suffix = format!(":function:{function}");
        let mut pages = client.list_schedules().into_paginator().items().send();
        let found = loop {
            let Some(summary) = pages.next().await else { return Ok(None) };
            let summary = summary.map_err(|error| unread("scheduler:ListSchedules", &error))?;
            if summary.target().is_some_and(|target| target.arn().ends_with(&suffix)) {
                break summary;
            }
        };
        let get = client.get_schedule().set_name(found.name().map(Into::into));
        let schedule = get.set_group_name(found.group_name().map(Into::into)).send().await;
        let schedule = schedule.map_err(|error| unread("scheduler:GetSchedule", &error))?;
        Ok(Some(Schedule {
            name: schedule.name().unwrap_or_default().into(),
            group: schedule.group_name().unwrap_or_default().into(),
            enabled: schedule.state().is_none_or(|state| state.as_str() == "ENABLED"),
            expression: schedule.schedule_expression().unwrap_or_default().into(),
            rest: rest(&schedule),
        }))
    }
}

/// What an update has to name beside: by its options, as the AWS CLI takes them.
fn rest(schedule: &GetScheduleOutput) -> Vec<(&'static str, String)> {
    let time = |time: Option<&DateTime>| chrono::DateTime::from_timestamp(time?.secs(), 0).map(|it| it.to_rfc3339());
    let window = schedule.flexible_time_window().map(|window| {
        let mut json = json!({"Mode": window.mode().as_str()});
        put(&mut json, "MaximumWindowInMinutes", window.maximum_window_in_minutes());
        json.to_string()
    });
    let all = [
        ("flexible-time-window", window),
        ("target", schedule.target().map(|target| of_target(target).to_string())),
        ("schedule-expression-timezone", schedule.schedule_expression_timezone().map(Into::into)),
        ("description", schedule.description().filter(|text| !text.is_empty()).map(Into::into)),
        ("start-date", time(schedule.start_date())),
        ("end-date", time(schedule.end_date())),
        ("kms-key-arn", schedule.kms_key_arn().map(Into::into)),
        ("action-after-completion", schedule.action_after_completion().map(|it| it.as_str().into())),
    ];
    all.into_iter().filter_map(|(option, value)| Some((option, value?))).collect()
}

/// A target that is a function: those of other services have more.
fn of_target(target: &Target) -> Value {
    let mut json = json!({"Arn": target.arn(), "RoleArn": target.role_arn()});
    put(&mut json, "Input", target.input());
    if let Some(policy) = target.retry_policy() {
        json["RetryPolicy"] = json!({});
        put(&mut json["RetryPolicy"], "MaximumEventAgeInSeconds", policy.maximum_event_age_in_seconds());
        put(&mut json["RetryPolicy"], "MaximumRetryAttempts", policy.maximum_retry_attempts());
    }
    if let Some(queue) = target.dead_letter_config().and_then(|it| it.arn()) {
        json["DeadLetterConfig"] = json!({"Arn": queue});
    }
    json
}

fn put(json: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        json[name] = value.into();
    }
}
