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

fn mend(break_it: impl Fn(&mut Facts)) -> Vec<String> {
    let mut facts = well();
    break_it(&mut facts);
    let [finding] = examine(&facts).try_into().unwrap();
    finding.mend
}

const OF_AWS: &str = "--region eu-central-1";
const DEPLOY: &str = "sam deploy --stack-name catnap --region eu-central-1 --parameter-overrides";

#[test]
fn a_record_without_a_health_check_gets_the_stack_s_and_no_second_one_is_made() {
    let lacks = mend(|it| records(it)[0].health_check = None);
    assert_eq!(change_batch(&lacks[0])["Changes"][0]["ResourceRecordSet"]["HealthCheckId"], "check-1");
    let another = mend(|it| {
        records(it)[0].health_check = Some("check-2".into());
        it.health_check = Ok(None);
    });
    assert_eq!((another, lacks.len()), (lacks, 1));
    let by_name = mend(|it| {
        records(it)[0].health_check = Some("check-2".into());
        (health(it).id, health(it).address) = ("check-2".into(), None);
    });
    assert_eq!(change_batch(&by_name[0])["Changes"][0]["ResourceRecordSet"]["HealthCheckId"], "check-1");
    let gone = mend(|it| (it.health_check, it.stacks_check) = (Ok(None), Ok(None)));
    assert_eq!(gone[0], format!("{DEPLOY} HealthCheckInterval=10"), "the functions go by the stack's own alone");
    assert!(gone[1].starts_with("# afterwards the same with 30"), "{gone:?}");
    let unread = mend(|it| {
        records(it)[0].health_check = Some("check-2".into());
        health(it).id = "check-2".into();
        it.stacks_check = Err(refused("route53:GetHealthCheck"));
    });
    assert!(unread.iter().all(|line| !line.contains("HealthCheckInterval")), "it may be there: {unread:?}");
}

#[test]
fn the_stopper_goes_by_the_check_that_leads_visitors() {
    let leads_by_another = |it: &mut Facts| {
        records(it)[0].health_check = Some("check-2".into());
        health(it).id = "check-2".into();
    };
    let [command] = mend(leads_by_another).try_into().unwrap();
    assert_eq!(change_batch(&command)["Changes"][0]["ResourceRecordSet"]["HealthCheckId"], "check-1");
    let tag = format!(
        "aws ec2 create-tags --resources i-0123456789abcdef0 --tags Key=catnap:health-check,Value=check-1 {OF_AWS}"
    );
    let untagged = mend(|it| {
        one_of_more_apps(it);
        instance(it).tags.remove("catnap:health-check");
    });
    assert_eq!(untagged, [tag]);
    let gone = mend(|it| {
        leads_by_another(it);
        it.stacks_check = Ok(None);
        it.stack.as_mut().unwrap().parameters.insert("HealthCheckInterval".into(), "10".into());
    });
    assert_eq!(gone[0], format!("{DEPLOY} HealthCheckInterval=30"));
}

