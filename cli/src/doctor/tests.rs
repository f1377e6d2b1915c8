//! A right set-up, and each way to break it: the check for it speaks up, and no other.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::TimeDelta;
use shared::config::Config;
use shared::model::{Instance, InstanceState};
use shared::steer::Stance;

use super::*;

mod mends;
mod well;

use well::*;

type Break = fn(&mut Facts);

/// How it is broken, the check that finds it, and whether that is an error.
const BROKEN: &[(&str, bool, Break)] = &[
    ("unread", false, |it| it.schedule = Err(refused("scheduler:ListSchedules"))),
    ("unread", false, |it| it.records = Err(refused("route53:ListResourceRecordSets"))),
    ("unread", false, |it| it.domain = Err(refused("apigateway:GetDomainName"))),
    ("unread", false, |it| it.machine = Err(refused("ec2:DescribeInstances"))),
    ("unread", false, |it| it.health_check = Err(refused("route53:GetHealthCheck"))),
    ("unread", false, |it| machine(it).ingress = Err(refused("ec2:DescribeSecurityGroups"))),
    ("zone", true, |it| (it.zone, it.records) = (Ok(None), Ok(Vec::new()))),
    ("cname", true, |it| *records(it) = vec![simple_record("CNAME", "x.example.com")]),
    ("aaaa", true, |it| records(it).push(simple_record("AAAA", "2001:db8::1"))),
    ("other-routing", true, |it| *records(it) = vec![simple_record("A", ADDRESS)]),
    ("other-routing", true, |it| {
        records(it).push(Record { set_identifier: Some("half".into()), ..simple_record("A", ADDRESS) });
    }),
    ("primary", true, |it| drop(records(it).remove(0))),
    ("secondary", true, |it| drop(records(it).remove(1))),
    ("primary-address", true, |it| records(it)[0].values = vec!["203.0.113.99".into()]),
    ("ttl", false, |it| records(it)[0].ttl = Some(300)),
    ("secondary-target", true, |it| {
        records(it)[1].alias.as_mut().unwrap().name = "abc123def4.execute-api.eu-central-1.amazonaws.com".into();
    }),
    ("secondary-target", true, |it| {
        records(it)[1] = Record { alias: None, values: vec!["192.0.2.1".into()], ..records(it)[1].clone() };
    }),
    ("secondary-health-check", true, |it| records(it)[1].health_check = Some("check-2".into())),
    ("secondary-health-check", true, |it| records(it)[1].alias.as_mut().unwrap().evaluates_health = true),
    ("health-check", true, |it| records(it)[0].health_check = None),
    ("health-check", true, |it| it.health_check = Ok(None)),
    ("health-check-loop", true, |it| health(it).address = None),
    ("health-check-loop", false, |it| {
        (health(it).address, health(it).name) = (None, Some("origin.example.com".into()))
    }),
    ("health-check-address", true, |it| health(it).address = "203.0.113.99".parse().ok()),
    ("health-check-type", false, |it| {
        *health(it) = Check { kind: "CALCULATED".into(), address: None, name: None, port: None, ..health(it).clone() };
    }),
    ("health-check-disabled", true, |it| (health(it).disabled, health(it).stance) = (true, Stance::ByHand)),
    ("health-check-inverted", true, |it| (health(it).inverted, health(it).stance) = (true, Stance::ByHand)),
    ("health-check-steered", true, |it| away(it, 10)),
    ("health-check-steered", true, |it| {
        steering(it);
        away(it, 61);
    }),
    ("health-check-steered", true, |it| {
        steering(it);
        instance(it).state = InstanceState::Stopped;
        let since = it.now;
        (health(it).disabled, health(it).stance) = (true, Stance::Home { since });
    }),
    ("health-check-protocol", true, |it| {
        health(it).port = Some(443);
    }),
    ("health-check-sni", false, |it| {
        (health(it).kind, health(it).port) = ("HTTPS".into(), Some(443));
    }),
    ("unhealthy", true, |it| health(it).healthy = Some(false)),
    ("health-check-of-stopper", true, |it| {
        records(it)[0].health_check = Some("check-2".into());
        health(it).id = "check-2".into();
    }),
    ("health-check-of-stopper", true, |it| {
        records(it)[0].health_check = Some("check-2".into());
        health(it).id = "check-2".into();
        it.stacks_check = Ok(None);
    }),
    ("health-check-of-stopper", true, |it| {
        one_of_more_apps(it);
        instance(it).tags.remove("catnap:health-check");
    }),
    ("health-check-of-stopper", true, |it| {
        one_of_more_apps(it);
        instance(it).tags.insert("catnap:health-check".into(), "check-2".into());
    }),
    ("domain", true, |it| (it.domain, it.certificate, it.gate) = (Ok(None), Ok(None), None)),
    ("domain-regional", true, |it| domain(it).regional = false),
    ("mapping", true, |it| domain(it).mappings.clear()),
    ("mapping", true, |it| domain(it).mappings[0].path = "v1".into()),
    ("route", true, |it| domain(it).routes = Ok(vec!["ANY /".into()])),
    ("certificate-region", true, |it| {
        domain(it).certificate = Some("arn:aws:acm:us-east-1:123456789012:certificate/1".into());
        it.certificate = Ok(None);
    }),
    ("certificate-status", true, |it| certificate(it).status = "PENDING_VALIDATION".into()),
    ("certificate-names", true, |it| certificate(it).names = vec!["*.app.example.com".into(), "example.com".into()]),
    ("certificate-end", false, |it| certificate(it).not_after = Some(it.now + TimeDelta::days(29))),
    ("certificate-end", true, |it| {
        certificate(it).not_after = Some(it.now);
        certificate(it).status = "EXPIRED".into();
    }),
    ("validation-record", false, |it| certificate(it).validations[0].found = false),
    ("validation-record", false, |it| certificate(it).validations[1].found = false),
    ("waiting-page", true, |it| it.gate = Some(Gate::Status(404))),
    ("waiting-page", true, |it| it.gate = Some(Gate::Unreachable("the connection is refused".into()))),
    ("instance", true, |it| it.machine = Ok(None)),
    ("instance", true, |it| set(it, &[("CATNAP_INSTANCE_ID", "")])),
    ("instance", true, |it| {
        one_of_more_apps(it);
        instance(it).tags.remove("catnap:fleet");
        it.carriers = Ok(Vec::new());
    }),
    ("one-instance", true, |it| {
        it.carriers = Ok(vec!["i-0123456789abcdef0".parse().unwrap(), "i-0123456789abcdef1".parse().unwrap()]);
    }),
    ("elastic-ip", true, |it| machine(it).elastic_ips = Ok(Vec::new())),
    ("spot", true, |it| instance(it).spot = true),
    ("auto-scaling", true, |it| drop(instance(it).tags.insert("aws:autoscaling:groupName".into(), "web".into()))),
    ("root-device", true, |it| instance(it).instance_store_root = true),
    ("stop-protection", true, |it| machine(it).stop_protection = Ok(true)),
    ("volume-key", true, |it| {
        let key = CustomerKey { volume: "vol-1".into(), key: "arn:aws:kms:x".into(), granted: Some(false) };
        machine(it).customer_keys = Ok(vec![key]);
        (instance(it).state, instance(it).state_reason) = (InstanceState::Stopped, Some("Client.InternalError".into()));
    }),
    ("volume-key", false, |it| {
        it.stack = None;
        let key = CustomerKey { volume: "vol-1".into(), key: "arn:aws:kms:x".into(), granted: None };
        machine(it).customer_keys = Ok(vec![key]);
    }),
    ("failed-start", true, |it| {
        let reason = Some("Server.InsufficientInstanceCapacity".into());
        (instance(it).state, instance(it).state_reason) = (InstanceState::Stopped, reason);
    }),
    ("tags", false, |it| drop(instance(it).tags.insert("catnap:idle-minutes".into(), "soon".into()))),
    ("hold", false, |it| drop(instance(it).tags.insert("catnap:hold".into(), "true".into()))),
    ("hold", false, |it| drop(instance(it).tags.insert("catnap:hold".into(), "2026-03-01T21:00:00Z".into()))),
    ("monitoring", false, |it| {
        set(it, &[("CATNAP_IDLE_MINUTES", "10")]);
        schedule(it).expression = "rate(5 minutes)".into();
    }),
    ("health-port", true, |it| drop(machine(it).ingress.as_mut().unwrap().remove(1))),
    ("health-port", false, |it| {
        machine(it).ingress.as_mut().unwrap()[1].from = Source::Some("192.0.2.0/24".into());
        health(it).healthy = None;
    }),
    ("health-port", false, |it| {
        machine(it).ingress.as_mut().unwrap()[1].from = Source::PrefixList("pl-2".into());
        instance(it).state = InstanceState::Stopped;
        health(it).healthy = Some(false);
    }),
    ("visitors-port", true, |it| drop(machine(it).ingress.as_mut().unwrap().remove(0))),
    ("visitors-port", false, |it| {
        machine(it).ingress.as_mut().unwrap()[0].from = Source::Some("192.0.2.0/24".into());
    }),
    ("visitors-port", true, |it| set(it, &[("CATNAP_ORIGIN", "https://app.example.com:8443")])),
    ("stack", false, |it| it.stack.as_mut().unwrap().status = "UPDATE_ROLLBACK_FAILED".into()),
    ("settings", true, |it| set(it, &[("CATNAP_IDLE_MINUTES", "soon")])),
    ("schedule", true, |it| it.schedule = Ok(None)),
    ("schedule-enabled", true, |it| schedule(it).enabled = false),
    ("idle-minutes", false, |it| schedule(it).expression = "rate(2 hours)".into()),
    ("idle-minutes", false, |it| drop(instance(it).tags.insert("catnap:idle-minutes".into(), "30".into()))),
    ("dry-run", false, |it| set(it, &[("CATNAP_DRY_RUN", "true")])),
];

#[test]
fn a_right_set_up_has_no_finding_asleep_or_awake_with_a_stack_or_without() {
    let names = |facts: &Facts| examine(facts).into_iter().map(|finding| finding.check).collect::<Vec<_>>();
    assert_eq!(names(&well()), [""; 0]);
    let mut asleep = well();
    let it = instance(&mut asleep);
    (it.state, it.state_reason) = (InstanceState::Stopped, Some("Client.UserInitiatedShutdown".into()));
    health(&mut asleep).healthy = Some(false);
    assert_eq!(names(&asleep), [""; 0]);
    let mut by_hand = well();
    (by_hand.stack, by_hand.schedule) = (None, Ok(None));
    assert_eq!(names(&by_hand), [""; 0]);
    let mut led_away = well();
    steering(&mut led_away);
    away(&mut led_away, 10);
    assert_eq!(names(&led_away), [""; 0]);
    let mut with_others = well();
    instance(&mut with_others).tags.insert("catnap:hold".into(), "2026-03-01T19:00:00Z".into());
    certificate(&mut with_others).names = vec!["*.example.com".into()];
    schedule(&mut with_others).expression = "cron(0 * * * ? *)".into();
    let mut longer = well();
    schedule(&mut longer).expression = "rate(2 hours)".into();
    instance(&mut longer).tags.insert("catnap:idle-minutes".into(), "120".into());
    assert_eq!(names(&longer), [""; 0]);
    records(&mut with_others)[0].ttl = Some(10);
    machine(&mut with_others).ingress = Ok(vec![Ingress { ports: (0, 65_535), from: Source::Everywhere }]);
    let mut by_cidr = well();
    machine(&mut by_cidr).ingress.as_mut().unwrap()[1].from = Source::Some("15.177.0.0/18".into());
    assert_eq!(names(&by_cidr), [""; 0], "the checkers get in, as their own word says");
    let mut of_more = well();
    one_of_more_apps(&mut of_more);
    assert_eq!(names(&of_more), [""; 0]);
    instance(&mut of_more).tags.insert("catnap:health-check".into(), "none".into());
    assert_eq!(names(&of_more), [""; 0], "that is meant");
    machine(&mut with_others).customer_keys =
        Ok(vec![CustomerKey { volume: "vol-1".into(), key: "arn:aws:kms:x".into(), granted: Some(true) }]);
    assert_eq!(names(&with_others), [""; 0]);
}

