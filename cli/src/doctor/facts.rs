//! What the doctor looks at: plain data, read from an account or made by a test.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use shared::config::{self, Config, ConfigError};
use shared::model::{HostName, Instance, InstanceId};
use shared::overrides::{Overrides, overrides};
use shared::steer::Stance;

/// What was read, or why it could not be.
pub type Read<T> = Result<T, Unread>;

/// A call that failed: what it alone would have told is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The API operation, with its service: `ec2:DescribeAddresses`.
    pub operation: String,
    /// AWS's own words.
    pub message: String,
}

/// One app's set-up as it stands in the account.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When it was looked at.
    pub now: DateTime<Utc>,
    /// The region of the instance and of the API.
    pub region: String,
    /// The profile, where one was named: what is to be typed needs it as well.
    pub profile: Option<String>,
    /// The name that people visit.
    pub host: HostName,
    /// The public hosted zone that holds the name.
    pub zone: Read<Option<Zone>>,
    /// All records of that very name that decide where visitors go: A, AAAA and CNAME.
    pub records: Read<Vec<Record>>,
    /// The primary record's health check, or the stack's while there is no such record.
    pub health_check: Read<Option<Check>>,
    /// The stack's own health check: mostly the same.
    pub stacks_check: Read<Option<Check>>,
    /// API Gateway's custom domain of the app's name.
    pub domain: Read<Option<Domain>>,
    /// The custom domain's certificate.
    pub certificate: Read<Option<Certificate>>,
    /// What answers behind API Gateway; none when there is nobody to ask.
    pub gate: Option<Gate>,
    /// The instances that carry the tag `catnap:host` with this name, of the stack's own fleet.
    pub carriers: Read<Vec<InstanceId>>,
    /// The instance behind the name.
    pub machine: Read<Option<Machine>>,
    /// The stack; none for a set-up made by hand.
    pub stack: Option<Stack>,
    /// The schedule that calls the stopper.
    pub schedule: Read<Option<Schedule>>,
}

/// A hosted zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its id, without `/hostedzone/`.
    pub id: String,
    /// Its name, without the dot at the end.
    pub name: String,
}

/// The half of a failover pair that a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failover {
    /// Where visitors go while its health check is healthy.
    Primary,
    /// Where they go else.
    Secondary,
}

/// A record set of Route 53.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// A, AAAA or CNAME.
    pub kind: String,
    /// What tells it from others of its name and type.
    pub set_identifier: Option<String>,
    /// Its half of a failover pair; none for any other routing.
    pub failover: Option<Failover>,
    /// Seconds that resolvers keep it; none for an alias.
    pub ttl: Option<i64>,
    /// Its values; empty for an alias.
    pub values: Vec<String>,
    /// Whose addresses it has, if it is an alias.
    pub alias: Option<Alias>,
    /// The id of its health check.
    pub health_check: Option<String>,
}

/// What an alias record leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// A DNS name, in lower case and without the dot at the end.
    pub name: String,
    /// The id of the zone that it is in.
    pub zone: String,
    /// Whether the target's own health counts.
    pub evaluates_health: bool,
}

/// A health check's configuration, as far as the failover depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its id.
    pub id: String,
    /// HTTP, HTTPS, TCP, or another of Route 53's types.
    pub kind: String,
    /// What it connects to; none for one that looks a name up.
    pub address: Option<IpAddr>,
    /// The name that it looks up, or says.
    pub name: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The path; none for TCP.
    pub path: Option<String>,
    /// Says the name in the TLS handshake.
    pub sni: bool,
    /// Counts as healthy for ever.
    pub disabled: bool,
    /// Says the contrary of what it sees.
    pub inverted: bool,
    /// Who leads visitors by it.
    pub stance: Stance,
    /// What Route 53 says now, where it was asked.
    pub healthy: Option<bool>,
}

/// API Gateway's custom domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// What an alias has to lead to.
    pub target: String,
    /// The zone of the target.
    pub zone: String,
    /// A regional one, not edge-optimised.
    pub regional: bool,
    /// The ARN of its certificate.
    pub certificate: Option<String>,
    /// To which API, by which stage and under which path its requests go.
    pub mappings: Vec<Mapping>,
    /// The route keys of the API that the whole domain is mapped to.
    pub routes: Read<Vec<String>>,
}

/// A mapping of a custom domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The API's id.
    pub api: String,
    /// The first part of the path; empty for all.
    pub path: String,
}

/// A certificate of ACM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its ARN.
    pub arn: String,
    /// ISSUED, or another of ACM's words.
    pub status: String,
    /// The names that it covers, wildcards among them.
    pub names: Vec<String>,
    /// When it runs out.
    pub not_after: Option<DateTime<Utc>>,
    /// ACM made it, and renews it as long as its validation record stands.
    pub renewed_by_record: bool,
    /// The CNAMEs that ACM wants to find, each with its value, and whether it is there: those that a zone of this
    /// account would hold.
    pub validations: Vec<Validation>,
}

