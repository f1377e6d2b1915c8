//! The stack and its ticks: that the stopper is called, and what it goes by.

use chrono::TimeDelta;
use shared::overrides;

use super::commands::{aws, deploy, sam};
use super::{Facts, Finding, Machine};

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
    Some(Finding::error(
        "schedule",
        "no schedule calls the stopper",
        "Nothing ever naps.",
        vec![sam(facts, stack), "# if that changes nothing, delete and deploy it anew".into()],
    ))
}

pub(super) fn schedule_enabled(facts: &Facts) -> Option<Finding> {
    let schedule = facts.schedule.as_ref().ok()?.as_ref().filter(|schedule| !schedule.enabled)?;
    // EventBridge Scheduler has no call that only enables: an update replaces all.
    let stack = facts.stack.as_ref().map_or("STACK", |stack| stack.name.as_str());
    Some(Finding::error(
        "schedule-enabled",
        format!("the schedule {} is disabled", schedule.name),
        "The stopper is not called: nothing naps.",
        vec![format!(
            "# enable {} in the console (EventBridge, Schedules, group {}), or deploy the stack {stack} anew",
            schedule.name, schedule.group
        )],
    ))
}

pub(super) fn idle_minutes(facts: &Facts) -> Option<Finding> {
    let config = facts.stack.as_ref()?.config.as_ref().ok()?;
    let schedule = facts.schedule.as_ref().ok()?.as_ref()?;
    let of_tag = |machine: &Machine| overrides::overrides(config, &machine.instance, true, facts.now).policy.idle;
    let idle = facts.machine().map_or(config.policy.idle, of_tag);
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