#[test]
fn each_broken_set_up_is_found_and_nothing_else_beside_it() {
    for (number, (name, is_error, break_it)) in BROKEN.iter().enumerate() {
        let mut facts = well();
        break_it(&mut facts);
        let findings = examine(&facts);
        let found: Vec<_> = findings.iter().map(|finding| finding.check).collect();
        assert_eq!(found, [*name], "broken set-up {number}: {findings:#?}");
        assert_eq!(findings[0].severity == Severity::Error, *is_error, "{name}");
        assert!(!findings[0].mend.is_empty(), "{name} is mended by nothing");
    }
}

#[test]
fn each_check_is_broken_by_one_of_them() {
    let broken: BTreeSet<_> = BROKEN.iter().map(|(name, ..)| *name).collect();
    assert_eq!(broken.len(), checks());
}

#[test]
fn the_exit_status_is_that_of_the_worst_finding() {
    let of = |severity| Finding { check: "x", severity, what: String::new(), why: "", mend: Vec::new() };
    let (warning, error) = (of(Severity::Warning), of(Severity::Error));
    assert_eq!(exit_status(&[], true), 0);
    assert_eq!(exit_status(std::slice::from_ref(&warning), false), 0);
    assert_eq!(exit_status(std::slice::from_ref(&warning), true), 1);
    let unread = Finding { check: "unread", ..warning.clone() };
    assert_eq!(exit_status(&[unread.clone(), warning.clone()], false), 3);
    assert_eq!(exit_status(&[unread.clone(), warning.clone()], true), 3);
    assert_eq!(exit_status(&[unread, error.clone()], false), 2);
    assert_eq!(exit_status(&[error, warning], false), 2);
}

#[test]
fn an_operation_that_is_refused_again_and_again_is_named_once() {
    let mut facts = well();
    machine(&mut facts).elastic_ips = Err(refused("ec2:DescribeAddresses"));
    machine(&mut facts).ingress = Err(refused("ec2:DescribeSecurityGroups"));
    facts.carriers = Err(refused("ec2:DescribeAddresses"));
    machine(&mut facts).checkers = Err(refused("ec2:DescribeSecurityGroups"));
    facts.schedule = Err(refused("ec2:DescribeAddresses"));
    let mend = &examine(&facts)[0].mend;
    assert_eq!(mend, &["# let whoever runs this do: ec2:DescribeAddresses, ec2:DescribeSecurityGroups"]);
}
