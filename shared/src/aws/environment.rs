//! The clients, set up from what Lambda puts into the environment.
//!
//! `aws-config` is left out on purpose: it looks for profiles, containers, SSO and instance metadata, none of
//! which a Lambda has, and it is time that a visitor would wait for.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::config::BehaviorVersion;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The authorities behind AWS's endpoints. Reading all of the system's takes longer than all else at the start.
const AWS_ROOTS: &[u8] = include_bytes!("roots.pem");

/// The cloud port over AWS.
#[derive(Debug, Clone)]
pub struct Aws {
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) route53: aws_sdk_route53::Client,
    /// The instances' own region.
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
    /// Where Route 53 puts its health checks' metrics.
    pub(super) cloudwatch_of_route53: aws_sdk_cloudwatch::Client,
}

/// How long a call may take, and how often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A visitor waits for the answer, and asks again anyway.
    Visitor,
    /// Nobody waits; what is not done is done by the next tick.
    Tick,
}

/// What keeps the clients from being set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// A variable that Lambda sets is not there.
    #[error("{0} is not set: in Lambda it always is, elsewhere set it by hand")]
    Missing(&'static str),
    /// The file of certificates cannot be used.
    #[error("AWS_CA_BUNDLE is {path:?}: {why}")]
    CaBundle {
        /// Its path.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Aws {
    /// Sets up the clients from variables, as [`sdk_config`] reads them. Connects to nothing yet.
    ///
    /// # Errors
    /// The first variable that is missing or cannot be used.
    pub fn from_environment(pace: Pace, variable: impl Fn(&str) -> Option<String>) -> Result<Self, SetUpError> {
        Ok(Self::new(&sdk_config(pace, variable)?))
    }

    /// Sets up the clients.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let of_route53 = of_route53(config);
        Self {
            ec2: aws_sdk_ec2::Client::new(config),
            route53: aws_sdk_route53::Client::new(&of_route53),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            cloudwatch_of_route53: aws_sdk_cloudwatch::Client::new(&of_route53),
        }
    }
}

/// What every client of the SDK takes, from variables: `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
/// `AWS_SESSION_TOKEN`, and for tests `AWS_ENDPOINT_URL` and `AWS_CA_BUNDLE`.
///
/// # Errors
/// The first variable that is missing or cannot be used.
pub fn sdk_config(pace: Pace, variable: impl Fn(&str) -> Option<String>) -> Result<SdkConfig, SetUpError> {
    let get = |name| variable(name).filter(|value| !value.is_empty());
    let region = get("AWS_REGION").ok_or(SetUpError::Missing("AWS_REGION"))?;
    let credentials = Credentials::new(
        get("AWS_ACCESS_KEY_ID").ok_or(SetUpError::Missing("AWS_ACCESS_KEY_ID"))?,
        get("AWS_SECRET_ACCESS_KEY").ok_or(SetUpError::Missing("AWS_SECRET_ACCESS_KEY"))?,
        get("AWS_SESSION_TOKEN"),
        None, // Lambda ends an environment before its credentials do
        "environment",
    );
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls(get("AWS_CA_BUNDLE"))?)
        .build_https();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .retry_config(pace.retries())
        .timeout_config(pace.timeouts());
    if let Some(url) = get("AWS_ENDPOINT_URL") {
        config = config.endpoint_url(url);
    }
    Ok(config.build())
}

/// The same where Route 53 and its metrics are.
#[must_use]
pub fn of_route53(config: &SdkConfig) -> SdkConfig {
    let region = config.region().map_or("", Region::as_ref);
    config.to_builder().region(Region::new(route53_region(region))).build()
}

fn tls(ca_bundle: Option<String>) -> Result<TlsContext, SetUpError> {
    let bad = |why: &dyn std::fmt::Display| SetUpError::CaBundle {
        path: ca_bundle.clone().unwrap_or_default(),
        why: why.to_string(),
    };
    let pem = match &ca_bundle {
        None => AWS_ROOTS.to_vec(),
        Some(path) => std::fs::read(path).map_err(|why| bad(&why))?,
    };
    // The SDK would panic on what is no certificate, and only when it first connects.
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|why| bad(&why))?).map_err(|why| bad(&why))?;
    }
    if roots.is_empty() {
        return Err(bad(&"there is no certificate in it"));
    }
    let trust = TrustStore::empty().with_pem_certificate(pem);
    TlsContext::builder().with_trust_store(trust).build().map_err(|why| bad(&why))
}

/// Where a partition's Route 53 signs and puts its metrics (AWS General Reference, "Amazon Route 53 endpoints").
fn route53_region(region: &str) -> &'static str {
    match region {
        china if china.starts_with("cn-") => "cn-northwest-1",
        gov if gov.starts_with("us-gov-") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

impl Pace {
    fn retries(self) -> RetryConfig {
        let standard = RetryConfig::standard();
        match self {
            Self::Visitor => standard.with_max_attempts(2).with_initial_backoff(Duration::from_millis(100)),
            Self::Tick => standard.with_max_attempts(5),
        }
    }

    fn timeouts(self) -> TimeoutConfig {
        let (connect, attempt, operation) = match self {
            Self::Visitor => (2, 4, 6), // twice, and 3 s for the app: within the starter's 29 s
            Self::Tick => (3, 10, 40),
        };
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(connect))
            .operation_attempt_timeout(Duration::from_secs(attempt))
            .operation_timeout(Duration::from_secs(operation))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_up(set: &[(&str, &str)]) -> Result<Aws, SetUpError> {
        let usual = [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let all: Vec<_> = usual.iter().chain(set).copied().collect();
        Aws::from_environment(Pace::Visitor, move |name| {
            all.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
        })
    }

    #[test]
    fn what_is_missing_or_unusable_is_named() {
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            let error = set_up(&[(name, "")]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} is not set")), "{error}");
        }
        let error = set_up(&[("AWS_CA_BUNDLE", "/nowhere.pem")]).unwrap_err().to_string();
        assert!(error.starts_with("AWS_CA_BUNDLE is \"/nowhere.pem\": "), "{error}");
        let not_pem = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let error = set_up(&[("AWS_CA_BUNDLE", not_pem)]).unwrap_err().to_string();
        assert!(error.ends_with("there is no certificate in it"), "{error}");
    }

    #[test]
    fn the_authorities_are_all_there() {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(AWS_ROOTS).collect::<Result<_, _>>().unwrap();
        assert_eq!(roots.len(), 8);
        assert!(set_up(&[]).is_ok());
    }

    #[test]
    fn route_53_has_one_region_a_partition() {
        assert_eq!(route53_region("eu-central-1"), "us-east-1");
        assert_eq!(route53_region("cn-north-1"), "cn-northwest-1");
        assert_eq!(route53_region("us-gov-east-1"), "us-gov-west-1");
    }
}
