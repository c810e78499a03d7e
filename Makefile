# `make demo` and `make test` each work as the first command on a fresh clone: they make .venv themselves.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
JOBS ?= 2
PYTEST_ARGS ?=

.PHONY: help demo test check format bench events lock clean
help: ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: .venv/.runtime ## deliver one month to the built-in mock and show it
	@$(BIN)/report-service demo

test: .venv/.dev ## run every test, with coverage
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest --cov --cov-report= -n $(JOBS) --dist loadfile $(PYTEST_ARGS)
	$(BIN)/python -m coverage report

check: .venv/.dev ## lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev ## measure speed and memory, write benchmarks/results/
	$(BIN)/python -m benchmarks

events: .venv/.dev ## generate the log contract's schema and table from events.py
	$(BIN)/python -m report_service.logs.reference

lock: .venv/.dev ## pin the dependencies anew (needs uv on the PATH)
	uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header --extra dev -c requirements.lock pyproject.toml -o tests/requirements.lock
	printf '%s\n' editables hatchling | uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header -c tests/requirements.lock - -o requirements.build.lock

clean: ## remove what the targets above made
	rm -rf .venv .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "report-service needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

# The editable install is built without isolation, so that the locked hatchling is the one that runs.
.venv/.runtime: requirements.lock requirements.build.lock pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --require-hashes -r requirements.lock -r requirements.build.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: tests/requirements.lock pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --require-hashes -r tests/requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ .venv/.runtime
