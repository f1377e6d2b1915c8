//! Route 53: the zone, the records of the app's name, the health check.

use aws_sdk_route53::types::{ResourceRecordSet, ResourceRecordSetFailover, RrType};
use chrono::{TimeDelta, Utc};
use shared::cloud::Cloud;
use shared::model::HostName;
use shared::steer::Stance;

use super::{Account, is, of_port, unread};
use crate::doctor::{Alias, Check, Failover, Read, Record, Zone};

/// How old an observation of a checker may be: they check each half minute at most.
const OBSERVED_WITHIN: TimeDelta = TimeDelta::minutes(3);

impl Account {
    /// The public zone with the longest name that the host's ends in; of two of one name the one that is `known`.
    pub(super) async fn zone(&self, host: &str, known: Option<&str>) -> Read<Option<Zone>> {
        const OPERATION: &str = "route53:ListHostedZones";
        let mut best: Option<Zone> = None;
        let mut marker = None;
        loop {
            let page = self.route53.list_hosted_zones().set_marker(marker).send().await;
            let page = page.map_err(|error| unread(OPERATION, &error))?;
            for zone in page.hosted_zones() {
                let name = zone.name().trim_end_matches('.').to_ascii_lowercase();
                let holds = host == name || host.ends_with(&format!(".{name}"));
                let is_public = !zone.config().is_some_and(|config| config.private_zone());
                let id = zone.id().trim_start_matches("/hostedzone/");
                let rank = |id: &str, name: &str| (name.len(), Some(id) == known);
                let is_better = best.as_ref().is_none_or(|best| rank(&best.id, &best.name) < rank(id, &name));
                if holds && is_public && is_better {
                    best = Some(Zone { id: id.into(), name });
                }
            }
            marker = page.next_marker().map(Into::into);
            if marker.is_none() {
                return Ok(best);
            }
        }
    }

    /// The records of this very name that decide where visitors go.
    pub(super) async fn records(&self, zone: &str, host: &HostName) -> Read<Vec<Record>> {
        let sets = self.sets(zone, host.as_str(), None).await?;
        let of_host = sets.iter().filter(|set| same_name(set.name(), host.as_str()));
        let leads = |set: &&ResourceRecordSet| matches!(set.r#type(), RrType::A | RrType::Aaaa | RrType::Cname);
        Ok(of_host.filter(leads).map(record).collect())
    }

    /// Whether the zone has a CNAME of this name.
    pub(super) async fn has_cname(&self, zone: &str, name: &str) -> Read<bool> {
        let sets = self.sets(zone, name, Some(RrType::Cname)).await?;
        Ok(sets.iter().any(|set| same_name(set.name(), name) && *set.r#type() == RrType::Cname))
    }

    /// Whether the zone leaves a part of itself that holds this name to other name servers.
    pub(super) async fn is_delegated(&self, zone: &Zone, name: &str) -> Read<bool> {
        let mut part = name;
        while let Some((_, parent)) = part.split_once('.') {
            if parent.len() <= zone.name.len() {
                break;
            }
            let sets = self.sets(&zone.id, parent, Some(RrType::Ns)).await?;
            if sets.iter().any(|set| same_name(set.name(), parent) && *set.r#type() == RrType::Ns) {
                return Ok(true);
            }
            part = parent;
        }
        Ok(false)
    }

    /// A page of the zone's records that begins with those of `name`: they are fewer than a page holds.
    async fn sets(&self, zone: &str, name: &str, kind: Option<RrType>) -> Read<Vec<ResourceRecordSet>> {
        let list = self.route53.list_resource_record_sets().hosted_zone_id(zone).start_record_name(name);
        let page = list.set_start_record_type(kind).send().await;
        let page = page.map_err(|error| unread("route53:ListResourceRecordSets", &error))?;
        Ok(page.resource_record_sets().to_vec())
    }

    /// A health check, if there is one of this id.
    pub(super) async fn check(&self, id: &str) -> Read<Option<Check>> {
        let answer = match self.route53.get_health_check().health_check_id(id).send().await {
            Ok(answer) => answer,
            Err(error) if is(&error, &["NoSuchHealthCheck"]) => return Ok(None),
            Err(error) => return Err(unread("route53:GetHealthCheck", &error)),
        };
        let Some(config) = answer.health_check().and_then(|check| check.health_check_config()) else {
            return Ok(None);
        };
        // For a hint alone: who may not ask does without.
        let healthy = match id.parse() {
            Ok(id) => self.cloud.is_healthy(&id, Utc::now() - OBSERVED_WITHIN).await.ok(),
            Err(_) => None,
        };
        let (disabled, inverted) = (config.disabled().unwrap_or(false), config.inverted().unwrap_or(false));
        // Whose doing it is cannot be told without the marks beside it.
        let stance = match id.parse() {
            _ if !disabled && !inverted => Stance::Checked,
            Ok(id) => self.cloud.steering(&id).await.map_err(|error| of_port(&error))?.stance(),
            Err(_) => Stance::ByHand,
        };
        Ok(Some(Check {
            id: id.into(),
            kind: config.r#type().as_str().into(),
            address: config.ip_address().and_then(|address| address.parse().ok()),
            name: config.fully_qualified_domain_name().map(Into::into),
            port: config.port().and_then(|port| u16::try_from(port).ok()),
            path: config.resource_path().map(Into::into),
            sni: config.enable_sni().unwrap_or(false),
            disabled,
            inverted,
            stance,
            healthy,
        }))
    }
}

/// Route 53 writes names with a dot at the end, and a wildcard's star as `\052`.
fn same_name(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

fn record(set: &ResourceRecordSet) -> Record {
    Record {
        kind: set.r#type().as_str().into(),
        set_identifier: set.set_identifier().map(Into::into),
        failover: match set.failover() {
            Some(ResourceRecordSetFailover::Primary) => Some(Failover::Primary),
            Some(ResourceRecordSetFailover::Secondary) => Some(Failover::Secondary),
            _ => None,
        },
        ttl: set.ttl(),
        values: set.resource_records().iter().map(|record| record.value().into()).collect(),
        alias: set.alias_target().map(|alias| Alias {
            name: alias.dns_name().trim_end_matches('.').to_ascii_lowercase(),
            zone: alias.hosted_zone_id().into(),
            evaluates_health: alias.evaluate_target_health(),
        }),
        health_check: set.health_check_id().map(Into::into),
    }
}
