//! The stack and its ticks: that the stopper is called, and what it goes by.

use chrono::TimeDelta;

use super::commands::{aws, deploy, sam, word};
use super::{Facts, Finding, Stack};

pub(super) fn stack(facts: &Facts) -> Option<Finding> {
    let stack = facts.stack.as_ref()?;
    let settled = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"];
    if settled.contains(&stack.status.as_str()) {
        return None;
    }
    Some(Finding::warning(
        "stack",
        format!("the stack {} is {}", stack.name, stack.status),
        "What it consists of may be half made or half gone.",
        vec![aws(facts, &format!("cloudformation describe-stack-events --stack-name {} --max-items 20", stack.name))],
    ))
}

pub(super) fn settings(facts: &Facts) -> Option<Finding> {
    let stack = facts.stack.as_ref()?;
    let error = stack.config.as_ref().err()?;
    Some(Finding::error(
        "settings",
        error.to_string(),
        "The functions stop at their start over a setting that they cannot read: nobody is woken, and nothing naps.",
        vec![format!("{} --guided", sam(facts, stack))],
    ))
}

pub(super) fn schedule(facts: &Facts) -> Option<Finding> {
    let stack = facts.stack.as_ref()?;
    if facts.schedule.as_ref().ok()?.is_some() {
        return None;
    }
    Some(Finding::error("schedule", "no schedule calls the stopper", "Nothing ever naps.", make_schedule(facts, stack)))
}

/// CloudFormation makes nothing anew that somebody has deleted, so it is made by hand, and under its old name, by
/// which the stack has it again.
fn make_schedule(facts: &Facts, stack: &Stack) -> Vec<String> {
    let names = format!(
        "cloudformation describe-stack-resources --stack-name {} --output text --query \
         \"StackResources[?starts_with(LogicalResourceId, 'StopperTick')].[LogicalResourceId, PhysicalResourceId]\"",
        stack.name
    );
    let function = stack.stopper.as_deref().unwrap_or("STOPPER_ARN");
    let role = match function.split(':').collect::<Vec<_>>().as_slice() {
        [_, partition, _, _, account, ..] => format!("arn:{partition}:iam::{account}:role/ROLE_NAME"),
        _ => "ROLE_ARN".into(),
    };
    // As template.yaml has it.
    let mut target = serde_json::json!({
        "Arn": function, "RoleArn": role,
        "RetryPolicy": {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 5},
    });
    if let Some(queue) = &stack.lost_ticks {
        target["DeadLetterConfig"] = serde_json::json!({"Arn": queue});
    }
    let expression = stack.parameters.get("Schedule").map_or("rate(1 hour)", String::as_str);
    let create = format!(
        "scheduler create-schedule --name SCHEDULE_NAME --schedule-expression {} \
         --flexible-time-window '{{\"Mode\":\"OFF\"}}' --target {}",
        word(expression),
        word(&target.to_string())
    );
    vec![
        aws(facts, &names),
        "# with what this prints for StopperTick as SCHEDULE_NAME, and for StopperTickRole as ROLE_NAME:".into(),
        aws(facts, &create),
    ]
}

pub(super) fn schedule_enabled(facts: &Facts) -> Option<Finding> {
    let schedule = facts.schedule.as_ref().ok()?.as_ref().filter(|schedule| !schedule.enabled)?;
    // EventBridge Scheduler has no call that only enables: an update replaces all, and what it does not name is lost.
    let all =
        [("name", &schedule.name), ("group-name", &schedule.group), ("schedule-expression", &schedule.expression)];
    let all = all.into_iter().chain(schedule.rest.iter().map(|(option, value)| (*option, value)));
    let all: String = all.map(|(option, value)| format!(" --{option} {}", word(value))).collect();
    Some(Finding::error(
        "schedule-enabled",
        format!("the schedule {} is disabled", schedule.name),
        "The stopper is not called: nothing naps.",
        vec![aws(facts, &format!("scheduler update-schedule --state ENABLED{all}"))],
    ))
}

pub(super) fn idle_minutes(facts: &Facts) -> Option<Finding> {
    let config = facts.config()?;
    let schedule = facts.schedule.as_ref().ok()?.as_ref()?;
    let idle = facts.overrides().map_or(config.policy.idle, |overrides| overrides.policy.idle);
    let period = period(&schedule.expression).filter(|period| idle < *period)?;
    Some(Finding::warning(
        "idle-minutes",
        format!(
            "IdleMinutes is {}, and the stopper looks every {} minutes ({})",
            idle.num_minutes(),
            period.num_minutes(),
            schedule.expression
        ),
        "An instance that has been idle for long enough runs on until the next look.",
        deploy(facts, &[("Schedule", "rate(5 minutes)")]).into_iter().collect(),
    ))
}

/// How often a rate comes (EventBridge Scheduler User Guide, "Schedule types"); none for a cron expression.
pub(crate) fn period(expression: &str) -> Option<TimeDelta> {
    let (value, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let value = value.parse().ok()?;
    match unit.trim_end_matches('s') {
        "minute" => TimeDelta::try_minutes(value),
        "hour" => TimeDelta::try_hours(value),
        "day" => TimeDelta::try_days(value),
        _ => None,
    }
}

pub(super) fn dry_run(facts: &Facts) -> Option<Finding> {
    let config = facts.stack.as_ref()?.config.as_ref().ok()?;
    config.dry_run.then(|| {
        Finding::warning(
            "dry-run",
            "DryRun is true",
            "Everything is decided and logged, and nothing is started or stopped.",
            deploy(facts, &[("DryRun", "false")]).into_iter().collect(),
        )
    })
}
