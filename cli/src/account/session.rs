//! Whose account, and where: profile, region, endpoint and credentials, by the rules of the AWS CLI.
//!
//! `aws-config` would know SSO, roles and all else by itself, at the price of test features of the SDK in the pair's
//! binaries, which share its build. So what is more than keys is asked of the AWS CLI, which every operator of a
//! stack has at hand (`aws configure export-credentials`, AWS CLI 2.9 and later).

use std::io;
use std::process::{Command, Stdio};

use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::section::EnvConfigSections;
use aws_runtime::env_config::source;
use aws_types::SdkConfig;
use aws_types::os_shim_internal::{Env, Fs};
use serde::Deserialize;
use shared::aws::{Pace, SetUpError, sdk_config};

/// What the command line says of it.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct Session {
    /// The profile of ~/.aws/config; else AWS_PROFILE, else default
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The region of the instance; else AWS_REGION, else the profile's
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// Another address for all of AWS; else AWS_ENDPOINT_URL, else the profile's
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Why there is no way into an account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("{0}")]
    Files(String),
    #[error("there is no profile {name}: {there}")]
    NoProfile { name: String, there: String },
    #[error("no region: give --region, set AWS_REGION, or aws configure set region eu-central-1")]
    NoRegion,
    #[error(
        "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with --profile\n\
         for SSO, roles and all other kinds the AWS CLI is asked (2.9 or later), and it is not installed"
    )]
    NoCli,
    #[error("no credentials{}: {why}", .profile.as_ref().map_or_else(String::new, |name| format!(" of the profile {name}")))]
    Refused { profile: Option<String>, why: String },
    #[error(transparent)]
    SetUp(#[from] SetUpError),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Session {
    /// Finds out all that the clients need. Asks nothing of AWS, unless the AWS CLI has to.
    pub(crate) async fn open(&self) -> Result<SdkConfig, SessionError> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let files = source::load(&Env::real(), &Fs::real(), &EnvConfigFiles::default()).await;
        let files = files.map_err(|error| SessionError::Files(error.to_string()))?;
        let files = EnvConfigSections::parse(files).map_err(|error| SessionError::Files(error.to_string()))?;
        let name = self.profile.as_deref().unwrap_or(files.selected_profile());
        let is_chosen = self.profile.is_some() || set("AWS_PROFILE").is_some();
        let profile = files.get_profile(name);
        if is_chosen && profile.is_none() {
            let mut all: Vec<_> = files.profiles().collect();
            all.sort_unstable();
            let there = if all.is_empty() { "there is none".into() } else { format!("there are {}", all.join(", ")) };
            return Err(SessionError::NoProfile { name: name.into(), there });
        }
        let of_profile = |key: &str| profile.and_then(|profile| profile.get(key)).map(ToOwned::to_owned);
        let region = self.region.clone().or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
        let region = region.or_else(|| of_profile("region")).ok_or(SessionError::NoRegion)?;
        let endpoint = self.endpoint_url.clone().or_else(|| set("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.or_else(|| of_profile("endpoint_url"));
        let ca_bundle = set("AWS_CA_BUNDLE").or_else(|| of_profile("ca_bundle"));
        let of_environment = || {
            // A profile that is named on the command line is meant more than keys in the environment.
            let meant = self.profile.is_none();
            let access_key_id = set("AWS_ACCESS_KEY_ID").filter(|_| meant)?;
            let session_token = set("AWS_SESSION_TOKEN");
            Some(Keys { access_key_id, secret_access_key: set("AWS_SECRET_ACCESS_KEY")?, session_token })
        };
        let in_profile = || {
            let plain = ["role_arn", "sso_session", "sso_start_url", "credential_process"];
            let access_key_id =
                of_profile("aws_access_key_id").filter(|_| plain.iter().all(|key| of_profile(key).is_none()))?;
            let secret_access_key = of_profile("aws_secret_access_key")?;
            Some(Keys { access_key_id, secret_access_key, session_token: of_profile("aws_session_token") })
        };
        let keys = match of_environment().or_else(in_profile) {
            Some(keys) => keys,
            None => ask_the_cli(is_chosen.then_some(name))?,
        };
        Ok(sdk_config(Pace::Tick, |variable| match variable {
            "AWS_REGION" => Some(region.clone()),
            "AWS_ACCESS_KEY_ID" => Some(keys.access_key_id.clone()),
            "AWS_SECRET_ACCESS_KEY" => Some(keys.secret_access_key.clone()),
            "AWS_SESSION_TOKEN" => keys.session_token.clone(),
            "AWS_ENDPOINT_URL" => endpoint.clone(),
            "AWS_CA_BUNDLE" => ca_bundle.clone(),
            _ => None,
        })?)
    }
}

/// SSO, roles, web identities, processes, instance profiles. It may ask for a code, so it has the terminal. A profile
/// that nobody chose is not named: a container, an instance or CloudShell has none, and the AWS CLI knows its role.
fn ask_the_cli(profile: Option<&str>) -> Result<Keys, SessionError> {
    let refused = |why: String| SessionError::Refused { profile: profile.map(Into::into), why };
    let mut aws = Command::new("aws");
    aws.args(["configure", "export-credentials", "--format", "process"]);
    aws.args(profile.iter().flat_map(|name| ["--profile", name]));
    let output = match aws.stdin(Stdio::inherit()).stderr(Stdio::piped()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SessionError::NoCli),
        Err(error) => return Err(refused(format!("aws cannot be run: {error}"))),
    };
    if !output.status.success() {
        return Err(refused(String::from_utf8_lossy(&output.stderr).trim().into()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| refused(format!("the AWS CLI's answer: {error}")))
}
