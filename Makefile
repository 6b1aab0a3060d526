# Two commands do everything on a fresh machine: `make book` and `make test`.
# They need Python 3.11 or newer, make, and the Python package registry; no compiler.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
UV_VERSION := 0.13.9
BIN := $(abspath $(VENV))/bin
STAMP := $(VENV)/.synced
TOY := data/standard
BUILD := _build
# The notebooks of the book that is read train as they say; with MODE=smoke, for tests, they train a
# dozen steps, every page says so, and the book has a folder of its own.
MODE ?= fast
OUT = $(if $(filter smoke,$(MODE)),$(BUILD)/smoke,.)
BOOK = $(OUT)/_build

export WSSS_DATA ?= $(abspath data)
export PYTHONHASHSEED ?= 0

.PHONY: help env crf toy book test lint unit strict-book results bench lock repository clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: $(STAMP) ## the environment, in .venv

# The environment is made again only when the lock file or the project file changes. uv is taken
# from the machine where it is there, and otherwise installed into the environment itself.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
	  f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=python3.12 ...")'
	@if uv --version >/dev/null 2>&1; then \
	  test -x $(BIN)/python || uv venv --quiet --no-python-downloads --python $(PYTHON) $(VENV); \
	  uv=uv; \
	else \
	  test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	  uv=$(BIN)/uv; \
	fi; \
	$$uv pip sync --python $(BIN)/python requirements.lock; \
	$$uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

crf: env ## add pydensecrf, the peer of the dense CRF; needs a compiler
	@PATH="$(BIN):$$PATH" uv pip install --quiet --python $(BIN)/python "pydensecrf2==1.1"

toy: $(TOY)/dataset.json ## the toy world, in data/standard

$(TOY)/dataset.json: $(STAMP) $(wildcard wsss_lib/data/toy/*.py)
	@rm -rf $(TOY)
	@$(BIN)/python -c 'from wsss_lib.data.toy import write_toy; write_toy("$(TOY)", variant="standard")'
	@touch $@

book: env toy strict-book ## the executed book, in _build/html; MODE=smoke: a fast trial of it
	@echo
	@echo "The book is ready. Open it with a browser: $(abspath $(BOOK))/html/index.html"

# Everything is executed from clean: an incremental build forgets the failures of the last one.
strict-book: $(STAMP)
	@rm -rf $(BOOK)/html $(BOOK)/.doctrees $(BOOK)/jupyter_execute $(BOOK)/.jupyter_cache
	@WSSS_MODE=$(MODE) $(BIN)/python book/_ext/execute_pages.py $(BOOK)/.jupyter_cache
	@WSSS_MODE=$(MODE) $(BIN)/jupyter-book build book --config _config.yml --path-output $(OUT) \
	  -W --keep-going -n --all
	@test -f $(BOOK)/html/index.html
	@touch $(BOOK)/html/.complete

lint: $(STAMP) ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff format --check --line-length 76 --config 'format.exclude=[]' book/*/*.ipynb
	@$(BIN)/mypy

unit: $(STAMP) ## all tests; those of the book build a smoke book where it is missing
	@WSSS_MODE=smoke OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

test: MODE = smoke
test: env toy lint strict-book unit ## style, types, the strict book build and all tests

results: env ## measure the book again: a working day on two cores, resumable
	@OMP_NUM_THREADS=1 $(BIN)/python -m experiments.evidence --jobs 2
	@OMP_NUM_THREADS=1 $(BIN)/python -m experiments.dose_maps
	@OMP_NUM_THREADS=1 $(BIN)/python -m experiments.affinity_rows

bench: env ## time the blocks beside their peers, into results/bench: about ten minutes
	@$(BIN)/python -m benchmarks

lock: ## resolve requirements.lock anew, after pyproject.toml has changed
	@uv pip compile pyproject.toml --extra book --extra dev --universal --python-version 3.11 \
	  --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock

repository: ## write the repository of _config.yml and the version into every notebook
	@$(BIN)/python book/_ext/set_repository.py

clean: ## remove the built book and the toy world; the environment stays
	@rm -rf $(BUILD) $(TOY)
