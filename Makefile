# `make demo` and `make test` set up everything they need in .venv, from the package index alone.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo demo-n8n test test-n8n test-kills test-whole lint types wheel wheel-test bench docs docs-check picture figures clean

demo: .venv/runtime
	@$(BIN)/orchestrator demo

test: .venv/development
	@$(BIN)/python -m pytest -n 2 -q $(AGAIN)

lint: .venv/development
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/development
	@$(BIN)/mypy
	@$(BIN)/mypy docs/reference.py docs/picture.py

test-whole: .venv/development
	@$(BIN)/python -m pytest -n 2 -q -m whole $(AGAIN)
	@$(BIN)/python -m pytest -n 2 -q -m 'hypothesis and not whole' --hypothesis-profile=thorough

FIGURES ?= $(CURDIR)/build/figures

test-kills: export ORCHESTRATOR_FIGURES=$(FIGURES)
test-kills: .venv/development
	@mkdir -p $(FIGURES)
	@$(BIN)/python -m pytest -n 2 -q -m kills tests/faults
	@$(BIN)/python -m tests.faults.count $(FIGURES)

# Where n8n cannot be installed from the index, says so in one loud line, and goes on.
test-n8n: .venv/development
	@if $(BIN)/python -m tests.n8n.install; then $(BIN)/python -m pytest -q -m n8n tests/n8n $(AGAIN); fi

demo-n8n: .venv/development
	@$(BIN)/python -m tests.n8n.install && $(BIN)/python -m tests.n8n.demo

wheel-test: .venv/development
	@$(BIN)/python -m pytest -q -m packaging

figures: export ORCHESTRATOR_FIGURES=$(CURDIR)/docs/figures
figures: .venv/development
	@$(BIN)/python -m pytest -q -m '' tests/guard tests/failures tests/memory
	@$(MAKE) test-kills FIGURES=$(CURDIR)/docs/figures
	@$(BIN)/cog -r docs/reliability.md

wheel: .venv/development
	@$(BIN)/python -m build --wheel

picture: .venv/development
	@$(BIN)/python docs/picture.py

bench: .venv/development
	@$(BIN)/python -m benchmarks

docs: .venv/development
	@$(BIN)/cog -r docs/*.md

docs-check: .venv/development
	@$(BIN)/cog --check docs/*.md

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "Python's venv module is not complete here; on Debian: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv (a minute or two, once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade pip

.venv/runtime: pyproject.toml | .venv/bin/pip
	@$(BIN)/pip install -q --disable-pip-version-check -e .
	@touch $@

.venv/development: pyproject.toml .venv/runtime
	@$(BIN)/pip install -q --disable-pip-version-check --group dev
	@touch $@
