//! The commands that mend: whole, for the right place, and none undoes another.

use super::*;

#[test]
fn of_two_elastic_ips_either_will_do_and_what_is_mended_stays_with_the_record_s() {
    let mut facts = well();
    let second: IpAddr = "203.0.113.20".parse().unwrap();
    machine(&mut facts).elastic_ips = Ok(vec![second, ADDRESS.parse().unwrap()]);
    assert_eq!(examine(&facts), []);
    health(&mut facts).address = Some(second);
    assert_eq!(examine(&facts), []);
    health(&mut facts).address = "203.0.113.99".parse().ok();
    assert!(examine(&facts)[0].mend[0].contains(ADDRESS), "the record's, which is the instance's first as well");
    records(&mut facts)[0].values = vec![second.to_string()];
    assert!(examine(&facts)[0].mend[0].contains("203.0.113.20"), "the record's");
    records(&mut facts)[0].values = vec!["203.0.113.99".into()];
    assert!(examine(&facts)[0].mend[0].contains(ADDRESS), "that of its first interface");
}

#[test]
fn of_two_commands_for_a_record_the_second_does_not_undo_the_first() {
    let mut facts = well();
    records(&mut facts)[0].ttl = Some(300);
    records(&mut facts)[0].values = vec!["203.0.113.99".into()];
    health(&mut facts).address = None;
    let findings = examine(&facts);
    let last = findings.iter().rev().find_map(|it| it.mend.last().filter(|it| it.contains("UPSERT"))).unwrap();
    assert!(last.contains(r#""TTL":60"#) && last.contains(ADDRESS) && last.contains("HEALTH_CHECK_ID"), "{last}");
}

#[test]
fn each_command_is_for_the_region_and_the_profile_that_was_looked_with() {
    for (profile, typed) in [(None, ""), (Some("work"), " --profile work"), (Some("my own"), " --profile 'my own'")] {
        for (name, _, break_it) in BROKEN {
            let mut facts = well();
            facts.profile = profile.map(Into::into);
            break_it(&mut facts);
            let mend = examine(&facts).into_iter().flat_map(|finding| finding.mend);
            for command in mend.filter(|line| line.contains("aws ") || line.contains("sam ")) {
                assert!(command.contains(&format!(" --region eu-central-1{typed}")), "{name}: {command}");
            }
        }
    }
}

fn change_batch(command: &str) -> serde_json::Value {
    serde_json::from_str(command.split('\'').nth(1).unwrap()).unwrap()
}

#[test]
fn the_pair_takes_the_place_of_an_only_record_in_one_change() {
    for record in [simple_record("A", "203.0.113.99"), simple_record("CNAME", "x.example.com")] {
        let mut facts = well();
        *records(&mut facts) = vec![record.clone()];
        let [command] = examine(&facts).remove(0).mend.try_into().unwrap();
        let changes = change_batch(&command)["Changes"].take();
        let of = |at: usize, key: &str| changes[at]["ResourceRecordSet"][key].clone();
        assert_eq!(changes.as_array().unwrap().len(), 3);
        assert_eq!((&changes[0]["Action"], of(0, "Type")), (&"DELETE".into(), record.kind.into()));
        assert_eq!((&changes[1]["Action"], of(1, "Failover")), (&"CREATE".into(), "PRIMARY".into()));
        assert_eq!(
            (of(1, "HealthCheckId"), of(1, "ResourceRecords")[0]["Value"].clone()),
            ("check-1".into(), ADDRESS.into())
        );
        assert_eq!((&changes[2]["Action"], of(2, "Failover")), (&"CREATE".into(), "SECONDARY".into()));
        assert_eq!(of(2, "AliasTarget")["DNSName"], TARGET);
    }
    let mut without_check = well();
    *records(&mut without_check) = vec![simple_record("A", ADDRESS)];
    without_check.health_check = Ok(None);
    let mend = examine(&without_check).remove(0).mend;
    assert!(mend[0].contains("create-health-check ") && mend[2].contains("HEALTH_CHECK_ID"), "{mend:?}");
}

#[test]
fn what_is_routed_by_weight_or_place_is_deleted_by_no_command_that_lacks_that() {
    for kind in ["A", "AAAA", "CNAME"] {
        let mut facts = well();
        let other = Record { set_identifier: Some("half".into()), ..simple_record(kind, "192.0.2.1") };
        *records(&mut facts) = vec![other.clone(), Record { set_identifier: Some("other".into()), ..other }];
        let mend = examine(&facts).into_iter().find(|it| it.check != "primary").unwrap().mend;
        let typed: Vec<_> = mend.iter().filter(|line| !line.starts_with('#')).collect();
        assert!(typed.iter().all(|line| line.contains(" list-resource-record-sets ")), "{kind}: {mend:?}");
    }
}

#[test]
fn each_record_that_a_certificate_lacks_is_made() {
    let mut facts = well();
    certificate(&mut facts).validations.iter_mut().for_each(|record| record.found = false);
    let finding = examine(&facts).remove(0);
    assert!(
        finding.what.starts_with("the records _x.app.example.com, _x.www.example.com are gone"),
        "{}",
        finding.what
    );
    let made: Vec<_> =
        finding.mend.iter().map(|it| change_batch(it)["Changes"][0]["ResourceRecordSet"]["Name"].clone()).collect();
    assert_eq!(made, ["_x.app.example.com", "_x.www.example.com"]);
    certificate(&mut facts).status = "PENDING_VALIDATION".into();
    assert_eq!(examine(&facts)[0].mend, finding.mend);
}

#[test]
fn a_start_that_failed_is_told_where_the_key_may_or_may_not_be_why() {
    let mut facts = well();
    facts.stack = None;
    let key = CustomerKey { volume: "vol-1".into(), key: "arn:aws:kms:x".into(), granted: None };
    machine(&mut facts).customer_keys = Ok(vec![key]);
    (instance(&mut facts).state, instance(&mut facts).state_reason) =
        (InstanceState::Stopped, Some("Client.InternalError".into()));
    assert_eq!(examine(&facts).iter().map(|it| it.check).collect::<Vec<_>>(), ["volume-key", "failed-start"]);
}

#[test]
fn a_check_without_tls_at_its_port_is_made_anew_with_it() {
    let mut facts = well();
    health(&mut facts).port = Some(443);
    let mend = examine(&facts).remove(0).mend;
    let config = change_batch(&mend[0]);
    assert_eq!((&config["Type"], &config["Port"], &config["EnableSNI"]), (&"HTTPS".into(), &443.into(), &true.into()));
    assert!(mend[2].contains("UPSERT") && mend[2].contains("HEALTH_CHECK_ID"), "{mend:?}");
}

#[test]
fn a_command_is_complete_and_keeps_what_was_right() {
    let mut facts = well();
    records(&mut facts)[0].ttl = Some(300);
    let mend = &examine(&facts)[0].mend;
    assert_eq!(
        change_batch(&mend[0])["Changes"][0],
        serde_json::json!({"Action": "UPSERT", "ResourceRecordSet": {
            "Name": "app.example.com", "Type": "A", "SetIdentifier": "instance", "Failover": "PRIMARY", "TTL": 60,
            "ResourceRecords": [{"Value": ADDRESS}], "HealthCheckId": "check-1",
        }})
    );
    assert!(mend[0].starts_with("aws route53 change-resource-record-sets --hosted-zone-id Z0123456789ABC "));
}
