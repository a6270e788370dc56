# `make help` lists what there is. Every target sets up what it needs: a clean
# clone and Python 3.11 or later are enough.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
JOBS ?= 2
OUT ?= out/demo

# One thread a fit: libraries that spin on several threads are slower, not faster.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export NUMEXPR_NUM_THREADS := 1
export PYTHONUNBUFFERED := 1

RUNTIME := $(VENV)/.installed-runtime
DEVELOPMENT := $(VENV)/.installed-development
# The packages that tauhat is compared with need an older scikit-learn than tauhat's own.
PEERS := build/peers/.installed

.PHONY: help demo test slow check format docs bench bench-all findings oldest coverage pins clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

demo: $(RUNTIME) ## analyse the example trial that comes with the package (OUT=out/demo)
	$(BIN)/tauhat demo --out $(OUT)
	@echo "The report: $(abspath $(OUT))/report.html"

test: $(DEVELOPMENT) ## the tests, in under 10 minutes (JOBS=2)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

slow: $(DEVELOPMENT) ## the long statistical checks
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m slow

check: $(DEVELOPMENT) ## linter, formatter and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEVELOPMENT) ## rewrite the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DEVELOPMENT) ## the documentation, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "The documentation: $(abspath site)/index.html"

bench: $(RUNTIME) $(PEERS) ## tauhat beside other packages; its time and memory; in out/benchmarks
	$(BIN)/python benchmarks/run.py "Beside other packages" "Time and memory of a run"

bench-all: $(DEVELOPMENT) $(PEERS) ## every command of benchmarks/README.md, which takes many hours
	$(BIN)/python benchmarks/run.py

findings: ## run findings/*.sh (needs the network; not part of CI)
	@changed=""; \
	for script in findings/*.sh; do \
	    echo "$$script"; \
	    bash "$$script" || changed="$$changed $$script"; \
	done; \
	if [ -n "$$changed" ]; then echo "Changed, or could not run:$$changed" >&2; exit 1; fi; \
	echo "All as found."

# What says most, in a few minutes, about whether old versions do.
OLDEST_TESTS := tests/test_imports.py tests/test_saved_file.py tests/test_lme4.py \
    tests/test_clubsandwich.py tests/test_columns_of_models.py tests/test_engine_guards.py \
    tests/test_run_schema.py tests/test_work_once.py tests/test_encoding.py tests/test_plots.py \
    tests/test_fork_server.py tests/test_sharing.py

oldest: ## the lowest versions that pyproject.toml admits, and a part of the tests with them
	rm -rf build/oldest && mkdir -p build && $(or $(PYTHON),python3) -m venv build/oldest
	build/oldest/bin/python tests/oldest_requirements.py > build/oldest/constraints.txt
	build/oldest/bin/python -m pip --disable-pip-version-check install --quiet \
	    -c build/oldest/constraints.txt -e '.[data,files,dask]' pytest pytest-xdist hypothesis
	# Old versions warn of what newer ones beneath them have changed.
	build/oldest/bin/python -m pytest -W default -n $(JOBS) --dist worksteal $(OLDEST_TESTS)

coverage: $(DEVELOPMENT) ## which lines the tests run; fails under the floor in pyproject.toml
	$(PIP) install --quiet 'pytest-cov>=6'
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --cov --cov-report=term:skip-covered

pins: ## constraints.txt anew, from the newest releases that pyproject.toml admits
	rm -rf build/pins && python3 -m venv build/pins
	build/pins/bin/python -m pip --disable-pip-version-check install --quiet '.[data,files,word,dask,ray,docs,dev]'
	{ head -1 constraints.txt; build/pins/bin/python -m pip freeze --exclude tauhat; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## remove the environment and everything made
	rm -rf $(VENV) build dist site out .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@python="$${PYTHON:-}"; \
	for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	    if [ -n "$$python" ]; then break; fi; \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python="$$candidate"; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "tauhat needs Python 3.11 or later; python3 here is: $$(python3 --version 2>&1 || true)." >&2; \
	    echo "Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; fi; \
	if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "$$python is not Python 3.11 or later: $$("$$python" --version 2>&1 || true)." >&2; exit 1; fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "$$python cannot make environments: on Debian or Ubuntu, 'apt-get install python3-venv'." >&2; exit 1; fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what tauhat runs with (about a minute; later calls skip this)"
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(DEVELOPMENT): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what the tests and the documentation need (about a minute; later calls skip this)"
	$(PIP) install --quiet -c constraints.txt -e '.[data,files,word,dask,ray,docs,dev]'
	@touch $(RUNTIME) $@

$(PEERS): benchmarks/peers.txt pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the packages to compare with (2 GB, some minutes; later calls skip this)"
	rm -rf build/peers && $(BIN)/python -m venv build/peers
	grep -v '^scikit-learn==' constraints.txt > build/peers/constraints.txt
	build/peers/bin/python -m pip --disable-pip-version-check install --quiet \
	    -c build/peers/constraints.txt -e . -r benchmarks/peers.txt
	@touch $@
