# Everything from a machine that has Python, pip and make: `make demo`, `make test`, `make lint`,
# `make bench`, `make fuzz`. Each sets up .venv first; nothing outside this folder is touched.

PYTHON ?= python3
TORCH ?= torch==2.13.0
SEEDS ?= 1000
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# The test processes share the cores among themselves; a BLAS pool in each would only fight.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format fuzz bench clean

help:
	@echo "make demo    the main job: worked example, comparison, a network trained on real digits"
	@echo "make test    the test suite            (ARGS='-k name' for a part of it)"
	@echo "make lint    format, lint and type checks"
	@echo "make format  write the format and the safe fixes of the linter"
	@echo "make fuzz    the randomised checks with SEEDS=$(SEEDS) seeds"
	@echo "make bench   timings beside PyTorch, autograd and MyGrad"
	@echo "make clean   remove .venv, caches and outputs"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "wengert needs Python 3.11+")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(PIP) '$(TORCH)' --editable '.[bench]'
	@touch $@

install: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/wengert demo $(ARGS)

test: $(VENV)/.installed
	$(ONE_THREAD) $(BIN)/python -m pytest -n auto $(ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(VENV)/.installed
	$(ONE_THREAD) $(BIN)/python -m pytest -n auto -m fuzz --seeds $(SEEDS) \
		--hypothesis-profile fuzz $(ARGS)

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build dist demo-output src/*.egg-info .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis
	find . \( -name __pycache__ -o -name .ruff_cache \) -type d -prune -exec rm -rf {} +
