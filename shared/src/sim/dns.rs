//! DNS as visitors see it: Route 53's failover record, the resolver on the way, and the browser's own memory.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::event::LeadsTo;
use crate::model::{HealthCheckId, HostName, InstanceId};

/// An address of API Gateway's.
pub(super) const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

/// A pair of failover records.
#[derive(Debug, Clone)]
pub(super) struct Failover {
    /// What the primary record goes by.
    pub(super) check: HealthCheckId,
    /// Where it leads.
    pub(super) instance: InstanceId,
    /// How long resolvers keep an answer.
    pub(super) ttl: TimeDelta,
    /// Where it led last.
    pub(super) lead: LeadsTo,
}

/// A browser: what it knows of one name, and the connection that it keeps open.
#[derive(Debug, Clone)]
pub struct Browser {
    /// How long it keeps an answer of DNS, whatever its TTL: Chrome and Firefox a minute.
    pub keeps_dns: TimeDelta,
    /// After how long of silence API Gateway closes a connection (not documented).
    pub gateway_closes_after: TimeDelta,
    resolver: Option<(DateTime<Utc>, LeadsTo)>,
    own: Option<(DateTime<Utc>, LeadsTo)>,
    connection: Option<Connection>,
    last: Option<(LeadsTo, Way)>,
}

/// How a browser knows where to send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A connection is open.
    Connection,
    /// It remembers the address.
    OwnCache,
    /// Its resolver remembers the address.
    Resolver,
    /// Route 53 was asked.
    Route53,
}

#[derive(Debug, Clone, Copy)]
struct Connection {
    to: LeadsTo,
    used: DateTime<Utc>,
    /// The instance's start that it was made to.
    boot: DateTime<Utc>,
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            keeps_dns: TimeDelta::seconds(60),
            gateway_closes_after: TimeDelta::seconds(60),
            resolver: None,
            own: None,
            connection: None,
            last: None,
        }
    }
}

/// How long Chrome keeps a used connection to a server that does not close it.
const CONNECTION_KEPT: TimeDelta = TimeDelta::seconds(300);

impl Browser {
    /// Where a request goes that it sends now. `boot` is when the instance was last started.
    pub(super) fn route(&mut self, now: DateTime<Utc>, answer: (LeadsTo, TimeDelta), boot: DateTime<Utc>) -> LeadsTo {
        let open = self.connection.filter(|connection| match connection.to {
            LeadsTo::Gateway => now - connection.used < self.gateway_closes_after,
            LeadsTo::Instance => now - connection.used < CONNECTION_KEPT && connection.boot == boot,
        });
        let known = open.map(|connection| (connection.to, Way::Connection));
        let (to, way) = known.unwrap_or_else(|| self.look_up(now, answer));
        self.last = Some((to, way));
        self.connection = Some(Connection { to, used: now, boot });
        to
    }

    fn look_up(&mut self, now: DateTime<Utc>, (lead, ttl): (LeadsTo, TimeDelta)) -> (LeadsTo, Way) {
        if let Some((_, lead)) = self.own.filter(|(until, _)| now < *until) {
            return (lead, Way::OwnCache);
        }
        let known = self.resolver.filter(|(until, _)| now < *until);
        let way = if known.is_some() { Way::Resolver } else { Way::Route53 };
        let (until, lead) = known.unwrap_or((now + ttl, lead));
        self.resolver = Some((until, lead));
        self.own = Some((now + self.keeps_dns, lead));
        (lead, way)
    }

    /// It has a connection to API Gateway from before.
    pub fn keep_to_gateway(&mut self, now: DateTime<Utc>) {
        self.connection = Some(Connection { to: LeadsTo::Gateway, used: now, boot: now });
    }

    /// Where its last request went, and how it knew that.
    #[must_use]
    pub fn last_way(&self) -> Option<(LeadsTo, Way)> {
        self.last
    }

    /// It asks its resolver anew, and opens no connection.
    pub(super) fn resolve(&mut self, now: DateTime<Utc>, answer: (LeadsTo, TimeDelta)) {
        self.own = None;
        self.look_up(now, answer);
    }

    /// The connection broke: the next request opens another.
    pub fn lose_connection(&mut self) {
        self.connection = None;
    }
}

/// A name that leads somewhere.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) host: HostName,
    pub(super) failover: Failover,
}
