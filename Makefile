# `make run` and `make test` need nothing but Python 3.11 or newer; `make help` lists the rest.

VENV ?= .venv
PORT ?= 8080
WORKERS ?= 1
MODEL ?=
CORPUS ?=
ROWS ?=
FRESH ?=

TORCH_VERSION := 2.13.0
UV_VERSION := 0.13.9

# PyTorch's CPU builds: on Linux the plain package index holds the CUDA build, several gigabytes large. Empty: whatever
# index pip is set up to use. A wheel that pip finds locally (PIP_FIND_LINKS) goes before either.
ifeq ($(shell uname -s),Darwin)
TORCH_INDEX ?=
else
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
endif

# The first of these that is new enough makes the environment; `make PYTHON=…` chooses another.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$each"; break; }; done)

# In the order of docs/performance.md; each is `python -m bench.NAME`.
BENCHMARKS := engine poisson roofline sampling overhead prefix http
JOB_BENCHMARKS := waiters stream cancel backlog eta
RESULTS ?= .bench/results

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := api client neoserve tasks tests bench

# In the order in which a mistake is found soonest.
TESTS ?= $(wildcard tests/integration tests/e2e tests/faults)

# Unit tests use processor time and nothing that they share; the others wait for most of theirs, and start servers.
UNIT_TESTS ?= -n 2 tests/unit

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-containers faults lint fmt lock manifests train native bench bench-jobs bench-peers clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

run: $(VENV)/.run $(VENV)/.native  ## Everything in this terminal (PORT=8080 WORKERS=1 MODEL=folder)
	@exec $(BIN)/neoserve up --port $(PORT) --workers $(WORKERS) $(if $(MODEL),--model '$(MODEL)')

# Several processes with a thread per core each would only stand in each other's way.
test test-all test-containers: export OMP_NUM_THREADS := 1

test: $(VENV)/.dev $(VENV)/.native $(VENV)/.monitoring lint  ## Lint, types, import contracts, unit, integration and end-to-end tests
	$(BIN)/pytest -m 'not slow' $(UNIT_TESTS)
	$(BIN)/pytest -m 'not slow' $(TESTS)

test-all: $(VENV)/.dev $(VENV)/.native $(VENV)/.monitoring lint  ## The same, the slow tests and `make test-containers`
	$(BIN)/pytest $(UNIT_TESTS)
	$(BIN)/pytest $(TESTS) tests/containers

test-containers: $(VENV)/.dev  ## Both images and the compose stack, on a Docker engine (root can start one: apt install docker.io iptables mmdebstrap)
	$(BIN)/pytest tests/containers

faults: export OMP_NUM_THREADS := 1
faults: $(VENV)/.dev  ## Every fault of docs/reliability.md, an hour; rows that this commit has are kept (ROWS='T1 T5' FRESH=1)
	@FRESH=$(FRESH) $(BIN)/python -m tests.faults.run $(ROWS)

