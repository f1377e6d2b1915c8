//! What a request is about, and what there is to see of it: with what a warm Lambda remembers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use shared::classify::Ask;
use shared::cloud::{App, Cloud, Destination, Targets};
use shared::config::{self, Config};
use shared::learned::{Boot, WakeSeconds};
use shared::model::{HealthCheckId, Hold, HostName, Instance, InstanceId, InstanceState, Probe};
use shared::overrides::{HealthCheckRef, Overrides, Steerable, overrides};
use shared::record::Sink;
use shared::trouble::{CloudError, Trouble};
use shared::wake::{NoTarget, Observation};

use crate::Starter;
use crate::event::Visit;
use crate::handoff::Dns;
use crate::handoff::bridge::Unconverged;

/// Instances are looked at no more often than this.
const LOOK_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(2);
/// A name that some instance carried is looked up again without a second thought for this long.
const NAME_HOLDS_FOR: TimeDelta = TimeDelta::minutes(10);
/// Names that nobody carries, in the time of one look: at the API's own origin anybody can ask for any, and EC2
/// takes 20 calls a second from the whole account.
const STRANGERS: usize = 5;
/// An app that answered is taken to answer for this long.
const READY_HOLDS_FOR: TimeDelta = TimeDelta::seconds(30);
/// A start that EC2 refused is not tried again by itself before this: the account has two a second for all.
const START_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(15);
/// Route 53 is asked no more often than this: its API takes five calls a second from the whole account.
const ASK_ROUTE53_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(10);

/// Which app a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addressed {
    /// The app's host name. Not yet known to be registered.
    pub(crate) host: HostName,
    /// It came in at the API's own origin, where only the status is served.
    pub(crate) on_api_origin: bool,
}

/// Reads which app a request is for: by the domain that API Gateway vouches for, or at the API's own origin by
/// the parameter `app`. None when neither is a host name.
pub(crate) fn addressed(config: &Config, visit: &Visit) -> Option<Addressed> {
    let api_host = config.status_origin.as_deref().and_then(|origin| origin.strip_prefix("https://"));
    let on_api_origin = api_host.is_some_and(|host| host.eq_ignore_ascii_case(&visit.domain));
    let host = if on_api_origin { visit.parameter("app")? } else { visit.domain.clone() };
    Some(Addressed { host: host.parse().ok()?, on_api_origin })
}

/// What a warm Lambda remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    instances: HashMap<Targets, At<Vec<Instance>>>,
    ready: HashMap<HostName, At<Ready>>,
    health: HashMap<HealthCheckId, At<bool>>,
    refused: HashMap<InstanceId, At<Trouble>>,
    /// The last start of each instance, as it was watched from here.
    boots: HashMap<InstanceId, Boot>,
    /// Whom DNS leads to.
    pub(crate) dns: HashMap<HostName, Dns>,
    /// Since when apps are bridged because DNS leads elsewhere.
    pub(crate) unconverged: HashMap<HostName, Unconverged>,
    /// Until when health checks that may be steered are not looked at again, and whether for people either.
    pub(crate) steering_known_until: HashMap<(HealthCheckId, bool), DateTime<Utc>>,
}

/// An app that answered.
#[derive(Debug, Clone)]
struct Ready {
    instance: Instance,
    /// Where; none when only Route 53 says so.
    at: Option<Destination>,
    steerable: Option<Steerable>,
}

#[derive(Debug)]
struct At<T> {
    at: DateTime<Utc>,
    what: T,
}

impl<T: Clone> At<T> {
    fn within(&self, age: TimeDelta, now: DateTime<Utc>) -> Option<T> {
        (now - self.at < age).then(|| self.what.clone())
    }
}

/// What came of asking the app.
#[derive(Debug, Default)]
struct Probed {
    probe: Option<Probe>,
    reached: Option<Destination>,
    error: Option<CloudError>,
}

/// What was seen for one request.
#[derive(Debug)]
pub(crate) struct Seen {
    now: DateTime<Utc>,
    pub(crate) ask: Ask,
    pub(crate) target: Result<Instance, NoTarget>,
    probe: Option<Probe>,
    hold: Hold,
    refused: Option<Trouble>,
    /// Where the starter itself gets an answer of the app.
    pub(crate) reached: Option<Destination>,
    /// How long this wake took, when its end was seen.
    pub(crate) woke_within: Option<TimeDelta>,
    /// How long the last ones took.
    pub(crate) wake_seconds: WakeSeconds,
    /// The health check by which visitors may be led.
    pub(crate) steerable: Option<Steerable>,
    /// What the tags say that could not be read.
    pub(crate) warnings: Vec<String>,
    /// What AWS refused, for the log.
    pub(crate) error: Option<CloudError>,
}

impl Seen {
    pub(crate) fn instance(&self) -> Option<&Instance> {
        self.target.as_ref().ok()
    }

    /// Whether the app answers, as far as anybody knows.
    pub(crate) fn is_ready(&self) -> bool {
        self.probe == Some(Probe::Ready)
    }

    pub(crate) fn observation(&self, config: &Config) -> Observation<'_> {
        Observation {
            now: self.now,
            target: self.target.as_ref().map_err(|none| *none),
            probe: self.probe,
            hold: self.hold,
            ask: self.ask,
            refused: self.refused,
            boot_deadline: config.boot_deadline,
            dry_run: config.dry_run,
        }
    }
}

impl<C: Cloud, A: App, S: Sink> Starter<C, A, S> {
    /// Looks at the instance, and at the app when the instance runs.
    pub(crate) async fn observe(&self, addressed: &Addressed, ask: Ask, now: DateTime<Utc>) -> Seen {
        let nothing = Seen {
            now,
            ask,
            target: Err(NoTarget::UnknownHost),
            probe: None,
            hold: Hold::No,
            refused: None,
            reached: None,
            woke_within: None,
            wake_seconds: WakeSeconds::default(),
            steerable: None,
            warnings: Vec::new(),
            error: None,
        };
        if let Some(Ready { instance, at, steerable }) = self.remembered_ready(&addressed.host, now) {
            return Seen { target: Ok(instance), probe: Some(Probe::Ready), reached: at, steerable, ..nothing };
        }
        if self.config.instance_id.is_some() && addressed.host != self.config.app_domain {
            return nothing;
        }
        let instance = match self.instances(addressed, now).await {
            Ok(instances) => match self.target(instances, &addressed.host) {
                Ok(instance) => instance,
                Err(none) => return Seen { target: Err(none), ..nothing },
            },
            Err(error) => return Seen { target: Err(NoTarget::Trouble(error.trouble)), error: Some(error), ..nothing },
        };
        let overrides = overrides(&self.config, &instance, addressed.host == self.config.app_domain, now);
        let Probed { probe, reached, error } = self.probe(&addressed.host, &instance, &overrides, now).await;
        let woke_within = self.wake_that_ended(&instance, probe, &overrides.wake_seconds, now);
        let refused = self.memory().refused.get(&instance.id).and_then(|seen| seen.within(START_AGAIN_AFTER, now));
        let steerable = overrides.steerable();
        let Overrides { hold, wake_seconds, warnings, .. } = overrides;
        Seen {
            target: Ok(instance),
            probe,
            hold,
            refused,
            reached,
            woke_within,
            wake_seconds,
            steerable,
            warnings,
            error,
            ..nothing
        }
    }

    /// A refused start is told to everybody who asks, and not repeated at once.
    pub(crate) fn remember_refusal(&self, id: &InstanceId, trouble: Trouble, now: DateTime<Utc>) {
        self.memory().refused.insert(id.clone(), At { at: now, what: trouble });
    }

    /// After a start everything looks different.
    pub(crate) fn forget(&self) {
        self.memory().instances.clear();
    }

