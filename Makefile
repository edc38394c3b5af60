# One-word commands. A machine needs Python 3.11 to 3.13 and make; the rest is fetched, by hash, into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test check chaos up down docs bench lock clean

# The first Python that runs, has a fitting version and can make a virtual environment.
# Another one: make PYTHON=/path/to/python3.12
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		>/dev/null 2>&1 && { command -v $$python; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m uv pip
ARGS ?=
# Where it is set, every process of the tests and of the stack compiles every module anew.
unexport PYTHONDONTWRITEBYTECODE
# Processes that test side by side; on real parts each with a broker and a warehouse of its own, and
# more of them than cores: half of the time they wait.
TESTERS ?= 2
TESTERS_ON_REAL_PARTS ?= 3
# A file is one process's. In their order, and not those with the fewest tests last: these take minutes.
BY_FILE := --dist loadfile --no-loadscope-reorder

help:
	@echo 'make demo     set everything up and run the demo (options: make demo ARGS="--limit 10000")'
	@echo 'make test     set everything up, check and run all tests'
	@echo 'make check    lint, types and unit tests: some minutes'
	@echo 'make up       start the local stack; Ctrl-C or make down stops it'
	@echo 'make chaos    prove exactness by faults (make chaos ARGS="--minutes 30 --workers 3 --seed 7")'
	@echo 'make docs     make the reference pages from the code'
	@echo 'make bench    run the benchmarks'
	@echo 'make lock     renew requirements/*.txt from pyproject.toml (ARGS=--upgrade: to the newest)'
	@echo 'make clean    delete .venv and the caches, not the data'

demo: $(VENV)/.local
	@$(BIN)/countinghouse demo $(ARGS)

up: $(VENV)/.local
	@$(BIN)/countinghouse up $(ARGS)

down: $(VENV)/.local
	@$(BIN)/countinghouse down $(ARGS)

test: check
	@echo "tests on a real broker, warehouse and ledger"
	@$(BIN)/python -m pytest -n $(TESTERS_ON_REAL_PARTS) $(BY_FILE) -m "integration or end_to_end" $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n $(TESTERS) -m "not integration and not end_to_end" $(ARGS)

chaos: $(VENV)/.local
	@$(BIN)/countinghouse chaos $(ARGS)

docs: $(VENV)/.dev
	@$(BIN)/python -m countinghouse.reference

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(VENV)/.build
	@$(BIN)/python requirements/lock.py $(ARGS)

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.countinghouse/*' -prune -exec rm -rf {} +

# Stamps: what is installed. The development set contains the local one.
$(VENV)/.build: requirements/build.txt
	@test -n "$(PYTHON)" || { echo "countinghouse needs Python 3.11, 3.12 or 3.13 with venv: install one \
	(Debian: apt install python3 python3-venv; macOS: brew install python@3.13) or say where it is: \
	make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

$(VENV)/.local: $(VENV)/.build requirements/local.txt pyproject.toml
	@echo "installing what the local stack needs (the first time about 700 MB)"
	@$(INSTALL) sync requirements/build.txt requirements/local.txt
	@$(INSTALL) install --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.dev
	@touch $@

$(VENV)/.dev: $(VENV)/.build requirements/dev.txt pyproject.toml
	@echo "installing the local stack and the development tools (the first time about 800 MB)"
	@$(INSTALL) sync requirements/build.txt requirements/dev.txt
	@$(INSTALL) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.local $@
