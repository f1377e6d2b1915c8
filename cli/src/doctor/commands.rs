//! Commands that mend, as they are typed: each word quoted where a shell would take it apart.

use serde_json::{Value, json};

use super::{Facts, Failover, Record};

/// The longest that resolvers may keep the instance's address, in seconds: it adds to each handover.
pub(super) const LONGEST_TTL: i64 = 60;

/// A command of the AWS CLI in the set-up's region.
pub(super) fn aws(facts: &Facts, words: &str) -> String {
    format!("aws {words} --region {}", facts.region)
}

/// A change of parameters of the stack, if it is one.
pub(super) fn deploy(facts: &Facts, parameters: &str) -> Option<String> {
    let stack = facts.stack.as_ref()?;
    Some(format!("sam deploy --stack-name {} --parameter-overrides {parameters}", stack.name))
}

/// Makes or replaces a record of the app's name. A primary one comes out right in all that is known, so that of two
/// such commands the second does not undo the first.
pub(super) fn upsert(facts: &Facts, record: &Record) -> String {
    let mut record = record.clone();
    if record.failover == Some(Failover::Primary) && record.alias.is_none() {
        record.ttl = record.ttl.map(|ttl| ttl.min(LONGEST_TTL));
        if let Some(address) = facts.address() {
            record.values = vec![address.to_string()];
        }
    }
    change(facts, "UPSERT", &record)
}

/// Gives the primary record this health check; makes the record where there is none.
pub(super) fn upsert_primary(facts: &Facts, check: &str) -> String {
    let record = facts.half(Failover::Primary).cloned().unwrap_or_else(|| Record {
        kind: "A".into(),
        set_identifier: Some("instance".into()),
        failover: Some(Failover::Primary),
        ttl: Some(LONGEST_TTL),
        values: vec![address(facts)],
        alias: None,
        health_check: None,
    });
    upsert(facts, &Record { health_check: Some(check.into()), ..record })
}

/// The instance's Elastic IP, or where to put it.
pub(super) fn address(facts: &Facts) -> String {
    facts.address().map_or_else(|| "ELASTIC_IP".into(), |address| address.to_string())
}

pub(super) fn delete(facts: &Facts, record: &Record) -> String {
    change(facts, "DELETE", record)
}

fn change(facts: &Facts, action: &str, record: &Record) -> String {
    let change = json!({"Changes": [{"Action": action, "ResourceRecordSet": json_of(facts.host.as_str(), record)}]});
    batch(facts, &change)
}

/// Makes a CNAME with any name.
pub(super) fn make_cname(facts: &Facts, name: &str, value: &str) -> String {
    let set = json!({"Name": name, "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": value}]});
    batch(facts, &json!({"Changes": [{"Action": "UPSERT", "ResourceRecordSet": set}]}))
}

fn batch(facts: &Facts, change: &Value) -> String {
    let zone = facts.zone().map_or("ZONE_ID", |zone| zone.id.as_str());
    format!("aws route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch '{change}'")
}

fn json_of(host: &str, record: &Record) -> Value {
    let mut set = json!({"Name": host, "Type": record.kind});
    let mut put = |name: &str, value: Value| set[name] = value;
    if let Some(identifier) = &record.set_identifier {
        put("SetIdentifier", json!(identifier));
    }
    if let Some(half) = record.failover {
        put("Failover", json!(if half == Failover::Primary { "PRIMARY" } else { "SECONDARY" }));
    }
    if let Some(ttl) = record.ttl {
        put("TTL", json!(ttl));
    }
    if !record.values.is_empty() {
        let values: Vec<_> = record.values.iter().map(|value| json!({"Value": value})).collect();
        put("ResourceRecords", json!(values));
    }
    if let Some(alias) = &record.alias {
        put(
            "AliasTarget",
            json!({"DNSName": alias.name, "HostedZoneId": alias.zone, "EvaluateTargetHealth": alias.evaluates_health}),
        );
    }
    if let Some(check) = &record.health_check {
        put("HealthCheckId", json!(check));
    }
    set
}
