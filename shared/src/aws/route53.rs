//! Route 53: how a health check is set, and what its checkers see.

use aws_sdk_route53::Client;
use aws_sdk_route53::types::{HealthCheckObservation, HealthCheckType, Tag, TagResourceType};
use chrono::{DateTime, Utc};

use super::errors::{cloud_error, incomplete};
use crate::cloud::Page;
use crate::model::{CheckKind, HealthCheckConfig, HealthCheckId};
use crate::steer::{Lead, MARK_TAGS, Marks, Steering};
use crate::trouble::CloudError;

/// Checkers that must succeed for the check to be healthy (Route 53 Developer Guide: more than 18 %).
const HEALTHY_SHARE: f64 = 0.18;
/// Regions that a check runs in when it names none (all).
const ALL_REGIONS: usize = 8;

/// The most that ListHealthChecks gives in one page.
const PAGE: i32 = 1_000;

pub(super) async fn health_check(client: &Client, id: &HealthCheckId) -> Result<HealthCheckConfig, CloudError> {
    get(client, id).await.map(|(config, _)| translate(&config))
}

/// A health check's configuration and version.
async fn get(
    client: &Client,
    id: &HealthCheckId,
) -> Result<(aws_sdk_route53::types::HealthCheckConfig, i64), CloudError> {
    const OPERATION: &str = "GetHealthCheck";
    let answer = client.get_health_check().health_check_id(id.as_str()).send().await;
    let answer = answer.map_err(|error| cloud_error(OPERATION, &error))?;
    let check = answer.health_check.ok_or_else(|| incomplete(OPERATION, "HealthCheck", id.as_str()))?;
    let config = check.health_check_config.ok_or_else(|| incomplete(OPERATION, "HealthCheckConfig", id.as_str()))?;
    Ok((config, check.health_check_version))
}

pub(super) async fn steering(client: &Client, id: &HealthCheckId) -> Result<Steering, CloudError> {
    let (config, version) = get(client, id).await?;
    let config = translate(&config);
    let marks = if config.disabled { read_marks(client, id).await? } else { Marks::default() };
    Ok(Steering { config, version, marks })
}

/// What Catnap has written beside it; what it cannot have written itself is as good as nothing.
async fn read_marks(client: &Client, id: &HealthCheckId) -> Result<Marks, CloudError> {
    let answer = client
        .list_tags_for_resource()
        .resource_type(TagResourceType::Healthcheck)
        .resource_id(id.as_str())
        .send()
        .await
        .map_err(|error| cloud_error("ListTagsForResource", &error))?;
    let tags = answer.resource_tag_set().map(|set| set.tags()).unwrap_or_default();
    let ours = tags.iter().filter(|tag| tag.key().is_some_and(|key| MARK_TAGS.contains(&key)));
    let marks = ours.filter_map(|tag| tag.value()?.parse::<Marks>().ok());
    Ok(Marks(marks.flat_map(|marks| marks.0).collect()))
}

pub(super) async fn mark(client: &Client, id: &HealthCheckId, marks: &Marks) -> Result<(), CloudError> {
    let tag = Tag::builder().key(marks.tag()).value(marks.to_string()).build();
    client
        .change_tags_for_resource()
        .resource_type(TagResourceType::Healthcheck)
        .resource_id(id.as_str())
        .add_tags(tag)
        .send()
        .await
        .map(drop)
        .map_err(|error| cloud_error("ChangeTagsForResource", &error))
}

pub(super) async fn lead(client: &Client, id: &HealthCheckId, version: i64, to: Lead) -> Result<i64, CloudError> {
    const OPERATION: &str = "UpdateHealthCheck";
    let answer = client
        .update_health_check()
        .health_check_id(id.as_str())
        .health_check_version(version)
        .disabled(to.disabled())
        .inverted(to.inverted())
        .send()
        .await
        .map_err(|error| cloud_error(OPERATION, &error))?;
    let check = answer.health_check.ok_or_else(|| incomplete(OPERATION, "HealthCheck", id.as_str()))?;
    Ok(check.health_check_version)
}

pub(super) async fn health_checks_page(
    client: &Client,
    page: Option<&str>,
) -> Result<Page<(HealthCheckId, HealthCheckConfig)>, CloudError> {
    let answer = client.list_health_checks().set_marker(page.map(Into::into)).max_items(PAGE).send().await;
    let answer = answer.map_err(|error| cloud_error("ListHealthChecks", &error))?;
    let checks = answer.health_checks().iter();
    let items = checks.filter_map(|check| Some((check.id().parse().ok()?, translate(check.health_check_config()?))));
    Ok(Page { items: items.collect(), next: answer.next_marker().map(Into::into) })
}

fn translate(config: &aws_sdk_route53::types::HealthCheckConfig) -> HealthCheckConfig {
    let regions = match config.regions().len() {
        0 => ALL_REGIONS,
        some => some,
    };
    HealthCheckConfig {
        kind: match config.r#type() {
            HealthCheckType::Tcp => CheckKind::Tcp,
            HealthCheckType::Http | HealthCheckType::HttpStrMatch => CheckKind::Http,
            HealthCheckType::Https | HealthCheckType::HttpsStrMatch => CheckKind::Https,
            _ => CheckKind::Other,
        },
        interval_seconds: config.request_interval().and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(30),
        regions: u32::try_from(regions).unwrap_or(u32::MAX),
        disabled: config.disabled().unwrap_or(false),
        inverted: config.inverted().unwrap_or(false),
    }
}

pub(super) async fn is_healthy(client: &Client, id: &HealthCheckId, since: DateTime<Utc>) -> Result<bool, CloudError> {
    let answer = client.get_health_check_status().health_check_id(id.as_str()).send().await;
    let answer = answer.map_err(|error| cloud_error("GetHealthCheckStatus", &error))?;
    let all = answer.health_check_observations();
    let successes = all.iter().filter(|observation| is_success_since(observation, since)).count();
    #[expect(clippy::cast_precision_loss, reason = "there are some dozens of checkers")]
    Ok(successes as f64 > HEALTHY_SHARE * all.len() as f64)
}

/// A checker's report: `Success: HTTP Status Code 200, OK`, or `Failure: …`.
fn is_success_since(observation: &HealthCheckObservation, since: DateTime<Utc>) -> bool {
    observation.status_report().is_some_and(|report| {
        let checked_at = report.checked_time().map_or(i64::MIN, |time| time.secs());
        checked_at >= since.timestamp() && report.status().is_some_and(|status| status.starts_with("Success"))
    })
}
