"""The user data on a machine that boots: real cloud-init, systemd, apt, Docker, nginx, certbot.

Debian stands in for Ubuntu, a container with systemd for the instance, pebble and moto for the outside.
`make host-boot` runs this: it needs root and takes some minutes.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from host_acme import Authority, Dns, Route53
from host_template import user_data
from host_tools import DOMAIN, ROOT, need, run

from stand import wait_until

HERE = Path(__file__).parent
IMAGE = ROOT / ".tools/host-image"
pytestmark = pytest.mark.skipif("CATNAP_HOST_BOOT" not in os.environ, reason="takes minutes and root: make host-boot")


class Machine:
    """A system in a folder, that can be switched on and off."""

    def __init__(self, root):
        self.root, self.console = root, root.with_suffix(".console")
        self.console.touch()
        self._unshare = None

    def on(self):
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup"]
        self._unshare = subprocess.Popen(["unshare", *namespaces, HERE / "boot.sh", self.root, self.console],
                                         stdin=subprocess.DEVNULL)
        wait_until(lambda: self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded", "starting"),
                   "systemd")

    def run(self, *command, seconds=60):
        pid = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text().split()[:1]
        spaces = ["-m", "-p", "-u", "-i", "-C", "-r", "-w"]
        return run("nsenter", "-t", *(pid or ["0"]), *spaces, *command, seconds=seconds)

    def log(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    def state(self, unit):
        return self.run("systemctl", "show", "-P", "ActiveState", unit).stdout.strip()

    def off(self):
        """As EC2's stop does it: an orderly shutdown."""
        self.run("systemctl", "poweroff")
        try:
            self._unshare.wait(90)
        finally:
            self.kill()

    def kill(self):
        if self._unshare and self._unshare.poll() is None:
            self._unshare.send_signal(signal.SIGKILL)
            self._unshare.wait()


@pytest.fixture(scope="module")
def outside(server, tmp_path_factory):
    need("pebble", "pebble-challtestsrv", "curl")
    dns = Dns()
    dns.point_to("127.0.0.2")
    folder = tmp_path_factory.mktemp("outside")
    route53 = Route53(server, dns)
    brief, lasting = Authority(folder / "brief", dns, seconds=3600), Authority(folder / "lasting", dns)
    yield server, route53, brief, lasting
    for made in (brief, lasting, route53, dns):
        made.close()


def seed(root, authority, version=("", ""), **given):
    """What EC2 would hand to cloud-init; the instance id stays the same. `version`: what another has in place of what.

    EC2 is asked anew at each boot (test_cloud_init_asks_ec2_anew_at_each_boot): a folder is not, so what was kept goes.
    """
    (root / "var/lib/cloud/instances/i-0123456789abcdef0/obj.pkl").unlink(missing_ok=True)
    folder = root / "var/lib/cloud/seed/nocloud"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta-data").write_text("instance-id: i-0123456789abcdef0\n")
    told = user_data(AcmeServer=authority.directory, AppImage="test/app:1", **given)
    assert version[0] in told
    (folder / "user-data").write_text(told.replace(*version))
    (root / "etc/authority.pem").write_text(authority.own_ca.read_text())


@pytest.fixture(scope="module")
def machine(outside, tmp_path_factory):
    moto, route53, brief, _ = outside
    root = tmp_path_factory.mktemp("machine") / "root"
    assert run("cp", "-a", IMAGE, root, seconds=300).returncode == 0
    seed(root, brief)
    # In place of the instance's role, and of AWS.
    surroundings = {"AWS_ENDPOINT_URL": route53.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                    "REQUESTS_CA_BUNDLE": "/etc/authority.pem"}
    (root / "etc/systemd/system.conf.d").mkdir()
    (root / "etc/systemd/system.conf.d/test.conf").write_text(
        "[Manager]\nDefaultEnvironment=" + " ".join(f'"{name}={value}"' for name, value in surroundings.items()) + "\n")
    made = Machine(root)
    yield made
    made.kill()
    run("rm", "-rf", root)


def health():
    return run("curl", "-s", "--max-time", 3, "-w", "%{http_code}", "http://127.0.0.1:8080/").stdout


def visit(authority, *options):
    return run("curl", "-sS", "--max-time", 5, "--cacert", authority.root(), "--resolve", f"{DOMAIN}:443:127.0.0.1",
               *options, f"https://{DOMAIN}/")


