# Everything a developer or a pipeline runs, one command each. The tools live in .venv, which is made from the
# hash-pinned requirements files the first time a command needs it, and again when those files change.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
ENTRY := $(BIN)/message-trace

.DEFAULT_GOAL := help
.PHONY: help install demo sandbox simulate test test-all cover helm lint format bench lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(ENTRY) ## Install the command message-trace into .venv/bin
	@echo "Installed. '. $(VENV)/bin/activate' finds message-trace by its name; $(ENTRY) works without."

demo: $(READY) ## Show the collector at work (TRIGGER=oauth, basic or graph)
	@$(BIN)/python -m sandbox demo $(if $(TRIGGER),--trigger $(TRIGGER))

sandbox: $(ENTRY) ## Serve a local Microsoft and Sekoia.io (FAULT=wrong-secret, ...)
	@$(BIN)/python -m sandbox serve $(foreach fault,$(FAULT),--fault $(fault))

simulate: $(READY) ## Run days of mail flow and failures under a virtual clock
	@$(BIN)/python -m sandbox simulate

PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

test: $(READY) ## Run unit and integration tests and some days (ARGS for pytest)
	$(PYTEST) tests/unit tests/integration $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m sandbox simulate --seed 1 --seeds 24 --jobs 2)

test-all: $(READY) ## Run all tests (ARGS for pytest)
	$(PYTEST) $(ARGS)

cover: $(READY) ## Run the tests and show what they cover; half as long again
	$(BIN)/python -m pytest --cov --cov-report=term-missing

helm: $(READY) ## Install Helm's library: tests of the chart skip without it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/helm.txt

lint: $(READY) ## Check format, style and types
	$(BIN)/black --check --quiet --diff .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict --cache-dir .mypy_cache/strict office365_message_trace main.py
	$(BIN)/mypy --ignore-missing-imports .

format: $(READY) ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/black --quiet .

bench: $(READY) ## Measure speed and memory
	@$(BIN)/python -m benchmarks

# Poetry is needed for this alone, so it gets a virtual environment that is thrown away afterwards. Where only a
# simple package index can be reached, POETRY_PYPI_MIRROR_URL names it; no address ends up in the files.
lock: ## Resolve dependencies: poetry.lock and the requirements files
	@set -eu; tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(PYTHON) -m venv "$$tools"; \
	"$$tools/bin/pip" install --quiet \
	    poetry==2.5.1 poetry-plugin-export==1.10.1 poetry-plugin-pypi-mirror==0.6.5; \
	export POETRY_VIRTUALENVS_CREATE=false; \
	"$$tools/bin/poetry" lock --regenerate; \
	"$$tools/bin/poetry" export --output requirements.txt; \
	"$$tools/bin/poetry" export --with dev --output requirements-dev.txt

clean: ## Remove the virtual environment and everything generated
	rm -rf $(VENV) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The project is no package, so pip makes no entry; this one finds the code and the Python by its own place.
$(ENTRY): $(READY)
	@ln -sf ../../office365_message_trace/message-trace $@

# The requirements files are the whole closure of the lock, so pip resolves nothing (--no-deps): the resolver of older
# releases trips over extras of pinned packages as soon as a newer release of them is out. `pip check` sees to it that
# nothing is missing. The stamp comes last: an interrupted install is started over by the next command.
# Python older than 3.11 would skip every pinned line and install nothing, so that is said first.
$(READY): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or later is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	    --no-deps --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip --disable-pip-version-check check
	@touch $@
