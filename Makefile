# Every target sets up what it needs, from the package index alone, at the versions that PINS names.

PYTHON ?= python3
# Not from the environment, where others use such names: what VENV names is made anew.
VENV := .venv
PINS := constraints.txt
FIGURES := build/figures
LOWEST := demo test
LATEST := demo smoke

ifneq ($(words $(VENV)),1)
$(error VENV is one folder, without a space in its name: $(VENV))
endif

# What a user has set for pip and Python elsewhere must not lead our packages elsewhere.
unexport PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_DRY_RUN
export PIP_USER := 0

BIN := $(VENV)/bin
CONSTRAIN := $(if $(PINS),-c $(PINS) --build-constraint $(PINS))
PYTEST := $(BIN)/python -m pytest
BUILT := build/environments
CASES := $(BUILT)/cases
RESULTS := build/corpus.jsonl
# In comparisons, of which a whole run has three times as many.
KILLS_OF_SAMPLE := 15
DOWNLOADS := build/downloads
# The program of Claude Code, where there is none.
EXTRA := $(if $(shell command -v claude 2>/dev/null),,[claude])
PAGES := README.md CONTRIBUTING.md docs/*.md

# Runs the cases with the marker $(1); the figures, and what $(2) asks for, also after a failure.
define RUN_CASES
mkdir -p build "$(FIGURES)" && rm -f $(RESULTS) && failed=0; \
export ORCHESTRATOR_CORPUS_ENVIRONMENT="$(abspath $(CASES))"; \
export ORCHESTRATOR_CORPUS_RESULTS="$(abspath $(RESULTS))"; \
$(PYTEST) -n 2 -q -m $(1) tests/corpus || failed=1; \
$(BIN)/python -m tests.corpus.figures $(RESULTS) $(2) || failed=1; exit $$failed
endef

# What tells soon whether an interpreter or a set of versions carries the program.
SMOKE := tests/agents/test_conformance.py tests/cli/test_signals.py tests/e2e tests/masking tests/session_hooks/test_claude.py \
  tests/rulebook/test_history.py tests/replay/test_sdk.py tests/journal/test_journal.py tests/storage \
  $(addprefix tests/suites/test_,conformance.py integrity.py report.py verdict.py) \
  $(addprefix tests/teacher/test_,answer.py claude.py conformance.py connection.py local.py webhook.py)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test smoke lint types docs docs-check wheel wheel-test bench picture figures clean \
  attack attack-sample test-whole test-whole-sample test-kills test-kills-sample test-n8n test-n8n-sample demo-n8n test-pythons \
  test-latest test-lowest test-conditions pins pins-n8n structure

help: ## list the targets
	@echo "make demo, make test: each sets up all that it needs in $(VENV). Others:"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

demo: $(VENV)/runtime ## watch the loop learn, with a scripted model; no API key needed
	@$(BIN)/orchestrator demo

test: $(VENV)/development ## run the tests, in under five minutes on two cores
	@$(PYTEST) -n 2 -q $(AGAIN)

smoke: $(VENV)/development ## run a sample of the tests, in about a minute
	@$(PYTEST) -n 2 -q $(SMOKE)

lint: $(VENV)/development ## run ruff, and check the wording of names, docstrings and documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m tests.machines.words

types: $(VENV)/development ## run mypy, strict
	@$(BIN)/mypy
	@$(BIN)/mypy docs/reference.py
	@$(BIN)/mypy -m docs.picture -m docs.recording

structure: $(VENV)/made ## measure the code: lengths, names, types, except clauses, packages; FOLDERS=... measures other folders
	@$(BIN)/python -m tests.machines.structure $(FOLDERS)

docs: $(VENV)/development ## regenerate the generated parts of the documentation
	@$(BIN)/cog -r $(PAGES)

docs-check: $(VENV)/development ## check that the generated parts are up to date
	@$(BIN)/cog --check $(PAGES)

test-whole-sample: $(VENV)/development ## run test-whole with a third of the cases and examples that are many of a kind
	@$(PYTEST) -n 2 -q -m 'whole and not long' $(AGAIN)
	@$(PYTEST) -n 2 -q -m 'hypothesis and not whole' --hypothesis-profile=sample

test-whole: $(VENV)/development ## run longer tests of the real programs, and more examples of the property tests
	@$(PYTEST) -n 2 -q -m whole $(AGAIN)
	@$(PYTEST) -n 2 -q -m 'hypothesis and not whole' --hypothesis-profile=thorough

KILLING := tests/cli/test_watch.py tests/faults tests/proposals tests/storage tests/tasks tests/teaching

test-kills test-kills-sample: export ORCHESTRATOR_FIGURES = $(abspath $(FIGURES))
test-kills: export ORCHESTRATOR_KILLS = $(KILLS)
test-kills: $(VENV)/development ## kill the program hundreds of times and check that nothing is lost; KILLS=500 kills a comparison more often
	@mkdir -p "$(FIGURES)"
	@$(PYTEST) -n 2 -q -m kills $(KILLING)
	@$(BIN)/python -m tests.faults.count "$(FIGURES)"

test-kills-sample: export ORCHESTRATOR_KILLS = $(KILLS_OF_SAMPLE)
test-kills-sample: $(VENV)/development ## run a sample of the kills, of every phase
	@mkdir -p "$(FIGURES)"
	@$(PYTEST) -n 2 -q -m kills_sample $(KILLING)
	@$(BIN)/python -m tests.faults.count "$(FIGURES)" --sample

attack: $(VENV)/development $(CASES)/made ## run all corpus cases: verdicts, lessons, faults from bug reports; print figures, check limits
	@$(call RUN_CASES,corpus,--check --write "$(FIGURES)/corpus.json")

attack-sample: $(VENV)/development $(CASES)/made ## run a sample of the corpus cases, in about six minutes
	@$(call RUN_CASES,corpus_sample,--check --sample)

# Where n8n cannot be installed from the index, says so in one loud line, and goes on.
test-n8n: $(VENV)/development ## test the workflow in a real n8n, installed from npm
	@if $(BIN)/python -m tests.n8n.install; then $(PYTEST) -q -m n8n tests/n8n $(AGAIN); fi

test-n8n-sample: $(VENV)/development ## run the tests that share one n8n, and a sample of those that start and stop their own
	@if $(BIN)/python -m tests.n8n.install; then $(PYTEST) -q -m 'n8n and not n8n_long' tests/n8n $(AGAIN); fi

demo-n8n: $(VENV)/development ## run the demo with a real n8n as its teacher
	@$(BIN)/python -m tests.n8n.install && $(BIN)/python -m tests.n8n.demo

wheel: $(VENV)/made ## build the wheel into dist/, with nothing but pip, and say how to install it
	@$(BEAT) "building the wheel" $(BIN)/python -m pip wheel -q --no-deps $(CONSTRAIN) -w dist .
	@wheel=$$(ls -t dist/*.whl | head -1); echo "$$wheel: install it with one of"; \
	  printf '  %s\n' "uv tool install $$wheel" "pipx install $$wheel" "pip install $$wheel"

wheel-test: export ORCHESTRATOR_PINS = $(PINS)
wheel-test: $(VENV)/development ## build the wheel, and test it in an empty environment
	@$(PYTEST) -q -m packaging

test-pythons: ## run the demo and the smoke test on every installed Python
	@"$(PYTHON)" -m tests.machines.pythons

test-latest: ## run the demo and the smoke test with the newest version of everything
	@rm -rf $(BUILT)/latest
	@$(MAKE) --no-print-directory VENV=$(BUILT)/latest PINS= $(LATEST)

test-lowest: ## run the demo and the tests with the oldest versions that pyproject.toml allows
	@$(MAKE) --no-print-directory VENV=$(BUILT)/lowest PINS=constraints-lowest.txt $(LOWEST)

test-conditions: $(VENV)/development ## run the tests as another user, in an unusual folder, locale, time zone and year
	@$(BIN)/python -m tests.machines.conditions $(CONDITIONS)

pins: ## update the pinned versions in constraints*.txt: the newest, and the oldest allowed
	@$(MAKE) --no-print-directory VENV=$(BUILT)/pins PINS= $(BUILT)/pins/made
	@$(BUILT)/pins/bin/python -m pip install -q --disable-pip-version-check --upgrade --group pins
	@$(BUILT)/pins/bin/python -m tests.machines.pins

pins-n8n: ## update the pinned versions of n8n's packages
	@cd tests/n8n && npm install --package-lock-only --legacy-peer-deps --ignore-scripts \
	  --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error

figures: export ORCHESTRATOR_FIGURES = $(abspath docs/figures)
figures: $(VENV)/development $(CASES)/made ## regenerate the figures in docs/reliability.md
	@$(PYTEST) -q -m '' tests/guard tests/failures tests/rulebook
	@$(MAKE) test-kills FIGURES=docs/figures
	@$(call RUN_CASES,corpus,--write docs/figures/corpus.json)
	@$(BIN)/cog -r docs/reliability.md

picture: $(VENV)/development ## regenerate the pictures of the demo and of the first hour; PICTURES=demo makes one
	@$(BIN)/python -m docs.picture $(PICTURES)

bench: $(VENV)/development ## measure the overhead of the loop
	@$(BIN)/python -m benchmarks

clean: ## remove everything that was set up and built
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# ---- setting up

# What is cut short, by Ctrl-C or worse, leaves `partial` behind, and with other pins the versions
# are others: either way the environment is made anew, from what is downloaded. pip would believe a
# package that it finds half. An environment of somebody else's that works is added to.
PARTIAL := $(VENV)/partial
BEGIN = @mkdir -p $(VENV) && echo $$PPID > $(PARTIAL)
END = @rm -f $(PARTIAL) && touch $@
BEAT = "$(PYTHON)" -m tests.machines.heartbeat
PIP := $(BIN)/python -m pip --disable-pip-version-check
DOWNLOAD := $(BIN)/python -m tests.machines.download $(DOWNLOADS) $(CONSTRAIN)
INSTALL := $(BIN)/python -m tests.machines.install --find-links $(DOWNLOADS) $(CONSTRAIN)

$(VENV)/made: $(PINS) $(wildcard $(PARTIAL))
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null \
	  || { echo "Python's venv module is not complete here; on Debian: apt install python3-venv"; exit 1; }
	@if [ -e $(PARTIAL) ] && kill -0 "$$(cat $(PARTIAL))" 2>/dev/null; then \
	  echo "Another make is setting up $(VENV): wait for it (or, if there is none, rm -r $(VENV))"; exit 1; fi
	@echo "Setting up $(VENV) with $$("$(PYTHON)" -V). After Ctrl-C, run make again to continue."
	@if [ -e $(PARTIAL) ] || [ -e $@ ] || [ -e $(VENV)/runtime ] \
	  || ! $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then rm -rf $(VENV); fi
	$(BEGIN)
	@[ -e $(BIN)/python ] || $(BEAT) "creating the environment" "$(PYTHON)" -m venv $(VENV)
	@$(BEAT) "updating pip" $(PIP) install -q --upgrade $(if $(PINS),-c $(PINS)) pip
	$(END)

# pip keeps no file of a download that is cut short: the largest by far comes first, and alone.
$(VENV)/runtime: pyproject.toml $(VENV)/made
	$(BEGIN)
	@echo "Installing the program: $(call SIZE,runtime)"
	@$(if $(EXTRA),echo "With Claude Code (there is none on the PATH): $(call SIZE,claude)")
	@$(if $(EXTRA),$(DOWNLOAD) --no-deps claude-agent-sdk)
	@$(DOWNLOAD) --group setup '.$(EXTRA)'
	@echo "Unpacking it ..."
	@$(INSTALL) -e '.$(EXTRA)'
	$(END)

$(VENV)/development: pyproject.toml $(VENV)/runtime
	$(BEGIN)
	@echo "Installing what the tests need: $(call SIZE,development)"
	@$(DOWNLOAD) --no-deps claude-agent-sdk
	@$(DOWNLOAD) --group dev
	@echo "Unpacking it ..."
	@$(INSTALL) --group dev
	$(END)

# What the projects of tests/corpus use. What is cut short is made again.
$(CASES)/made: tests/corpus/requirements.txt | $(VENV)/development
	@echo "Installing what the cases of tests/corpus use, in $(CASES)"
	@rm -rf $(CASES)
	@$(BIN)/python -m venv $(CASES)
	@$(BIN)/python -m tests.machines.download $(DOWNLOADS) -r $<
	@echo "Unpacking it ..."
	@$(CASES)/bin/python -m tests.machines.install --find-links $(DOWNLOADS) -r $<
	@touch $@

SIZE = $(or $(if $(PINS),$(shell sed -n 's/^\# $(1): //p' $(PINS))),$(or $(PINS),the newest versions))
