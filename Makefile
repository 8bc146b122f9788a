# `make dev` and `make test` need Linux on x86-64, Python 3.11, 3.12 or 3.13 with venv, and make;
# nothing else. Elsewhere also redis-server. Both set everything up first; a second run starts at once.

VENV ?= .venv
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12), (3, 13)))' \
	2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Three processes on two cores, because the tests wait for servers half of the time. The tests of one
# file stay together, because they share servers.
PYTEST_ARGS ?= -n 3 --dist loadfile --durations 10

# Names for the sandbox's targets, so that the shipped rules can be checked anywhere.
SANDBOX_IDS := API_APP_ID=app-quizmentor DROPLET_ID=101 SUPABASE_PROJECT_REF=quizmentorquizmentor

.PHONY: help dev test test-all bench check format lint types imports rules clean
.NOTPARALLEL:

help: ## What there is to make.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

dev: $(READY) ## Run all of it in this terminal; Ctrl-C ends it.
	@echo "Reading the settings and the rules …"
	@$(BIN)/runbookd dev

test: $(READY) ## Run the tests but the long ones; the guard last, because nothing may run beside it.
	$(BIN)/pytest -m "not guard and not long" $(PYTEST_ARGS)
	$(BIN)/pytest -m guard

test-all: $(READY) ## Run every test.
	$(BIN)/pytest -m "not guard" $(PYTEST_ARGS)
	$(BIN)/pytest -m guard

bench: $(READY) ## Measure beside the floor and a peer (docs/performance.md); takes half an hour.
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

check: format lint types imports rules test ## Format, lint, types, import contract, rules, tests.

format: $(READY) ## Is everything formatted? (`.venv/bin/ruff format` does it.)
	$(BIN)/ruff format --check .

lint: $(READY) ## Ruff.
	$(BIN)/ruff check .

types: $(READY) ## mypy, strict.
	$(BIN)/mypy

imports: $(READY) ## Imports go one way.
	$(BIN)/lint-imports

rules: $(READY) ## The shipped rules.
	$(SANDBOX_IDS) $(BIN)/runbookd check rules/quizmentor.yml

clean: ## Remove the environment and all caches; data in var/ stays.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info

$(READY): requirements.in requirements.txt requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 with venv was found: install one (Debian: apt-get install python3-venv), or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) once; this takes about a minute."
	@test -x $(BIN)/python || { echo "  making the environment …"; $(PYTHON) -m venv $(VENV); }
	@echo "  installing the libraries (requirements-dev.txt) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@echo "  installing runbookd itself …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
