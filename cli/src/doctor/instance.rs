//! The instance: that there is one, that it can be stopped, and that it comes back.

use chrono::TimeDelta;
use shared::config;
use shared::model::{Hold, Instance, InstanceState};

use super::commands::{aws, deploy};
use super::{CustomerKey, Facts, Failover, Finding, Machine, Severity};

pub(super) fn missing(facts: &Facts) -> Option<Finding> {
    let (machine, carriers) = (facts.machine.as_ref().ok()?, facts.carriers.as_ref().ok()?);
    if let Some(Machine { instance, .. }) = machine {
        return not_found(facts, instance).filter(|_| carriers.is_empty());
    }
    if carriers.len() > 1 {
        return None;
    }
    let why = "There is nothing to wake. It is found by the stack's InstanceId, by its tag catnap:host, or by the \
               Elastic IP of the primary record.";
    let what = match facts.config().and_then(|config| config.instance_id.as_ref()) {
        Some(id) => format!("there is no instance {id} in {}, which the stack has for {}", facts.region, facts.host),
        None => format!("no instance in {} belongs to {}", facts.region, facts.host),
    };
    let mend = if facts.stack.is_none() || facts.is_found_by_tag() {
        vec![tag(facts, "INSTANCE_ID")]
    } else {
        // No tag counts beside an InstanceId.
        let is_new = facts.stack.iter().any(|stack| stack.parameters.get("Host").is_some_and(|host| host == "new"));
        let existing = is_new.then_some(("Host", "existing"));
        let more = [("InstanceId", "INSTANCE_ID"), ("ElasticIp", "ELASTIC_IP")];
        let deploy = deploy(facts, &existing.into_iter().chain(more).collect::<Vec<_>>()).unwrap_or_default();
        if is_new {
            vec![
                "# this gives up the stack's own host and its address: first see what is left of its disk".into(),
                format!("# {deploy}"),
            ]
        } else {
            vec![deploy]
        }
    };
    Some(Finding::error("instance", what, why, mend))
}

/// The instance is there, and the stack's functions do not find it, for it lacks tags.
fn not_found(facts: &Facts, instance: &Instance) -> Option<Finding> {
    let config = facts.config().filter(|config| config.instance_id.is_none())?;
    let is_host =
        config::APP_DOMAIN.tag.and_then(|tag| instance.tags.get(tag)).is_some_and(|it| it == facts.host.as_str());
    if is_host && config.is_for(instance) {
        return None;
    }
    let lacks = if is_host {
        not_of_fleet(config.fleet.as_deref())
    } else {
        format!("it lacks the tag catnap:host={}", facts.host)
    };
    let surplus = (config.fleet.is_none() && instance.tags.contains_key("catnap:fleet"))
        .then(|| aws(facts, &format!("ec2 delete-tags --resources {} --tags Key=catnap:fleet", instance.id)));
    let mut mend: Vec<_> = surplus.into_iter().chain([tag(facts, instance.id.as_str())]).collect();
    if let Some(owner) = owner(instance, is_host) {
        mend.iter_mut().for_each(|command| command.insert_str(0, "# "));
        mend.insert(0, format!("# this takes it from {owner}, which could then neither wake nor nap it:"));
    }
    Some(Finding::error(
        "instance",
        format!("the stack does not find {}: {lacks}", instance.id),
        "There is nothing to wake. Without an InstanceId the functions know an instance by its tags alone.",
        mend,
    ))
}

/// Whose it is by its tags, if that is another app or, where the name is the right one, another fleet.
fn owner(instance: &Instance, is_host: bool) -> Option<String> {
    let tag = |key: &str| instance.tags.get(key).filter(|value| !value.is_empty());
    match tag("catnap:host") {
        Some(app) if !is_host => Some(app.clone()),
        _ => tag("catnap:fleet").map(|fleet| format!("the fleet {fleet}")),
    }
}

/// Why an instance that carries the name is none of this stack's.
pub(crate) fn not_of_fleet(fleet: Option<&str>) -> String {
    match fleet {
        Some(fleet) => format!("it carries the name, but not catnap:fleet={fleet}"),
        None => "it carries the name, but a catnap:fleet as well, and the stack has no Fleet".into(),
    }
}

