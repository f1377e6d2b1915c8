"""What host/template.yaml promises, and what others say about it and its files."""

import json
import re
import runpy
import sys

import pytest
import yaml
from host_template import PARAMETERS, SOURCE, statements, user_data
from host_tools import DOMAIN, HOST, ROOT, need, run

LONGEST = {
    "AppDomain": f"{'a' * 59}." * 4 + "example.com", "AppImage": "a" * 200, "AppPort": "65535", "HealthPort": "65535",
    "HealthPath": "/" + "a" * 99, "CertificateEmail": "a" * 100, "AcmeServer": "https://" + "a" * 92,
    "AWS::Region": "ap-southeast-10",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files that cloud-init writes from the template, under a root folder."""
    root = tmp_path_factory.mktemp("written")
    for file in yaml.safe_load(user_data())["write_files"]:
        path = root / file["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["content"])
        path.chmod(int(file.get("permissions", "0644"), 8))
    return root


def test_the_template_carries_the_files_as_they_are():
    said = run(sys.executable, HOST / "embed.py", "--check")
    assert said.returncode == 0, said.stdout


def test_cloud_init_takes_the_user_data(tmp_path):
    need("cloud-init")
    (tmp_path / "user-data").write_text(user_data())
    said = run("cloud-init", "schema", "--config-file", tmp_path / "user-data")
    assert said.returncode == 0 and "Valid" in said.stdout, said.stdout


def test_ec2_takes_the_user_data_at_its_longest():
    assert all(len(value) >= PARAMETERS[name].get("MaxLength", 0) - 10 for name, value in LONGEST.items() if name in PARAMETERS)
    assert len(user_data(**LONGEST).encode()) <= 16 * 1024


def test_the_boots_first_step_writes_what_the_scripts_read(tmp_path):
    command, *others = yaml.safe_load(user_data(HealthPath="/ok?a=b&c=%20"))["bootcmd"]
    # What they do a machine that boots shows: wire/host/machine.
    assert others == ["cloud-init single --name write_files --frequency always", "systemctl daemon-reload"]
    said = run("sh", "-ec", command.replace("/etc/catnap", str(tmp_path)))
    assert said.returncode == 0, said.stdout
    read = run("bash", "-uc", f'. {tmp_path}/host.env; echo "$DOMAIN $HEALTH_PATH $EMAIL $CONTAINER_PORT"').stdout
    assert read == f"{DOMAIN} /ok?a=b&c=%20  80\n"


def test_the_shell_scripts_are_clean(written):
    need("shellcheck")
    scripts = [HOST / "files/set-up", HOST / "files/certificate", HOST / "presence/install.sh"]
    scripts += (ROOT / "wire/host/machine").glob("*.sh")
    said = run("shellcheck", *scripts)
    assert said.returncode == 0, said.stdout
    for script in ("usr/local/lib/catnap/set-up", "usr/local/sbin/catnap-certificate"):
        assert run("bash", "-n", written / script).returncode == 0
    assert run(sys.executable, "-m", "py_compile", written / "usr/local/lib/catnap/presence.py").returncode == 0


def test_systemd_takes_the_units(written):
    need("systemd-analyze")
    units = sorted((written / "etc/systemd/system").iterdir())
    assert len(units) == 5
    for unit in units:  # the programs are looked for under the root as well
        for program in re.findall(r"ExecStart=(\S+)", unit.read_text()):
            (written / program.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (written / program.lstrip("/")).touch()
            (written / program.lstrip("/")).chmod(0o755)
    for name in ("basic", "network-online", "sysinit", "shutdown", "multi-user", "timers"):
        (written / f"etc/systemd/system/{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    names = [unit.name.replace("@.", "@boot.") for unit in units]
    said = run("systemd-analyze", "verify", "--man=no", f"--root={written}", *names)
    assert said.returncode == 0 and not re.search(r"Unknown|Failed to parse|Invalid", said.stdout), said.stdout


def test_nobody_but_the_checkers_gets_to_the_health_port_and_ssh_only_from_where_it_is_allowed():
    resources = SOURCE["Resources"]
    rules = resources["SecurityGroup"]["Properties"]["SecurityGroupIngress"]
    anybody = {rule["FromPort"] for rule in rules if rule.get("CidrIp") == "0.0.0.0/0"}
    assert anybody == {80, 443}
    [health] = [rule for rule in rules if "CidrIp" not in rule]
    assert health["SourcePrefixListId"] == {"Ref": "HealthCheckersPrefixList"}
    assert health["FromPort"] == health["ToPort"] == {"Ref": "HealthPort"}
    assert resources["SshIngress"]["Condition"] == "AllowsSsh" and resources["SshIngress"]["Properties"]["CidrIp"] == {"Ref": "SshCidr"}
    # EC2 refuses a group with other letters in its description, an apostrophe for one.
    texts = [rule["Description"] for rule in rules] + [resources["SecurityGroup"]["Properties"]["GroupDescription"]["Fn::Sub"]]
    assert all(re.fullmatch(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+", text) for text in texts)


def test_the_disk_outlives_the_instance_and_no_deploy_replaces_it():
    instance = SOURCE["Resources"]["Instance"]["Properties"]
    launch = SOURCE["Resources"]["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    # In the launch template, whose first version holds for good: at the instance another size would replace it.
    assert "BlockDeviceMappings" not in instance
    [disk] = launch["BlockDeviceMappings"]
    assert disk["Ebs"] == {"VolumeType": "gp3", "VolumeSize": {"Ref": "DiskGiB"}, "Encrypted": True, "DeleteOnTermination": False}
    assert instance["LaunchTemplate"]["Version"] == "1" and "ImageId" not in instance
    assert launch["ImageId"]["Fn::Sub"][0].startswith("resolve:ssm:")  # by EC2, at the launch; never {{resolve
    assert launch["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert "{{resolve" not in (HOST / "template.yaml").read_text()


def test_an_instance_type_has_the_image_of_its_architecture():
    types = PARAMETERS["InstanceType"]["AllowedValues"]
    assert types == list(SOURCE["Mappings"]["Image"])
    arm = {name for name, image in SOURCE["Mappings"]["Image"].items() if image["Architecture"] == "arm64"}
    assert arm == {name for name in types if re.match(r"[a-z]+\dg", name)}


def test_what_the_role_of_an_existing_instance_needs_is_what_the_host_has():
    [statement] = json.loads((HOST / "presence/policy.json").read_text())["Statement"]
    ours = statements()["cloudwatch:PutMetricData"]
    assert {k: v for k, v in ours.items() if k != "Sid"} == statement

    certbots = json.loads((HOST / "certificate-policy.json").read_text())["Statement"]
    assert {it["Action"] for it in certbots} == {
        "route53:ChangeResourceRecordSets", "route53:ListHostedZones", "route53:GetChange"}
    for statement in certbots:
        assert json.loads(json.dumps(statements()[statement["Action"]]).replace("${AWS::Partition}", "aws")) == statement


def test_the_reporter_takes_programs_for_nobody_and_no_person():
    nobody = runpy.run_path(str(HOST / "presence/report.py"))["NOBODY"]

    def agents(*who):
        requests = map(json.loads, (ROOT / "shared/tests/data/modern.jsonl").read_text().splitlines())
        return {it["headers"].get("user-agent", "") for it in requests if it["who"] in who} - {""}

    def somebody(found):
        return [agent for agent in found if not re.search(nobody, agent, re.I)]

    people, programs = agents("person"), agents("crawler", "preview", "monitor")
    assert len(people) > 100 and set(somebody(people)) == people
    assert len(programs) > 90 and len(somebody(programs)) <= 5, "those in a browser's disguise"
