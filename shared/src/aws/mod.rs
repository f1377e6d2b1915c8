//! The port over the AWS SDKs. It translates and decides nothing.

mod cloudwatch;
mod ec2;
mod environment;
mod errors;
mod route53;

use chrono::{DateTime, Utc};

pub use environment::{Aws, Pace, SetUpError, of_route53, sdk_config};
pub use errors::cloud_error;

use crate::cloud::{Cloud, Metric, Page, Targets};
use crate::learned::WakeSeconds;
use crate::model::{HealthCheckConfig, HealthCheckId, Instance, InstanceId, Series};
use crate::steer::{Lead, Marks, Steering};
use crate::trouble::CloudError;

impl Cloud for Aws {
    async fn instances_page(
        &self,
        targets: &Targets,
        page: Option<&str>,
    ) -> Result<Page<Result<Instance, CloudError>>, CloudError> {
        ec2::instances_page(&self.ec2, targets, page).await
    }

    async fn start(&self, id: &InstanceId) -> Result<(), CloudError> {
        ec2::start(&self.ec2, id).await
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), CloudError> {
        ec2::stop(&self.ec2, id).await
    }

    async fn tag_wake_seconds(&self, id: &InstanceId, value: &WakeSeconds) -> Result<(), CloudError> {
        ec2::tag_wake_seconds(&self.ec2, id, value).await
    }

    async fn health_check(&self, id: &HealthCheckId) -> Result<HealthCheckConfig, CloudError> {
        route53::health_check(&self.route53, id).await
    }

    async fn health_checks_page(
        &self,
        page: Option<&str>,
    ) -> Result<Page<(HealthCheckId, HealthCheckConfig)>, CloudError> {
        route53::health_checks_page(&self.route53, page).await
    }

    async fn is_healthy(&self, id: &HealthCheckId, since: DateTime<Utc>) -> Result<bool, CloudError> {
        route53::is_healthy(&self.route53, id, since).await
    }

    async fn steering(&self, id: &HealthCheckId) -> Result<Steering, CloudError> {
        route53::steering(&self.route53, id).await
    }

    async fn mark(&self, id: &HealthCheckId, marks: &Marks) -> Result<(), CloudError> {
        route53::mark(&self.route53, id, marks).await
    }

    async fn lead(&self, id: &HealthCheckId, version: i64, to: Lead) -> Result<i64, CloudError> {
        route53::lead(&self.route53, id, version, to).await
    }

    async fn metrics(
        &self,
        metrics: &[Metric],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Option<Series>>, CloudError> {
        cloudwatch::metrics(self, metrics, from, until).await
    }
}
