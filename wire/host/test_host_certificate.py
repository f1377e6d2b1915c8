"""The certificate on the instance: a real certbot against a real ACME server, and nginx that shows what it got."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from host_acme import Authority, Dns, Route53
from host_site import Site
from host_template import statements
from host_tools import DOMAIN, HOST, PATH, UBUNTU, need, need_ubuntus, run

NOBODY = "127.0.0.2"  # API Gateway's side of port 80: nothing listens there


@pytest.fixture
def dns():
    need("pebble-challtestsrv")
    made = Dns()
    yield made
    made.close()


@pytest.fixture
def lasting(dns, tmp_path):
    """An authority whose certificates hold for 90 days."""
    need("pebble")
    made = Authority(tmp_path / "authority", dns)
    yield made
    made.close()


@pytest.fixture
def route53(moto, dns):
    made = Route53(moto, dns)
    yield made
    made.close()


class Instance:
    """A root folder with what the set-up leaves there, nginx, and catnap-certificate run as its units run it."""

    def __init__(self, folder, authority, route53):
        need("nginx", "curl")
        need_ubuntus()
        self.root, self.route53, self.authority = folder / "root", route53, authority
        (self.root / "etc/catnap").mkdir(parents=True)
        self.site = Site(self.root, certified=False)
        shim = folder / "bin/systemctl"  # there is no systemd: what it would do with nginx
        shim.parent.mkdir()
        shim.write_text(f"""#!/bin/sh
        case "$*" in
            "is-active --quiet nginx") test -s {self.root}/nginx.pid ;;
            "reload --no-block nginx") nginx -p {self.root} -c {self.root}/nginx.conf -s reload && echo reloaded >> {self.root}/reloads ;;
            *) exit 1 ;;
        esac
        """)
        shim.chmod(0o755)
        (self.site.tls / "state.conf").unlink()
        self.path = f"{shim.parent}:{UBUNTU}:{PATH}"

    def certificate(self, mode):
        """Runs the script; its exit code and what it said."""
        told = self.root / f"etc/catnap/host.env.{mode}"
        told.write_text(
            f"DOMAIN='{DOMAIN}'\nEMAIL='hi@example.com'\nACME_SERVER='{self.authority.directory}'\n"
            "AWS_DEFAULT_REGION='eu-central-1'\n")
        told.replace(told.with_suffix(""))  # two at once never read half of it
        done = run(HOST / "files/certificate", mode, env=self.environment())
        return done.returncode, done.stdout

    def environment(self):
        return os.environ | {
            "CATNAP_ROOT": str(self.root), "PATH": self.path, "AWS_ENDPOINT_URL": self.route53.endpoint,
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "REQUESTS_CA_BUNDLE": str(self.authority.own_ca)}

    def reloads(self):
        log = self.root / "reloads"
        return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def instance(tmp_path, lasting, route53):
    made = Instance(tmp_path, lasting, route53)
    yield made
    made.site.stop()


def is_trusted(instance, authority):
    """Whether a browser that trusts the authority takes what nginx shows."""
    authority.root().replace(instance.root / "ca.pem")
    code = instance.site.visit("/", "--output", "/dev/null").returncode
    assert code in (0, 60), "neither an answer nor a certificate that is not trusted"
    return code == 0


def by_http(instance, authority, *command):
    """certbot with the challenge HTTP-01, its own web server in nginx's place."""
    folders = [f"--{name}-dir={instance.root}/{name}" for name in ("config", "work", "logs")]
    where = ["--http-01-address", "127.0.0.1", "--http-01-port", authority.http_port]
    done = run(UBUNTU / "certbot", *command, "--non-interactive", *folders, *where, env=instance.environment())
    return done.returncode, done.stdout


def test_http_01_fails_at_the_first_boot_and_after_a_long_sleep(instance, dns, tmp_path):
    brief = Authority(tmp_path / "brief", dns, seconds=4)
    instance.authority = brief
    new = ["certonly", "--standalone", "--agree-tos", "--email", "hi@example.com", "--server", brief.directory,
           "--domain", DOMAIN]
    try:
        # First boot: the health check has never been well, so the name points to API Gateway.
        dns.point_to(NOBODY)
        code, said = by_http(instance, brief, *new)
        assert code == 1 and f"{NOBODY}:{brief.http_port}: connect: connection refused" in said, said
        # By hand, with the name pointed here, it works: nothing else was wrong.
        dns.point_to("127.0.0.1")
        assert by_http(instance, brief, *new)[0] == 0
        # The instance slept until it ran out, and the name points to API Gateway again.
        time.sleep(5)
        dns.point_to(NOBODY)
        code, said = by_http(instance, brief, "renew", "--no-random-sleep-on-renew")
        assert code == 1 and f"{NOBODY}:{brief.http_port}: connect: connection refused" in said, said
        dns.point_to("127.0.0.1")
        assert by_http(instance, brief, "renew", "--no-random-sleep-on-renew")[0] == 0
    finally:
        brief.close()


