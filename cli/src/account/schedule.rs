//! EventBridge Scheduler: what calls the stopper.

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
        }))
    }
}
