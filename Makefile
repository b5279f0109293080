VENV ?= .venv
BIN := $(VENV)/bin
export VENV

.PHONY: help setup demo try test soak proof lint bench fuzz lock clean
help: ## what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## an environment of its own in .venv, and SoftHSM
	@deploy/setup.sh

demo: setup ## the whole job, from ceremony to recovery, with real parts, on loopback
	@"$(BIN)"/python -m deploy.demo

try: setup ## a service on loopback with a key for every format, until Ctrl-C: docs/try.md
	@"$(BIN)"/python -m deploy.demo.try_it

test: setup ## every test
	@"$(BIN)"/python -m pytest -n $$(( $$(nproc) * 2 )) --dist worksteal --durations 25

soak: setup ## twenty thousand signatures of each format and kind of key, each read back: minutes
	@HSMPUB_SOAK=20000 "$(BIN)"/python -m pytest -n $$(nproc) -m soak --timeout 3600

proof: ## whether the last run of every test shows what docs/formats.md says of foreign verifiers
	@"$(BIN)"/python -m tests.docs.formats_table --check

lint: setup ## ruff, mypy strict, import contracts
	@"$(BIN)"/ruff check .
	@"$(BIN)"/ruff format --check .
	@"$(BIN)"/mypy
	@"$(BIN)"/lint-imports --no-logo

bench: setup ## speed beside the raw HSM, in one run
	@"$(BIN)"/python -m tests.bench

SECONDS ?= 60
fuzz: setup ## each parser of strangers' bytes, SECONDS=60 each, guided by coverage (atheris)
	@"$(BIN)"/python -m pip install --quiet --require-hashes -r requirements-fuzz.txt
	@"$(BIN)"/python -m tests.fuzz $(SECONDS)

lock: setup ## lock the dependencies anew, with hashes and without addresses
	@"$(BIN)"/python -m pip install --quiet uv
	@"$(BIN)"/uv pip compile -q --generate-hashes --universal --no-emit-index-url --no-header --python-version 3.11 \
		pyproject.toml -o requirements.txt
	@"$(BIN)"/uv pip compile -q --generate-hashes --universal --no-emit-index-url --no-header --python-version 3.11 \
		pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	@"$(BIN)"/uv pip compile -q --generate-hashes --universal --no-emit-index-url --no-header --python-version 3.11 \
		--group fuzz -o requirements-fuzz.txt

clean: ## removes what was made
	@rm -rf "$(VENV)" .demo .try dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
