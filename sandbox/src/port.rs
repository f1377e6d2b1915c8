//! The way from a function to the cloud: it takes time, and what goes over it is told.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};
use shared::cloud::{App, Cloud, Destination, Limits, Metric, Page, Targets, Unforwarded};
use shared::config::Config;
use shared::learned::WakeSeconds;
use shared::model::{HealthCheckConfig, HealthCheckId, HostName, Instance, InstanceId, Probe, Series};
use shared::sim::Sim;
use shared::steer::{Lead, Marks, Steering};
use shared::trouble::{CloudError, Trouble};
use tokio::time::sleep;

use crate::core::{Core, Function};
use crate::event::What;
use crate::fault::Weather;
use crate::laws::{self, Told};

/// How long a call of AWS takes.
const CALL: Duration = Duration::from_millis(120);
/// How long the app takes for an answer, and a connection that nobody answers until it is given up.
const APP: Duration = Duration::from_millis(40);
const NO_ANSWER: Duration = Duration::from_secs(3);
/// GetMetricData of what is in us-east-1 alone, for an app in another region.
pub(crate) const IN_US_EAST_1: &str = "GetMetricData in us-east-1";
/// How long the starter waits for DNS.
const DNS: Duration = Duration::from_secs(2);

/// One environment's way to the cloud.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    core: Arc<Core>,
    function: Function,
    config: Arc<Config>,
    told: Arc<Mutex<Told>>,
}

impl Port {
    pub(crate) fn new(core: Arc<Core>, function: Function, config: Config) -> Self {
        Self { core, function, config: Arc::new(config), told: Arc::default() }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_call(
        &self,
        operation: &'static str,
        id: &InstanceId,
        result: &Result<(), CloudError>,
        broken: Vec<String>,
    ) {
        let seen = self.told().shown.get(id).map(|(_, instance)| instance.state);
        let refused = result.as_ref().err().map(ToString::to_string);
        let (by, instance) = (self.function.name(), id.clone());
        self.core.tell(What::Call { by, operation, instance, seen, refused });
        for law in broken {
            self.core.tell(What::Broken { law: format!("{law}, by the {by}") });
        }
    }
}

impl Port {
    /// A dry run writes nothing, of whatever kind.
    fn tell_write(&self, operation: &str) {
        if self.config.dry_run {
            let law = format!("{operation} in a dry run, by the {}", self.function.name());
            self.core.tell(What::Broken { law });
        }
    }

    /// One call on its way there and back, through the weather.
    async fn call<T>(
        &self,
        operation: &'static str,
        call: impl AsyncFnOnce(&Sim) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        sleep(CALL).await;
        let weather = self.core.weather(operation);
        for slow in weather.iter().filter_map(|weather| match weather {
            Weather::Slow(time) => time.to_std().ok(),
            _ => None,
        }) {
            sleep(slow).await;
        }
        for weather in &weather {
            if let Weather::Refused(trouble) = weather {
                return Err(lost(operation, "OnTheWay", *trouble));
            }
        }
        let answer = call(self.core.sim()).await;
        if weather.contains(&Weather::AnswerLost) {
            return Err(lost(operation, "AnswerLost", Trouble::Unreachable));
        }
        answer
    }
}

fn lost(operation: &'static str, code: &str, trouble: Trouble) -> CloudError {
    CloudError { trouble, operation, code: code.into(), message: format!("simulated: {trouble:?}") }
}

impl Cloud for Port {
    async fn instances_page(
        &self,
        targets: &Targets,
        page: Option<&str>,
    ) -> Result<Page<Result<Instance, CloudError>>, CloudError> {
        let page = self.call("DescribeInstances", async |sim| sim.instances_page(targets, page).await).await?;
        let now = self.core.now();
        let shown = page.items.iter().flatten().map(|instance| (instance.id.clone(), (now, instance.clone())));
        self.told().shown.extend(shown);
        Ok(page)
    }

    async fn start(&self, id: &InstanceId) -> Result<(), CloudError> {
        const OPERATION: &str = "StartInstances";
        let asked_at = self.core.now();
        let result = self.call(OPERATION, async |sim| {
            let broken = laws::start(self.told().shown.get(id), self.function, asked_at, &self.config);
            let result = sim.start(id).await;
            self.tell_call(OPERATION, id, &result, broken);
            result
        });
        result.await
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), CloudError> {
        const OPERATION: &str = "StopInstances";
        let result = self.call(OPERATION, async |sim| {
            let broken = laws::stop(sim, &sim.instance(id), &self.told(), &self.config);
            let result = sim.stop(id).await;
            self.tell_call(OPERATION, id, &result, broken);
            result
        });
        result.await
    }

    async fn tag_wake_seconds(&self, id: &InstanceId, value: &WakeSeconds) -> Result<(), CloudError> {
        self.tell_write("CreateTags");
        self.call("CreateTags", async |sim| sim.tag_wake_seconds(id, value).await).await
    }

    async fn health_check(&self, id: &HealthCheckId) -> Result<HealthCheckConfig, CloudError> {
        let config = self.call("GetHealthCheck", async |sim| sim.health_check(id).await).await?;
        self.told().unwatched = config.disabled;
        Ok(config)
    }

    async fn health_checks_page(
        &self,
        page: Option<&str>,
    ) -> Result<Page<(HealthCheckId, HealthCheckConfig)>, CloudError> {
        self.call("ListHealthChecks", async |sim| sim.health_checks_page(page).await).await
    }

    async fn is_healthy(&self, id: &HealthCheckId, since: DateTime<Utc>) -> Result<bool, CloudError> {
        self.call("GetHealthCheckStatus", async |sim| sim.is_healthy(id, since).await).await
    }

