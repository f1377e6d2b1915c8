//! Commands that mend, as they are typed: each word quoted where a shell would take it apart.

use serde_json::{Value, json};

use super::{Facts, Failover, Record, Stack};
use crate::words::parameter;

/// The longest that resolvers may keep the instance's address, in seconds: it adds to each handover.
pub(super) const LONGEST_TTL: i64 = 60;

/// A command of the AWS CLI in the set-up's region, by the profile that was looked with.
pub(super) fn aws(facts: &Facts, words: &str) -> String {
    format!("aws {words}{}", session(facts))
}

/// A deployment of the stack.
pub(super) fn sam(facts: &Facts, stack: &Stack) -> String {
    format!("sam deploy --stack-name {}{}", stack.name, session(facts))
}

/// A change of parameters of the stack, if it is one.
pub(super) fn deploy(facts: &Facts, parameters: &[(&str, &str)]) -> Option<String> {
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| parameter(name, value)).collect();
    Some(format!("{} --parameter-overrides {}", sam(facts, facts.stack.as_ref()?), parameters.join(" ")))
}

fn session(facts: &Facts) -> String {
    let region = format!(" --region {}", facts.region);
    match &facts.profile {
        Some(profile) => format!("{region} --profile {}", word(profile)),
        None => region,
    }
}

/// One word for a shell.
pub(super) fn word(text: &str) -> String {
    if text.is_empty() || text.contains(|it: char| !it.is_alphanumeric() && !"-_.@/+:,=".contains(it)) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    text.into()
}

/// Makes or replaces a record of the app's name. A primary one comes out right in all that is known, so that of two
/// such commands the second does not undo the first.
pub(super) fn upsert(facts: &Facts, record: &Record) -> String {
    changes(facts, &[("UPSERT", &put_right(facts, record))])
}

fn put_right(facts: &Facts, record: &Record) -> Record {
    let mut record = record.clone();
    if record.failover == Some(Failover::Primary) && record.alias.is_none() {
        record.ttl = record.ttl.map(|ttl| ttl.min(LONGEST_TTL));
        if let Some(address) = facts.address() {
            record.values = vec![address.to_string()];
        }
    }
    record
}

/// Gives the primary record this health check; makes the record where there is none.
pub(super) fn upsert_primary(facts: &Facts, check: &str) -> String {
    upsert(facts, &primary_record(facts, check))
}

/// The primary record with this health check, as it should be.
pub(super) fn primary_record(facts: &Facts, check: &str) -> Record {
    let record = facts.half(Failover::Primary).cloned().unwrap_or_else(|| Record {
        kind: "A".into(),
        set_identifier: Some("instance".into()),
        failover: Some(Failover::Primary),
        ttl: Some(LONGEST_TTL),
        values: vec![address(facts)],
        alias: None,
        health_check: None,
    });
    put_right(facts, &Record { health_check: Some(check.into()), ..record })
}

/// The instance's Elastic IP, or where to put it.
pub(super) fn address(facts: &Facts) -> String {
    facts.address().map_or_else(|| "ELASTIC_IP".into(), |address| address.to_string())
}

/// Takes a record away. One that is routed by weight, place or the like has to be named with that, which is not read.
pub(super) fn delete(facts: &Facts, record: &Record) -> String {
    if is_routed_otherwise(record) {
        return format!("# delete it in the console (Route 53, hosted zone {})", zone(facts));
    }
    changes(facts, &[("DELETE", record)])
}

/// Puts the failover pair in a record's place, in one change: without either nobody would get to the app.
pub(super) fn replace(facts: &Facts, record: &Record, pair: &[Record; 2]) -> Vec<String> {
    let [primary, secondary] = pair;
    let creates = [("CREATE", primary), ("CREATE", secondary)];
    if is_routed_otherwise(record) {
        // The name may have records of other types, and mail must not go with them.
        let query = format!("ResourceRecordSets[?Name=='{}.' && Type=='{}']", facts.host, record.kind);
        return vec![
            aws(
                facts,
                &format!("route53 list-resource-record-sets --hosted-zone-id {} --query \"{query}\"", zone(facts)),
            ),
            "# before the first of these changes put a DELETE of each that this prints, as it is printed:".into(),
            format!("# {}", changes(facts, &creates)),
        ];
    }
    vec![changes(facts, &[("DELETE", record), creates[0], creates[1]])]
}

fn is_routed_otherwise(record: &Record) -> bool {
    record.set_identifier.is_some() && record.failover.is_none()
}

fn changes(facts: &Facts, all: &[(&str, &Record)]) -> String {
    let host = facts.host.as_str();
    let all = all.iter().map(|(action, it)| json!({"Action": action, "ResourceRecordSet": json_of(host, it)}));
    batch(facts, zone(facts), &json!({"Changes": all.collect::<Vec<_>>()}))
}

/// Makes a CNAME with any name.
pub(super) fn make_cname(facts: &Facts, zone: &str, name: &str, value: &str) -> String {
    let set = json!({"Name": name, "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": value}]});
    batch(facts, zone, &json!({"Changes": [{"Action": "UPSERT", "ResourceRecordSet": set}]}))
}

fn batch(facts: &Facts, zone: &str, change: &Value) -> String {
    let words = format!("route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch '{change}'");
    aws(facts, &words)
}

fn zone(facts: &Facts) -> &str {
    facts.zone().map_or("ZONE_ID", |zone| zone.id.as_str())
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
