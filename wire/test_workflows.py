"""What .github/workflows runs exists, and each action is of one stated version."""

import os
import re
import subprocess

import pytest
import yaml
from stack import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAKE = (ROOT / "Makefile").read_text()


def steps(path):
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_runs_what_there_is_in_versions_that_are_stated(path):
    uses = [step["uses"] for step in steps(path) if "uses" in step]
    assert uses and all(re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", action) for action in uses), uses
    commands = "\n".join(step["run"] for step in steps(path) if "run" in step)
    for script in re.findall(r"\.ci/\w+", commands):
        assert (ROOT / script).stat().st_mode & 0o111, script
    for target in re.findall(r"make (\w+)", commands):
        assert re.search(rf"^{target}:", MAKE, re.M), target
    # What GitHub puts into a script's text is the text of whoever opened the request.
    assert not re.search(r"\$\{\{ *github\.", commands)


def test_the_checks_are_what_one_runs_oneself_and_a_release_has_both_architectures():
    script = (ROOT / ".ci/run").read_text()
    assert ".ci/run" in (ROOT / ".github/workflows/check.yml").read_text()
    assert {"make check", "make test"} <= set(re.findall(r"^make \w+", script, re.M))
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    assert release["zips"]["strategy"]["matrix"]["architecture"] == ["x86_64", "arm64"]
    assert release["release"]["needs"] == "zips"


def test_the_readme_asks_for_the_rust_that_cargo_asks_for():
    wanted = re.search(r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert f"Rust {wanted} or later" in (ROOT / "README.md").read_text()


def test_make_says_which_rust_it_needs(tmp_path):
    (tmp_path / "rustc").write_text("#!/bin/sh\necho 'rustc 1.85.0 (4d91de4e4 2025-02-17)'\n")
    (tmp_path / "rustc").chmod(0o755)
    said = subprocess.run(["make", "toolchain"], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert said.returncode != 0 and re.search(r"Rust 1\.85\.0 is too old: [\d.]+ or later", said.stdout), said.stdout
