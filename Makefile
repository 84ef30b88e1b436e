# Headrace: `make help` is the front page.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.headrace-ready
-include .env
export $(shell sed -n 's/^\(HEADRACE_[A-Z_]*\)=.*/\1/p' .env 2>/dev/null)

help: ## This page
	@echo "Headrace. Usage: make TARGET"
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv with everything pinned; checks Python and Java first

$(STAMP): requirements/dev.txt pyproject.toml infra/setup.sh
	@PYTHON=$(PYTHON) infra/setup.sh
	@touch $@

demo: setup ## Real purchases in, one hour run by Airflow, lists on curl; stays up until Ctrl-C
	@exec $(BIN)/python -m headrace demo

test: setup ## Everything that needs no root
	@$(BIN)/python -m pytest

test-system: setup ## What needs root or Debian packages: browser, redis-server, wrk; installs them when root
	@infra/test_system.sh

check: setup ## ruff, mypy and formatting
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: setup ## Every figure of docs/benchmarks.md; takes about an hour
	@$(BIN)/python -m benchmarks

serve: setup ## Only the HTTP server, on lists already published
	@exec $(BIN)/python -m headrace serve

infer: setup ## Only the inference service, on models already made
	@exec $(BIN)/python -m headrace infer

hour: setup ## Run one past hour without Airflow: make hour START=2026-01-31T07
	@exec $(BIN)/python -m headrace hour $(START)

lock: setup ## Compile requirements/*.in into pinned files with hashes
	@infra/lock.sh

clean: ## Remove what a run wrote; the environment stays
	rm -rf var artifacts .pytest_cache .mypy_cache .ruff_cache

.PHONY: help setup demo test test-system check bench serve infer hour lock clean
