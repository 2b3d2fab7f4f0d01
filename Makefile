# Every target works on a fresh clone with nothing but Python 3.11+, git and make: the tools are put into .venv first.
#
#   make audit REPO=../your-backend     audit a backend (default: the example in examples/job_board)
#   make prove ARGS="S1 --quick"        put the server under load, each remedy against its old way
#   make test                           run the tests (brings its own PostgreSQL)
#
# PYTHON=python3.13 names the Python to use, else the first fitting one is taken; VENV=.venv-3.13 keeps its tools apart.

REPO ?= examples/job_board
ARGS ?=
VENV ?= .venv
PYTHON ?=
JOBS ?= auto

BIN := $(VENV)/bin
LOCK_FLAGS := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	--quiet $(if $(UPGRADE),--upgrade)
PY_TREES := src tests tools examples

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help audit serve prove test test-all check lint types contracts docs docs-check self-audit lock bench-audit bench-parts census strangers-path clean named-python

help: ## print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

audit: $(VENV)/.base ## audit REPO (default: the example backend); more options in ARGS
	@$(BIN)/evenkeel audit "$(patsubst ~/%,$(HOME)/%,$(REPO))" $(ARGS)

prove: $(VENV)/.dev ## put the server under load on both paths; scenarios and options in ARGS
	@$(BIN)/evenkeel prove $(ARGS)

serve: $(VENV)/.serve ## start the agent backend to try it out, on this machine only; options in ARGS
	@$(BIN)/evenkeel serve $(if $(ARGS),$(ARGS),--demo)

test: $(VENV)/.dev ## run the tests; options for pytest in ARGS
	@sh tools/test.sh $(BIN)/pytest $(JOBS) $(ARGS)

test-all: $(VENV)/.dev ## the tests, and the long ones: whole servers killed, loaded, watched
	@EVENKEEL_TEST_ALL=1 sh tools/test.sh $(BIN)/pytest $(JOBS) $(ARGS)

check: lint types contracts docs-check self-audit ## lint, formatting, types, import contracts, generated docs, evenkeel's own audit

lint: $(VENV)/.dev
	@$(BIN)/ruff check $(PY_TREES)
	@$(BIN)/ruff format --check $(PY_TREES)

types: $(VENV)/.dev
	@$(BIN)/mypy
	@for example in examples/job_board examples/job_board_fixed; do \
		(cd $$example && $(abspath $(BIN))/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache/examples app) || exit 1; \
	done

contracts: $(VENV)/.dev
	@$(BIN)/lint-imports

docs: $(VENV)/.dev ## write docs/reference again from the code
	@$(BIN)/python tools/reference.py

docs-check: $(VENV)/.dev
	@$(BIN)/python tools/reference.py --check

self-audit: $(VENV)/.dev ## evenkeel audits itself: the rollback paths are found, and nothing else
	@$(BIN)/python tools/self_audit.py

bench-audit: $(VENV)/.dev ## speed and memory of the audit, as ratios
	@$(BIN)/python tools/bench_audit.py $(ARGS)

bench-parts: $(VENV)/.competitors ## the parts of evenkeel.hotpath against PgQueuer, Procrastinate and their old paths
	@$(BIN)/python tools/bench_parts.py $(ARGS)

census: $(VENV)/.dev ## a million sessions opened and closed: what is left in the process
	@$(BIN)/python tools/bench_parts.py census $(ARGS)

strangers-path: $(VENV)/.dev ## the built wheel in an empty environment: audit, suppress, baseline, diff, explain, plan
	@VENV="$(abspath $(VENV))" bash tools/strangers_path.sh

# requirements.lock: the audit and what installs it. requirements-dev.lock: that, every extra, and what tests and checks
# need, at the same versions. UPGRADE=1 takes the newest versions; without it, pins that still fit are kept.
lock: $(VENV)/.dev ## resolve pyproject.toml into the two lock files again
	@$(BIN)/uv pip compile pyproject.toml --group build $(LOCK_FLAGS) -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev --all-extras -c requirements.lock $(LOCK_FLAGS) -o requirements-dev.lock
	@$(BIN)/uv pip compile tools/parts/competitors.in -c requirements-dev.lock $(LOCK_FLAGS) -o tools/parts/competitors.lock

clean: ## remove .venv and every cache
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	@find src tests tools examples -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(PYTHON),)
$(VENV)/.base: named-python # which may be another than it was made with
endif

$(VENV)/.base: requirements.lock pyproject.toml tools/bootstrap.sh
	@VENV="$(VENV)" PYTHON="$(PYTHON)" sh tools/bootstrap.sh requirements.lock
	@touch $@

$(VENV)/.serve: $(VENV)/.dev # the lock of everything: the server's dependencies have no lock of their own
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.base
	@VENV="$(VENV)" PYTHON="$(PYTHON)" sh tools/bootstrap.sh requirements-dev.lock
	@touch $@

# What is measured beside evenkeel, in a folder of its own: what evenkeel needs is never taken from there.
$(VENV)/.competitors: tools/parts/competitors.lock $(VENV)/.dev
	@$(BIN)/uv pip install --quiet --require-hashes --target "$(VENV)/competitors" -r tools/parts/competitors.lock
	@touch $@
