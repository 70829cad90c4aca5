# Every target does its own set-up: a virtual environment with what it needs, and no more.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo test test-long lint types mutants bench clean

help:
	@echo "make demo       a spoken question, answered: out/answer.wav"
	@echo "make test       the tests"
	@echo "make test-long  the tests that take minutes, too"
	@echo "make lint       ruff"
	@echo "make types      mypy --strict"
	@echo "make mutants    whether the tests notice when the code is broken on purpose"
	@echo "make bench      the measurements"
	@echo "make clean      remove the virtual environment and what was made"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.development: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime
	$(BIN)/python -m realtime_client converse examples/audio/question.wav -o out/answer.wav

test: $(VENV)/.development
	$(BIN)/python -m pytest -m "not long"

test-long: $(VENV)/.development
	$(BIN)/python -m pytest --timeout=3600

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.development
	$(BIN)/mypy

# A mutant that survives is a test that is missing, or harmless for a reason (docs/mutants.md).
mutants: $(VENV)/.development
	rm -rf mutants
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

bench: $(VENV)/.development
	$(BIN)/python benches/codec.py
	$(BIN)/python benches/group.py --clients 1000
	$(BIN)/python benches/responses.py --responses 100000
	$(BIN)/python benches/audio.py
	$(BIN)/python benches/noise.py

clean:
	rm -rf $(VENV) out mutants build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
