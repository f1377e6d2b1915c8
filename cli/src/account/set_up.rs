//! Which set-up is meant: a stack, or a name whose set-up was made by hand.

use std::collections::BTreeMap;

use shared::cloud::{Cloud, Targets};
use shared::config::{self, Config, ConfigError, SETTINGS};
use shared::model::{HostName, InstanceId};

use super::{Account, is, of_port, unread};
use crate::doctor::{Stack, Unread};

/// How the operator says which set-up is meant.
#[derive(Debug, Clone)]
pub(crate) struct Of {
    /// A stack of `template.yaml` or of `app/template.yaml`, by its name.
    pub(crate) stack: Option<String>,
    /// The stack that is looked at first where none is named.
    pub(crate) usual: String,
    /// An app's name: one of those that the stack serves, or else one that was set up by hand.
    pub(crate) domain: Option<HostName>,
    /// Its instance.
    pub(crate) instance: Option<InstanceId>,
}

/// What is known of a set-up before the account is looked at.
#[derive(Debug, Clone)]
pub(crate) struct SetUp {
    pub(crate) host: HostName,
    /// The instance, where it is named; else it is found by tag or by address.
    pub(crate) instance: Option<InstanceId>,
    pub(crate) health_check: Option<String>,
    /// The name of the stopper's function.
    pub(crate) stopper: Option<String>,
    pub(crate) stack: Option<Stack>,
    /// One app is meant, and not all that the stack serves.
    pub(crate) is_one_app: bool,
    /// Why it has no stack, where one was looked for.
    pub(crate) without: Option<String>,
}

/// Why the set-up cannot be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetUpError {
    #[error(
        "there is no stack {name} in {region}\n\
         name the stack (aws cloudformation list-stacks --region {region}), another region with --region, \
         or a set-up without one with --domain app.example.com"
    )]
    NoStack { name: String, region: String },
    #[error("the stack {0} is none of Catnap's: it has no parameter AppDomain")]
    NotCatnap(String),
    #[error("the instance carries no tag catnap:host: give the app's name with --domain")]
    NoName,
    #[error("no instance belongs to {0}: catnap doctor says what is missing")]
    NoInstance(HostName),
    #[error(
        "NetworkIn of {0} has no datapoints in the last {1} days: was it asleep?\n\
         catnap plan --days 63 looks as far back as CloudWatch can"
    )]
    NoTraffic(InstanceId, i64),
    #[error("{instance} carries the tag catnap:host={host}: leave out --domain, or tag it anew")]
    Carries { instance: InstanceId, host: HostName },
    #[error(
        "the stack {name} is for {host} ({instance}) alone, which its InstanceId says\n\
         another app with a set-up of its own is meant by --domain without the stack"
    )]
    OneApp { name: String, host: HostName, instance: InstanceId },
    #[error("{instance} is not for this stack: {why}; catnap doctor says how to mend it")]
    NotFound { instance: InstanceId, why: String },
    #[error("{1} instances belong to {0}: say which with --instance; catnap doctor says how to mend it")]
    Instances(HostName, usize),
    #[error("{0}: the stack cannot work; catnap doctor says how to mend it")]
    Config(#[from] ConfigError),
    #[error("{} cannot be called: {}", .0.operation, .0.message)]
    Unread(Unread),
}

impl SetUp {
    fn by_hand(host: HostName) -> Self {
        Self { host, instance: None, health_check: None, stopper: None, stack: None, is_one_app: true, without: None }
    }

    /// Whether a parameter of the stack names this key, which then stands in the starter's policy.
    pub(super) fn names_key(&self, key: &str) -> bool {
        self.stack.iter().any(|stack| stack.parameters.values().any(|value| value.contains(key)))
    }

    /// The hosted zone of the stack's own app.
    pub(super) fn zone(&self) -> Option<&str> {
        let stack = self.stack.as_ref()?;
        let is_own = stack.config.as_ref().is_ok_and(|config| config.app_domain == self.host);
        stack.parameters.get("HostedZoneId").map(String::as_str).filter(|_| is_own)
    }

    /// What the functions go by; the defaults for a set-up made by hand.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        match &self.stack {
            Some(stack) => stack.config.clone(),
            None => Config::read(|name| {
                let text = |setting: config::Setting, value: Option<String>| {
                    (setting.variable == Some(name)).then_some(value).flatten()
                };
                text(config::APP_DOMAIN, Some(self.host.to_string()))
                    .or_else(|| text(config::INSTANCE_ID, self.instance.as_ref().map(ToString::to_string)))
                    .or_else(|| text(config::HEALTH_CHECK_ID, self.health_check.clone()))
            }),
        }
    }
}

/// Whether there is a stack is told by this call.
const DESCRIBE_STACKS: &str = "cloudformation:DescribeStacks";

