# The two commands that matter: `make reproduce` and `make test`.
# Both make their own environment in .venv from pyproject.toml and constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: reproduce test check bench docs clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| (echo "error: Python 3.11 or later is needed; try: make PYTHON=python3.12"; exit 1)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[dev]"
	touch $@

# Train what the paper's claims need (or go on where an earlier call stopped), judge, report.
reproduce: $(INSTALLED)
	$(BIN)/miiii reproduce --scale small

test: check
	$(BIN)/python -m pytest -n auto --dist loadfile

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

# The documentation site, docs/build/index.html; needs no network once .venv is made.
docs: $(INSTALLED)
	JAX_PLATFORMS=cpu $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/build
	@echo docs/build/index.html

clean:
	rm -rf docs/build $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
