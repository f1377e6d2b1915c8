//! `catnap doctor`: is a set-up right? A table of checks, each a small pure function from what was read to at most one
//! finding.

mod commands;
mod facts;
mod failover;
mod gateway;
mod health;
mod instance;
mod ports;
pub mod print;
mod ticks;

use std::collections::BTreeSet;

use serde::Serialize;

#[cfg(feature = "aws")]
pub(crate) use instance::not_of_fleet;
#[cfg(feature = "aws")]
pub(crate) use ticks::period;

pub use facts::{
    Alias, Certificate, Check, CustomerKey, Domain, Facts, Failover, Gate, Ingress, Machine, Mapping, Read, Record,
    Schedule, Source, Stack, Unread, Validation, Zone,
};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It costs something, or will one day.
    Warning,
    /// Catnap cannot do its work.
    Error,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check that found it.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// Why that matters.
    pub why: &'static str,
    /// The commands that mend it, in order; a line that begins with # is something to do by hand.
    pub mend: Vec<String>,
}

impl Finding {
    fn error(check: &'static str, what: impl Into<String>, why: &'static str, mend: Vec<String>) -> Self {
        Self { check, severity: Severity::Error, what: what.into(), why, mend }
    }

    fn warning(check: &'static str, what: impl Into<String>, why: &'static str, mend: Vec<String>) -> Self {
        Self { check, severity: Severity::Warning, what: what.into(), why, mend }
    }
}

/// One check. What it needs and was not read is not its matter: [`unread`] tells of that once.
type Examine = fn(&Facts) -> Option<Finding>;

/// All checks, in the order of their findings: from the name that a visitor types to the stop.
const CHECKS: &[Examine] = &[
    unread,
    failover::zone,
    failover::cname,
    failover::aaaa,
    failover::other_routing,
    failover::primary,
    failover::secondary,
    failover::primary_address,
    failover::time_to_live,
    failover::secondary_target,
    failover::secondary_health_check,
    health::missing,
    health::by_name,
    health::address,
    health::kind,
    health::disabled,
    health::inverted,
    health::steered,
    health::protocol,
    health::server_name,
    health::unhealthy,
    health::of_stopper,
    gateway::domain,
    gateway::regional,
    gateway::mapping,
    gateway::route,
    gateway::certificate_region,
    gateway::certificate_status,
    gateway::certificate_names,
    gateway::certificate_end,
    gateway::validation_record,
    gateway::answer,
    instance::missing,
    instance::carriers,
    instance::elastic_ip,
    instance::spot,
    instance::auto_scaling,
    instance::root_device,
    instance::stop_protection,
    instance::customer_keys,
    instance::failed_start,
    instance::tags,
    instance::hold,
    instance::monitoring,
    ports::health_port,
    ports::visitors,
    ticks::stack,
    ticks::settings,
    ticks::schedule,
    ticks::schedule_enabled,
    ticks::idle_minutes,
    ticks::dry_run,
];

/// How many checks there are.
#[must_use]
pub fn checks() -> usize {
    CHECKS.len()
}

/// Examines a set-up: what is wrong, from the name that a visitor types to the stop.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    CHECKS.iter().filter_map(|examine| examine(facts)).collect()
}

/// 0 when all is well, 1 for warnings where these count, 2 for errors, 3 when there may be some where it could not
/// look: what monitoring systems expect of a plug-in.
#[must_use]
pub fn exit_status(findings: &[Finding], strict: bool) -> u8 {
    match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Error) => 2,
        _ if findings.iter().any(|finding| finding.check == UNREAD) => 3,
        Some(Severity::Warning) if strict => 1,
        _ => 0,
    }
}

/// The check that tells of what could not be read.
const UNREAD: &str = "unread";

fn unread(facts: &Facts) -> Option<Finding> {
    let machine = facts.machine();
    let of_machine = |read: fn(&Machine) -> Option<&Unread>| machine.and_then(read);
    let all = [
        facts.zone.as_ref().err(),
        facts.records.as_ref().err(),
        facts.health_check.as_ref().err(),
        facts.stacks_check.as_ref().err(),
        facts.domain.as_ref().err(),
        facts.domain().and_then(|domain| domain.routes.as_ref().err()),
        facts.certificate.as_ref().err(),
        facts.carriers.as_ref().err(),
        facts.machine.as_ref().err(),
        of_machine(|it| it.elastic_ips.as_ref().err()),
        of_machine(|it| it.stop_protection.as_ref().err()),
        of_machine(|it| it.ingress.as_ref().err()),
        of_machine(|it| it.checkers.as_ref().err()),
        of_machine(|it| it.customer_keys.as_ref().err()),
        facts.schedule.as_ref().err(),
    ];
    let mut told = BTreeSet::new();
    let all: Vec<_> = all.into_iter().flatten().filter(|unread| told.insert(&unread.operation)).collect();
    let first = all.first()?;
    let operations: Vec<_> = all.iter().map(|unread| unread.operation.as_str()).collect();
    Some(Finding::warning(
        UNREAD,
        format!("{} could not be called: {}", operations.join(", "), first.message),
        "What it would have told is not checked.",
        vec![format!("# let whoever runs this do: {}", operations.join(", "))],
    ))
}

#[cfg(test)]
mod tests;