/// What the operator names beside a stack.
#[derive(Debug, Clone)]
struct Asked {
    domain: Option<HostName>,
    instance: Option<InstanceId>,
    /// The name that this instance carries.
    carries: Option<HostName>,
}

impl Asked {
    /// As an app of this stack, if it can be one.
    fn of(self, stack: SetUp) -> Result<SetUp, SetUpError> {
        let is_one_app = stack.is_one_app || self.domain.is_some() || self.instance.is_some();
        if let Some(own) = &stack.instance {
            let is_other = self.domain.is_some_and(|host| host != stack.host);
            if is_other || self.instance.is_some_and(|id| id != *own) {
                let name = stack.stack.map(|stack| stack.name).unwrap_or_default();
                return Err(SetUpError::OneApp { name, host: stack.host, instance: own.clone() });
            }
            return Ok(SetUp { is_one_app, ..stack });
        }
        let host = self.host()?.unwrap_or_else(|| stack.host.clone());
        // Another of its apps has its health check by tag.
        let health_check = stack.health_check.filter(|_| host == stack.host);
        Ok(SetUp { host, instance: self.instance, health_check, is_one_app, ..stack })
    }

    /// As a set-up made by hand.
    fn by_hand(self, why: impl FnOnce(&HostName) -> String) -> Result<SetUp, SetUpError> {
        let host = self.host()?.ok_or(SetUpError::NoName)?;
        Ok(SetUp { instance: self.instance, without: Some(why(&host)), ..SetUp::by_hand(host) })
    }

    /// The app's name: an instance is not acted on under another than it carries.
    fn host(&self) -> Result<Option<HostName>, SetUpError> {
        match (&self.domain, &self.carries, &self.instance) {
            (Some(domain), Some(host), Some(instance)) if domain != host => {
                Err(SetUpError::Carries { instance: instance.clone(), host: host.clone() })
            }
            (domain, carries, _) => Ok(domain.clone().or_else(|| carries.clone())),
        }
    }
}

/// A stack as CloudFormation tells it.
struct Described {
    id: String,
    status: String,
    parameters: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

impl Account {
    /// The set-up that is meant. A stack that is named has to be there, and for that app. Where only an app is named,
    /// the usual stack is asked first: a set-up that goes by its settings must not be taken for one made by hand.
    pub(crate) async fn set_up(&self, of: Of) -> Result<SetUp, SetUpError> {
        let Of { stack, usual, domain, instance } = of;
        let is_named = stack.is_some() || (domain.is_none() && instance.is_none());
        let carries = match &instance {
            Some(id) => self.carried_by(id, domain.is_none()).await?,
            None => None,
        };
        let asked = Asked { domain, instance, carries };
        let name = stack.unwrap_or(usual);
        match self.stack_or_app(name.clone()).await {
            Ok(stack) if is_named => asked.of(stack),
            Ok(stack) => {
                let (own, is_by_id) = (stack.host.clone(), stack.instance.is_some());
                match asked.clone().of(stack) {
                    Ok(set_up) if is_by_id || (set_up.host == own && asked.instance.is_none()) => Ok(set_up),
                    Ok(set_up) if self.finds(&set_up).await? => Ok(set_up),
                    Err(error) if asked.host()?.as_ref() == Some(&own) => Err(error),
                    _ => asked.by_hand(|host| format!("the stack {name} is not for {host}")),
                }
            }
            Err(error) if is_named => Err(error),
            // It may be there, and say something else than the defaults: only who never may look goes on.
            Err(SetUpError::Unread(unread))
                if unread.operation != DESCRIBE_STACKS || !unread.message.starts_with("AccessDenied") =>
            {
                Err(SetUpError::Unread(unread))
            }
            Err(error) => asked.by_hand(|_| error.to_string().lines().next().unwrap_or_default().into()),
        }
    }

    /// The name that an instance carries. Whoever `needs` it cannot do without.
    async fn carried_by(&self, id: &InstanceId, needs: bool) -> Result<Option<HostName>, SetUpError> {
        match self.cloud.instances(&Targets::One(id.clone())).await {
            Ok(found) => Ok(found.first().and_then(|it| it.tags.get(config::APP_DOMAIN.tag?)?.parse().ok())),
            Err(error) if needs => Err(SetUpError::Unread(of_port(&error))),
            Err(_) => Ok(None),
        }
    }

    /// Whether the stack's functions find an instance of this name by its tags.
    async fn finds(&self, set_up: &SetUp) -> Result<bool, SetUpError> {
        let carriers = self.carriers(set_up).await.map_err(SetUpError::Unread)?;
        Ok(set_up.instance.as_ref().map_or(!carriers.own.is_empty(), |id| carriers.own.contains(id)))
    }

