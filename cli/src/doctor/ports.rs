//! The security groups: the checkers get in, and so do visitors.

use super::commands::aws;
use super::{Facts, Finding, Ingress, Source};

pub(super) fn health_port(facts: &Facts) -> Option<Finding> {
    let (check, machine) = (facts.check()?, facts.machine()?);
    let (port, ingress) = (check.port?, machine.ingress.as_ref().ok()?);
    let list = machine.checkers.as_ref().ok()?;
    let lets_in = |rule: &&Ingress| match &rule.from {
        Source::Everywhere => true,
        Source::PrefixList(id) => list.as_ref().is_none_or(|list| list == id),
        Source::Some(_) => false,
    };
    if open_at(ingress, port).any(|rule| lets_in(&rule)) {
        return None;
    }
    let group = machine.groups.first().map_or("GROUP_ID", String::as_str);
    let list = list.as_deref().unwrap_or("PREFIX_LIST_ID");
    let rule = serde_json::json!([{
        "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "PrefixListIds": [{"PrefixListId": list}],
    }]);
    let only: Vec<_> = open_at(ingress, port).map(|rule| rule.from.to_string()).collect();
    let why = "Route 53's checkers must get in: else the check fails for ever, and no visitor gets to the woken app. \
               Their addresses are in a managed prefix list.";
    let mend =
        vec![aws(facts, &format!("ec2 authorize-security-group-ingress --group-id {group} --ip-permissions '{rule}'"))];
    if only.is_empty() {
        let what =
            format!("no security group of {} lets anyone in at port {port}, which is checked", machine.instance.id);
        return Some(Finding::error("health-port", what, why, mend));
    }
    // Addresses or a list of somebody's own: they may be the checkers', and that they got in says so.
    (check.healthy != Some(true)).then(|| {
        let what = format!(
            "port {port}, which is checked, is open to {} only, and whether these are the checkers cannot be told",
            only.join(", ")
        );
        Finding::warning("health-port", what, why, mend)
    })
}

pub(super) fn visitors(facts: &Facts) -> Option<Finding> {
    let machine = facts.machine()?;
    let ingress = machine.ingress.as_ref().ok()?;
    let origin = facts.stack.as_ref().and_then(|stack| stack.config.as_ref().ok()).map(|config| config.origin);
    let port = origin.map_or(443, |origin| origin.port);
    if open_at(ingress, port).any(|rule| rule.from == Source::Everywhere) {
        return None;
    }
    let group = machine.groups.first().map_or("GROUP_ID", String::as_str);
    let open = aws(
        facts,
        &format!(
            "ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port {port} --cidr 0.0.0.0/0"
        ),
    );
    let only: Vec<_> = open_at(ingress, port).map(|rule| rule.from.to_string()).collect();
    if only.is_empty() {
        return Some(Finding::error(
            "visitors-port",
            format!("no security group of {} lets anyone in at port {port}", machine.instance.id),
            "Neither visitors nor the starter's own check get to the app.",
            vec![open],
        ));
    }
    Some(Finding::warning(
        "visitors-port",
        format!("port {port} is open to {} only", only.join(", ")),
        "The starter's own check does not get to the app: it cannot see when the app answers, nor answer for it. \
         Visitors wait until DNS has moved (Handoff: poll).",
        vec![format!("# if that is not meant: {open}")],
    ))
}

fn open_at(ingress: &[Ingress], port: u16) -> impl Iterator<Item = &Ingress> {
    ingress.iter().filter(move |rule| (rule.ports.0..=rule.ports.1).contains(&port))
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Everywhere => "everyone",
            Self::Some(some) | Self::PrefixList(some) => some,
        })
    }
}
