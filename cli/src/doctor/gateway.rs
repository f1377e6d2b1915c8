//! API Gateway: the custom domain that bears the app's name, its certificate, and who answers behind it.

use chrono::TimeDelta;
use shared::model::HostName;

use super::commands::{aws, make_cname};
use super::{Certificate, Facts, Finding, Gate, Validation};

/// ACM renews what it made 60 days before its end: half of that without a renewal is trouble (ACM User Guide,
/// "Managed certificate renewal").
const RUNS_OUT_SOON: TimeDelta = TimeDelta::days(30);

pub(super) fn domain(facts: &Facts) -> Option<Finding> {
    if facts.domain.as_ref().ok()?.is_some() {
        return None;
    }
    Some(Finding::error(
        "domain",
        format!("API Gateway in {} has no custom domain {}", facts.region, facts.host),
        "API Gateway answers only for names that it knows: a visitor of a sleeping app gets an error of TLS or a 404.",
        vec![request_certificate(facts), aws(facts, &create(facts)), map(facts)],
    ))
}

fn create(facts: &Facts) -> String {
    format!(
        "apigatewayv2 create-domain-name --domain-name {} --domain-name-configurations \
         CertificateArn=CERTIFICATE_ARN,EndpointType=REGIONAL,SecurityPolicy=TLS_1_2",
        facts.host
    )
}

fn map(facts: &Facts) -> String {
    let words =
        format!("apigatewayv2 create-api-mapping --domain-name {} --api-id API_ID --stage '$default'", facts.host);
    aws(facts, &words)
}

pub(super) fn regional(facts: &Facts) -> Option<Finding> {
    facts.domain().filter(|domain| !domain.regional)?;
    let host = &facts.host;
    Some(Finding::error(
        "domain-regional",
        format!("the custom domain {host} is edge-optimised"),
        "An HTTP API takes a regional domain only, with a certificate of its own region.",
        vec![
            "# its mappings go with it; until it is made again a visitor of the sleeping app gets no answer:".into(),
            aws(facts, &format!("apigatewayv2 delete-domain-name --domain-name {host}")),
            "# with a certificate of this region:".into(),
            aws(facts, &create(facts)),
            map(facts),
            "# and lead the secondary record to its new name: doctor prints how".into(),
        ],
    ))
}

pub(super) fn mapping(facts: &Facts) -> Option<Finding> {
    let domain = facts.domain()?;
    if domain.mappings.iter().any(|mapping| mapping.path.is_empty()) {
        return None;
    }
    let what = match domain.mappings.first() {
        None => format!("the custom domain {} is mapped to no API", facts.host),
        Some(mapping) => format!("the custom domain {} is mapped to an API under /{} only", facts.host, mapping.path),
    };
    let why = "API Gateway answers a visitor of a sleeping app with 403 or 404 itself, and the starter never hears of \
               it.";
    Some(Finding::error("mapping", what, why, vec![map(facts)]))
}

pub(super) fn route(facts: &Facts) -> Option<Finding> {
    let domain = facts.domain()?;
    let mapping = domain.mappings.iter().find(|mapping| mapping.path.is_empty())?;
    let routes = domain.routes.as_ref().ok()?;
    if routes.iter().any(|route| route == "$default") {
        return None;
    }
    let has = if routes.is_empty() { "none".into() } else { routes.join(", ") };
    let words = format!(
        "apigatewayv2 create-route --api-id {} --route-key '$default' --target integrations/INTEGRATION_ID",
        mapping.api
    );
    Some(Finding::error(
        "route",
        format!("the API {} has no $default route; its routes: {has}", mapping.api),
        "Visitors of any other path get a 404 of API Gateway's: no route but $default takes them all, the root as \
         well.",
        vec![aws(facts, &format!("apigatewayv2 get-integrations --api-id {}", mapping.api)), aws(facts, &words)],
    ))
}

pub(super) fn certificate_region(facts: &Facts) -> Option<Finding> {
    let arn = facts.domain()?.certificate.as_deref()?;
    let region = arn.split(':').nth(3).filter(|region| *region != facts.region)?;
    Some(Finding::error(
        "certificate-region",
        format!("the certificate {arn} is of {region}"),
        "A regional domain takes a certificate of its own region; us-east-1 holds for edge-optimised ones only.",
        replace_certificate(facts),
    ))
}

fn request_certificate(facts: &Facts) -> String {
    aws(facts, &format!("acm request-certificate --domain-name {} --validation-method DNS", facts.host))
}

/// A certificate of ACM's own for the domain that there is.
fn replace_certificate(facts: &Facts) -> Vec<String> {
    let words = format!(
        "apigatewayv2 update-domain-name --domain-name {} --domain-name-configurations \
         CertificateArn=CERTIFICATE_ARN,EndpointType=REGIONAL,SecurityPolicy=TLS_1_2",
        facts.host
    );
    vec![request_certificate(facts), "# and with its ARN, once it is issued:".into(), aws(facts, &words)]
}

