# The farm's tasks.  `make help` lists them; each brings what it needs with it (deploy/setup.sh).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

BIN := .venv/bin
export PYTHON

# `make demo -- --exit` hands --exit to make as a goal; the demo gets it as its argument.
ifneq ($(filter --exit,$(MAKECMDGOALS)),)
ARGS += --exit
endif

## Using it

.PHONY: demo
demo: ## render a small film on a farm of two agents, here and now; ARGS=--exit leaves at its end
	@deploy/setup.sh demo
	@$(BIN)/python -m examples.demo $(ARGS)

.PHONY: addon
addon: ## build the Blender extension into dist/
	@deploy/setup.sh check
	@$(BIN)/python deploy/build_addon.py --output dist

## Changing it

define LINT
$(BIN)/ruff format --check .
$(BIN)/ruff check .
$(BIN)/mypy
$(BIN)/lint-imports --no-logo
endef

.PHONY: check
check: ## formatting, lints, types, arrows and the fast tests: under two minutes
	@deploy/setup.sh check
	$(LINT)
	$(BIN)/pytest -n 2 -m "not slow" $(ARGS)

.PHONY: test
test: ## all of that and every test, with real Blender, PostgreSQL, ffmpeg and browser
	@deploy/setup.sh test
	$(LINT)
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

.PHONY: bench
bench: ## measure leases, sessions, a farm against plain Blender and more; prints JSON lines
	@deploy/setup.sh test
	@for benchmark in $(basename $(notdir $(wildcard benchmarks/bench_*.py))); do $(BIN)/python -m benchmarks.$$benchmark; done

.PHONY: format
format: ## let ruff format and mend the code
	@deploy/setup.sh check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

.PHONY: lock
lock: ## write deploy/locks anew from pyproject.toml; ARGS=--upgrade takes the newest versions
	@deploy/setup.sh check
	$(LOCK) $(ARGS) --extra bpy --extra dev pyproject.toml -o deploy/locks/dev.txt
	$(LOCK) -c deploy/locks/dev.txt --extra bpy pyproject.toml -o deploy/locks/agent.txt
	$(LOCK) -c deploy/locks/dev.txt pyproject.toml -o deploy/locks/coordinator.txt
	$(LOCK) $(ARGS) - -o deploy/locks/build.txt < <($(BIN)/python -c \
		"import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')")

.PHONY: clean
clean: ## remove what the other tasks made, the virtual environment too
	rm -rf .venv .demo .cache dist build *.egg-info .*_cache .hypothesis

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^## / { printf "\n%s\n", substr($$0, 4) } \
		/^[a-z-]+:.*## / { printf "  \033[1mmake %-8s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: --exit
--exit: ; @:
