# SPDX-License-Identifier: Apache-2.0
# Every target sets up what it needs: `make compare` and `make test` work on a fresh clone.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
UV     := $(BIN)/uv
APT    := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

.DEFAULT_GOAL := help
.PHONY: help setup compare test test-system lint format lock clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## set up everything in .venv

compare: $(READY) ## compare every runtime on the shipped model and suite, write a report
	$(BIN)/harness compare keras tflite $(ARGS)

test: $(READY) ## run the tests
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

test-system: $(READY) ## run the tests that need a browser, a built wheel or other environments
	@command -v chromium > /dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && { apt-get update -qq; $(APT) chromium > /dev/null; } || \
	  echo "chromium is missing: the browser tests will be skipped" >&2; }
	$(BIN)/pytest -m system $(ARGS)

lint: $(READY) ## check format, style, types and dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy harness models_src rt_apps
	$(BIN)/deptry .

format: $(READY) ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

lock: $(UV) ## pin the dependencies anew, with hashes
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --extra train --group dev \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --upgrade pyproject.toml -o requirements.lock

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Python 3.10 to 3.13 is needed; $(PYTHON) is `$(PYTHON) -V 2>&1`. Name another one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(READY): requirements.lock pyproject.toml | $(UV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@# opencv-python links libraries of the system that a minimal one lacks.
	@$(BIN)/python -c 'import cv2' 2> /dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && { apt-get update -qq; $(APT) libgl1 libglib2.0-0 libxcb1 > /dev/null; } || true; }
	@$(BIN)/python -c 'import cv2' || { \
	  echo "OpenCV needs libraries of the system; on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0 libxcb1" >&2; exit 2; }
	@touch $@
