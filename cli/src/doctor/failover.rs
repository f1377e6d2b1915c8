//! The name: one hosted zone, and in it two A records that share it.

use super::commands::{LONGEST_TTL, aws, delete, primary_record, replace, upsert, upsert_primary};
use super::health;
use super::{Alias, Facts, Failover, Finding, Record};

pub(super) fn zone(facts: &Facts) -> Option<Finding> {
    if facts.zone.as_ref().ok()?.is_some() {
        return None;
    }
    // A name of two labels is the zone's own: nobody has a zone of all that ends in net.
    let host = facts.host.as_str();
    let parent = host.split_once('.').map(|(_, parent)| parent).filter(|parent| parent.contains('.')).unwrap_or(host);
    Some(Finding::error(
        "zone",
        format!("no public hosted zone of this account holds {}", facts.host),
        "Failover is a feature of Route 53: with another DNS service nobody is sent to the starter.",
        vec![
            aws(facts, &format!("route53 create-hosted-zone --name {parent} --caller-reference catnap-{parent}")),
            format!("# and name its four name servers where {parent} is registered"),
        ],
    ))
}

pub(super) fn cname(facts: &Facts) -> Option<Finding> {
    let record = facts.records.as_ref().ok()?.iter().find(|record| record.kind == "CNAME")?;
    Some(Finding::error(
        "cname",
        format!("{} is a CNAME to {}", facts.host, record.values.join(", ")),
        "Route 53 pairs no A record with a CNAME: both halves of the failover have to be A records, the secondary an \
         alias.",
        pair_instead(facts, record),
    ))
}

pub(super) fn aaaa(facts: &Facts) -> Option<Finding> {
    let record = facts.records.as_ref().ok()?.iter().find(|record| record.kind == "AAAA")?;
    Some(Finding::error(
        "aaaa",
        format!("{} has an AAAA record", facts.host),
        "Who has IPv6 goes there, asleep or not: the failover is between the two A records.",
        vec![delete(facts, record)],
    ))
}

pub(super) fn other_routing(facts: &Facts) -> Option<Finding> {
    let records = facts.records.as_ref().ok()?;
    let record = records.iter().find(|record| record.kind == "A" && record.failover.is_none())?;
    let kind = if record.set_identifier.is_some() { "routed by something else than failover" } else { "a simple one" };
    Some(Finding::error(
        "other-routing",
        format!("the A record {} is {kind}", record.set_identifier.as_deref().unwrap_or(facts.host.as_str())),
        "Visitors go there whether the instance is awake or not. Failover takes two A records, and no other beside \
         them.",
        pair_instead(facts, record),
    ))
}

/// Both halves of the failover in the place of what is there, with a health check that has to be made before.
fn pair_instead(facts: &Facts, record: &Record) -> Vec<String> {
    let (mut mend, check) = match facts.check() {
        Some(check) => (Vec::new(), check.id.as_str()),
        None => (health::make(facts).to_vec(), "HEALTH_CHECK_ID"),
    };
    mend.extend(replace(facts, record, &[primary_record(facts, check), starter_record(facts, None)]));
    mend
}

pub(super) fn primary(facts: &Facts) -> Option<Finding> {
    let records = facts.records.as_ref().ok()?;
    if has_another_trouble(records) || facts.half(Failover::Primary).is_some() || facts.zone().is_none() {
        return None;
    }
    let check = facts.check().map_or("HEALTH_CHECK_ID", |check| check.id.as_str());
    Some(Finding::error(
        "primary",
        format!("{} has no primary failover record", facts.host),
        "Nothing leads visitors to the instance, awake or not.",
        vec![upsert_primary(facts, check)],
    ))
}

pub(super) fn secondary(facts: &Facts) -> Option<Finding> {
    let records = facts.records.as_ref().ok()?;
    if has_another_trouble(records) || facts.half(Failover::Secondary).is_some() || facts.zone().is_none() {
        return None;
    }
    Some(Finding::error(
        "secondary",
        format!("{} has no secondary failover record", facts.host),
        "While the instance naps nobody is sent to the starter, so nobody can wake it.",
        vec![upsert(facts, &starter_record(facts, None))],
    ))
}

