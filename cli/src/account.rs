//! An account, as the operator's profile opens it: read for the doctor, and acted on for the other commands.

mod act;
mod gateway;
mod machine;
mod names;
mod schedule;
mod session;
mod set_up;
mod traffic;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_types::SdkConfig;
use aws_types::region::Region;
use chrono::Utc;
use shared::aws::{Aws, cloud_error, of_route53};
use shared::cloud::{Cloud, Targets};
use shared::model::{Instance, InstanceId};
use shared::trouble::CloudError;

use crate::doctor::{Facts, Failover, Read, Unread};
pub(crate) use session::{Session, SessionError};
pub(crate) use set_up::{Of, SetUp, SetUpError};

/// The clients, for one region.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    config: SdkConfig,
    /// The port that the functions use.
    pub(crate) cloud: Aws,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) route53: aws_sdk_route53::Client,
}

impl Account {
    pub(crate) fn new(config: SdkConfig) -> Self {
        let route53 = aws_sdk_route53::Client::new(&of_route53(&config));
        Self { cloud: Aws::new(&config), ec2: aws_sdk_ec2::Client::new(&config), route53, config }
    }

    pub(crate) fn region(&self) -> &str {
        self.config.region().map_or("", Region::as_ref)
    }

    /// Looks at all that the doctor wants to know. What cannot be read is said in its place.
    pub(crate) async fn facts(&self, set_up: SetUp) -> Facts {
        let host = set_up.host.clone();
        let zone = self.zone(host.as_str(), set_up.zone()).await;
        let records = match &zone {
            Ok(Some(zone)) => self.records(&zone.id, &host).await,
            Ok(None) => Ok(Vec::new()),
            Err(error) => Err(error.clone()),
        };
        let carriers = match set_up.instance {
            Some(_) => Ok(Carriers::default()),
            None => self.carriers(&set_up).await,
        };
        let primary = records.iter().flatten().find(|it| it.kind == "A" && it.failover == Some(Failover::Primary));
        let check = primary.and_then(|record| record.health_check.clone()).or_else(|| set_up.health_check.clone());
        let health_check = match check {
            Some(id) => self.check(&id).await,
            None => Ok(None),
        };
        let id = match (&set_up.instance, &carriers) {
            (Some(id), _) => Ok(Some(id.clone())),
            (None, Ok(Carriers { own, .. })) if own.len() == 1 => Ok(own.first().cloned()),
            (None, Ok(Carriers { own, others })) if own.is_empty() && others.len() == 1 => Ok(others.first().cloned()),
            // None carries the name, or more than one do: then the record says which is meant.
            (None, Ok(_)) => match (&records, primary.and_then(|record| record.values.first())) {
                (Err(unread), _) => Err(unread.clone()),
                (Ok(_), Some(address)) => self.instance_at(address).await,
                (Ok(_), None) => Ok(None),
            },
            (None, Err(unread)) => Err(unread.clone()),
        };
        let machine = match id {
            Ok(Some(id)) => self.machine(&id, &set_up).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        // Mostly that of the record.
        let stacks_check = match (&set_up.health_check, &health_check) {
            (None, _) => Ok(None),
            (Some(id), Ok(Some(check))) if *id == check.id => health_check.clone(),
            (Some(id), _) => self.check(id).await,
        };
        let domain = self.domain(&host).await;
        let arn = domain.iter().flatten().find_map(|domain| domain.certificate.clone());
        let of_this_region = arn.filter(|arn| arn.split(':').nth(3) == Some(self.region()));
        let certificate = match of_this_region {
            Some(arn) => self.certificate(&arn, &host, set_up.zone()).await,
            None => Ok(None),
        };
        let gate = match domain.iter().flatten().next() {
            Some(domain) => gateway::gate(&host, domain).await,
            None => None,
        };
        let schedule = match &set_up.stopper {
            Some(function) => self.schedule(function).await,
            None => Ok(None),
        };
        Facts {
            now: Utc::now(),
            region: self.region().into(),
            profile: None,
            host,
            zone,
            records,
            health_check,
            stacks_check,
            domain,
            certificate,
            gate,
            carriers: carriers.map(|carriers| carriers.own),
            machine,
            stack: set_up.stack,
            schedule,
        }
    }

    /// The instances that carry the name and are not gone.
    async fn carriers(&self, set_up: &SetUp) -> Read<Carriers> {
        let host = set_up.host.clone();
        let mut found = self.cloud.instances(&Targets::Host(host)).await.map_err(|error| of_port(&error))?;
        found.retain(|it| !it.state.is_gone());
        found.sort_by(|one, other| one.id.cmp(&other.id));
        let config = set_up.stack.as_ref().and_then(|stack| stack.config.as_ref().ok());
        let (own, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|it| config.is_none_or(|config| config.is_for(it)));
        let ids = |all: Vec<Instance>| all.into_iter().map(|it| it.id).collect();
        Ok(Carriers { own: ids(own), others: ids(others) })
    }
}

/// The instances that carry a name.
#[derive(Debug, Default)]
struct Carriers {
    /// Those that the set-up is for.
    own: Vec<InstanceId>,
    /// Those of another fleet.
    others: Vec<InstanceId>,
}

/// An error of the port, by the permission that it is about.
fn of_port(error: &CloudError) -> Unread {
    let service = match error.operation {
        "GetMetricData" => "cloudwatch",
        "GetHealthCheck" | "ListHealthChecks" | "GetHealthCheckStatus" | "ListTagsForResource" => "route53",
        _ => "ec2",
    };
    Unread {
        operation: format!("{service}:{}", error.operation),
        message: format!("{}: {}", error.code, error.message),
    }
}

/// An error of the SDK. `operation` is a permission such as `acm:DescribeCertificate`.
fn unread<E>(operation: &'static str, error: &SdkError<E>) -> Unread
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let CloudError { code, message, .. } = cloud_error(operation, error);
    let message = if code.is_empty() { message } else { format!("{code}: {message}") };
    Unread { operation: operation.into(), message }
}

/// Whether the SDK's error has one of these codes.
fn is<E: ProvideErrorMetadata>(error: &SdkError<E>, codes: &[&str]) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(|code| codes.contains(&code))
}