pub(super) fn certificate_status(facts: &Facts) -> Option<Finding> {
    // One that has run out is the matter of `certificate_end`.
    let certificate = facts.certificate().filter(|it| !matches!(it.status.as_str(), "ISSUED" | "EXPIRED"))?;
    Some(Finding::error(
        "certificate-status",
        format!("the certificate {} is {}", certificate.arn, certificate.status),
        "Visitors of a sleeping app read that the connection is not safe.",
        match missing(certificate).as_slice() {
            missing @ [_, ..] if certificate.status == "PENDING_VALIDATION" => make_all(facts, missing),
            _ => replace_certificate(facts),
        },
    ))
}

pub(super) fn certificate_names(facts: &Facts) -> Option<Finding> {
    let certificate = facts.certificate()?;
    if certificate.names.iter().any(|name| covers(name, &facts.host)) {
        return None;
    }
    Some(Finding::error(
        "certificate-names",
        format!("the certificate {} is for {}", certificate.arn, certificate.names.join(", ")),
        "It does not cover the app's name: visitors of a sleeping app read that the connection is not safe.",
        replace_certificate(facts),
    ))
}

/// Whether a name of a certificate holds for a host; a wildcard stands for one label (RFC 6125, section 6.4.3).
fn covers(name: &str, host: &HostName) -> bool {
    let (name, host) = (name.to_ascii_lowercase(), host.as_str());
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, of_host)| of_host == parent),
        None => name == host,
    }
}

pub(super) fn certificate_end(facts: &Facts) -> Option<Finding> {
    let certificate = facts.certificate()?;
    let end = certificate.not_after.filter(|end| *end - facts.now < RUNS_OUT_SOON)?;
    let day = end.format("%Y-%m-%d");
    let why = "Visitors of a sleeping app will read that the connection is not safe, and the waiting page cannot be \
               opened.";
    // What is missing for the renewal is told by `validation_record`.
    let mend = if certificate.renewed_by_record {
        vec![aws(facts, &format!("acm describe-certificate --certificate-arn {}", certificate.arn))]
    } else {
        vec!["# import its successor under the same ARN, or let ACM make one:".into()]
            .into_iter()
            .chain(replace_certificate(facts))
            .collect()
    };
    if end <= facts.now {
        let what = format!("the certificate {} ran out on {day}", certificate.arn);
        return Some(Finding::error("certificate-end", what, why, mend));
    }
    let what = format!("the certificate {} runs out on {day}", certificate.arn);
    Some(Finding::warning("certificate-end", what, why, mend))
}

pub(super) fn validation_record(facts: &Facts) -> Option<Finding> {
    let certificate = facts.certificate().filter(|it| it.renewed_by_record && it.status == "ISSUED")?;
    let missing = missing(certificate);
    let names: Vec<_> = missing.iter().map(|record| record.name.as_str()).collect();
    let what = match names.as_slice() {
        [] => return None,
        [name] => format!("the record {name} is gone, by which ACM renews the certificate"),
        names => format!("the records {} are gone, by which ACM renews the certificate", names.join(", ")),
    };
    Some(Finding::warning(
        "validation-record",
        what,
        "The certificate will not be renewed, and visitors of a sleeping app will read that the connection is not \
         safe.",
        make_all(facts, &missing),
    ))
}

fn missing(certificate: &Certificate) -> Vec<&Validation> {
    certificate.validations.iter().filter(|record| !record.found).collect()
}

fn make_all(facts: &Facts, records: &[&Validation]) -> Vec<String> {
    records.iter().map(|record| make_cname(facts, &record.zone, &record.name, &record.value)).collect()
}

pub(super) fn answer(facts: &Facts) -> Option<Finding> {
    let domain = facts.domain()?;
    // What is known to be wrong on the way there is told once.
    if mapping(facts).or_else(|| route(facts)).or_else(|| certificate_region(facts)).is_some() {
        return None;
    }
    if certificate_status(facts).or_else(|| certificate_names(facts)).or_else(|| certificate_end(facts)).is_some() {
        return None;
    }
    let what = match facts.gate.as_ref()? {
        Gate::Starter => return None,
        Gate::Status(status) => {
            format!("behind {} something else than the starter answers, with {status}", domain.target)
        }
        Gate::Unreachable(why) => format!("behind {} nobody answers: {why}", domain.target),
    };
    let api = domain.mappings.iter().find(|mapping| mapping.path.is_empty()).map_or("API_ID", |it| it.api.as_str());
    let starter = facts.stack.as_ref().map_or_else(|| "STARTER".into(), |stack| format!("{}-starter", stack.name));
    Some(Finding::error(
        "waiting-page",
        what,
        "That is what visitors of a sleeping app get in the waiting page's place.",
        vec![
            aws(facts, &format!("logs tail /aws/lambda/{starter} --since 1h")),
            aws(facts, &format!("apigatewayv2 get-integrations --api-id {api}")),
        ],
    ))
}
