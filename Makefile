# Five verbs run everything, the same on a laptop and in CI: demo, start, test, check, bench.
# A fresh machine needs make, and Python 3.13 on PATH, among pyenv's versions or fetchable by uv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
# What runs the app, and with it what tests and checks it: the demo need not wait for the latter.
RUNS := $(VENV)/.runs
READY := $(VENV)/.ready
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready

# Three test files at a time on two processors, since most tests wait most of the time; in the order of their names, so
# that no slow file comes last. Four took as long: the processes under test compete for the processor then.
SIDE_BY_SIDE := --numprocesses 3 --dist loadfile --no-loadscope-reorder

.PHONY: help demo start func check-data seed test check bench scale million console screenshots fuzz soak package format lock setup

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(RUNS) ## Run the whole analysis once on sample data and print a report
	@$(PYTHON) -m devhost demo

start: $(RUNS) ## Serve the app on http://127.0.0.1:7071 until Ctrl-C (PORT=, DATA_DIR=)
	@scripts/build-console || true
	@exec $(PYTHON) -m devhost start

func: $(RUNS) ## Serve the app on the real Functions host, with Azurite and embedded servers, until Ctrl-C
	@exec $(PYTHON) -m devhost func

test: $(READY) ## Run every test
	@scripts/ensure-redis || [ -z "$${CI:-}" ]
	@{ scripts/ensure-chromium && scripts/ensure-node && scripts/build-console; } || [ -z "$${CI:-}" ]
	@scripts/ensure-kusto || [ -z "$${CI:-}" ]
	@[ -z "$${DURABLE_HOST:-}" ] || scripts/ensure-azurite || true
	@$(PYTHON) -m pytest $(SIDE_BY_SIDE)
	@[ -z "$${DURABLE_HOST:-}" ] || TEST_ENGINE=extension $(PYTHON) -m pytest $(SIDE_BY_SIDE) -m both_engines tests/end_to_end tests/faults

check: $(READY) ## Check format, lint and types
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@if scripts/ensure-node && scripts/build-console; then cd console && npm run --silent check; else [ -z "$${CI:-}" ]; fi

check-data: $(RUNS) ## Check the database and the prices that are configured; writes nothing (JSON=1, SETTINGS=)
	@$(PYTHON) -m devhost check-data $(if $(JSON),--json) $(if $(SETTINGS),--settings $(SETTINGS))

seed: $(RUNS) ## Write the sample users into an environment for tests, whose settings are in a file (SETTINGS=)
	@$(PYTHON) -m devhost seed --settings $(SETTINGS)

bench: $(READY) $(PEERS_READY) ## Run the benchmarks, against peer libraries and lower bounds
	@$(PYTHON) -m benchmarks

scale: $(READY) ## Run 1,000, 10,000 and 100,000 users, and write docs/scale.md
	@scripts/ensure-redis
	@$(PYTHON) -m benchmarks.at_scale

million: $(READY) ## Run a million users and 50,000 symbols while processes are killed, and write docs/scale.md
	@scripts/ensure-redis
	@[ -z "$${DURABLE_HOST:-}" ] || scripts/ensure-azurite
	@TEST_ENGINE=$${DURABLE_HOST:+extension} $(PYTHON) -m benchmarks.million

console: ## Build the admin console (needs Node.js)
	@scripts/ensure-node
	@scripts/build-console

screenshots: $(READY) ## Take the screenshots of the admin console in docs/images
	@scripts/ensure-chromium
	@scripts/ensure-node
	@scripts/build-console
	@$(PYTHON) -m tests.console.screenshots

soak: $(READY) ## Inject random faults for an hour and write the result into docs/reliability.md (MINUTES=, SEED=)
	@scripts/ensure-redis
	@[ -z "$${DURABLE_HOST:-}" ] || scripts/ensure-azurite
	@[ -z "$${DURABLE_HOST:-}" ] || TEST_ENGINE=extension $(PYTHON) -m pytest -m '' tests/end_to_end tests/faults tests/extension
	@$(PYTHON) -m tests.faults.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

fuzz: $(READY) ## Fuzz the API and its parsers for several minutes (FUZZ_EXAMPLES=)
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-1000} $(PYTHON) -m pytest --timeout=0 tests/security/test_openapi.py tests/security/test_parsers.py

package: $(RUNS) ## Build the deployment package, build/portfolio-analysis.zip (DURABLE_BACKEND=storage|scheduler)
	@{ scripts/ensure-node && scripts/build-console; } || [ -z "$${CI:-}" ]
	@scripts/package $(PYTHON) build/portfolio-analysis.zip

format: $(READY) ## Format, and fix what can be fixed
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .
	@if command -v npm >/dev/null && scripts/build-console; then cd console && npm run --silent format; fi

setup: $(READY) ## Set up the virtual environment

lock: $(READY) ## Recompile the requirement files, with hashes
	@scripts/compile-requirements

$(RUNS): requirements-local.txt scripts/setup scripts/install
	@scripts/setup $(VENV)
	@scripts/install $(VENV) requirements-local.txt
	@touch $@

$(READY): requirements-dev.txt $(RUNS)
	@scripts/install $(VENV) requirements-dev.txt
	@touch $@

$(PEERS_READY): benchmarks/requirements-peers.txt benchmarks/setup-peers | $(READY)
	@benchmarks/setup-peers $(PEERS)
	@touch $@
