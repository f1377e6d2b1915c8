//! EC2: instances, and starting and stopping them.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::types::{
    DeviceType, Filter, Instance as Ec2Instance, InstanceLifecycleType, InstanceStateName, MonitoringState, Tag,
};
use aws_smithy_types::retry::RetryConfig;
use chrono::DateTime;

use super::errors::{cloud_error, incomplete};
use crate::cloud::{Page, Targets};
use crate::config;
use crate::learned::WakeSeconds;
use crate::model::{Instance, InstanceId, InstanceState, transition_time};
use crate::trouble::CloudError;

/// The most that DescribeInstances gives in one page.
const PAGE: i32 = 1_000;
/// All states but those of an instance that is gone.
const THERE: [&str; 4] = ["pending", "running", "stopping", "stopped"];

pub(super) async fn instances_page(
    client: &Client,
    targets: &Targets,
    page: Option<&str>,
) -> Result<Page<Result<Instance, CloudError>>, CloudError> {
    const OPERATION: &str = "DescribeInstances";
    let tag = config::APP_DOMAIN.tag.unwrap_or_default();
    let describe = client.describe_instances().set_next_token(page.map(Into::into));
    let describe = match targets {
        // With ids there are no pages: EC2 refuses MaxResults then.
        Targets::One(id) => describe.instance_ids(id.as_str()),
        Targets::Tagged => {
            describe.filters(filter("tag-key", [tag])).filters(filter("instance-state-name", THERE)).max_results(PAGE)
        }
        // A value of a filter may hold the wildcards * and ?, and \ before one: a host name holds none of them.
        // No pages for the one or two that there are: a page may be one of all instances, before the filter.
        Targets::Host(host) => describe.filters(filter(&format!("tag:{tag}"), [host.as_str()])),
    };
    let answer = describe.send().await.map_err(|error| cloud_error(OPERATION, &error))?;
    let all = answer.reservations().iter().flat_map(|reservation| reservation.instances());
    let items = all.map(|instance| {
        translate(instance).map_err(|lacks| incomplete(OPERATION, lacks, instance.instance_id().unwrap_or_default()))
    });
    Ok(Page { items: items.collect(), next: answer.next_token().filter(|token| !token.is_empty()).map(Into::into) })
}

fn filter<const N: usize>(name: &str, values: [&str; N]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.map(Into::into).into())).build()
}

pub(super) async fn start(client: &Client, id: &InstanceId) -> Result<(), CloudError> {
    // No retries: the account has a bucket of 5 calls, a capacity error comes as HTTP 500, and the page asks again.
    let once = Builder::new().retry_config(RetryConfig::disabled());
    let sent = client.start_instances().instance_ids(id.as_str()).customize().config_override(once).send();
    sent.await.map(drop).map_err(|error| cloud_error("StartInstances", &error))
}

pub(super) async fn stop(client: &Client, id: &InstanceId) -> Result<(), CloudError> {
    let sent = client.stop_instances().instance_ids(id.as_str()).send();
    sent.await.map(drop).map_err(|error| cloud_error("StopInstances", &error))
}

pub(super) async fn tag_wake_seconds(client: &Client, id: &InstanceId, value: &WakeSeconds) -> Result<(), CloudError> {
    let tag = Tag::builder().set_key(config::WAKE_SECONDS.tag.map(Into::into)).value(value.to_string()).build();
    let sent = client.create_tags().resources(id.as_str()).tags(tag).send();
    sent.await.map(drop).map_err(|error| cloud_error("CreateTags", &error))
}

fn translate(instance: &Ec2Instance) -> Result<Instance, &'static str> {
    let launched_at = instance.launch_time().ok_or("LaunchTime")?;
    Ok(Instance {
        id: instance.instance_id().and_then(|id| id.parse().ok()).ok_or("InstanceId")?,
        state: instance.state().and_then(|state| translate_state(state.name()?)).ok_or("State")?,
        state_reason: instance.state_reason().and_then(|reason| reason.code()).map(Into::into),
        stopped_at: instance.state_transition_reason().and_then(transition_time),
        launched_at: DateTime::from_timestamp(launched_at.secs(), launched_at.subsec_nanos()).ok_or("LaunchTime")?,
        public_address: instance.public_ip_address().and_then(|address| address.parse().ok()),
        tags: instance
            .tags()
            .iter()
            .filter_map(|tag| Some((tag.key()?.into(), tag.value()?.into())))
            .collect::<BTreeMap<_, _>>(),
        detailed_monitoring: instance.monitoring().and_then(|monitoring| monitoring.state())
            == Some(&MonitoringState::Enabled),
        spot: instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot),
        instance_store_root: instance.root_device_type() == Some(&DeviceType::InstanceStore),
    })
}

fn translate_state(name: &InstanceStateName) -> Option<InstanceState> {
    Some(match name {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Terminated => InstanceState::Terminated,
        _ => return None,
    })
}
