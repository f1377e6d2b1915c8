//! A right set-up, as plain data, and the places where it may be broken.

use super::*;

pub(super) const ADDRESS: &str = "203.0.113.10";
pub(super) const TARGET: &str = "d-abcdef0123.execute-api.eu-central-1.amazonaws.com";

pub(super) fn address() -> Option<IpAddr> {
    ADDRESS.parse().ok()
}

pub(super) fn config(settings: &[(&str, &str)]) -> Result<Config, shared::config::ConfigError> {
    let of_stack = [
        ("CATNAP_APP_DOMAIN", "app.example.com"),
        ("CATNAP_INSTANCE_ID", "i-0123456789abcdef0"),
        ("CATNAP_HEALTH_CHECK_ID", "check-1"),
    ];
    let all: Vec<_> = of_stack.iter().chain(settings).copied().collect();
    Config::read(|name| all.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()))
}

/// As `template.yaml` makes it.
pub(super) fn well() -> Facts {
    let now: chrono::DateTime<chrono::Utc> = "2026-03-01T20:00:00Z".parse().unwrap();
    let record = |identifier: &str, half| Record {
        kind: "A".into(),
        set_identifier: Some(identifier.into()),
        failover: Some(half),
        ttl: None,
        values: Vec::new(),
        alias: None,
        health_check: None,
    };
    let alias = Alias { name: TARGET.into(), zone: "Z1U9ULNL0V5AJ3".into(), evaluates_health: false };
    let arn = "arn:aws:acm:eu-central-1:123456789012:certificate/6d7b9b8a-0000-4000-8000-000000000000";
    let check = Check {
        id: "check-1".into(),
        kind: "HTTP".into(),
        address: address(),
        name: Some("app.example.com".into()),
        port: Some(8080),
        path: Some("/".into()),
        sni: false,
        disabled: false,
        inverted: false,
        stance: Stance::Checked,
        healthy: Some(true),
    };
    Facts {
        now,
        region: "eu-central-1".into(),
        profile: None,
        host: "app.example.com".parse().unwrap(),
        zone: Ok(Some(Zone { id: "Z0123456789ABC".into(), name: "example.com".into() })),
        records: Ok(vec![
            Record {
                ttl: Some(60),
                values: vec![ADDRESS.into()],
                health_check: Some("check-1".into()),
                ..record("instance", Failover::Primary)
            },
            Record { alias: Some(alias), ..record("starter", Failover::Secondary) },
        ]),
        health_check: Ok(Some(check.clone())),
        stacks_check: Ok(Some(check)),
        domain: Ok(Some(Domain {
            target: TARGET.into(),
            zone: "Z1U9ULNL0V5AJ3".into(),
            regional: true,
            certificate: Some(arn.into()),
            mappings: vec![Mapping { api: "abc123def4".into(), path: String::new() }],
            routes: Ok(vec!["GET /.catnap/status".into(), "$default".into()]),
        })),
        certificate: Ok(Some(Certificate {
            arn: arn.into(),
            status: "ISSUED".into(),
            names: vec!["app.example.com".into()],
            not_after: Some(now + TimeDelta::days(200)),
            renewed_by_record: true,
            validations: ["_x.app.example.com", "_x.www.example.com"]
                .map(|name| (name.into(), "_y.acm-validations.aws".into()))
                .map(|(name, value)| Validation { zone: "Z0123456789ABC".into(), name, value, found: true })
                .into(),
        })),
        gate: Some(Gate::Starter),
        carriers: Ok(Vec::new()),
        machine: Ok(Some(Machine {
            instance: Instance {
                id: "i-0123456789abcdef0".parse().unwrap(),
                state: InstanceState::Running,
                state_reason: None,
                stopped_at: None,
                launched_at: now - TimeDelta::hours(3),
                public_address: address(),
                tags: BTreeMap::new(),
                detailed_monitoring: false,
                spot: false,
                instance_store_root: false,
            },
            elastic_ips: Ok(address().into_iter().collect()),
            stop_protection: Ok(false),
            ingress: Ok(vec![
                Ingress { ports: (443, 443), from: Source::Everywhere },
                Ingress { ports: (8080, 8080), from: Source::PrefixList("pl-1".into()) },
            ]),
            groups: vec!["sg-1".into()],
            checkers: Ok(Some("pl-1".into())),
            customer_keys: Ok(Vec::new()),
        })),
        stack: Some(Stack {
            name: "catnap".into(),
            status: "CREATE_COMPLETE".into(),
            parameters: BTreeMap::new(),
            config: config(&[]),
            starter_role: Some("arn:aws:iam::123456789012:role/catnap-StarterRole-1".into()),
            stopper: Some("arn:aws:lambda:eu-central-1:123456789012:function:catnap-Stopper-1".into()),
            lost_ticks: Some("arn:aws:sqs:eu-central-1:123456789012:catnap-LostTicks-1".into()),
        }),
        schedule: Ok(Some(Schedule {
            name: "StopperTick".into(),
            group: "default".into(),
            enabled: true,
            expression: "rate(1 hour)".into(),
            rest: vec![("flexible-time-window", r#"{"Mode":"OFF"}"#.into()), ("description", "the app's".into())],
        })),
    }
}

pub(super) fn records(facts: &mut Facts) -> &mut Vec<Record> {
    facts.records.as_mut().unwrap()
}
pub(super) fn health(facts: &mut Facts) -> &mut Check {
    facts.health_check.as_mut().unwrap().as_mut().unwrap()
}
pub(super) fn steering(facts: &mut Facts) {
    set(facts, &[("CATNAP_STEER", "true")]);
    schedule(facts).expression = "rate(5 minutes)".into();
}
pub(super) fn away(facts: &mut Facts, minutes: i64) {
    let since = facts.now - TimeDelta::minutes(minutes);
    let check = health(facts);
    (check.disabled, check.inverted, check.stance) = (true, true, Stance::Away { since });
}
pub(super) fn domain(facts: &mut Facts) -> &mut Domain {
    facts.domain.as_mut().unwrap().as_mut().unwrap()
}
pub(super) fn certificate(facts: &mut Facts) -> &mut Certificate {
    facts.certificate.as_mut().unwrap().as_mut().unwrap()
}
pub(super) fn machine(facts: &mut Facts) -> &mut Machine {
    facts.machine.as_mut().unwrap().as_mut().unwrap()
}
pub(super) fn instance(facts: &mut Facts) -> &mut Instance {
    &mut machine(facts).instance
}
pub(super) fn set(facts: &mut Facts, settings: &[(&str, &str)]) {
    facts.stack.as_mut().unwrap().config = config(settings);
}
/// The stack's own app is another, and it finds this one by its tags.
pub(super) fn one_of_more_apps(facts: &mut Facts) {
    let of_pair = [("CATNAP_INSTANCE_ID", ""), ("CATNAP_APP_DOMAIN", "own.example.com"), ("CATNAP_FLEET", "prod")];
    set(facts, &[&of_pair[..], &[("CATNAP_HEALTH_CHECK_ID", "check-of-own")]].concat());
    facts.stacks_check = Ok(None);
    let tags = [("host", "app.example.com"), ("fleet", "prod"), ("health-check", "check-1")];
    instance(facts).tags = tags.map(|(key, value)| (format!("catnap:{key}"), value.into())).into();
    facts.carriers = Ok(vec![instance(facts).id.clone()]);
}
pub(super) fn schedule(facts: &mut Facts) -> &mut Schedule {
    facts.schedule.as_mut().unwrap().as_mut().unwrap()
}
pub(super) fn simple_record(kind: &str, value: &str) -> Record {
    Record {
        kind: kind.into(),
        set_identifier: None,
        failover: None,
        ttl: Some(300),
        values: vec![value.into()],
        alias: None,
        health_check: None,
    }
}
pub(super) fn refused(operation: &str) -> Unread {
    Unread { operation: operation.into(), message: "AccessDenied: no".into() }
}
