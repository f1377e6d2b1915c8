//! How a waiting visitor gets to the woken app: one strategy a file.

pub(crate) mod bridge;
mod lead;
pub(crate) mod poll;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::Response;
use lambda_http::Body;
use serde::Serialize;
use shared::cloud::{App, Cloud, Destination, Limits};
use shared::config::{Config, Handoff};
use shared::model::{HostName, Instance};
use shared::record::Sink;
use shared::steer::{self, Lead};
use shared::trouble::CloudError;

use crate::observe::Seen;
use crate::{Asked, Starter};
use bridge::{Unbridged, Unconverged};

/// DNS is asked no more often than this.
const LOOK_UP_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(10);

/// What DNS said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dns {
    looked_at: DateTime<Utc>,
    /// To the instance's own address.
    leads_there: bool,
}

/// What came of bridging a request.
#[derive(Debug)]
pub(crate) struct Bridged {
    /// The app's answer.
    pub(crate) answer: Result<Response<Body>, Unbridged>,
    /// Whether it still needs to be bridged.
    pub(crate) failover: Failover,
    /// Where visitors are led from now on, if anything changed or the way is closed to them, or what Route 53 refused.
    pub(crate) led: Result<Option<Lead>, CloudError>,
}

/// Where a request is passed on to: only where the starter itself got an answer, over TLS.
pub(crate) fn bridge_to(config: &Config, seen: &Seen) -> Option<Destination> {
    seen.reached.clone().filter(|to| config.handoff == Handoff::Bridge && to.origin.tls)
}

/// Seconds after which the page navigates, once the app is ready: the first, second, … time.
pub(crate) fn navigate_after(config: &Config, seen: &Seen, unbridged: Option<Unbridged>) -> &'static [u32] {
    let only_route53_knows = seen.is_ready() && seen.reached.is_none();
    match unbridged {
        Some(why) if why.passes_soon() => &bridge::NAVIGATE_AFTER_SECONDS[1..],
        None if config.handoff == Handoff::Bridge && config.origin.tls && !only_route53_knows => {
            &bridge::NAVIGATE_AFTER_SECONDS
        }
        _ => &poll::NAVIGATE_AFTER_SECONDS,
    }
}

/// Whether DNS leads visitors to the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Failover {
    /// Not yet, or nobody knows.
    Converging,
    /// Not yet, and it should have for long.
    Stuck,
    /// It does: who still comes here has a DNS answer or a connection from before.
    Converged,
}

impl<C: Cloud, A: App, S: Sink> Starter<C, A, S> {
    /// Answers for the app.
    pub(crate) async fn bridge(&self, asked: &Asked<'_>, to: &Destination, seen: &Seen) -> Bridged {
        let Asked { visit, moment, .. } = asked;
        // Visitors come to port 443, and in a drain they are not to come there.
        let may_drain =
            |it: &Instance| seen.steerable.as_ref().is_some_and(|by| steer::may_drain(it, by.idle, moment.now));
        let way_out = seen.instance().filter(|it| to.origin.port == 443 && !may_drain(it));
        let way_out = way_out.and_then(|it| it.public_address);
        // What is not answered by then could not be led home within Lambda's time-out.
        let for_leading = seen.steerable.as_ref().map_or(Duration::ZERO, |_| lead::WITHIN);
        let limits = Limits { until: moment.answer_by - for_leading, bytes: bridge::MOST_BYTES_TO_READ };
        let forward = async {
            let request = bridge::outgoing(visit, &to.host)?;
            let answer = self.app.forward(to, request, limits).await.map_err(Unbridged::Unforwarded)?;
            bridge::incoming(answer, &visit.method, way_out)
        };
        let (leads_there, answer) = tokio::join!(self.leads_there(to, seen.instance(), moment.now), forward);
        Bridged { answer, failover: self.failover(&to.host, leads_there, moment.now), led: Ok(None) }
    }

    /// Whether DNS leads to the instance. While it does not answer, what it said before stands.
    async fn leads_there(&self, to: &Destination, instance: Option<&Instance>, now: DateTime<Utc>) -> bool {
        let Some(own) = instance.and_then(|instance| instance.public_address) else { return false };
        let known = self.memory().dns.get(&to.host).copied();
        if let Some(dns) = known.filter(|dns| now - dns.looked_at < LOOK_UP_AGAIN_AFTER) {
            return dns.leads_there;
        }
        let leads_there = match self.app.addresses(&to.host).await {
            addresses if addresses.is_empty() => known.is_some_and(|dns| dns.leads_there),
            addresses => addresses.contains(&own),
        };
        self.memory().dns.insert(to.host.clone(), Dns { looked_at: now, leads_there });
        leads_there
    }

    fn failover(&self, host: &HostName, leads_there: bool, now: DateTime<Utc>) -> Failover {
        let unconverged = &mut self.memory().unconverged;
        if leads_there {
            unconverged.remove(host);
            return Failover::Converged;
        }
        let again = Unconverged::again(unconverged.get(host).copied(), now);
        unconverged.insert(host.clone(), again);
        if again.is_stuck() { Failover::Stuck } else { Failover::Converging }
    }
}
