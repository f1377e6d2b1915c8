"""The port's contract (`shared/tests/contract.rs`) over the SDK's adapters, against moto's server.

The same set of tests runs over the simulated cloud with `cargo test`; here stands what it looks at.
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
from datetime import timedelta

from scene import last_whole_five_minutes, utc_now
from stand import HERE, Moto


def test_the_adapters_keep_the_ports_contract(moto: Moto) -> None:
    ec2, whole = moto.client("ec2"), last_whole_five_minutes()
    launched = utc_now() - timedelta(hours=5)
    sleeper, runner, gone = (
        moto.run_instance({"catnap:host": f"{name}.example.com"}, launched) for name in ("sleeper", "runner", "gone")
    )
    ec2.stop_instances(InstanceIds=[sleeper])
    ec2.terminate_instances(InstanceIds=[gone])
    check = moto.create_health_check(moto.describe(runner)["PublicIpAddress"])
    five = [(whole - timedelta(minutes=5 * (6 - number)), 1_000.0 * number) for number in range(1, 6)]
    moto.put_network_in(runner, five)
    moto.put_health(check, [(whole - timedelta(minutes=3), 1), (whole - timedelta(minutes=2), 0)])
    moto.client("cloudwatch").put_metric_data(Namespace="Catnap", MetricData=[{
        "MetricName": "Visits", "Dimensions": [{"Name": "App", "Value": "runner.example.com"}],
        "Timestamp": whole - timedelta(minutes=7), "Value": 2, "Unit": "Count",
    }])
    moto.set_phases(pending=1.5, stopping=1.5)
    stand = {
        "CONTRACT_SLEEPER": sleeper, "CONTRACT_RUNNER": runner, "CONTRACT_GONE": gone, "CONTRACT_CHECK": check,
        "CONTRACT_WHOLE": whole.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    # Where it was not compiled before, that takes longer than a test may (pytest.ini): here cargo's own limit holds.
    faulthandler.cancel_dump_traceback_later()
    # All of the workspace, as in `cargo test`: with other features there would be another SDK to compile.
    command = ["cargo", "test", "--locked", "--workspace", "--test", "contract", "--", "--ignored", "--exact", "the_adapters"]
    run = subprocess.run(
        os.environ.get("CATNAP_CONTRACT", " ".join(command)).split(), cwd=HERE.parent, capture_output=True, text=True,
        env={**os.environ, **moto.environment(), **stand}, timeout=1200,
    )
    assert run.returncode == 0 and "1 passed" in run.stdout, run.stdout + run.stderr