    /// An app that was taken to answer does not.
    pub(crate) fn forget_ready(&self, host: &HostName) {
        self.memory().ready.remove(host);
        self.forget();
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered_ready(&self, host: &HostName, now: DateTime<Utc>) -> Option<Ready> {
        self.memory().ready.get(host)?.within(READY_HOLDS_FOR, now)
    }

    /// The instances that carry a host name, or the one that is set. EC2 looks for the name, since a list of all
    /// would take a visitor of one among thousands many pages.
    async fn instances(&self, addressed: &Addressed, now: DateTime<Utc>) -> Result<Vec<Instance>, CloudError> {
        let Addressed { host, on_api_origin } = addressed;
        let targets = self.config.instance_id.clone().map_or_else(|| Targets::Host(host.clone()), Targets::One);
        {
            let Memory { instances, .. } = &mut *self.memory();
            instances
                .retain(|_, seen| now - seen.at < if seen.what.is_empty() { LOOK_AGAIN_AFTER } else { NAME_HOLDS_FOR });
            if let Some(instances) = instances.get(&targets).and_then(|seen| seen.within(LOOK_AGAIN_AFTER, now)) {
                return Ok(instances);
            }
            let strangers = instances.values().filter(|seen| seen.what.is_empty()).count();
            // A domain that API Gateway vouches for is not made up.
            if *on_api_origin && strangers >= STRANGERS && !instances.contains_key(&targets) {
                let message = "not called: too many names that nobody carries were asked for".into();
                return Err(CloudError::without_answer(Trouble::Throttled, "DescribeInstances", message));
            }
        }
        let mut instances = self.cloud.instances(&targets).await?;
        instances.retain(|instance| self.config.is_for(instance));
        self.memory().instances.insert(targets, At { at: now, what: instances.clone() });
        Ok(instances)
    }

    /// The one instance behind a host name. Compared exactly, whatever EC2's filter made of the name.
    fn target(&self, instances: Vec<Instance>, host: &HostName) -> Result<Instance, NoTarget> {
        let carries = |instance: &Instance| {
            let tag = config::APP_DOMAIN.tag.and_then(|tag| instance.tags.get(tag));
            tag.is_some_and(|name| name == host.as_str())
        };
        let by_id = self.config.instance_id.is_some();
        let behind = instances.into_iter().filter(|instance| by_id || carries(instance));
        // One that was replaced is listed for an hour beside its successor.
        let (gone, mut there): (Vec<_>, Vec<_>) = behind.partition(|instance| instance.state.is_gone());
        match (there.pop(), there.pop()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(NoTarget::Ambiguous),
            (None, _) => gone.into_iter().next().ok_or(NoTarget::UnknownHost),
        }
    }

    async fn probe(&self, host: &HostName, instance: &Instance, overrides: &Overrides, now: DateTime<Utc>) -> Probed {
        if instance.state != InstanceState::Running {
            return Probed::default();
        }
        let own = || Some(SocketAddr::new(instance.public_address?, overrides.origin.port));
        let Some(address) = self.config.origin_address.or_else(own) else { return Probed::default() };
        let to = Destination { host: host.clone(), address, origin: overrides.origin };
        let mut probe = self.app.probe(&to, &self.config.health_path).await;
        let reached = (probe == Probe::Ready).then_some(to);
        let mut error = None;
        // No answer at all may mean that Lambda is kept out where visitors are let in: Route 53 can tell.
        if probe == Probe::TimedOut {
            match self.route53_says_healthy(&overrides.health_check, instance, now).await {
                Ok(true) => probe = Probe::Ready,
                Ok(false) => {}
                Err(refused) => error = Some(refused), // tells nothing of the app: the starter's own view stands
            }
        }
        if probe == Probe::Ready {
            let ready = Ready { instance: instance.clone(), at: reached.clone(), steerable: overrides.steerable() };
            self.memory().ready.insert(host.clone(), At { at: now, what: ready });
        }
        Probed { probe: Some(probe), reached, error }
    }

    /// How long the wake took that ended with this answer, if it did.
    fn wake_that_ended(
        &self,
        instance: &Instance,
        probe: Option<Probe>,
        learned: &WakeSeconds,
        now: DateTime<Utc>,
    ) -> Option<TimeDelta> {
        let is_ready = probe? == Probe::Ready;
        let (boots, launched_at) = (&mut self.memory().boots, instance.launched_at);
        let before = boots.remove(&instance.id);
        let (boot, took) = if is_ready {
            Boot::answered(before, launched_at, learned, self.config.policy.boot_deadline, now)
        } else {
            (Boot::missed(before, launched_at, learned, now), None)
        };
        boots.insert(instance.id.clone(), boot);
        took
    }

    async fn route53_says_healthy(
        &self,
        check: &HealthCheckRef,
        instance: &Instance,
        now: DateTime<Utc>,
    ) -> Result<bool, CloudError> {
        let HealthCheckRef::Id(id) = check else { return Ok(false) };
        let remembered = self.memory().health.get(id).and_then(|seen| seen.within(ASK_ROUTE53_AGAIN_AFTER, now));
        if let Some(healthy) = remembered {
            return Ok(healthy);
        }
        let healthy = self.cloud.is_healthy(id, instance.launched_at).await?;
        self.memory().health.insert(id.clone(), At { at: now, what: healthy });
        Ok(healthy)
    }
}
