# `make` alone prints what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-wire test check bench bench-handoff soak fuzz build zips sam-local page screenshots snapshots host-boot clean

TOOLS := .tools
VENV := $(TOOLS)/venv
PYTHON := $(VENV)/bin/python
SAM := $(VENV)/bin/sam
# cargo-lambda, zig and sam come from there; nothing else does.
export PATH := $(CURDIR)/$(VENV)/bin:$(CURDIR)/$(TOOLS)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Another port: `make demo PORT=5000`; 0 is any that is free.
PORT ?= 4747
demo: toolchain ## The sandbox: Catnap at work in a browser, without AWS (first run: about 2 minutes)
	@cargo build --locked -p sandbox
	@exec target/debug/sandbox --port $(PORT)

demo-wire: $(VENV)/ready debug-binaries ## The real binaries do their job on this machine, told line by line (first run: about 8 minutes)
	@$(PYTHON) wire/demo.py

test: $(VENV)/ready $(TOOLS)/ubuntu/ready core-without-sdk page-binary ## Run all tests (first run: about 20 minutes)
	cargo test --locked --workspace
	cargo build --locked --bins
	cargo build --locked -p sandbox
	$(PYTHON) -m pytest -q wire

check: $(VENV)/ready $(TOOLS)/checkov/ready $(TOOLS)/bin/cargo-deny ## Run what CI runs beside the tests: format, lints, licences, template
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets --all-features -- --deny warnings
	cargo deny --locked check --hide-inclusion-graph licenses bans sources
	@# The advisories come from a repository of their own: where it cannot be reached, that is said.
	@if cargo deny --locked fetch db 2> /dev/null; then cargo deny --locked check advisories; \
		else echo "NOT CHECKED: the database of advisories cannot be reached"; fi
	$(SAM) validate --lint
	$(SAM) validate --lint --template host/template.yaml
	$(SAM) validate --lint --template app/template.yaml
	$(TOOLS)/checkov/bin/checkov --config-file .checkov.yaml
	$(TOOLS)/checkov/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	python3 host/embed.py --check