#[test]
fn an_instance_is_found_again_by_what_the_stack_goes_by() {
    assert_eq!(mend(|it| it.machine = Ok(None)), [format!("{DEPLOY} InstanceId=INSTANCE_ID ElasticIp=ELASTIC_IP")]);
    let new = mend(|it| {
        it.stack.as_mut().unwrap().parameters.insert("Host".into(), "new".into());
        it.machine = Ok(None);
    });
    assert!(new.iter().all(|line| line.starts_with("# ")), "{new:?}");
    let of_more = mend(|it| {
        one_of_more_apps(it);
        (it.machine, it.carriers) = (Ok(None), Ok(Vec::new()));
    });
    let tags =
        "Key=catnap:host,Value=app.example.com Key=catnap:fleet,Value=prod Key=catnap:health-check,Value=check-1";
    assert_eq!(of_more, [format!("aws ec2 create-tags --resources INSTANCE_ID --tags {tags} {OF_AWS}")]);
    let by_hand = mend(|it| (it.stack, it.schedule, it.machine) = (None, Ok(None), Ok(None)));
    assert!(by_hand[0].contains("--tags Key=catnap:host,Value=app.example.com --region"));
    let mut of_another_fleet = well();
    set(&mut of_another_fleet, &[("CATNAP_INSTANCE_ID", "")]);
    instance(&mut of_another_fleet).tags =
        [("catnap:host", "app.example.com"), ("catnap:fleet", "prod")].map(|(key, it)| (key.into(), it.into())).into();
    let finding = examine(&of_another_fleet).remove(0);
    assert!(finding.what.ends_with("a catnap:fleet as well, and the stack has no Fleet"), "{}", finding.what);
    assert_eq!(finding.mend[0], "# this takes it from the fleet prod, which could then neither wake nor nap it:");
    assert!(
        finding.mend[1].starts_with("# aws ec2 delete-tags --resources i-0123456789abcdef0 --tags Key=catnap:fleet ")
    );
    let mut of_another_app = well();
    set(&mut of_another_app, &[("CATNAP_INSTANCE_ID", "")]);
    of_another_app.carriers = Ok(Vec::new());
    instance(&mut of_another_app).tags = [("catnap:host".into(), "first.example.com".into())].into();
    let finding = examine(&of_another_app).remove(0);
    assert!(finding.mend[0].contains("takes it from first.example.com"), "{:?}", finding.mend);
    assert!(finding.mend.iter().all(|line| line.starts_with("# ")), "nothing to type without a thought");
}

#[test]
fn a_schedule_is_enabled_with_all_that_it_has_and_made_anew_without_taking_the_stack_down() {
    let rest = r#"--flexible-time-window '{"Mode":"OFF"}' --description 'the app'\''s'"#;
    assert_eq!(
        mend(|it| schedule(it).enabled = false),
        [format!(
            "aws scheduler update-schedule --state ENABLED --name StopperTick --group-name default \
             --schedule-expression 'rate(1 hour)' {rest} {OF_AWS}"
        )]
    );
    let made = mend(|it| {
        it.stack.as_mut().unwrap().parameters.insert("Schedule".into(), "rate(5 minutes)".into());
        it.schedule = Ok(None);
    });
    let target: serde_json::Value = serde_json::from_str(made[2].split('\'').nth(5).unwrap()).unwrap();
    assert_eq!(target["Arn"], "arn:aws:lambda:eu-central-1:123456789012:function:catnap-Stopper-1");
    assert_eq!(target["RoleArn"], "arn:aws:iam::123456789012:role/ROLE_NAME");
    assert_eq!(target["DeadLetterConfig"]["Arn"], "arn:aws:sqs:eu-central-1:123456789012:catnap-LostTicks-1");
    assert!(made[2].contains("--schedule-expression 'rate(5 minutes)'") && !made.concat().contains("delete"));
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
        let only = format!("\"ResourceRecordSets[?Name=='app.example.com.' && Type=='{kind}']\"");
        assert!(typed.iter().all(|line| line.contains(&only)), "{mend:?}");
    }
}

#[test]
fn a_name_of_two_labels_is_a_zone_of_its_own() {
    for (host, zone) in [("example.net", "example.net"), ("app.example.net", "example.net")] {
        let mut facts = well();
        (facts.stack, facts.schedule, facts.zone, facts.records) = (None, Ok(None), Ok(None), Ok(Vec::new()));
        facts.host = host.parse().unwrap();
        let mend = examine(&facts).into_iter().find(|it| it.check == "zone").unwrap().mend;
        assert!(mend[0].contains(&format!(" --name {zone} ")), "{mend:?}");
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
fn a_check_without_tls_at_its_port_is_made_anew_with_it_unless_it_is_the_stack_s_own() {
    let put_back = mend(|it| health(it).port = Some(443));
    assert_eq!(put_back, [format!("aws route53 update-health-check --health-check-id check-1 --port 8080 {OF_AWS}")]);
    let mut facts = well();
    (facts.stack, facts.schedule, facts.stacks_check) = (None, Ok(None), Ok(None));
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