    async fn steering(&self, id: &HealthCheckId) -> Result<Steering, CloudError> {
        let seen = self.call("GetHealthCheck", async |sim| sim.steering(id).await).await?;
        self.told().unwatched = seen.config.disabled;
        if !seen.config.disabled {
            return Ok(seen);
        }
        // A call of its own, as the adapter makes it: what is written meanwhile is seen, and it can fail alone.
        let marks = self.call("ListTagsForResource", async |sim| Ok(sim.marks(id))).await?;
        Ok(Steering { marks, ..seen })
    }

    async fn mark(&self, id: &HealthCheckId, marks: &Marks) -> Result<(), CloudError> {
        self.tell_write("ChangeTagsForResource");
        self.call("ChangeTagsForResource", async |sim| sim.mark(id, marks).await).await
    }

    async fn lead(&self, id: &HealthCheckId, version: i64, to: Lead) -> Result<i64, CloudError> {
        self.tell_write("UpdateHealthCheck");
        self.call("UpdateHealthCheck", async |sim| sim.lead(id, version, to).await).await
    }

    async fn metrics(
        &self,
        metrics: &[Metric],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Option<Series>>, CloudError> {
        // Whatever was asked for: a look that goes back too short is seen by what it leaves out.
        let far_back = until - self.config.policy.idle - laws::STALE - TimeDelta::hours(1);
        let read = self.call("GetMetricData", async |sim| {
            let answer = sim.metrics(metrics, from, until).await?;
            let there: Vec<_> = metrics.iter().map(|metric| sim.readable(metric, far_back, until)).collect();
            Ok((answer, there))
        });
        let (answer, there) = read.await?;
        // The adapter asks two regions, one after the other, and one that fails takes the other's answer with it.
        if metrics.iter().any(Metric::is_global) {
            self.call(IN_US_EAST_1, async |_| Ok(())).await?;
        }
        // `until` is the tick's time.
        let told = metrics.iter().cloned().zip(there.into_iter().map(|series| (until, series)));
        self.told().metrics.extend(told);
        Ok(answer)
    }
}

impl Port {
    /// Goes to the app through the weather, which may take all of `patience`. Gives what to do with the answer.
    async fn way_to_app(&self, operation: &'static str, patience: Duration) -> Way {
        sleep(APP).await;
        let weather = self.core.weather(operation);
        let slow = weather.iter().filter_map(|weather| match weather {
            Weather::Slow(time) => time.to_std().ok(),
            _ => None,
        });
        let slow: Duration = slow.sum();
        sleep(slow.min(patience)).await;
        if slow >= patience {
            Way::TooLong
        } else if weather.iter().any(|weather| matches!(weather, Weather::Refused(_))) {
            Way::Blocked
        } else if weather.contains(&Weather::AnswerLost) {
            Way::AnswerLost
        } else {
            Way::Free
        }
    }
}

/// What a request to the app met on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Free,
    Blocked,
    AnswerLost,
    TooLong,
}

impl App for Port {
    async fn probe(&self, to: &Destination, path: &str) -> Probe {
        match self.way_to_app("Probe", NO_ANSWER).await {
            Way::Free => {}
            Way::Blocked => return Probe::Refused,
            Way::AnswerLost => return Probe::Broken,
            Way::TooLong => return Probe::TimedOut,
        }
        let probe = self.core.sim().probe(to, path).await;
        if probe == Probe::TimedOut {
            sleep(NO_ANSWER).await;
        }
        probe
    }

    async fn forward(
        &self,
        to: &Destination,
        request: Request<Vec<u8>>,
        limits: Limits,
    ) -> Result<Response<Vec<u8>>, Unforwarded> {
        let left = (limits.until - self.core.now()).to_std().unwrap_or_default();
        let way = self.way_to_app("Forward", left).await;
        match way {
            Way::Blocked => return Err(Unforwarded::NotReached(Probe::Refused)),
            Way::TooLong => return Err(Unforwarded::TimedOut),
            Way::Free | Way::AnswerLost => {}
        }
        let answer = self.core.sim().forward(to, request, limits).await;
        if matches!(answer, Err(Unforwarded::NotReached(Probe::TimedOut))) {
            sleep(NO_ANSWER).await;
        }
        if way == Way::AnswerLost { Err(Unforwarded::Broken) } else { answer }
    }

    async fn addresses(&self, host: &HostName) -> Vec<IpAddr> {
        match self.way_to_app("LookUp", DNS).await {
            Way::Free => self.core.sim().addresses(host).await,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_could_be_read_is_told_however_little_was_asked_for() {
        let now: DateTime<Utc> = "2026-03-03T08:00:00Z".parse().unwrap();
        let core = Arc::new(Core::new(now));
        let visits = Metric::Visits("app.example.com".parse().unwrap());
        core.sim().count(visits.clone(), 1.0);
        sleep(Duration::from_secs(20 * 60)).await;
        let settings = |name: &str| (name == "CATNAP_APP_DOMAIN").then(|| "app.example.com".to_owned());
        let port = Port::new(Arc::clone(&core), Function::Stopper, Config::read(settings).unwrap());
        let tick = core.now();
        let read = port.metrics(std::slice::from_ref(&visits), tick - TimeDelta::minutes(5), tick).await.unwrap();
        assert_eq!(read[0].as_ref().unwrap().points.len(), 0);
        assert_eq!(port.told().metrics[&visits].1.as_ref().unwrap().points.len(), 1);
        core.set_weather(IN_US_EAST_1, Weather::Refused(Trouble::Throttled), true);
        let health = Metric::HealthStatus("check".parse().unwrap());
        assert_eq!(port.metrics(&[health], tick, tick).await.unwrap_err().trouble, Trouble::Throttled);
        assert!(port.metrics(&[visits], tick, tick).await.is_ok(), "it is in another region");
    }
}
