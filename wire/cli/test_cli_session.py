"""How `catnap` finds its way into an account, and what it says to terminals, programs and people."""

from __future__ import annotations

from pathlib import Path

from broken import health, refused
from command_line import Catnap
from set_up import SetUp


def test_the_exit_status_says_how_bad_it_is(set_up: SetUp, catnap: Catnap) -> None:
    assert catnap("doctor", "--strict").returncode == 0
    set_up.put_record(set_up.primary(TTL=300))
    assert [catnap("doctor").returncode, catnap("doctor", "--strict").returncode] == [0, 1]
    refused("DescribeSecurityGroups")(set_up)
    assert [catnap("doctor").returncode, catnap("doctor", "--strict").returncode] == [3, 3], "who knows?"
    health(Disabled=True)(set_up)
    assert catnap("doctor").returncode == 2
    assert [catnap("doctor", "--loud").returncode, catnap("doctor", "--help").returncode] == [3, 0]


def test_colours_are_for_terminals_and_for_who_wants_them(set_up: SetUp, catnap: Catnap) -> None:
    assert "\x1b[" not in catnap("doctor").stdout
    assert "\x1b[32m" in catnap("doctor", CLICOLOR_FORCE="1").stdout.replace("\x1b[1m", "")
    assert "\x1b[" not in catnap("doctor", NO_COLOR="1").stdout


def test_help_teaches_by_examples_and_shells_complete(catnap: Catnap) -> None:
    for command in ("doctor", "status", "plan", "wake", "nap", "keep-awake", "protect", "hold", "drill", "completions"):
        text = catnap(command, "--help").stdout
        assert f"Examples:\n  catnap {command}" in text, command
        for shell in ("bash", "zsh", "fish"):
            assert command in catnap("completions", shell).stdout


def test_it_changes_nothing(set_up: SetUp, catnap: Catnap) -> None:
    catnap("doctor")
    reads = ("Describe", "Get", "List")
    assert [name for name in set_up.moto.calls() if not name.split()[0].startswith(reads) and "GET" not in name] == []


def test_who_cannot_look_is_told_what_to_do(set_up: SetUp, catnap: Catnap) -> None:
    def error(*arguments: str, **more: str) -> str:
        result = catnap("doctor", *arguments, **more)
        assert (result.returncode, result.stdout) == (3, "")
        return result.stderr

    assert "there is no stack other in eu-central-1" in error("other") and "--domain" in error("other")
    assert "no region: give --region" in error(AWS_REGION="")
    assert "no credentials" in error(AWS_ACCESS_KEY_ID="", PATH="/nowhere")
    assert "there is no profile work: there is none" in error("--profile", "work")


def test_profiles_regions_and_endpoints_come_from_where_the_aws_cli_has_them(
    set_up: SetUp, catnap: Catnap, tmp_path: Path
) -> None:
    nothing = dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"), "")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        f"[profile work]\nregion = eu-central-1\nendpoint_url = {set_up.moto.endpoint}\n"
        f"[profile sso]\nregion = eu-central-1\nendpoint_url = {set_up.moto.endpoint}\nsso_session = x\n"
    )
    (tmp_path / ".aws" / "credentials").write_text("[work]\naws_access_key_id = a\naws_secret_access_key = b\n")
    assert catnap("doctor", "--profile", "work", **nothing).returncode == 0
    assert catnap("doctor", **{**nothing, "AWS_PROFILE": "work"}).returncode == 0
    # What is more than keys is asked of the AWS CLI.
    (tmp_path / "aws").write_text(
        '#!/bin/sh\necho "$@" > "$HOME/asked"\necho \'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"}\'\n'
    )
    (tmp_path / "aws").chmod(0o755)
    assert catnap("doctor", "--profile", "sso", **nothing, PATH=f"{tmp_path}:/usr/bin:/bin").returncode == 0
    assert (tmp_path / "asked").read_text() == "configure export-credentials --format process --profile sso\n"
    # A container, an instance or CloudShell has no profile at all.
    at = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": set_up.moto.endpoint, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert catnap("doctor", **{**nothing, **at}).returncode == 0
    assert (tmp_path / "asked").read_text() == "configure export-credentials --format process\n"
    health(Disabled=True)(set_up)
    said = catnap("doctor", "--profile", "work", **nothing).stdout
    assert "--no-disabled --region eu-central-1 --profile work\n" in said, "what it says to type is for that profile"