    /// A stack of `template.yaml`, or of `app/template.yaml`: that is one app of the stack that it names.
    async fn stack_or_app(&self, name: String) -> Result<SetUp, SetUpError> {
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        let described = self.describe(&client, &name).await?;
        let host = described.parameters.get("AppDomain").and_then(|host| host.parse().ok());
        let Some(host) = host else { return Err(SetUpError::NotCatnap(name)) };
        let Some(pair) = described.parameters.get("Pair").cloned() else {
            return self.stack(&client, name, host, described).await;
        };
        let of_pair = self.describe(&client, &pair).await?;
        let health_check = described.outputs.get("HealthCheckId").cloned();
        let of_pair = self.stack(&client, pair, host, of_pair).await?;
        Ok(SetUp { instance: None, health_check, is_one_app: true, ..of_pair })
    }

    async fn stack(
        &self,
        client: &aws_sdk_cloudformation::Client,
        name: String,
        host: HostName,
        described: Described,
    ) -> Result<SetUp, SetUpError> {
        let Described { id, status, mut parameters, outputs } = described;
        if parameters.get("Host").is_some_and(|host| host == "new") {
            let nested = self.resource(client, &name, "NewHostStack").await?;
            if let Some(nested) = nested {
                let outputs = self.describe(client, &nested).await?.outputs;
                parameters.extend(outputs.get("InstanceId").map(|id| ("InstanceId".into(), id.clone())));
            }
        }
        // arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID
        let words: Vec<_> = id.split(':').collect();
        // Only one check of the doctor's wants it.
        let role = self.resource(client, &name, "StarterRole").await.ok().flatten();
        let arn = |name: Option<String>, of: fn(&str, &str, &str, &str) -> String| match words.as_slice() {
            [_, partition, _, region, account, ..] => name.map(|name| of(partition, region, account, &name)),
            _ => None,
        };
        let starter_role =
            arn(role, |partition, _, account, name| format!("arn:{partition}:iam::{account}:role/{name}"));
        let health_check = outputs.get("HealthCheckId").cloned();
        let config = Config::read(|variable| {
            let setting = SETTINGS.iter().find(|setting| setting.variable == Some(variable))?;
            if *setting == config::HEALTH_CHECK_ID {
                return health_check.clone();
            }
            parameters.get(setting.parameter?).cloned()
        });
        let instance = parameters.get("InstanceId").and_then(|id| id.parse().ok());
        let stopper = outputs.get("StopperFunction").cloned();
        let stopper_arn = arn(stopper.clone(), |partition, region, account, name| {
            format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
        });
        // The output is the queue's address, which ends in its name.
        let queue = outputs.get("LostTicksQueue").and_then(|url| url.rsplit('/').next()).map(Into::into);
        let lost_ticks =
            arn(queue, |partition, region, account, name| format!("arn:{partition}:sqs:{region}:{account}:{name}"));
        let stack = Some(Stack { name, status, parameters, config, starter_role, stopper: stopper_arn, lost_ticks });
        Ok(SetUp { host, instance, health_check, stopper, stack, is_one_app: false, without: None })
    }

    async fn describe(&self, client: &aws_sdk_cloudformation::Client, name: &str) -> Result<Described, SetUpError> {
        let no_stack = || SetUpError::NoStack { name: name.into(), region: self.region().into() };
        let answer = match client.describe_stacks().stack_name(name).send().await {
            Ok(answer) => answer,
            Err(error) if is(&error, &["ValidationError"]) => return Err(no_stack()),
            Err(error) => return Err(SetUpError::Unread(unread(DESCRIBE_STACKS, &error))),
        };
        let stack = answer.stacks().first().ok_or_else(no_stack)?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Described {
            id: text(stack.stack_id()),
            status: stack.stack_status().map_or_else(String::new, |status| status.as_str().into()),
            parameters: stack
                .parameters()
                .iter()
                .map(|it| (text(it.parameter_key()), text(it.parameter_value())))
                .collect(),
            outputs: stack.outputs().iter().map(|it| (text(it.output_key()), text(it.output_value()))).collect(),
        })
    }

    /// The physical id of one of the stack's resources.
    async fn resource(
        &self,
        client: &aws_sdk_cloudformation::Client,
        stack: &str,
        logical: &str,
    ) -> Result<Option<String>, SetUpError> {
        let ask = client.describe_stack_resource().stack_name(stack).logical_resource_id(logical).send().await;
        match ask {
            Ok(answer) => {
                let detail = answer.stack_resource_detail();
                Ok(detail.and_then(|detail| detail.physical_resource_id()).map(Into::into))
            }
            Err(error) if is(&error, &["ValidationError"]) => Ok(None),
            Err(error) => Err(SetUpError::Unread(unread("cloudformation:DescribeStackResource", &error))),
        }
    }
}
