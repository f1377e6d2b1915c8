//! The health check: it has to see the instance itself, and nothing else.

use shared::config;
use shared::model::InstanceState;
use shared::overrides::HealthCheckRef;
use shared::steer::{self, Stance};

use super::commands::{address as address_of, aws, deploy, upsert_primary};
use super::{Check, Facts, Failover, Finding, Machine};

pub(super) fn missing(facts: &Facts) -> Option<Finding> {
    let record = facts.half(Failover::Primary)?;
    let why = "Without one the primary record counts as healthy for ever: while the instance naps, visitors are sent \
               to it and nobody answers.";
    match (&record.health_check, facts.health_check.as_ref().ok()?) {
        (Some(_), Some(_)) => None,
        (Some(id), None) => Some(Finding::error(
            "health-check",
            format!("the primary record's health check {id} does not exist"),
            why,
            put_another(facts),
        )),
        (None, _) => Some(Finding::error(
            "health-check",
            "the primary record has no health check".to_owned(),
            why,
            put_another(facts),
        )),
    }
}

/// The stopper goes by the stack's own health check, or by that of the tag: it has to be the one that leads visitors.
pub(super) fn of_stopper(facts: &Facts) -> Option<Finding> {
    let (config, record) = (facts.config()?, facts.half(Failover::Primary)?);
    let leads = record.health_check.as_deref()?;
    facts.stacks_check.as_ref().ok()?;
    // What puts another health check into the record, or tags the instance, mends this as well.
    let is_told = [missing, by_name, kind].iter().any(|check| check(facts).is_some());
    if is_told || super::instance::missing(facts).is_some() {
        return None;
    }
    let Machine { instance, .. } = facts.machine()?;
    let goes_by = match facts.overrides()?.health_check {
        HealthCheckRef::Id(id) if id.as_str() == leads => return None,
        HealthCheckRef::MeantNone => return None,
        HealthCheckRef::Id(id) => format!("the stopper goes by the health check {id}"),
        HealthCheckRef::Unknown => format!("the stopper knows no health check of {}", instance.id),
    };
    let is_tagged = config::HEALTH_CHECK_ID.tag.is_some_and(|tag| instance.tags.contains_key(tag));
    let own = facts.stacks_check().filter(|_| facts.host == config.app_domain);
    let mend = match own {
        Some(own) if !(facts.is_found_by_tag() && is_tagged) && own.id != leads => vec![upsert_primary(facts, &own.id)],
        _ if facts.is_found_by_tag() => {
            let id = &instance.id;
            vec![aws(facts, &format!("ec2 create-tags --resources {id} --tags Key=catnap:health-check,Value={leads}"))]
        }
        _ => make_the_stacks_own(facts),
    };
    Some(Finding::error(
        "health-check-of-stopper",
        format!("{goes_by}, and the primary record by {leads}"),
        "Whether a visit could wake it again is seen in the health check. By another, or by none, the stopper keeps it \
         awake, or stops it where nobody could wake it.",
        mend,
    ))
}

/// The stack makes a health check anew when its interval is another, and gives the record that one.
fn make_the_stacks_own(facts: &Facts) -> Vec<String> {
    let key = "HealthCheckInterval";
    let is_10 = facts.stack.iter().any(|stack| stack.parameters.get(key).is_some_and(|seconds| seconds == "10"));
    let (seconds, before) = if is_10 { ("30", "10") } else { ("10", "30") };
    let note = format!("# afterwards the same with {before}, if you like: 10 seconds cost more, and are more traffic");
    deploy(facts, &[(key, seconds)]).into_iter().chain([note]).collect()
}

/// The stack's own health check for the record, if it will do; else a new one.
fn put_another(facts: &Facts) -> Vec<String> {
    let config = facts.config();
    let leads = facts.half(Failover::Primary).and_then(|record| record.health_check.as_deref());
    match facts.stacks_check() {
        Some(check) if connects(check) && check.address.is_some() && Some(check.id.as_str()) != leads => {
            vec![upsert_primary(facts, &check.id)]
        }
        // The functions go by the stack's own, and it is gone.
        None if facts.stacks_check.is_ok()
            && leads.is_some()
            && leads == config.and_then(|it| it.health_check_id.as_ref()).map(|id| id.as_str()) =>
        {
            make_the_stacks_own(facts)
        }
        _ => make_and_put(facts),
    }
}