lint: $(VENV)/.dev  ## ruff, mypy, the import contracts; YAML, Dockerfiles and shell scripts
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	$(BIN)/hadolint Dockerfile.*
	$(BIN)/shellcheck .ci/run $(wildcard */*.sh */*/*.sh */*/*/*.sh)

fmt: $(VENV)/.dev  ## Format, and fix what ruff can fix
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

train: $(VENV)/.run $(VENV)/.native  ## Train the shipped model anew (CORPUS=stories.txt.gz)
	@test -n '$(CORPUS)' || { echo 'make train: name the corpus: make train CORPUS=tinystories.txt.gz' >&2; exit 1; }
	$(BIN)/python -m tasks.model.train_stories --corpus '$(CORPUS)' --output tasks/model/stories

# On a quiet machine: each takes all cores, and what else runs is measured with it.
bench: $(VENV)/.dev $(VENV)/.native  ## Measure the engine and the stack (12 minutes), and put the results into docs/performance.md
	@for name in $(BENCHMARKS); do $(BIN)/python -m bench.$$name --json '$(RESULTS)' || exit 1; done
	@$(BIN)/python -m bench.report --json '$(RESULTS)'

bench-jobs: $(VENV)/.dev $(VENV)/.native  ## The same of waiting, streams, cancels and long queues (12 minutes)
	@for name in $(JOB_BENCHMARKS); do $(BIN)/python -m bench.$$name --json '$(RESULTS)' || exit 1; done
	@$(BIN)/python -m bench.report --json '$(RESULTS)'

bench-peers: export TORCH_INDEX := $(TORCH_INDEX)
bench-peers: $(VENV)/.dev $(VENV)/.native  ## The same against other servers, each in an environment of its own (25 minutes)
	@$(BIN)/python -m bench.peers --json '$(RESULTS)'
	@$(BIN)/python -m bench.report --json '$(RESULTS)'

lock: $(VENV)/.dev  ## Resolve requirements/*.txt anew from setup.cfg
	$(PIP) install --quiet uv==$(UV_VERSION)
	$(call compile,api,api)
	$(call compile,worker,worker) requirements/beyond.in
	$(call compile,run,api worker client embedded) requirements/beyond.in
	$(call compile,dev,api worker client embedded otel dev) requirements/beyond.in
	$(call compile,otel,otel) --constraint requirements/dev.txt

compile = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--output-file requirements/$(1).txt $(foreach extra,$(2),--extra $(extra)) setup.cfg

manifests: $(VENV)/.dev  ## Write the Kubernetes manifests that are made from others
	$(BIN)/python -m tests.manifests

native: $(VENV)/.native  ## Compile the native kernels (needs a C++ compiler; done by `run` and `test` where there is one)

clean:  ## Remove the environment and everything made here
	rm -rf tasks/model/native/*.so $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .bench .faults
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# What has been installed, as stamps: a second run installs nothing, a changed lock installs again.
$(VENV)/.venv:
	@test -n '$(PYTHON)' || { echo 'make: Python 3.11 or newer is needed and none was found. Install one, or name it: make PYTHON=/path/to/python3' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'make: $(PYTHON) is no Python 3.11 or newer. Name one: make PYTHON=/path/to/python3' >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo 'make: making $(VENV) with $(PYTHON)'
	@'$(PYTHON)' -m venv $(VENV)
	@touch $@

$(VENV)/.torch: $(VENV)/.venv
	@echo 'make: installing torch $(TORCH_VERSION)'
	@$(PIP) install --quiet --no-deps --no-index torch==$(TORCH_VERSION) 2>/dev/null \
		|| $(PIP) install --no-deps $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)') torch==$(TORCH_VERSION) \
		|| { echo 'make: torch $(TORCH_VERSION) could not be installed. Name another index with TORCH_INDEX=URL, or a folder that holds the wheel with PIP_FIND_LINKS=FOLDER' >&2; exit 1; }
	@touch $@

$(VENV)/.run: requirements/run.txt setup.cfg pyproject.toml $(VENV)/.torch
	@echo 'make: installing requirements/run.txt (a few minutes the first time)'
	@$(PIP) install -qq --require-hashes --requirement requirements/run.txt
	@$(PIP) install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo 'make: installing requirements/dev.txt'
	@$(PIP) install -qq --require-hashes --requirement requirements/dev.txt
	@touch $@

$(VENV)/.native: $(wildcard tasks/model/native/*.cpp tasks/model/native/*.h) tasks/model/native/build.py $(VENV)/.venv
	@$(BIN)/python -m tasks.model.native.build || true
	@touch $@

# Without it the tests of the alerts are skipped, and in CI they fail; the next call tries again.
$(VENV)/.monitoring: tests/unpack_monitoring.sh $(VENV)/.venv
	@if tests/unpack_monitoring.sh $(VENV)/share/monitoring; then touch $@; else echo 'make: Prometheus could not be unpacked; tests that need it are skipped' >&2; fi
