//! EC2: the instance, its address, its protection, its ports, its volumes.

use aws_sdk_ec2::types::{Filter, InstanceAttributeName, IpPermission};
use shared::cloud::{Cloud, Targets};
use shared::model::InstanceId;
use shared::trouble::Trouble;

use super::{Account, SetUp, is, of_port, unread};
use crate::doctor::{CustomerKey, Ingress, Machine, Read, Source};

impl Account {
    /// The instance that has this Elastic IP.
    pub(super) async fn instance_at(&self, address: &str) -> Read<Option<InstanceId>> {
        let found = self.ec2.describe_addresses().filters(filter("public-ip", address)).send().await;
        let found = found.map_err(|error| unread("ec2:DescribeAddresses", &error))?;
        Ok(found.addresses().iter().find_map(|it| it.instance_id()?.parse().ok()))
    }

    /// The instance with all that the doctor asks about it.
    pub(super) async fn machine(&self, id: &InstanceId, set_up: &SetUp) -> Read<Option<Machine>> {
        let instance = match self.cloud.instances(&Targets::One(id.clone())).await {
            Ok(found) => found.into_iter().find(|instance| !instance.state.is_gone()),
            Err(error) if error.trouble == Trouble::NotFound => None,
            Err(error) => return Err(of_port(&error)),
        };
        let Some(instance) = instance else { return Ok(None) };
        let raw = self.ec2.describe_instances().instance_ids(id.as_str()).send().await;
        let raw = raw.map_err(|error| unread("ec2:DescribeInstances", &error))?;
        let raw = raw.reservations().iter().flat_map(|reservation| reservation.instances()).next();
        let groups: Vec<String> =
            raw.iter().flat_map(|it| it.security_groups()).filter_map(|it| it.group_id().map(Into::into)).collect();
        let volumes: Vec<String> = raw
            .iter()
            .flat_map(|it| it.block_device_mappings())
            .filter_map(|it| it.ebs()?.volume_id().map(Into::into))
            .collect();
        Ok(Some(Machine {
            elastic_ips: self.elastic_ips(id).await,
            stop_protection: self.stop_protection(id).await,
            ingress: self.ingress(&groups).await,
            checkers: self.checkers().await,
            customer_keys: self.customer_keys(volumes, set_up).await,
            groups,
            instance,
        }))
    }

    async fn elastic_ips(&self, id: &InstanceId) -> Read<Vec<std::net::IpAddr>> {
        let found = self.ec2.describe_addresses().filters(filter("instance-id", id.as_str())).send().await;
        let found = found.map_err(|error| unread("ec2:DescribeAddresses", &error))?;
        Ok(found.addresses().iter().filter_map(|it| it.public_ip()?.parse().ok()).collect())
    }

    async fn stop_protection(&self, id: &InstanceId) -> Read<bool> {
        let ask = self.ec2.describe_instance_attribute().instance_id(id.as_str());
        let answer = ask.attribute(InstanceAttributeName::DisableApiStop).send().await;
        let answer = answer.map_err(|error| unread("ec2:DescribeInstanceAttribute", &error))?;
        Ok(answer.disable_api_stop().and_then(|it| it.value()).unwrap_or(false))
    }

    async fn ingress(&self, groups: &[String]) -> Read<Vec<Ingress>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.ec2.describe_security_groups().set_group_ids(Some(groups.to_vec())).send().await;
        let found = found.map_err(|error| unread("ec2:DescribeSecurityGroups", &error))?;
        Ok(found.security_groups().iter().flat_map(|group| group.ip_permissions()).flat_map(ingress).collect())
    }

    /// The region's list of Route 53's checkers (Route 53 Developer Guide, "Configuring router and firewall rules").
    async fn checkers(&self) -> Read<Option<String>> {
        let name = format!("com.amazonaws.{}.route53-healthchecks", self.region());
        let found = self.ec2.describe_managed_prefix_lists().filters(filter("prefix-list-name", &name)).send().await;
        let found = found.map_err(|error| unread("ec2:DescribeManagedPrefixLists", &error))?;
        Ok(found.prefix_lists().iter().find_map(|list| list.prefix_list_id().map(Into::into)))
    }

    /// Volumes that are encrypted with a key of the customer's own. AWS's own key asks for no grant of the starter's.
    async fn customer_keys(&self, volumes: Vec<String>, set_up: &SetUp) -> Read<Vec<CustomerKey>> {
        if volumes.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.ec2.describe_volumes().set_volume_ids(Some(volumes)).send().await;
        let found = found.map_err(|error| unread("ec2:DescribeVolumes", &error))?;
        let client = aws_sdk_kms::Client::new(&self.config);
        let mut keys = Vec::new();
        for volume in found.volumes() {
            let (Some(id), Some(key)) = (volume.volume_id(), volume.kms_key_id()) else { continue };
            let described = match client.describe_key().key_id(key).send().await {
                Ok(described) => described,
                // A key that is gone cannot be used either.
                Err(error) if is(&error, &["NotFoundException"]) => {
                    keys.push(CustomerKey { volume: id.into(), key: key.into(), granted: Some(false) });
                    continue;
                }
                Err(error) => return Err(unread("kms:DescribeKey", &error)),
            };
            let manager = described.key_metadata().and_then(|it| it.key_manager()).map(|it| it.as_str());
            if manager == Some("CUSTOMER") {
                let granted =
                    if set_up.names_key(key) { Some(true) } else { self.is_granted(&client, key, set_up).await? };
                keys.push(CustomerKey { volume: id.into(), key: key.into(), granted });
            }
        }
        Ok(keys)
    }

    /// Whether the starter's role, if it is known, has a grant that lets it make grants with the key.
    async fn is_granted(&self, client: &aws_sdk_kms::Client, key: &str, set_up: &SetUp) -> Read<Option<bool>> {
        let Some(role) = set_up.stack.as_ref().and_then(|stack| stack.starter_role.as_deref()) else {
            return Ok(None);
        };
        let mut pages = client.list_grants().key_id(key).into_paginator().items().send();
        while let Some(grant) = pages.next().await {
            let grant = grant.map_err(|error| unread("kms:ListGrants", &error))?;
            let lets_grant = grant.operations().iter().any(|it| it.as_str() == "CreateGrant");
            if lets_grant && grant.grantee_principal() == Some(role) {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn ingress(rule: &IpPermission) -> Vec<Ingress> {
    let port = |port: Option<i32>, any| match port {
        None | Some(-1) => any,
        Some(port) => u16::try_from(port).unwrap_or(any),
    };
    let ports = match rule.ip_protocol() {
        Some("-1") => (0, u16::MAX),
        Some("tcp" | "6") => (port(rule.from_port(), 0), port(rule.to_port(), u16::MAX)),
        _ => return Vec::new(),
    };
    let addresses = rule.ip_ranges().iter().filter_map(|it| it.cidr_ip()).map(|cidr| match cidr {
        "0.0.0.0/0" => Source::Everywhere,
        some => Source::Some(some.into()),
    });
    let lists = rule.prefix_list_ids().iter().filter_map(|it| it.prefix_list_id());
    let groups = rule.user_id_group_pairs().iter().filter_map(|it| it.group_id());
    let from = addresses
        .chain(lists.map(|list| Source::PrefixList(list.into())))
        .chain(groups.map(|group| Source::Some(group.into())));
    from.map(|from| Ingress { ports, from }).collect()
}
