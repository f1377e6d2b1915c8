//! API Gateway and ACM, and who answers behind them.

use chrono::{DateTime, TimeDelta, Utc};
use http::Request;
use serde_json::Value;
use shared::cloud::{App, Destination, Limits, Unforwarded};
use shared::config::Origin;
use shared::model::HostName;
use starter::HttpApp;

use super::{Account, is, unread};
use crate::doctor::{Certificate, Domain, Gate, Mapping, Read, Validation};

/// How long the starter may take: API Gateway gives up after 30 s.
const PATIENCE: TimeDelta = TimeDelta::seconds(30);

/// For local runs: an address and a port in API Gateway's place.
pub(crate) const GATEWAY_ADDRESS: &str = "CATNAP_GATEWAY_ADDRESS";

impl Account {
    /// The custom domain of the app's name.
    pub(super) async fn domain(&self, host: &HostName) -> Read<Option<Domain>> {
        let client = aws_sdk_apigatewayv2::Client::new(&self.config);
        let answer = match client.get_domain_name().domain_name(host.as_str()).send().await {
            Ok(answer) => answer,
            Err(error) if is(&error, &["NotFoundException"]) => return Ok(None),
            Err(error) => return Err(unread("apigateway:GET /domainnames", &error)),
        };
        let Some(config) = answer.domain_name_configurations().first() else { return Ok(None) };
        let mut mappings = Vec::new();
        let mut next = None;
        loop {
            let page = client.get_api_mappings().domain_name(host.as_str()).set_next_token(next).send().await;
            let page = page.map_err(|error| unread("apigateway:GET /domainnames/*/apimappings", &error))?;
            mappings.extend(page.items().iter().map(|it| Mapping {
                api: it.api_id().unwrap_or_default().into(),
                path: it.api_mapping_key().unwrap_or_default().into(),
            }));
            next = page.next_token().filter(|token| !token.is_empty()).map(Into::into);
            if next.is_none() {
                break;
            }
        }
        let routes = match mappings.iter().find(|mapping| mapping.path.is_empty()) {
            None => Ok(Vec::new()),
            Some(mapping) => {
                let routes = client.get_routes().api_id(&mapping.api).max_results("500").send().await;
                routes
                    .map(|routes| routes.items().iter().filter_map(|it| it.route_key().map(Into::into)).collect())
                    .map_err(|error| unread("apigateway:GET /apis/*/routes", &error))
            }
        };
        Ok(Some(Domain {
            target: config.api_gateway_domain_name().unwrap_or_default().to_ascii_lowercase(),
            zone: config.hosted_zone_id().unwrap_or_default().into(),
            regional: config.endpoint_type().is_none_or(|kind| kind.as_str() == "REGIONAL"),
            certificate: config.certificate_arn().map(Into::into),
            mappings,
            routes,
        }))
    }

    /// The certificate of this ARN, and whether the zones have what its renewal needs.
    pub(super) async fn certificate(
        &self,
        arn: &str,
        host: &HostName,
        known: Option<&str>,
    ) -> Read<Option<Certificate>> {
        let client = aws_sdk_acm::Client::new(&self.config);
        let answer = match client.describe_certificate().certificate_arn(arn).send().await {
            Ok(answer) => answer,
            Err(error) if is(&error, &["ResourceNotFoundException"]) => return Ok(None),
            Err(error) => return Err(unread("acm:DescribeCertificate", &error)),
        };
        let Some(it) = answer.certificate() else { return Ok(None) };
        let options = it.domain_validation_options();
        let records: Vec<_> = options.iter().filter_map(|option| option.resource_record()).collect();
        let mut validations: Vec<Validation> = Vec::new();
        for record in &records {
            let (name, value) = (record.name().trim_end_matches('.'), record.value().trim_end_matches('.'));
            // A name and its wildcard have the same.
            if validations.iter().any(|it| it.name == name) {
                continue;
            }
            // Only a record that a zone of this account would hold can be looked for: each name may be in another.
            if let Ok(Some(zone)) = self.zone(name, known).await
                && !self.is_delegated(&zone, name).await?
            {
                let found = self.has_cname(&zone.id, name).await?;
                validations.push(Validation { zone: zone.id, name: name.into(), value: value.into(), found });
            }
        }
        let mut names: Vec<String> = it.domain_name().map(Into::into).into_iter().collect();
        names.extend(
            it.subject_alternative_names().iter().filter(|name| Some(name.as_str()) != it.domain_name()).cloned(),
        );
        names.sort_by_key(|name| name != host.as_str());
        Ok(Some(Certificate {
            arn: arn.into(),
            status: it.status().map_or_else(String::new, |status| status.as_str().into()),
            names,
            not_after: it.not_after().and_then(|end| DateTime::from_timestamp(end.secs(), 0)),
            renewed_by_record: it.r#type().is_some_and(|kind| kind.as_str() == "AMAZON_ISSUED") && !records.is_empty(),
            validations,
        }))
    }
}

/// Asks behind API Gateway how the app is, past DNS: it wakes nothing.
pub(super) async fn gate(host: &HostName, domain: &Domain) -> Option<Gate> {
    let app = HttpApp::default();
    let target: HostName = domain.target.parse().ok()?;
    let address = match std::env::var(GATEWAY_ADDRESS) {
        Ok(address) => address.parse().ok()?,
        Err(_) => match app.addresses(&target).await.first() {
            Some(address) => (*address, 443).into(),
            None => return Some(Gate::Unreachable(format!("DNS has no address of {target}"))),
        },
    };
    let origin = Origin { tls: true, port: 443 };
    let to = Destination { host: host.clone(), address, origin };
    let request = Request::get(format!("/.catnap/status?app={host}")).header("accept", "application/json");
    let limits = Limits { until: Utc::now() + PATIENCE, bytes: 1_000_000 };
    Some(match app.forward(&to, request.body(Vec::new()).ok()?, limits).await {
        Ok(answer) => {
            let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            // Whatever it answers: that it cannot find the instance is told by other checks.
            let is_starter = body["app"] == host.as_str();
            if is_starter { Gate::Starter } else { Gate::Status(answer.status().as_u16()) }
        }
        Err(Unforwarded::NotReached(seen)) => Gate::Unreachable(seen.to_string()),
        Err(Unforwarded::TimedOut) => Gate::Unreachable("no answer in time".into()),
        Err(_) => Gate::Unreachable("the connection breaks".into()),
    })
}
