# `make demo` and `make test` each work as the first command on a fresh clone: they make .venv themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := python -m pip --disable-pip-version-check
# A lock names all that is installed. A resolver would take what was published since, a build would take what no lock names.
LOCKED := install --quiet --no-deps --only-binary :all: --require-hashes
JOBS ?= 2
PYTEST_ARGS ?=

.PHONY: help demo test test-long test-fast simulate mutations crashes mutants check format bench events lock wheels \
  sbom audit image clean
help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.runtime ## deliver one month to the built-in mock and show it
	@$(BIN)/report-service demo

# What takes long by nature, and what needs a container tool, the monitoring programs or a browser.
LONG := long or container or monitoring or browser
# Kept bytecode spares each worker, and each process under test, to compile the code anew.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
test: $(VENV)/.dev ## run every test but those of test-long, with coverage
	$(BIN)/python -m coverage erase
	$(PYTEST) -m "not ($(LONG))" --cov --cov-report= $(PYTEST_ARGS)
	$(BIN)/python -m coverage report --fail-under=0

test-long: $(VENV)/.dev ## run the rest, and hold the coverage of both together against its bound
	$(PYTEST) -m "$(LONG)" --cov --cov-append --cov-report= $(PYTEST_ARGS)
	$(BIN)/python -m coverage report

test-fast: $(VENV)/.dev ## run the unit tests, which need nothing but Python; no coverage
	$(PYTEST) -q -m "not (postgres or $(LONG))" $(PYTEST_ARGS) tests/unit

MONTHS ?= 1000
SEED ?=
FIRST ?=
simulate: $(VENV)/.dev ## simulate fresh months, MONTHS=1000, on every core; FIRST=0 the same ones, SEED=4711 one again
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--months $(MONTHS) $(if $(FIRST),--first $(FIRST)))

mutations: $(VENV)/.dev ## put faults into copies of the service, and see after how many months a law finds each
	$(BIN)/python -m tests.simulation.mutate

KILLS ?= 200
crashes: $(VENV)/.dev ## kill real processes at each commit and send, and KILLS=200 times at random, on each database
	REPORT_SERVICE_TEST_KILLS=$(KILLS) $(BIN)/python -m pytest -q -n $(JOBS) tests/acceptance/test_crashes.py $(PYTEST_ARGS)

MUTANTS ?=
mutants: .venv-mutants/.made ## break the rules one by one and see that a test fails; MUTANTS='report_service.domain.refusals*'
	.venv-mutants/bin/mutmut run $(MUTANTS)
	.venv-mutants/bin/mutmut results

check: $(VENV)/.dev ## lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure speed and memory, write benchmarks/results/
	$(BIN)/python -m benchmarks

events: $(VENV)/.dev ## generate the log contract's schema and table from report_service/events/
	$(BIN)/python -m report_service.logs.reference

UV := .venv-uv/bin/uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --only-binary :all: --generate-hashes \
  --no-strip-extras --no-emit-index-url --no-header
DRIVERS := mysql mssql oracle
lock: .venv-uv/.made ## pin the dependencies anew, and uv, which does it
	$(COMPILE) --upgrade pyproject.toml -o requirements.lock
	$(COMPILE) --upgrade --extra dev -c requirements.lock pyproject.toml -o tests/requirements.lock
	printf '%s\n' editables hatchling | $(COMPILE) -c tests/requirements.lock - -o requirements.build.lock
	echo mutmut | $(COMPILE) --upgrade -c tests/requirements.lock - -o tests/mutants.lock
	echo uv | $(COMPILE) --upgrade - -o requirements.uv.lock
	for extra in $(DRIVERS); do sed -n "s/^$$extra = \[\"\(.*\)\"\].*/\1/p" pyproject.toml | \
	  $(COMPILE) --upgrade -c tests/requirements.lock - -o requirements.$$extra.lock || exit 1; done
	$(MAKE) wheels

# The declared Pythons; the platforms of the image, and of those who work on it. The drivers are for the image.
PYTHONS = $(shell sed -nE 's/.*"Programming Language :: Python :: (3\.[0-9]+)".*/\1/p' pyproject.toml)
PLATFORMS := x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu aarch64-apple-darwin
wheels: .venv-uv/.made ## prove that the locks have wheels for every Python and platform
	@for python in $(PYTHONS); do for platform in $(PLATFORMS); do \
	  case $$platform in *linux*) drivers="$(DRIVERS:%=-r requirements.%.lock)" ;; *) drivers= ;; esac; \
	  $(UV) pip install --quiet --dry-run --no-deps --no-build --require-hashes --python .venv-uv/bin/python --target .venv-uv/none \
	    --python-version $$python --python-platform $$platform -r tests/requirements.lock -r requirements.build.lock \
	    $$drivers || exit 1; \
	  echo "Python $$python on $$platform: a wheel of everything"; \
	done; done

sbom: $(VENV)/.dev ## write sbom.cdx.json, the bill of materials of what is installed
	$(BIN)/python .ci/sbom.py requirements.lock >sbom.cdx.json

audit: ## ask OSV what is known against what the locks name; AUDIT_URL names another service
	$(PYTHON) .ci/audit.py requirements.lock requirements.build.lock tests/requirements.lock

# A tag such as 3.14-slim-trixie is moved with each security fix of its base: it is taken by today's digest, which the
# image names. To renew a base, run it again.
ENGINE ?= docker
BASE_TAG := $(shell sed -n 's/^ARG BASE_IMAGE=//p' Dockerfile)
IMAGE ?= localhost/report-service
image: ## build the image on its base as it is today
	$(ENGINE) pull $(BASE_TAG)
	base=$$($(ENGINE) image inspect --format '{{index .RepoDigests 0}}' $(BASE_TAG)) && \
	$(ENGINE) build --tag $(IMAGE) --build-arg BASE_IMAGE="$$base" --build-arg BASE_DIGEST="$${base##*@}" \
	  --build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
	  --build-arg REVISION="$$(git rev-parse HEAD)" --build-arg SOURCE="$$(git remote get-url origin 2>/dev/null || echo unknown)" \
	  --build-arg CREATED="$$(date -u +%Y-%m-%dT%H:%M:%SZ)" .

clean: ## remove what the targets above made
	rm -rf $(VENV) .venv-uv .venv-mutants mutants .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
	  { echo "report-service needs Python 3.11 to 3.14; name one: make PYTHON=python3.13 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The editable install is built without isolation, so that the locked hatchling is the one that runs.
$(VENV)/.runtime: requirements.lock requirements.build.lock pyproject.toml | $(BIN)/python
	$(BIN)/$(PIP) $(LOCKED) -r requirements.lock -r requirements.build.lock
	$(BIN)/$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/$(PIP) check
	@touch $@

$(VENV)/.dev: tests/requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/$(PIP) $(LOCKED) -r tests/requirements.lock
	$(BIN)/$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/$(PIP) check
	@touch $@ $(VENV)/.runtime

.venv-mutants/.made: tests/requirements.lock tests/mutants.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv-mutants
	.venv-mutants/bin/$(PIP) $(LOCKED) -r tests/requirements.lock
	.venv-mutants/bin/$(PIP) $(LOCKED) -r tests/mutants.lock
	.venv-mutants/bin/$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv-uv/.made: requirements.uv.lock
	$(PYTHON) -m venv --clear .venv-uv
	.venv-uv/bin/$(PIP) $(LOCKED) -r requirements.uv.lock
	@touch $@
