.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
MEMBERS := core operator extproc billing sandbox cli

.PHONY: help up test apiserver check bench slow lock stubs chart kind fmt clean

help: ## What can be asked of this Makefile
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# uv comes by pip into the project's own environment: nothing outside this folder is touched, and nothing needs root.
$(UV): requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit("Tollgate needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r requirements/uv.txt
	@touch $(UV)

$(VENV)/.runtime: $(UV) requirements/runtime.txt $(MEMBERS:%=%/pyproject.toml)
	$(UV) pip install -q -p $(BIN)/python --require-hashes -r requirements/runtime.txt
	$(UV) pip install -q -p $(BIN)/python --no-deps $(MEMBERS:%=-e ./%)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(UV) pip install -q -p $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

up: $(VENV)/.runtime ## Start everything on this machine and send a demo's traffic through it
	@$(BIN)/tollgate up examples $(ARGS)

test: $(VENV)/.dev ## Run the tests with real Envoy, Valkey, PostgreSQL and Kubernetes API server
	$(BIN)/python -m pytest -n auto -m "not slow" $(ARGS)

apiserver: $(VENV)/.dev ## Find or build the Kubernetes API server that tests use (once, some minutes)
	@$(BIN)/python -m tests.support.kubernetes

slow: $(VENV)/.dev ## Run the tests that take longer
	$(BIN)/python -m pytest -m slow $(ARGS)

check: $(VENV)/.dev ## Static checks: format, lint, types, layers, dependencies
	$(BIN)/python tools/check.py

bench: $(VENV)/.dev ## Speed and memory, as ratios against plain Envoy in the same run
	$(BIN)/python -m tests.bench $(ARGS)

lock: $(UV) ## Pin every dependency with hashes
	bash tools/lock.sh

stubs: $(VENV)/.dev ## Generate the gRPC stubs of the data path
	bash tools/stubs.sh

chart: $(VENV)/.dev ## Write the chart's generated parts: CRDs, schema, README
	$(BIN)/python tools/chart.py

kind: $(VENV)/.dev ## Run images and chart on a kind cluster (needs Docker)
	bash tests/e2e_cluster/kind.sh $(ARGS)

fmt: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

clean: ## Remove what was installed and built
	rm -rf $(VENV) dist build
