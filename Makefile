# `make help` lists the targets. A fresh machine needs Python 3.11+ and make; the rest is installed here.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
unexport PYTHONDONTWRITEBYTECODE  # else every process compiles all it imports, ten seconds for the pages

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

.venv/ready: requirements.txt pyproject.toml scripts/environment.sh
	scripts/environment.sh .venv requirements.txt $(PYTHON)
	$(BIN)/uv pip install --quiet --python .venv --no-deps --editable .
	@touch $@

.venv-cloud/ready: requirements-cloud.txt scripts/environment.sh
	scripts/environment.sh .venv-cloud requirements-cloud.txt $(PYTHON)
	@touch $@

setup: .venv/ready .venv-cloud/ready ## create both environments from the locks

browser: ## make sure there is a Chromium for the page tests
	@scripts/chromium.sh

run: setup ## start the embedded cloud, deploy to it, open the app
	$(BIN)/python -m rallyuxr.local run

api: setup ## the same with the REST API under uvicorn
	$(BIN)/python -m rallyuxr.local api

test: setup browser ## every test but the slow suites: units, embedded cloud, browser
	$(PYTEST) -m "not slow and not browser" -n 2 --dist loadfile
	$(PYTEST) -m "browser and not slow" tests/browser -n 2 --dist loadfile

test-slow: setup ## Monte Carlo, thousands of API requests, crash rounds, deployments from nothing
	$(PYTEST) -m "slow and not browser" -n 2

test-screens: setup browser ## every flow through the pages again: on a phone, in the dark; and the longer ones
	$(PYTEST) -m "browser and slow" tests/browser -n 2 --dist loadfile

check: lint types contracts docs test ## what every change must pass

lint: setup ## formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup ## mypy, strict
	$(BIN)/mypy

contracts: setup ## the layers
	$(BIN)/lint-imports

docs: setup ## docstring examples run, documents name what exists
	$(PYTEST) --doctest-modules rallyuxr infra --ignore rallyuxr/local/launcher.py -q -p no:cacheprovider
	$(PYTEST) tests/docs -q

format: setup ## write the formatting
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## every benchmark; figures and commands stand in docs/performance.md
	$(BIN)/python -m benchmarks

screenshots: setup browser ## the pictures of the README tour
	$(BIN)/python scripts/screenshots.py

openapi: setup ## write docs/openapi.json from the served API
	$(BIN)/python -m rallyuxr.api.document docs/openapi.json

lock: setup ## compile both locks anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-header pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements-cloud.in -o requirements-cloud.txt

clean: ## remove what was built; the embedded cloud's data stays
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache test-output *.egg-info

.PHONY: help setup browser run api test test-slow test-screens check lint types contracts docs format bench screenshots openapi lock clean
