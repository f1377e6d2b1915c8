//! The way from a function to the cloud: it takes time, and what goes over it is told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{Request, Response};
use shared::cloud::{App, Cloud, Destination, Limits, Metric, Page, Targets, Unforwarded};
use shared::learned::WakeSeconds;
use shared::model::{HealthCheckConfig, HealthCheckId, HostName, Instance, InstanceId, InstanceState, Probe, Series};
use shared::steer::{Lead, Marks, Steering};
use shared::trouble::CloudError;
use tokio::time::sleep;

use crate::core::{Core, Function};
use crate::event::What;

/// How long a call of AWS takes.
const CALL: Duration = Duration::from_millis(120);
/// How long the app takes for an answer, and a connection that nobody answers until it is given up.
const APP: Duration = Duration::from_millis(40);
const NO_ANSWER: Duration = Duration::from_secs(3);

/// One environment's way to the cloud.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    core: Arc<Core>,
    function: Function,
    /// The states that this environment was last shown.
    seen: Arc<Mutex<HashMap<InstanceId, InstanceState>>>,
}

impl Port {
    pub(crate) fn new(core: Arc<Core>, function: Function) -> Self {
        Self { core, function, seen: Arc::default() }
    }

    fn tell_call(&self, operation: &'static str, id: &InstanceId, result: &Result<(), CloudError>) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
        let refused = result.as_ref().err().map(ToString::to_string);
        let (by, instance) = (self.function.name(), id.clone());
        self.core.tell(What::Call { by, operation, instance, seen, refused });
    }
}

impl Cloud for Port {
    async fn instances_page(
        &self,
        targets: &Targets,
        page: Option<&str>,
    ) -> Result<Page<Result<Instance, CloudError>>, CloudError> {
        sleep(CALL).await;
        let page = self.core.sim().instances_page(targets, page).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(page.items.iter().flatten().map(|instance| (instance.id.clone(), instance.state)));
        Ok(page)
    }

    async fn start(&self, id: &InstanceId) -> Result<(), CloudError> {
        sleep(CALL).await;
        let result = self.core.sim().start(id).await;
        self.tell_call("StartInstances", id, &result);
        result
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), CloudError> {
        sleep(CALL).await;
        let result = self.core.sim().stop(id).await;
        self.tell_call("StopInstances", id, &result);
        result
    }

    async fn tag_wake_seconds(&self, id: &InstanceId, value: &WakeSeconds) -> Result<(), CloudError> {
        sleep(CALL).await;
        self.core.sim().tag_wake_seconds(id, value).await
    }

    async fn health_check(&self, id: &HealthCheckId) -> Result<HealthCheckConfig, CloudError> {
        sleep(CALL).await;
        self.core.sim().health_check(id).await
    }

    async fn health_checks_page(
        &self,
        page: Option<&str>,
    ) -> Result<Page<(HealthCheckId, HealthCheckConfig)>, CloudError> {
        sleep(CALL).await;
        self.core.sim().health_checks_page(page).await
    }

    async fn is_healthy(&self, id: &HealthCheckId, since: DateTime<Utc>) -> Result<bool, CloudError> {
        sleep(CALL).await;
        self.core.sim().is_healthy(id, since).await
    }

    async fn steering(&self, id: &HealthCheckId) -> Result<Steering, CloudError> {
        sleep(CALL).await;
        self.core.sim().steering(id).await
    }

    async fn mark(&self, id: &HealthCheckId, marks: &Marks) -> Result<(), CloudError> {
        sleep(CALL).await;
        self.core.sim().mark(id, marks).await
    }

    async fn lead(&self, id: &HealthCheckId, version: i64, to: Lead) -> Result<(), CloudError> {
        sleep(CALL).await;
        self.core.sim().lead(id, version, to).await
    }

    async fn metrics(
        &self,
        metrics: &[Metric],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Option<Series>>, CloudError> {
        sleep(CALL).await;
        self.core.sim().metrics(metrics, from, until).await
    }
}

impl App for Port {
    async fn probe(&self, to: &Destination, path: &str) -> Probe {
        sleep(APP).await;
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
        sleep(APP).await;
        let answer = self.core.sim().forward(to, request, limits).await;
        if matches!(answer, Err(Unforwarded::NotReached(Probe::TimedOut))) {
            sleep(NO_ANSWER).await;
        }
        answer
    }

    async fn addresses(&self, host: &HostName) -> Vec<IpAddr> {
        sleep(APP).await;
        self.core.sim().addresses(host).await
    }
}