def test_the_first_boot_ends_with_the_app_at_its_name(machine, outside):
    _, _, brief, _ = outside
    machine.on()
    wait_until(lambda: "docker compose" in machine.log("catnap-set-up") or machine.state("docker") == "active",
               "Docker", seconds=400)
    # No registry can be reached: the first try ends there. The unit tries again by itself.
    wait_until(lambda: "Failed with result" in machine.log("catnap-set-up"), "a set-up without the image", seconds=120)
    loaded = machine.run("sh", "-c", "docker import --change 'CMD [\"/bin/busybox\",\"httpd\",\"-f\",\"-p\",\"80\",\"-h\",\"/www\"]'"
                         " /opt/app.tar test/app:1")
    assert loaded.returncode == 0, loaded.stdout
    wait_until(lambda: "catnap-set-up: done" in machine.log("catnap-set-up"), "the set-up", seconds=120)
    wait_until(lambda: health() == "up\n200", "the app", seconds=60)
    assert visit(brief).stdout == "the app\n"
    said = machine.run("cloud-init", "status", "--long").stdout
    assert "status: done" in said, said


def test_cloud_init_asks_ec2_anew_at_each_boot(machine):
    """Only a source of data that can tell by itself that the instance is the same is not asked again."""
    code = ("from cloudinit.sources import DataSource; from cloudinit.sources.DataSourceEc2 import DataSourceEc2; "
            "from cloudinit.sources.DataSourceNoCloud import DataSourceNoCloud as Seed; base = DataSource.check_instance_id; "
            "print(DataSourceEc2.check_instance_id is base, base(None, None), Seed.check_instance_id is base)")
    assert machine.run("python3", "-c", code).stdout == "True False False\n"


def test_after_a_stop_and_a_start_all_is_there_by_itself_and_the_certificate_is_new(machine, outside):
    _, _, brief, lasting = outside
    machine.off()
    assert health() == "000"
    seed(machine.root, lasting)
    machine.on()
    wait_until(lambda: health() == "up\n200", "the app", seconds=120)
    assert visit(lasting).stdout == "the app\n"
    order = machine.run("systemctl", "show", "-P", "ExecMainExitTimestampMonotonic", "catnap-certificate@boot").stdout
    nginx = machine.run("systemctl", "show", "-P", "ExecMainStartTimestampMonotonic", "nginx").stdout
    assert 0 < int(order) < int(nginx)  # nobody was shown the one that ran out
    assert machine.run("systemctl", "is-active", "certbot.timer").stdout.strip() == "inactive"
    for timer in ("catnap-certificate.timer", "catnap-presence.timer"):
        assert machine.state(timer) == "active"


def test_a_parameter_that_changed_arrives_with_the_next_start(machine, outside):
    _, _, _, lasting = outside
    wait_until(lambda: "done" in machine.log("catnap-set-up"), "the set-up", seconds=60)
    machine.off()
    seed(machine.root, lasting, HealthPort="8090")
    machine.on()
    wait_until(lambda: run("curl", "-s", "http://127.0.0.1:8090/").stdout == "up\n", "the new port", seconds=120)
    wait_until(lambda: run("curl", "-s", "http://127.0.0.1:8080/").returncode == 7, "the old port to close")


def test_a_new_version_of_the_files_arrives_with_the_next_start_and_the_users_own_comes_first(machine, outside):
    _, _, _, lasting = outside
    machine.off()
    own = machine.root / "etc/catnap/compose.yaml"
    own.write_text((machine.root / "usr/local/lib/catnap/compose.yaml").read_text() + "    hostname: mine\n")
    seed(machine.root, lasting, version=("AccuracySec=10s", "AccuracySec=9s"), HealthPort="8090")
    machine.on()
    wait_until(lambda: machine.run("systemctl", "show", "-P", "AccuracyUSec", "catnap-presence.timer").stdout == "9s\n",
               "the new unit", seconds=60)
    wait_until(lambda: run("curl", "-s", "http://127.0.0.1:8090/").stdout == "up\n", "the app", seconds=120)
    wait_until(lambda: "hostname: mine" in (machine.root / "opt/catnap/compose.yaml").read_text(), "the user's own")
    assert "Failed" not in machine.log("cloud-init") + machine.log("cloud-init-network")


def test_a_visit_is_reported_by_the_timer(machine, outside):
    moto, _, _, lasting = outside
    wait_until(lambda: machine.run("test", "-s", "/var/lib/catnap-presence/seen.json").returncode == 0, "the timer", seconds=90)
    before = machine.log("catnap-presence")
    assert visit(lasting, "--user-agent", "Mozilla/5.0").stdout == "the app\n"
    wait_until(lambda: re.search(r"busy: [1-9] requests, 0 shells", machine.log("catnap-presence")[len(before):]),
               "the timer", seconds=90)
    assert "PutMetricData" in moto.calls()
    assert "Failed" not in machine.log("catnap-presence")


def test_a_second_set_up_changes_nothing(machine):
    before = machine.run("docker", "ps", "--format", "{{.ID}}").stdout
    again = machine.run("/usr/local/lib/catnap/set-up", seconds=120)
    assert again.returncode == 0 and "wrote" not in again.stdout and "installs" not in again.stdout, again.stdout
    assert machine.run("docker", "ps", "--format", "{{.ID}}").stdout == before
