PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PROFILE ?= demo

.DEFAULT_GOAL := help
.PHONY: help env figures site test test-slow lint lab wheel lock pretrain clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: .venv/.test ## create .venv with pinned versions of all packages (the others install what they need)

# torch goes first, so that the other packages find the pinned one in place
.venv/.test: .venv/.lab
.venv/.lab .venv/.test: .venv/.%: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "cptlab needs Python 3.11 or newer; install it, or name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt torch
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[$*]'
	touch $@

figures: .venv/.lab ## train and draw everything; PROFILE=smoke|demo|full|paper, default demo
	$(BIN)/cptlab figures --profile $(PROFILE)

site: .venv/.lab ## make the pages of finished runs and executed notebooks anew; PROFILE as above
	$(BIN)/cptlab site --profile $(PROFILE)

test: env ## lint, check types and run the quick tests
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ty check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs -n auto --dist loadfile -m "not slow"

test-slow: env ## run the slow tests: kills, clusters, browsers, wheel, notebooks, the whole archive
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs -n auto --dist loadfile -m slow

lint: env ## format code and notebooks, mend what ruff can mend, check types; as pre-commit does
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	$(BIN)/python .ci/clean_notebooks.py notebooks/*.ipynb || $(BIN)/python .ci/clean_notebooks.py notebooks/*.ipynb
	$(BIN)/python -m ty check

lab: .venv/.lab ## open JupyterLab on the notebooks
	JUPYTER_PATH= JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab notebooks

wheel: env ## build dist/cptlab-*.whl, which works without a checkout, and an sdist
	rm -rf build dist
	$(BIN)/python -m build --no-isolation .

# not after env, which cannot install what the lock does not fit yet
lock: ## pin anew what pyproject.toml asks for, in the .venv of make env; UPGRADE=--upgrade for newer versions
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt uv
	$(BIN)/python -m uv pip compile -q --universal --python-version 3.11 --all-extras --no-annotate $(UPGRADE) \
		--custom-compile-command "make lock" -o constraints.txt pyproject.toml dev/emojiclip/requirements.txt
	$(BIN)/python .ci/conda.py

pretrain: .venv/.lab ## retrain EmojiCLIP from scratch (an hour on 2 cores; needs npm)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -r dev/emojiclip/requirements.txt
	$(BIN)/python -m dev.emojiclip train

clean: ## remove runs and caches (not .venv, not figures)
	rm -rf runs .pytest_cache .ruff_cache build dist *.egg-info
