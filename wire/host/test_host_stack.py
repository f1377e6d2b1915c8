"""host/template.yaml, created by moto's CloudFormation and read back through EC2's and IAM's own calls."""

import base64

import pytest
from host_template import GIVEN, SOURCE, user_data
from host_tools import DOMAIN, HOST

# moto wants the image to be named at the instance as well.
BODY = (HOST / "template.yaml").read_text().replace('        Version: "1"\n', '        Version: "1"\n      ImageId: ami-00000000\n')


def create(moto, **given):
    cloudformation = moto.client("cloudformation")
    parameters = GIVEN | given
    cloudformation.create_stack(
        StackName="host", TemplateBody=BODY, Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
    [stack] = cloudformation.describe_stacks(StackName="host")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = {resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in cloudformation.describe_stack_resources(StackName="host")["StackResources"]
            if "PhysicalResourceId" in resource}  # moto lists what a condition left out, too
    return made, {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


@pytest.mark.parametrize("ssh", ["", "203.0.113.0/28"])
def test_what_is_made(moto, ssh):
    made, outputs = create(moto, SshCidr=ssh)
    assert made.keys() - {"SshIngress"} == {"LaunchTemplate", "Instance", "Address", "SecurityGroup", "InstanceProfile", "Role"}
    ec2 = moto.client("ec2")
    instance = moto.describe(made["Instance"])
    assert instance["InstanceId"] == outputs["InstanceId"] and instance["InstanceType"] == "t3.small"
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    # Of a fleet of its own: no pair that finds its instances by tag takes it for one of them.
    assert (tags["Name"], tags["catnap:host"], tags["catnap:fleet"]) == (DOMAIN, DOMAIN, "host")
    [address] = ec2.describe_addresses()["Addresses"]
    assert (address["PublicIp"], address["InstanceId"]) == (outputs["ElasticIp"], outputs["InstanceId"])
    [group] = ec2.describe_security_groups(GroupIds=[made["SecurityGroup"]])["SecurityGroups"]
    # moto does not put the instance into it.
    assert SOURCE["Resources"]["Instance"]["Properties"]["SecurityGroupIds"] == [{"Fn::GetAtt": ["SecurityGroup", "GroupId"]}]
    # moto leaves out the rule with the prefix list; test_host_template.py looks at it.
    opened = {rule["FromPort"]: [found["CidrIp"] for found in rule["IpRanges"]] for rule in group["IpPermissions"]}
    assert opened == {443: ["0.0.0.0/0"], 80: ["0.0.0.0/0"]} | ({22: [ssh]} if ssh else {})
    told = ec2.describe_instance_attribute(InstanceId=made["Instance"], Attribute="userData")["UserData"]["Value"]
    # moto leaves the mark that keeps CloudFormation's hands off the shell's own ${}.
    assert base64.b64decode(told).decode().replace("${!", "${") == user_data()


@pytest.mark.parametrize("kind, architecture", [("t3.small", "amd64"), ("t4g.small", "arm64")])
def test_the_image_is_of_the_types_architecture(moto, kind, architecture):
    made, _ = create(moto, InstanceType=kind)
    [version] = moto.client("ec2").describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplate"])["LaunchTemplateVersions"]
    image = f"resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/{architecture}/hvm/ebs-gp3/ami-id"
    assert version["LaunchTemplateData"]["ImageId"] == image


def test_another_size_of_the_disk_is_a_version_that_nobody_launches_from(moto):
    made, _ = create(moto, DiskGiB="40")
    ec2 = moto.client("ec2")
    [version] = ec2.describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplate"])["LaunchTemplateVersions"]
    [disk] = version["LaunchTemplateData"]["BlockDeviceMappings"]
    assert (version["VersionNumber"], disk["Ebs"]["VolumeSize"], disk["Ebs"]["DeleteOnTermination"]) == (1, 40, False)
    moto.client("cloudformation").update_stack(
        StackName="host", TemplateBody=BODY, Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in (GIVEN | {"DiskGiB": "80"}).items()])
    now = moto.client("cloudformation").describe_stack_resources(StackName="host", LogicalResourceId="Instance")
    assert now["StackResources"][0]["PhysicalResourceId"] == made["Instance"]