ARCHITECTURE ?= x86_64
build: $(VENV)/ready ## Build the deployable artifacts with SAM, for ARCHITECTURE (x86_64 or arm64; about 10 minutes)
	$(SAM) build --parameter-overrides Architecture=$(ARCHITECTURE)
	@ls -l .aws-sam/build/*/bootstrap

zips: $(VENV)/ready ## Build each function as a zip that Lambda takes, for ARCHITECTURE (about 10 minutes)
	@mkdir -p target/zips
	@for function in starter stopper; do \
		cargo lambda build --locked --release --$(subst x86_64,x86-64,$(ARCHITECTURE)) --output-format zip \
			--package $$function --bin $$function --lambda-dir target/zips/$(ARCHITECTURE) || exit 1; \
		mv target/zips/$(ARCHITECTURE)/$$function/bootstrap.zip target/zips/catnap-$$function-$(ARCHITECTURE).zip; \
	done
	@ls -l target/zips/*-$(ARCHITECTURE).zip

bench: $(VENV)/ready ## Measure: a simulated month; naps against visits, visitors around a nap; the pair against the proof of concept, a crowd, the wake filter, a fleet; what it costs (about 20 minutes)
	cargo run --locked --profile bench --package sandbox -- month
	cargo bench --locked --package shared --no-default-features --bench accuracy
	cargo bench --locked --package sandbox --bench gap
	$(PYTHON) wire/bench.py --build
	$(PYTHON) wire/cost.py

bench-handoff: $(VENV)/ready debug-binaries ## Measure how a waiting visitor gets to the app, in a real browser (Linux, root, about 40 minutes)
	PYTHONPATH=wire $(PYTHON) -m handoff.bench
	PYTHONPATH=wire $(PYTHON) -m handoff.leaving

SOAK_SECONDS ?= 600
SOAK_SEED ?= 0
soak: toolchain ## Search for faults in made-up stories, for SOAK_SECONDS (default 600), from SOAK_SEED on
	cargo run --locked --profile bench --package sandbox -- soak $(SOAK_SECONDS) $(SOAK_SEED)

# libFuzzer's coverage needs unstable flags, which the pinned compiler takes with RUSTC_BOOTSTRAP. There is no unsafe
# code of ours for a sanitizer to look at.
FUZZ_SECONDS ?= 300
fuzz: $(TOOLS)/bin/cargo-fuzz ## Fuzz what reads visitors' requests, FUZZ_SECONDS for each target (default 300)
	@for target in classify event; do mkdir -p target/fuzz/$$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$target target/fuzz/$$target fuzz/corpus/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -print_final_stats=1 || exit 1; \
	done

sam-local: build ## Run every sample event with `sam local invoke` (needs a Docker engine)
	$(PYTHON) wire/sam_local.py

page: $(VENV)/ready page-binary ## Show the waiting page in each of its phases, on this machine
	@$(PYTHON) wire/page/serve.py

screenshots: $(VENV)/ready page-binary ## Take the README's screenshots anew (needs Chromium)
	@$(PYTHON) wire/page/serve.py --screenshots
	@cargo build --locked -p sandbox
	@PYTHONPATH=wire $(PYTHON) wire/sandbox/screenshots.py

snapshots: $(VENV)/ready ## Write what the templates are translated to, as wire/snapshots has it, anew
	$(PYTHON) wire/stack.py

host-boot: $(VENV)/ready $(TOOLS)/host-image/ready ## Boot the host's user data as a machine: cloud-init, systemd, Docker (root; about 10 minutes)
	CATNAP_HOST_BOOT=1 unshare --net sh -c 'ip link set lo up && exec $(PYTHON) -m pytest -q -o faulthandler_timeout=1800 wire/host/machine'

clean: ## Remove what was built and installed here
	rm -rf target $(TOOLS) .aws-sam wire/baseline/floor/target fuzz/target fuzz/artifacts

.PHONY: debug-binaries core-without-sdk
debug-binaries: toolchain
	@echo "Compiling the pair. The AWS SDK takes some minutes the first time."
	@cargo build --locked --bins -p starter -p stopper

.PHONY: page-binary
page-binary: toolchain
	@cargo build --locked -p starter --no-default-features --example page

# The core must build, and be testable, without any AWS SDK.
core-without-sdk: toolchain
	@! cargo tree --locked -p shared --no-default-features -e normal --prefix none | grep -q '^aws-' \
		|| { echo "shared pulls in an AWS SDK without its feature aws"; exit 1; }
	@! cargo tree --locked -p sandbox -e normal --prefix none | grep -q '^aws-' \
		|| { echo "the sandbox pulls in an AWS SDK"; exit 1; }
	cargo test --locked -p shared -p starter -p stopper -p ec2-catnap --no-default-features --no-run

.PHONY: toolchain
toolchain:
	@command -v cargo > /dev/null || { echo "Rust is missing: install it from https://rustup.rs"; exit 1; }
	@has=$$(rustc --version | cut -d ' ' -f 2); needs=$$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml); \
		printf '%s\n' "$$needs" "$$has" | sort -CV \
		|| { echo "Rust $$has is too old: $$needs or later is needed, from https://rustup.rs"; exit 1; }
	@command -v cc > /dev/null || { echo "A C compiler is missing: sudo apt-get install build-essential"; exit 1; }

$(VENV)/ready: wire/requirements.txt | toolchain
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or later is needed"; exit 1; }
	@python3 -c 'import ensurepip, venv' 2> /dev/null || { echo "Python's venv is missing: sudo apt-get install python3-venv"; exit 1; }
	@echo "Installing the tools into $(VENV), about a minute."
	@rm -rf $(VENV) && python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement wire/requirements.txt
	@touch $@

$(TOOLS)/bin/cargo-fuzz: | toolchain
	@echo "Installing cargo-fuzz into $(TOOLS), some minutes."
	@cargo install --quiet --locked --root $(TOOLS) cargo-fuzz@0.13.2

$(TOOLS)/bin/cargo-deny: | toolchain
	@echo "Installing cargo-deny into $(TOOLS), some minutes."
	@cargo install --quiet --locked --root $(TOOLS) cargo-deny@0.20.2

# certbot and boto3 as Ubuntu has them, for the tests of the host.
$(TOOLS)/ubuntu/ready: wire/host/requirements.txt
	@rm -rf $(TOOLS)/ubuntu && python3 -m venv $(TOOLS)/ubuntu
	@$(TOOLS)/ubuntu/bin/pip install --quiet --disable-pip-version-check --requirement wire/host/requirements.txt
	@touch $@

# Of their own, since they want other versions of what the other tools need.
$(TOOLS)/checkov/ready:
	@rm -rf $(TOOLS)/checkov && python3 -m venv $(TOOLS)/checkov
	@$(TOOLS)/checkov/bin/pip install --quiet --disable-pip-version-check checkov==3.3.30 check-jsonschema==0.39.0
	@touch $@

$(TOOLS)/host-image/ready: wire/host/machine/image.sh
	@echo "Makes a small Debian in $(TOOLS)/host-image, some minutes."
	wire/host/machine/image.sh $(TOOLS)/host-image
