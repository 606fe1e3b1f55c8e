# `make demo` and `make test` are all a newcomer needs; both work on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt
# a plain path entry instead of an import hook: 20 ms at every start
EDITABLE := --config-settings editable_mode=compat
RUFF_PATHS := pacs_tui tests bench

.PHONY: demo test quick lint bench peers docs clean

demo: $(VENV)/.demo
	@$(BIN)/pacs-tui demo $(ARGS)

test: lint peers
	@$(BIN)/python -m pytest -q

quick: $(VENV)/.test
	@$(BIN)/python -m pytest -q -m "not interop and not terminal and not console"

lint: $(VENV)/.test
	@$(BIN)/ruff check $(RUFF_PATHS)
	@$(BIN)/ruff format --check -q $(RUFF_PATHS)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.test peers
	@$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.test
	@$(BIN)/python -m tests.write_docs

# The foreign peers and the terminal that the tests play with. Installed where we may, named where we may not.
peers: $(VENV)/.test
	@sh tests/install_peers.sh

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing pacs-tui into $(VENV) ..."
	@$(PIP) -e '.[demo]' $(EDITABLE)
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing pacs-tui and its test tools into $(VENV) ..."
	@$(PIP) -e '.[demo,test]' $(EDITABLE)
	@touch $@ $(VENV)/.demo

$(VENV)/bin/python:
	@sh tests/make_venv.sh "$(PYTHON)" "$(VENV)"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
