# `make rca` finds the root cause of a recorded incident; `make test` runs every test. Both need Python 3.11 and nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    ?= runs/$(shell date -u +%Y%m%dT%H%M%SZ)-rca
# More parameters of the notebook: make rca ARGS="-p incident healthy"; a live cluster: make rca SOURCE=live
SOURCE ?= incident
ARGS   ?=

.PHONY: help rca lab test test-cluster bench lint format notebook clean
help:
	@sed -n '1p;s/^\([a-z-]*\):.*## /  make \1	/p' Makefile

rca: $(VENV)/.ready ## the root cause of a recorded incident, in one headless notebook
	@mkdir -p $(RUN)
	$(BIN)/papermill --no-progress-bar --log-output notebooks/06_rca.ipynb $(RUN)/06_rca.ipynb -p source $(SOURCE) -p output_dir $(RUN) $(ARGS)
	@$(BIN)/python -m srelab_lib $(RUN)/report.json

lab: $(VENV)/.ready ## the whole lab, notebooks 00 to 09 headless, as pages with an index; 99 takes it away again
	$(BIN)/python -m srelab_lib.lab.walk

test: $(VENV)/.ready-dev lint ## every test that this machine can run
	$(BIN)/python -m pytest -m "not cluster" --numprocesses auto --dist loadfile --no-loadscope-reorder
	$(MAKE) test-cluster

# One cluster, so one test of it at a time.
test-cluster: $(VENV)/.ready-dev ## those of them that need the lab; without it each is skipped
	$(BIN)/python -m pytest -m cluster $$(grep -l 'mark\.cluster' tests/test_*.py)

bench: $(VENV)/.ready-dev ## speed and accuracy, each against a peer in the same run
	$(BIN)/python -m benchmarks

lint: $(VENV)/.ready-dev ## style, types, floors, clean notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/nbstripout --verify --extra-keys "metadata.papermill cell.metadata.papermill" notebooks/*.ipynb

format: $(VENV)/.ready-dev ## the same style for all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout --extra-keys "metadata.papermill cell.metadata.papermill" notebooks/*.ipynb

notebook: $(VENV)/.ready ## JupyterLab in notebooks/
	$(BIN)/jupyter lab notebooks/

clean: ## what the targets above made
	rm -rf $(VENV) runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