/// The record by which ACM sees whose the name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// The id of the hosted zone that would hold it.
    pub zone: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The hosted zone has it.
    pub found: bool,
}

/// What answers at the app's name behind API Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// The starter, for this app.
    Starter,
    /// Something else, or the starter with an error: the HTTP status.
    Status(u16),
    /// Nobody.
    Unreachable(String),
}

/// The instance, and what EC2 says of it beside DescribeInstances.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// The instance.
    pub instance: Instance,
    /// Its Elastic IPs: mostly one.
    pub elastic_ips: Read<Vec<IpAddr>>,
    /// EC2 refuses to stop it.
    pub stop_protection: Read<bool>,
    /// What its security groups let in, all together.
    pub ingress: Read<Vec<Ingress>>,
    /// Its security groups' ids.
    pub groups: Vec<String>,
    /// The region's managed prefix list of the health checkers.
    pub checkers: Read<Option<String>>,
    /// Its volumes that are encrypted with a key of the customer's own.
    pub customer_keys: Read<Vec<CustomerKey>>,
}

/// TCP that a security group lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingress {
    /// The lowest and the highest port.
    pub ports: (u16, u16),
    /// From where.
    pub from: Source,
}

/// Where a security group lets something in from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// All of IPv4.
    Everywhere,
    /// Some addresses, or another group.
    Some(String),
    /// A prefix list.
    PrefixList(String),
}

/// A key of the customer's own that a volume is encrypted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerKey {
    /// The volume.
    pub volume: String,
    /// The key's ARN.
    pub key: String,
    /// The starter's role may make grants with it; none where no role is known.
    pub granted: Option<bool>,
}

/// The stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// CloudFormation's word for its state.
    pub status: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// What the functions read from them.
    pub config: Result<Config, ConfigError>,
    /// The starter's role, by ARN.
    pub starter_role: Option<String>,
    /// The stopper's function, by ARN.
    pub stopper: Option<String>,
    /// The queue for ticks that do not reach it, by ARN.
    pub lost_ticks: Option<String>,
}

/// A schedule of EventBridge Scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// Its group's name.
    pub group: String,
    /// It calls.
    pub enabled: bool,
    /// When, such as `rate(1 hour)`.
    pub expression: String,
    /// All else that it has, by the options of `aws scheduler update-schedule`: an update replaces the whole.
    pub rest: Vec<(&'static str, String)>,
}

impl Facts {
    /// The A records of one half of the failover pair.
    pub(crate) fn half(&self, half: Failover) -> Option<&Record> {
        self.records.as_ref().ok()?.iter().find(|record| record.kind == "A" && record.failover == Some(half))
    }

    pub(crate) fn check(&self) -> Option<&Check> {
        self.health_check.as_ref().ok()?.as_ref()
    }

    pub(crate) fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref().ok()?.as_ref()
    }

    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref().ok()?.as_ref()
    }

    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref().ok()?.as_ref()
    }

    /// The instance's Elastic IP. Of more than one that of the primary record, or else that of its first interface.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let (all, first) = (self.addresses(), self.machine()?.instance.public_address);
        let is_of_record =
            |it: &&IpAddr| self.half(Failover::Primary).is_some_and(|r| r.values.contains(&it.to_string()));
        all.iter().find(is_of_record).or_else(|| all.iter().find(|it| Some(**it) == first)).or(all.first()).copied()
    }

    /// All of the instance's Elastic IPs.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        self.machine().and_then(|machine| machine.elastic_ips.as_deref().ok()).unwrap_or_default()
    }

    pub(crate) fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref().ok()?.as_ref()
    }

    pub(crate) fn stacks_check(&self) -> Option<&Check> {
        self.stacks_check.as_ref().ok()?.as_ref()
    }

    /// What the stack's functions read from its parameters.
    pub(crate) fn config(&self) -> Option<&Config> {
        self.stack.as_ref()?.config.as_ref().ok()
    }

    /// The stack's functions find the instance by its tags.
    pub(crate) fn is_found_by_tag(&self) -> bool {
        self.config().is_some_and(|config| config.instance_id.is_none())
    }

    /// What holds for the instance: by the stack's settings or else by the defaults, and by its tags.
    pub(crate) fn overrides(&self) -> Option<Overrides> {
        let by_hand = || {
            let host = config::APP_DOMAIN.variable;
            Config::read(|name| (Some(name) == host).then(|| self.host.to_string())).ok()
        };
        let config = self.config().cloned().or_else(by_hand)?;
        let is_stacks_own = self.host == config.app_domain;
        Some(overrides(&config, &self.machine()?.instance, is_stacks_own, self.now))
    }
}
