# The two commands: `make demo` and `make test`. Both set everything up first; nothing but Python 3.11 to 3.13 is assumed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Hundreds of modules are imported by many processes: what is compiled is kept, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
DEMO := .stockroom/demo
READY := .venv/.ready

.PHONY: help setup demo test slow torture check bench lock clean

help: ## Show what can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## Fill .venv with exactly the versions in requirements.lock.

$(READY): requirements.lock pyproject.toml
	@tools/setup
	@touch $@

demo: setup ## Make an invented catalog of 10,000 products, run the whole pipeline on it, and search.
	$(BIN)/stockroom sample --products 10000 --seed 7 --out $(DEMO)/esci --overwrite
	$(BIN)/stockroom build --raw $(DEMO)/esci --home $(DEMO)/home
	@tools/demo_searches $(BIN)/stockroom $(DEMO)/home

test: check ## Run every check, and the tests that take no more than a few builds each.
	$(BIN)/pytest -n 2 --dist loadscope

slow: setup ## Run the tests that take many builds, which `make test` leaves out.
	$(BIN)/pytest -n 2 --dist loadscope -m slow

torture: setup ## Kill, race, replay and materialize what the tests do a few times of: TRIALS=50 and SUBSETS=200 times.
	TRIALS=$(or $(TRIALS),50) SUBSETS=$(or $(SUBSETS),200) SEED=$(or $(SEED),0) $(BIN)/pytest -n 2 -m "slow or not slow" \
		tests/orchestration/test_{torture,chains,any_subset,stopped,killed_build}.py \
		tests/orchestration/service/test_killed_service.py tests/orchestration/commands/test_replay.py \
		tests/warehouse/lake/test_incremental.py tests/warehouse/ingest/test_deltas.py tests/test_docs.py

check: setup ## Lint, format, types and import laws.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure every figure beside what it is compared with; some of it needs an hour and 10 GB of disk.
	$(BIN)/python tests/bench/run.py $(BENCH)

lock: ## Resolve pyproject.toml again into requirements.lock (needs uv).
	uv pip compile --universal --python-version 3.11 --group dev --generate-hashes --no-annotate --no-header \
		--upgrade --output-file requirements.lock pyproject.toml

clean: ## Take away the demo's data and every cache; the environment stays.
	rm -rf $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
