# Everything runs inside .venv, which the first target that needs it makes with nothing but Python, git and make.
#   make setup PYTHON=/path/to/python3.12      another interpreter
#   make test WORKERS=1                        one test after another, instead of one a core
#   make setup PIP_ARGS="--index-url URL"      another package index (for example one with CPU builds of torch only)

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench
PIP_ARGS ?=
PYTEST_ARGS ?=
WORKERS ?= auto
# 3.11 first: it is the version that the figures in the documentation were measured with.
CANDIDATES := python3.11 python3 python3.12 python3.13 python3.14 python
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint format unit notebooks bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: $(READY) ## Make .venv and install counterlog into it (again only when its requirements change)
	@echo "==> $(VENV) is ready: $(BIN)/counterlog --help"

$(READY): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "counterlog needs Python 3.11 or newer; none of these is: $(CANDIDATES)." >&2; \
		echo "Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "counterlog needs Python 3.11 or newer; $(PYTHON) is older, or does not run." >&2; exit 1; }
	@if [ ! -x $(BIN)/python ]; then \
		echo "==> making $(VENV) with $$("$(PYTHON)" --version) ($(PYTHON))"; \
		"$(PYTHON)" -m venv $(VENV) || { \
			echo "$(PYTHON) cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)." >&2; \
			rm -rf $(VENV); exit 1; }; fi
	@echo "==> installing counterlog and its requirements into $(VENV) (a few minutes on a new machine)"
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt $(PIP_ARGS) \
		-e ".[test,dev,notebooks]"
	@$(BIN)/python -c 'from importlib.metadata import version as v; print("==> installed counterlog", v("counterlog"), "with torch", v("torch"))'
	@touch $@

demo: $(READY) ## Run the main job end to end on the embedded data
	@echo "==> counterlog demo --out demo-out"
	@$(BIN)/counterlog demo --out demo-out

test: lint unit ## Lint, run every quick test and case; the notebooks are among them
	@echo "==> all green"

unit: $(READY)
	@echo "==> tests"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --durations=10 $(PYTEST_ARGS)

test-slow: $(READY) ## Run the statistical tests that take minutes
	@echo "==> slow tests"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n $(WORKERS) --durations=10 $(PYTEST_ARGS)

lint: $(READY) ## Check style, format and types
	@echo "==> ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "==> mypy"
	@$(BIN)/mypy

format: $(READY) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

notebooks: $(READY) ## Execute every notebook in its short form; nothing is stored
	@echo "==> notebooks"
	@COUNTERLOG_FAST=1 $(BIN)/python notebooks/run.py

$(BENCH_READY): $(READY)
	@echo "==> installing what the benchmarks compare with"
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt $(PIP_ARGS) -e ".[bench]"
	@touch $@

bench: $(BENCH_READY) ## Measure speed, memory and accuracy against the targets
	@$(BIN)/python -m bench

clean: ## Remove what the targets above made, .venv included
	rm -rf $(VENV) build dist demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
