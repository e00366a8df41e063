# Every target sets up what it needs on a fresh machine. Python 3.11+ and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SEEDS ?= 25
# Coverage is measured when all tests run, because its floor holds for all of them together.
COVERAGE := $(if $(ARGS),,--cov --cov-report=term)

.PHONY: demo test replay guards faults bench lint setup setup-dev lock clean

demo: setup
	@$(BIN)/python starter.py demo $(ARGS)

test: setup-dev lint replay
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile $(ARGS) $(COVERAGE)

replay:
	@scripts/replay

guards: setup-dev
	@$(BIN)/python -m tests.guards $(ARGS)

faults: setup-dev
	@$(BIN)/python -m tests.faults --seeds $(SEEDS) $(ARGS)

bench: setup-dev
	@$(BIN)/python -m bench $(ARGS)

lint: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.dev

$(VENV)/.runtime: requirements-demo.lock
	@scripts/setup $(PYTHON) $(VENV) requirements-demo.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock
	@scripts/setup $(PYTHON) $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.runtime

# Needs uv. Upgrades every package within the ranges of pyproject.toml.
LOCK := uv pip compile -q pyproject.toml --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --group demo -o requirements-demo.lock
	$(LOCK) --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) .venv-* .holdfast .coverage*