/// A new health check, and the record with it.
fn make_and_put(facts: &Facts) -> Vec<String> {
    let [create, then] = make(facts);
    vec![create, then, upsert_primary(facts, "HEALTH_CHECK_ID")]
}

/// A new health check of the instance's address, like the one that there is, but in TLS at the port of that.
pub(super) fn make(facts: &Facts) -> [String; 2] {
    let like = facts.check().filter(|check| connects(check));
    let kind = match like.map(|check| (check.kind.split("_STR").next().unwrap_or_default(), check.port)) {
        Some(("HTTP", Some(443))) => "HTTPS",
        Some((kind, _)) => kind,
        None => "HTTP",
    };
    let mut config = serde_json::json!({
        "Type": kind, "IPAddress": address_of(facts), "Port": like.and_then(|check| check.port).unwrap_or(8080),
        "RequestInterval": 30, "FailureThreshold": 3, "Regions": ["us-east-1", "us-west-2", "eu-west-1"],
    });
    if kind != "TCP" {
        config["FullyQualifiedDomainName"] = facts.host.as_str().into();
        config["ResourcePath"] = like.and_then(|check| check.path.as_deref()).unwrap_or("/").into();
    }
    if kind == "HTTPS" {
        config["EnableSNI"] = true.into();
    }
    [
        aws(
            facts,
            &format!(
                "route53 create-health-check --caller-reference catnap-{} --health-check-config '{config}'",
                facts.now.timestamp()
            ),
        ),
        "# with the id that this prints:".into(),
    ]
}

fn update(facts: &Facts, check: &Check, words: &str) -> Vec<String> {
    vec![aws(facts, &format!("route53 update-health-check --health-check-id {} {words}", check.id))]
}

pub(super) fn by_name(facts: &Facts) -> Option<Finding> {
    let check = facts.check().filter(|check| connects(check) && check.address.is_none())?;
    let name = check.name.as_deref().unwrap_or_default();
    let own = name.trim_end_matches('.').eq_ignore_ascii_case(facts.host.as_str());
    // A check that was made without an address takes none later (Route 53 API Reference, UpdateHealthCheck).
    let mend = put_another(facts);
    if own {
        return Some(Finding::error(
            "health-check-loop",
            format!("the health check {} looks up {name}, the failover name itself", check.id),
            "A loop: while the instance naps the name leads to the starter, which answers the checkers, so Route 53 \
             calls the instance healthy and turns its visitors back to it.",
            mend,
        ));
    }
    Some(Finding::warning(
        "health-check-loop",
        format!("the health check {} looks up {name} and has no address", check.id),
        "Should that name ever lead to the starter, the checkers would call a sleeping instance healthy.",
        mend,
    ))
}

fn connects(check: &Check) -> bool {
    check.kind.starts_with("HTTP") || check.kind == "TCP"
}

pub(super) fn address(facts: &Facts) -> Option<Finding> {
    let (check, address) = (facts.check()?, facts.address()?);
    let looks_at = check.address.filter(|looks_at| !facts.addresses().contains(looks_at))?;
    Some(Finding::error(
        "health-check-address",
        format!("the health check {} looks at {looks_at}, and the instance is at {address}", check.id),
        "It says nothing about the instance: visitors are sent to it asleep, or kept from it awake.",
        update(facts, check, &format!("--ip-address {address}")),
    ))
}

pub(super) fn kind(facts: &Facts) -> Option<Finding> {
    let check = facts.check().filter(|check| !connects(check))?;
    Some(Finding::warning(
        "health-check-type",
        format!("the health check {} is of type {}: no checker connects to the instance", check.id, check.kind),
        "It has to turn unhealthy at a stop and healthy when the app answers, by itself.",
        put_another(facts),
    ))
}

pub(super) fn disabled(facts: &Facts) -> Option<Finding> {
    let check = facts.check().filter(|check| check.disabled && check.stance == Stance::ByHand)?;
    Some(Finding::error(
        "health-check-disabled",
        format!("the health check {} is disabled", check.id),
        "A disabled check counts as healthy for ever: a sleeping instance would get its visitors, and nobody could \
         wake it. The stopper keeps it awake for that.",
        update(facts, check, "--no-disabled"),
    ))
}

