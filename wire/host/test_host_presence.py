"""The presence reporter, on the log of a real nginx with real requests, and moto's CloudWatch."""

import os
import pwd
import re
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from host_template import statements
from host_site import statuses
from host_tools import DOMAIN, HOST, UBUNTU, lacking, need, need_ubuntus, run

from emulator import free_port, pids_where
from stand import REGION, wait_until

REPORT = HOST / "presence/report.py"


@pytest.fixture
def reporter(site, moto, tmp_path):
    """Runs the reporter as its service does. It sees the processes of these tests, not who else is on this machine."""
    need_ubuntus()

    def report(**more):
        environment = os.environ | moto.environment() | {
            "APP": DOMAIN, "LOGS": str(site.log), "STATE_DIRECTORY": str(tmp_path),
            "AWS_DEFAULT_REGION": REGION, "PROC": own_processes(), **more}
        return run(UBUNTU / "python", REPORT, env={name: value for name, value in environment.items() if value})

    def own_processes():
        proc = Path(tempfile.mkdtemp(dir=tmp_path))
        todo = [os.getpid()]
        while todo:
            pid = todo.pop()
            (proc / str(pid)).symlink_to(f"/proc/{pid}")
            todo += pids_where(1, pid)
        return str(proc)

    assert report().returncode == 0  # begins at the log's end
    return report


def busy(moto):
    """What the stopper reads: Busy of this app, Sum over 60 s."""
    now = datetime.now(timezone.utc)
    metric = {"Namespace": "Catnap", "MetricName": "Busy", "Dimensions": [{"Name": "App", "Value": DOMAIN}]}
    query = {"Id": "m0", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    [found] = moto.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=now - timedelta(minutes=10), EndTime=now + timedelta(minutes=1),
    )["MetricDataResults"]
    return sum(found["Values"])


