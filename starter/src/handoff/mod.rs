//! How a waiting visitor gets to the woken app: one strategy a file.

pub(crate) mod bridge;
pub(crate) mod poll;

use chrono::{DateTime, TimeDelta, Utc};
use http::Response;
use lambda_http::Body;
use shared::cloud::{App, Cloud, Destination, Limits};
use shared::config::{Config, Handoff};
use shared::model::Instance;
use shared::record::Sink;

use crate::observe::{At, Seen};
use crate::{Asked, Starter};
use bridge::{Unbridged, Unconverged};

/// DNS is asked no more often than this.
const LOOK_UP_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(10);

/// What came of bridging a request.
#[derive(Debug)]
pub(crate) struct Bridged {
    /// The app's answer.
    pub(crate) answer: Result<Response<Body>, Unbridged>,
    /// DNS should long lead to the app.
    pub(crate) is_stuck: bool,
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

impl<C: Cloud, A: App, S: Sink> Starter<C, A, S> {
    /// Answers for the app.
    pub(crate) async fn bridge(&self, asked: &Asked<'_>, to: &Destination, seen: &Seen) -> Bridged {
        let Asked { visit, moment, .. } = asked;
        let limits = Limits { until: moment.answer_by, bytes: bridge::MOST_BYTES_TO_READ };
        let forward = async {
            let request = bridge::outgoing(visit, &to.host)?;
            let answer = self.app.forward(to, request, limits).await.map_err(Unbridged::Unforwarded)?;
            bridge::incoming(answer, &visit.method)
        };
        let (answer, is_stuck) = tokio::join!(forward, self.is_stuck(to, seen.instance(), moment.now));
        Bridged { answer, is_stuck }
    }

    /// Whether the failover should long have converged: DNS still leads elsewhere.
    async fn is_stuck(&self, to: &Destination, instance: Option<&Instance>, now: DateTime<Utc>) -> bool {
        let Some(own) = instance.and_then(|instance| instance.public_address) else { return false };
        let known = self.memory().converged.get(&to.host).and_then(|seen| seen.within(LOOK_UP_AGAIN_AFTER, now));
        let converged = match known {
            Some(converged) => converged,
            None => {
                let addresses = self.app.addresses(&to.host).await;
                let before = || self.memory().converged.get(&to.host).is_some_and(|seen| seen.what);
                let converged = if addresses.is_empty() { before() } else { addresses.contains(&own) };
                self.memory().converged.insert(to.host.clone(), At { at: now, what: converged });
                converged
            }
        };
        let unconverged = &mut self.memory().unconverged;
        if converged {
            unconverged.remove(&to.host);
            return false;
        }
        let before = unconverged.get(&to.host).copied();
        let again = Unconverged::again(before, now);
        unconverged.insert(to.host.clone(), again);
        again.is_stuck()
    }
}