def test_the_first_boot_gets_a_certificate_although_the_name_points_elsewhere(instance, dns, lasting):
    dns.point_to(NOBODY)
    assert instance.certificate("look") == (0, "catnap-certificate: makes a placeholder\n")
    instance.site.start()
    instance.site.start_app()
    assert not is_trusted(instance, lasting) and instance.site.check()[0] == 503
    before = instance.site.workers()
    code, said = instance.certificate("boot")
    assert code == 0, said
    assert instance.reloads() == 1
    instance.site.wait_for_reload(before)
    assert is_trusted(instance, lasting) and instance.site.check() == (200, "up\n")
    assert "strict-transport-security" in instance.site.visit("/", "--include").stdout.lower()
    # The next boots ask nobody, and let nginx be.
    orders = lasting.log().count("order")
    assert instance.certificate("boot") == (0, "catnap-certificate: not due\n")
    assert lasting.log().count("order") == orders and instance.reloads() == 1
    code, said = instance.certificate("renew")
    assert code == 0 and "not yet due for renewal" in said and lasting.log().count("order") == orders
    assert instance.reloads() == 1


def test_it_may_ask_route_53_for_what_it_asks_and_nothing_else(instance, route53, moto):
    assert instance.certificate("boot")[0] == 0
    may = statements()
    asked = {call["operation"] for call in moto.arrived() if call["service"] == "route53"}
    assert asked == {"ListHostedZones", "ChangeResourceRecordSets", "GetChange"}
    assert {action for action in may if action.startswith("route53:")} == {f"route53:{name}" for name in asked}
    allowed = may["route53:ChangeResourceRecordSets"]["Condition"]["ForAllValues:StringEquals"]
    actions, names, types = zip(*route53.changes)
    prefix = "route53:ChangeResourceRecordSets"
    assert set(actions) == set(allowed[f"{prefix}Actions"]) == {"UPSERT", "DELETE"}
    # IAM compares in lower case and without the dot at the end.
    assert {name.lower().rstrip(".") for name in names} == set(allowed[f"{prefix}NormalizedRecordNames"])
    assert set(types) == set(allowed[f"{prefix}RecordTypes"]) == {"TXT"}


def test_a_boot_replaces_one_that_runs_out_within_a_day(instance, dns, tmp_path):
    instance.authority = brief = Authority(tmp_path / "brief", dns, seconds=86000)
    try:
        assert instance.certificate("boot")[0] == 0
        first = (instance.site.tls / "fullchain.pem").read_bytes()
        code, said = instance.certificate("boot")
        assert code == 0 and "not due" not in said
        assert (instance.site.tls / "fullchain.pem").read_bytes() != first
    finally:
        brief.close()


def test_a_renewal_of_one_that_still_holds_is_shown_at_once_and_after_a_kill(instance, dns, lasting, tmp_path):
    instance.authority = brief = Authority(tmp_path / "brief", dns, seconds=10 * 86400)
    try:
        assert instance.certificate("boot")[0] == 0
    finally:
        brief.close()
    instance.site.start()
    instance.authority = lasting
    before = instance.site.workers()
    code, said = instance.certificate("renew")
    assert code == 0 and instance.reloads() == 1, said
    instance.site.wait_for_reload(before)
    assert is_trusted(instance, lasting)
    assert instance.certificate("look")[0] == 0 and instance.reloads() == 1
    # Killed between certbot and the reload: nginx was told of the one before.
    (instance.site.tls / "told").write_text("of another\n")
    assert instance.certificate("look")[0] == 0 and instance.reloads() == 2


@pytest.fixture
def ran_out(instance, dns, lasting, tmp_path):
    """The instance at the boot after a sleep in which its certificate ran out; nginx has not started yet."""
    dns.point_to(NOBODY)
    brief = instance.authority = Authority(tmp_path / "brief", dns, seconds=4)
    try:
        assert instance.certificate("boot")[0] == 0
    finally:
        brief.close()
    time.sleep(5)
    instance.site.start_app()
    return instance


def test_a_certificate_that_ran_out_while_it_slept_is_new_before_nginx_starts(ran_out, lasting):
    ran_out.authority = lasting
    code, said = ran_out.certificate("boot")
    assert code == 0, said
    ran_out.site.start()
    assert is_trusted(ran_out, lasting) and ran_out.site.check() == (200, "up\n")


def test_one_that_ran_out_sends_nobody_here_until_the_timer_gets_another(ran_out, lasting):
    assert ran_out.certificate("boot")[0] == 1  # nobody issues any
    ran_out.site.start()
    assert ran_out.site.check() == (503, "no certificate yet\n")
    ran_out.authority = lasting
    before = ran_out.site.workers()
    code, said = ran_out.certificate("renew")
    assert code == 0, said
    ran_out.site.wait_for_reload(before)
    assert is_trusted(ran_out, lasting) and ran_out.site.check() == (200, "up\n")


def test_two_at_once_wait_for_each_other(instance):
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(instance.certificate, ["boot", "renew"]))
    assert [code for code, _ in results] == [0, 0], results