def test_requests_of_people_are_reported_once(site, reporter, moto):
    assert statuses(site, ["/", "/status/302", "/status/304"]) == ["200", "302", "304"]
    assert reporter().stdout == "busy: 3 requests, 0 shells\n"
    assert busy(moto) == 3
    # moto gives a metric's values whatever namespace is asked for.
    [metric] = moto.client("cloudwatch").list_metrics()["Metrics"]
    assert metric == {"Namespace": "Catnap", "MetricName": "Busy", "Dimensions": [{"Name": "App", "Value": DOMAIN}]}
    assert reporter().stdout == "" and busy(moto) == 3
    [call] = moto.arrived()
    assert (call["operation"], call["region"]) == ("PutMetricData", REGION)
    assert statements()["cloudwatch:PutMetricData"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Catnap"}}


@pytest.mark.parametrize("agent", [
    "Amazon-Route53-Health-Check-Service (ref 12345678-1234-1234-1234-123456789012; report http://amzn.to/1vsZADi)",
    "Catnap", "", "ELB-HealthChecker/2.0", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "Mozilla/5.0 (compatible; Googlebot/2.1)",
])
def test_health_checks_monitors_and_bots_are_nobody(site, reporter, moto, agent):
    assert site.visit("/", agent=agent).returncode == 0
    assert site.check()[0] == 200
    assert reporter().stdout == ""
    assert moto.calls() == []  # not a metric, not a cent


def test_monitors_preflights_and_scanners_that_find_nothing_are_nobody(site, reporter, moto):
    site.visit("/", "--head")
    site.visit("/", "--request", "OPTIONS")
    assert statuses(site, ["/wp-login.php", "/.env", "/status/401", "/status/500"]) == ["404", "404", "401", "500"]
    assert reporter().stdout == "" and moto.calls() == []


def test_an_agent_more_can_be_nobody(site, reporter, moto):
    site.visit("/", agent="OurOwnProbe/1.0")
    assert reporter(IGNORE="^OurOwnProbe|^Other").stdout == ""
    site.visit("/", agent="OurOwnProbe/1.0")
    assert reporter().stdout == "busy: 1 requests, 0 shells\n"


def test_what_could_not_be_reported_is_reported_later(site, reporter, moto):
    site.visit("/")
    moto.refuse("PutMetricData", "AccessDenied", status=403)
    refused = reporter()
    assert refused.returncode == 1 and "AccessDenied" in refused.stdout and busy(moto) == 0
    site.visit("/")
    assert reporter().stdout == "busy: 2 requests, 0 shells\n" and busy(moto) == 2


def reopen(site):
    """What logrotate tells nginx afterwards."""
    run("nginx", "-p", site.prefix, "-c", site.prefix / "nginx.conf", "-s", "reopen")
    wait_until(site.log.exists, "nginx to open a new log")


def test_a_rotated_log_is_read_to_its_end(site, reporter):
    site.visit("/")
    site.log.rename(site.log.with_name("access.log.1"))
    site.visit("/")  # nginx still writes to the old one
    reopen(site)
    site.visit("/")
    site.visit("/")
    assert reporter().stdout == "busy: 4 requests, 0 shells\n"
    # A new one that is longer than the old one by the time of the next run.
    site.log.rename(site.log.with_name("access.log.1"))
    reopen(site)
    with open(site.log, "a") as log:
        log.write("a line of another format, long enough\n" * 100)
    site.visit("/")
    assert reporter().stdout == "busy: 101 requests, 0 shells\n"
    # logrotate with copytruncate, and a log that is gone for a moment.
    os.truncate(site.log, 0)
    site.visit("/")
    assert reporter().stdout == "busy: 1 requests, 0 shells\n"
    site.log.unlink()
    gone = reporter()
    assert gone.returncode == 0 and "there is no" in gone.stdout
    reopen(site)


def test_half_a_line_waits_for_its_other_half(site, reporter):
    whole = f'203.0.113.9 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/2.0" 200 5 "-" "Mozilla/5.0"'
    with open(site.log, "a") as log:
        log.write(whole[:60])
        log.flush()
        assert reporter().stdout == ""
        log.write(whole[60:] + "\n")
    assert reporter().stdout == "busy: 1 requests, 0 shells\n"


def test_of_a_flood_only_the_newest_is_read_and_in_time(site, reporter):
    line = '203.0.113.9 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/2.0" 200 5 "-" "Mozilla/5.0"\n'
    with open(site.log, "a") as log:
        log.write(line * (64 * 1024 * 1024 // len(line)))
    begun = time.monotonic()
    said = reporter().stdout
    assert time.monotonic() - begun < 20
    assert said == f"busy: {16 * 1024 * 1024 // len(line)} requests, 0 shells\n"  # and not half a one
    assert reporter().stdout == ""


def test_a_log_in_another_format_counts_too(site, reporter):
    with open(site.log, "a") as log:
        log.write('{"uri":"/","agent":"Mozilla/5.0"}\n{"uri":"/","agent":"Amazon-Route53-Health-Check-Service (ref 1)"}\n')
    assert reporter().stdout == "busy: 1 requests, 0 shells\n"


def test_somebody_in_a_shell_of_session_manager_is_somebody(reporter, moto, tmp_path):
    worker = tmp_path / "ssm-session-worker"  # by its name, as the SSM agent starts it
    worker.symlink_to("/bin/sleep")
    with subprocess.Popen([str(worker), "60"]) as session:
        try:
            assert reporter().stdout == "busy: 0 requests, 1 shells\n" and busy(moto) == 1
            whole_machine = reporter(PROC=None).stdout  # others may be on it
            assert re.fullmatch(r"busy: 0 requests, [1-9]\d* shells\n", whole_machine)
        finally:
            session.kill()
    assert reporter().stdout == ""


@pytest.fixture
def sshd(tmp_path):
    need("sshd")
    if os.geteuid() != 0:
        lacking("sshd lets in others than its own user only as root")
    os.makedirs("/run/sshd", exist_ok=True)
    for name in ("host", "key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name)
    port = free_port()
    options = {"HostKey": tmp_path / "host", "AuthorizedKeysFile": tmp_path / "key.pub", "StrictModes": "no",
               "PidFile": "none", "ListenAddress": f"127.0.0.1:{port}", "PermitRootLogin": "yes"}
    given = [f"-o{name}={value}" for name, value in options.items()]
    with subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *given], stderr=subprocess.DEVNULL) as server:
        yield ["ssh", "-i", str(tmp_path / "key"), "-p", str(port), "-oStrictHostKeyChecking=no",
               "-oUserKnownHostsFile=/dev/null", "root@127.0.0.1"]
        server.kill()


def test_somebody_in_by_ssh_is_somebody_and_who_only_tries_is_not(sshd, reporter):
    assert reporter().stdout == ""  # sshd itself
    wait_until(lambda: run(*sshd, "true").returncode == 0, "sshd")
    for terminal in ([], ["-tt"]):
        with subprocess.Popen([*sshd[:-1], *terminal, sshd[-1], "echo in; sleep 60"], stdout=subprocess.PIPE) as person:
            try:
                assert person.stdout.readline().strip() == b"in"
                assert reporter().stdout == "busy: 0 requests, 1 shells\n"
            finally:
                person.kill()
        wait_until(lambda: reporter().stdout == "", "sshd to notice")


@pytest.fixture
def existing(tmp_path):
    """An instance without our set-up: what install.sh would call is written down in `called`."""
    (tmp_path / "bin").mkdir()
    for program in ("systemctl", "apt-get"):
        (tmp_path / "bin" / program).write_text(f'#!/bin/sh\necho {program} "$@" >> {tmp_path}/called\n')
        (tmp_path / "bin" / program).chmod(0o755)
    metadata = tmp_path / "bin/curl"  # IMDSv2: no token, no answer
    metadata.write_text("""#!/bin/sh
    case "$*" in
        *"-X PUT -H X-aws-ec2-metadata-token-ttl-seconds: 60 http://169.254.169.254/latest/api/token") echo a-token ;;
        *"-H X-aws-ec2-metadata-token: a-token http://169.254.169.254/latest/meta-data/placement/region") echo eu-north-1 ;;
        *) exit 22 ;;
    esac
    """)
    metadata.chmod(0o755)
    (tmp_path / "access.log").touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"CATNAP_ROOT": str(tmp_path / "root"), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}

    def install(*arguments):
        return run(HOST / "presence/install.sh", *arguments, env=environment)

    return install


def test_it_installs_on_an_existing_instance_and_again(existing, tmp_path):
    log = tmp_path / "access.log"
    root = tmp_path / "root"
    conf = root / "etc/catnap/presence.conf"
    assert existing("old.example.com", log).returncode == 0
    with conf.open("a") as owners:
        owners.write("IGNORE='our-monitor'\n")
    said = existing(DOMAIN, log)
    assert said.returncode == 0, said.stdout
    assert conf.read_text() == f"APP='{DOMAIN}'\nLOGS='{log}'\nAWS_DEFAULT_REGION='eu-north-1'\nIGNORE='our-monitor'\n"
    assert (root / "usr/local/lib/catnap/presence.py").read_bytes() == REPORT.read_bytes()
    for unit in ("catnap-presence.service", "catnap-presence.timer"):
        assert (root / "etc/systemd/system" / unit).read_bytes() == (HOST / "presence" / unit).read_bytes()
    called = (tmp_path / "called").read_text()
    assert "systemctl enable --now catnap-presence.timer\n" in called


@pytest.mark.parametrize("arguments, why", [
    ([], "usage"), (["https://app.example.com"], "usage"), ([DOMAIN, "/nowhere/access.log"], "There is no /nowhere/access.log"),
])
def test_it_installs_nothing_when_told_nonsense(existing, tmp_path, arguments, why):
    said = existing(*arguments)
    assert said.returncode != 0 and why in said.stdout
    assert not (tmp_path / "root").exists()


def test_a_log_that_the_service_cannot_see_is_refused(existing, tmp_path):
    home = pwd.getpwuid(os.getuid()).pw_dir  # whatever HOME says
    if not home.startswith(("/home/", "/root")):
        lacking("the home is none that ProtectHome hides")
    with tempfile.NamedTemporaryFile(dir=home) as hidden:
        (tmp_path / "link.log").symlink_to(hidden.name)
        for log in (hidden.name, tmp_path / "link.log"):
            said = existing(DOMAIN, log)
            assert said.returncode == 1 and f"{log} is in a home" in said.stdout, said.stdout
    assert not (tmp_path / "root").exists()