/// All the tags by which the stack's functions find an instance, and its health check.
fn tag(facts: &Facts, id: &str) -> String {
    let mut words = format!("ec2 create-tags --resources {id} --tags Key=catnap:host,Value={}", facts.host);
    let config = facts.config();
    if let Some(fleet) = config.and_then(|config| config.fleet.as_ref()) {
        words += &format!(" Key=catnap:fleet,Value={fleet}");
    }
    if config.is_some_and(|config| config.app_domain != facts.host) {
        let check = facts.half(Failover::Primary).and_then(|record| record.health_check.as_deref());
        words += &format!(" Key=catnap:health-check,Value={}", check.unwrap_or("HEALTH_CHECK_ID"));
    }
    aws(facts, &words)
}

pub(super) fn carriers(facts: &Facts) -> Option<Finding> {
    let [keeps, others @ ..] = facts.carriers.as_ref().ok()?.as_slice() else { return None };
    if others.is_empty() {
        return None;
    }
    let own = facts.machine().map_or(keeps, |machine| &machine.instance.id);
    let all: Vec<_> = facts.carriers.iter().flatten().map(ToString::to_string).collect();
    let others: Vec<_> = all.iter().filter(|id| *id != own.as_str()).map(String::as_str).collect();
    Some(Finding::error(
        "one-instance",
        format!("{} instances carry the tag catnap:host={}: {}", all.len(), facts.host, all.join(", ")),
        "The starter wakes neither, since it cannot know which is meant, and so the stopper stops neither.",
        vec![aws(facts, &format!("ec2 delete-tags --resources {} --tags Key=catnap:host", others.join(" ")))],
    ))
}

pub(super) fn elastic_ip(facts: &Facts) -> Option<Finding> {
    let machine = facts.machine()?;
    if !machine.elastic_ips.as_ref().ok()?.is_empty() {
        return None;
    }
    let id = &machine.instance.id;
    let has = match machine.instance.public_address {
        Some(address) => format!("its public address {address} is an automatic one"),
        None => "it has no public address".into(),
    };
    Some(Finding::error(
        "elastic-ip",
        format!("no Elastic IP is attached to {id}: {has}"),
        "An automatic address changes with every start: record and health check would not find the instance again.",
        vec![
            aws(facts, "ec2 allocate-address"),
            aws(facts, &format!("ec2 associate-address --instance-id {id} --allocation-id ALLOCATION_ID")),
        ],
    ))
}

pub(super) fn spot(facts: &Facts) -> Option<Finding> {
    let instance = &facts.machine()?.instance;
    instance.spot.then(|| {
        Finding::error(
            "spot",
            format!("{} is a spot instance", instance.id),
            "EC2 stops and starts those by itself, so Catnap leaves them alone: it never naps.",
            vec!["# launch it again from its image, on demand".into()],
        )
    })
}

pub(super) fn auto_scaling(facts: &Facts) -> Option<Finding> {
    let instance = &facts.machine()?.instance;
    let group = instance.tags.get("aws:autoscaling:groupName")?;
    let words = format!(
        "autoscaling detach-instances --instance-ids {} --auto-scaling-group-name {group} \
         --should-decrement-desired-capacity",
        instance.id
    );
    Some(Finding::error(
        "auto-scaling",
        format!("{} is in the Auto Scaling group {group}", instance.id),
        "The group would replace a stopped instance by a new one, so Catnap leaves it alone: it never naps.",
        vec![aws(facts, &words)],
    ))
}

pub(super) fn root_device(facts: &Facts) -> Option<Finding> {
    let instance = &facts.machine()?.instance;
    instance.instance_store_root.then(|| {
        Finding::error(
            "root-device",
            format!("the root device of {} is an instance store", instance.id),
            "A stop would lose it, and EC2 refuses one: it never naps.",
            vec!["# launch it again from an image with an EBS root volume".into()],
        )
    })
}

pub(super) fn stop_protection(facts: &Facts) -> Option<Finding> {
    let machine = facts.machine()?;
    machine.stop_protection.as_ref().is_ok_and(|on| *on).then(|| {
        let id = &machine.instance.id;
        Finding::error(
            "stop-protection",
            format!("stop protection is on for {id}"),
            "EC2 refuses to stop it: it never naps.",
            vec![aws(facts, &format!("ec2 modify-instance-attribute --instance-id {id} --no-disable-api-stop"))],
        )
    })
}

