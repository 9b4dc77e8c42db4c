# The two commands that matter: `make reproduce` and `make test`.
# Both make their own environment in .venv from pyproject.toml and constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

# Processes that run tests: more than there are cores, since many tests wait for another process.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)

INTEROP := .venv-interop
LOWEST := .venv-lowest
INTEROP_PIP := $(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check \
	--no-compile --no-deps $(INTEROP_INDEX)

# Nothing installed here is compiled beforehand. Where bytecode may not be kept either, as in many
# containers, every process would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: reproduce test thorough check bench docs interop lowest clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| (echo "error: Python 3.11 or later is needed; try: make PYTHON=python3.12"; exit 1)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
		--constraint constraints.txt --editable ".[dev]"
	touch $@

# Train what the paper's claims need (or go on where an earlier call stopped), judge, report.
reproduce: $(INSTALLED)
	$(BIN)/miiii reproduce --scale small

test: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# The same with the tests that take longest.
thorough: export MIIII_THOROUGH = 1
thorough: test

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# TransformerLens 4 and 2 in an environment of their own, for the tests of interchange. On Linux
# PyPI's PyTorch is the one for CUDA; the CPU's comes with
#   make interop INTEROP_INDEX="--extra-index-url https://download.pytorch.org/whl/cpu"
interop: $(INTEROP)/installed

$(INTEROP)/installed: tests/interchange/requirements.txt \
		tests/interchange/requirements-version-2.txt tests/tracking/requirements.txt
	$(PYTHON) -m venv --clear $(INTEROP)
	$(INTEROP_PIP) --requirement tests/interchange/requirements.txt
	$(INTEROP_PIP) --target $(INTEROP)/version-2 \
		--requirement tests/interchange/requirements-version-2.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile \
		--target $(INTEROP)/trackers --requirement tests/tracking/requirements.txt
	touch $@

# The lowest versions that pyproject.toml declares, in an environment of their own: every command once.
lowest: $(LOWEST)/installed
	rm -rf $(LOWEST)/runs && mkdir $(LOWEST)/runs
	XLA_FLAGS="--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false" JAX_PLATFORMS=cpu \
		MIIII_CACHE=$(LOWEST)/cache $(LOWEST)/bin/python tests/packaging/lowest_versions.py $(LOWEST)/runs

$(LOWEST)/installed: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable ".[sweep]"
	touch $@

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

# The documentation site, docs/build/index.html; needs no network once .venv is made.
docs: $(INSTALLED)
	JAX_PLATFORMS=cpu $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/build
	@echo docs/build/index.html

clean:
	rm -rf docs/build $(VENV) $(INTEROP) $(LOWEST) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