pub(super) fn inverted(facts: &Facts) -> Option<Finding> {
    let check = facts.check().filter(|check| check.inverted && check.stance == Stance::ByHand)?;
    Some(Finding::error(
        "health-check-inverted",
        format!("the health check {} is inverted", check.id),
        "It says the contrary of what it sees: visitors go to the starter while the app is up, and to the sleeping \
         instance else. Something that steered the failover may have left it so.",
        update(facts, check, "--no-inverted"),
    ))
}

/// What Catnap itself has set with `Steer` is well as long as it comes to an end.
pub(super) fn steered(facts: &Facts) -> Option<Finding> {
    let (check, instance) = (facts.check()?, &facts.machine()?.instance);
    let config = facts.stack.as_ref().and_then(|stack| stack.config.as_ref().ok());
    let is_off = config.is_some_and(|config| !config.policy.steer);
    let runs = instance.state == InstanceState::Running;
    let what = match check.stance {
        Stance::Checked | Stance::ByHand => return None,
        _ if is_off => "Catnap has steered it, and Steer is off now",
        stance if steer::is_stuck(stance, instance, facts.now) => {
            "it keeps visitors from an instance that has been running for an hour"
        }
        Stance::Home { .. } if !runs => "it leads visitors to an instance that does not run",
        _ => return None,
    };
    Some(Finding::error(
        "health-check-steered",
        format!("the health check {} is left steered: {what}", check.id),
        "Its checkers do not look, so the failover does not follow the app.",
        update(facts, check, "--no-disabled --no-inverted"),
    ))
}

pub(super) fn protocol(facts: &Facts) -> Option<Finding> {
    let check = facts.check()?;
    let port = check.port?;
    let (speaks, mend) = match (check.kind.as_str(), port) {
        ("HTTPS" | "HTTPS_STR_MATCH", 80) => ("HTTP", update(facts, check, "--port 443")),
        ("HTTP" | "HTTP_STR_MATCH", 443) => ("HTTPS", off_443(facts, check)),
        _ => return None,
    };
    Some(Finding::error(
        "health-check-protocol",
        format!("the health check {} speaks {} to port {port}, which speaks {speaks}", check.id, check.kind),
        "It fails for ever: the instance would wake, and yet no visitor would get through.",
        mend,
    ))
}

/// The stack's own is put back to the stack's port; another is made anew with TLS, which cannot be given to it later.
fn off_443(facts: &Facts, check: &Check) -> Vec<String> {
    let own = facts.stack.as_ref().filter(|_| {
        let id = facts.config().and_then(|config| config.health_check_id.as_ref());
        id.is_some_and(|id| id.as_str() == check.id)
    });
    match own {
        Some(stack) => {
            let port = stack.parameters.get("HealthCheckPort").map_or("8080", String::as_str);
            update(facts, check, &format!("--port {port}"))
        }
        None => put_another(facts),
    }
}

pub(super) fn server_name(facts: &Facts) -> Option<Finding> {
    let check = facts.check().filter(|check| check.kind.starts_with("HTTPS") && !check.sni)?;
    Some(Finding::warning(
        "health-check-sni",
        format!("the health check {} says no name in the TLS handshake", check.id),
        "A web server that goes by names answers such a handshake with an error, and the check fails although the app \
         is up.",
        update(facts, check, &format!("--enable-sni --fully-qualified-domain-name {}", facts.host)),
    ))
}

pub(super) fn unhealthy(facts: &Facts) -> Option<Finding> {
    let (check, instance) = (facts.check()?, &facts.machine()?.instance);
    let longest_boot = facts
        .stack
        .as_ref()
        .and_then(|stack| stack.config.as_ref().ok())
        .map_or(chrono::TimeDelta::minutes(5), |config| config.boot_deadline);
    let up = instance.state == InstanceState::Running && facts.now - instance.launched_at > longest_boot;
    if check.healthy != Some(false) || !up || check.inverted || check.stance != Stance::Checked {
        return None;
    }
    Some(Finding::error(
        "unhealthy",
        format!("the instance runs, and the health check {} is unhealthy", check.id),
        "Visitors are sent to the starter although the app is up: it answers for the app, or lets them wait for ever.",
        vec![
            aws(facts, &format!("ec2 get-console-output --latest --output text --instance-id {}", instance.id)),
            aws(facts, &format!("route53 get-health-check-status --health-check-id {}", check.id)),
        ],
    ))
}