/// What is wrong is told once, by the record that is there instead.
fn has_another_trouble(records: &[Record]) -> bool {
    records.iter().any(|record| record.kind == "CNAME" || (record.kind == "A" && record.failover.is_none()))
}

/// The secondary record as it should be.
fn starter_record(facts: &Facts, is: Option<&Record>) -> Record {
    let domain = facts.domain();
    Record {
        kind: "A".into(),
        set_identifier: is.map_or_else(|| Some("starter".into()), |record| record.set_identifier.clone()),
        failover: Some(Failover::Secondary),
        ttl: None,
        values: Vec::new(),
        alias: Some(Alias {
            name: domain.map_or_else(|| "REGIONAL_DOMAIN_NAME".into(), |domain| domain.target.clone()),
            zone: domain.map_or_else(|| "REGIONAL_HOSTED_ZONE_ID".into(), |domain| domain.zone.clone()),
            evaluates_health: false,
        }),
        health_check: None,
    }
}

pub(super) fn primary_address(facts: &Facts) -> Option<Finding> {
    let (record, address) = (facts.half(Failover::Primary)?, facts.address()?.to_string());
    let is_own = |value: &String| facts.addresses().iter().any(|own| own.to_string() == *value);
    if !record.values.is_empty() && record.values.iter().all(is_own) {
        return None;
    }
    let leads_to = record.alias.as_ref().map_or_else(|| record.values.join(", "), |alias| alias.name.clone());
    let mended = Record {
        values: vec![address.clone()],
        ttl: Some(record.ttl.unwrap_or(LONGEST_TTL)),
        alias: None,
        ..record.clone()
    };
    Some(Finding::error(
        "primary-address",
        format!("the primary record leads to {leads_to}, and the instance is at {address}"),
        "Visitors of the woken app go somewhere else.",
        vec![upsert(facts, &mended)],
    ))
}

pub(super) fn time_to_live(facts: &Facts) -> Option<Finding> {
    let record = facts.half(Failover::Primary)?;
    let ttl = record.ttl.filter(|ttl| *ttl > LONGEST_TTL)?;
    Some(Finding::warning(
        "ttl",
        format!("resolvers keep the primary record for {ttl} seconds"),
        "So long after a nap visitors still go to the sleeping instance, and get no answer. 60 or less is what Route \
         53 advises for failover.",
        vec![upsert(facts, &Record { ttl: Some(LONGEST_TTL), ..record.clone() })],
    ))
}

pub(super) fn secondary_target(facts: &Facts) -> Option<Finding> {
    let (record, domain) = (facts.half(Failover::Secondary)?, facts.domain()?);
    let leads_to = record.alias.as_ref().map(|alias| alias.name.as_str());
    if leads_to == Some(domain.target.as_str()) {
        return None;
    }
    let leads_to = leads_to.map_or_else(|| record.values.join(", "), Into::into);
    Some(Finding::error(
        "secondary-target",
        format!("the secondary record leads to {leads_to}, and not to the custom domain's {}", domain.target),
        "API Gateway knows the app's name only at the custom domain's own regional name: elsewhere it answers 403 or \
         404, or nobody does.",
        vec![upsert(facts, &starter_record(facts, Some(record)))],
    ))
}

pub(super) fn secondary_health_check(facts: &Facts) -> Option<Finding> {
    let record = facts.half(Failover::Secondary)?;
    let evaluates = record.alias.as_ref().is_some_and(|alias| alias.evaluates_health);
    let what = match &record.health_check {
        Some(check) => format!("the secondary record has a health check, {check}"),
        None if evaluates => "the secondary record evaluates its target's health".into(),
        None => return None,
    };
    let alias = record.alias.clone().map(|alias| Alias { evaluates_health: false, ..alias });
    let mended = Record { health_check: None, alias, ..record.clone() };
    Some(Finding::error(
        "secondary-health-check",
        what,
        "The starter has to be what is always there. When both records are unhealthy, Route 53 treats both as healthy \
         and sends visitors to the sleeping instance.",
        vec![upsert(facts, &mended)],
    ))
}