pub(super) fn customer_keys(facts: &Facts) -> Option<Finding> {
    let keys = facts.machine()?.customer_keys.as_ref().ok()?;
    let of = |granted| keys.iter().find(|key| key.granted == granted);
    let CustomerKey { volume, key, granted } = of(Some(false)).or_else(|| of(None))?;
    let role = facts.stack.as_ref().and_then(|stack| stack.starter_role.as_deref()).unwrap_or("STARTER_ROLE_ARN");
    let words = format!(
        "kms create-grant --key-id {key} --grantee-principal {role} \
         --operations CreateGrant Decrypt DescribeKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo"
    );
    if granted.is_none() {
        return Some(Finding::warning(
            "volume-key",
            format!(
                "{volume} is encrypted with a key of your own, {key}, and whether the starter may make a grant with it \
                 cannot be told: no stack says what its role is"
            ),
            "If it may not, EC2 takes the start and stops the instance again at once: it cannot be woken.",
            vec![
                aws(facts, &format!("kms list-grants --key-id {key}")),
                format!("# if neither this nor a policy lets the starter's role do it: {}", aws(facts, &words)),
            ],
        ));
    }
    Some(Finding::error(
        "volume-key",
        format!("{volume} is encrypted with a key of your own, {key}, and the starter may make no grant with it"),
        "EC2 takes the start and stops the instance again at once: it cannot be woken.",
        vec![aws(facts, &words)],
    ))
}

pub(super) fn failed_start(facts: &Facts) -> Option<Finding> {
    let instance = &facts.machine()?.instance;
    let reason = instance.state_reason.as_deref().filter(|_| instance.state == InstanceState::Stopped)?;
    // The same codes as the starter goes by.
    let is_told = customer_keys(facts).is_some_and(|finding| finding.severity == Severity::Error);
    if !shared::wake::is_start_failure(reason) || is_told {
        return None;
    }
    Some(Finding::error(
        "failed-start",
        format!("the last start of {} failed: {reason}", instance.id),
        "EC2 took the start and stopped the instance again. Client.InternalError is mostly a volume's key that may not \
         be used.",
        vec![aws(facts, &format!("ec2 start-instances --instance-ids {}", instance.id))],
    ))
}

pub(super) fn tags(facts: &Facts) -> Option<Finding> {
    let instance = &facts.machine()?.instance;
    let warnings = facts.overrides()?.warnings;
    if warnings.is_empty() {
        return None;
    }
    Some(Finding::warning(
        "tags",
        warnings.join("; "),
        "What cannot be read does not hold, and the default stands.",
        vec![aws(facts, &format!("ec2 create-tags --resources {} --tags Key=TAG,Value=VALUE", instance.id))],
    ))
}

pub(super) fn hold(facts: &Facts) -> Option<Finding> {
    let instance = &facts.machine()?.instance;
    let tag = config::HOLD.tag?;
    match instance.tags.get(tag)?.parse() {
        Ok(Hold::Yes { until }) if until.is_none_or(|until| until > facts.now) => Some(Finding::warning(
            "hold",
            format!("the tag {tag} of {} is {}", instance.id, instance.tags[tag]),
            "It sleeps on purpose: whoever comes reads so and wakes nothing.",
            vec![aws(facts, &format!("ec2 delete-tags --resources {} --tags Key={tag}", instance.id))],
        )),
        _ => None,
    }
}

pub(super) fn monitoring(facts: &Facts) -> Option<Finding> {
    facts.config()?;
    let (instance, idle) = (&facts.machine()?.instance, facts.overrides()?.policy.idle);
    // Three datapoints are the least that can tell a gap from quiet.
    if instance.detailed_monitoring || idle >= TimeDelta::minutes(15) {
        return None;
    }
    let mend = [
        Some(aws(facts, &format!("ec2 monitor-instances --instance-ids {}", instance.id))),
        deploy(facts, &[("IdleMinutes", "15")]).map(|command| format!("# or: {command}")),
    ];
    Some(Finding::warning(
        "monitoring",
        format!("IdleMinutes is {}, and NetworkIn comes each 5 minutes", idle.num_minutes()),
        "One datapoint that is late or lost decides. Under detailed monitoring there is one each minute, for about two \
         dollars a month.",
        mend.into_iter().flatten().collect(),
    ))
}
