# SPDX-License-Identifier: Apache-2.0
# Every target sets up what it needs: `make compare` and `make test` work on a fresh clone.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
UV     := $(BIN)/uv
APT    := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
# As root on Debian or Ubuntu: install what is named after it. Elsewhere it fails, and the caller says what is missing.
ASROOT := [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq && $(APT)
HEADER := $(BIN)/python -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
CORE   := $(shell find core \( -name build -o -name tests \) -prune -o -type f \( -name '*.cc' -o -name '*.h' -o -name 'CMakeLists.txt' \) -print)
CXX_SOURCES = $(shell find core rt_apps -name build -prune -o \( -name '*.cc' -o -name '*.h' \) -print)

.DEFAULT_GOAL := help
.PHONY: help setup compare test test-core test-rtcpp test-swift test-system benchmark bench-core rtcpp lint format lock clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## set up everything in .venv

compare: $(READY) ## compare every runtime on the shipped model and suite, write a report
	$(BIN)/harness compare keras tflite core $(ARGS)

test: $(READY) ## run the tests
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

test-core: $(READY) ## run the core's C++ tests: as released, and under the address, undefined and thread sanitizers
	@ls /usr/include/gtest/gtest.h > /dev/null 2>&1 || { $(ASROOT) libgtest-dev > /dev/null; } || { \
	  echo "The C++ tests need GoogleTest; on Debian or Ubuntu: apt-get install libgtest-dev" >&2; exit 2; }
	@for preset in native asan tsan; do \
	  echo "== $$preset"; (cd core && PATH="$(CURDIR)/$(BIN):$$PATH" && cmake --preset $$preset > /dev/null && \
	    cmake --build --preset $$preset && VIRTUAL_ENV="$(CURDIR)/$(VENV)" ctest --preset $$preset) || exit 1; done

test-swift: $(READY) ## run the tests of the Swift package: as released, and under the address and thread sanitizers
	@command -v swift > /dev/null || echo "SKIP: no Swift toolchain here; the tests in ios/ were not run"
	@! command -v swift > /dev/null || for options in "-c release -Xswiftc -enable-testing" "--sanitize=address --disable-xctest" "--sanitize=thread --disable-xctest"; do \
	  echo "== swift test $$options"; VIRTUAL_ENV="$(CURDIR)/$(VENV)" swift test --quiet $$options || exit 1; done

test-system: $(READY) test-core test-rtcpp test-swift ## run the tests that need a browser, a window, other environments or idle processors
	@command -v chromium > /dev/null || { $(ASROOT) chromium > /dev/null; } || \
	  echo "chromium is missing: the browser tests will be skipped" >&2
	@command -v Xvfb > /dev/null && command -v xdotool > /dev/null && command -v import > /dev/null || \
	  { $(ASROOT) xvfb xdotool imagemagick > /dev/null; } || \
	  echo "xvfb, xdotool or imagemagick is missing: the window tests will be skipped" >&2
	@command -v slurmctld > /dev/null && command -v munged > /dev/null || { $(ASROOT) slurm-wlm munge > /dev/null; } || \
	  echo "slurm-wlm or munge is missing: the tests of slurm/ will be skipped" >&2
	@! command -v swift > /dev/null || swift build --quiet -c release --product segbench-swift
	$(BIN)/pytest -m system $(ARGS)

rtcpp: $(READY) ## build the live application rt_apps/rtcpp, into core/build/rtcpp
	@ls /usr/include/opencv4/opencv2/core.hpp > /dev/null 2>&1 || { $(ASROOT) libopencv-dev > /dev/null; } || { \
	  echo "rtcpp needs OpenCV for C++; on Debian or Ubuntu: apt-get install libopencv-dev" >&2; exit 2; }
	PATH="$(CURDIR)/$(BIN):$$PATH" && cmake -S core -B core/build/rtcpp -G Ninja -DSEGCORE_RTCPP=ON > /dev/null && \
	  cmake --build core/build/rtcpp --target rtcpp

test-rtcpp: rtcpp ## run rtcpp's own C++ tests
	PATH="$(CURDIR)/$(BIN):$$PATH" && cmake -S core -B core/build/rtcpp -DSEGCORE_TESTS=ON > /dev/null && \
	  cmake --build core/build/rtcpp --target rtcpp_tests && \
	  VIRTUAL_ENV="$(CURDIR)/$(VENV)" ctest --test-dir core/build/rtcpp/rtcpp --output-on-failure

bench-core: $(READY) ## measure the core's stages against OpenCV, MediaPipe and a bare LiteRT; print flicker and lag
	$(BIN)/python benchmarks/core.py $(ARGS)
	$(BIN)/python benchmarks/flicker.py $(ARGS)

benchmark: $(READY) ## time every runtime and variant, the core's stages and the harness itself: pytest --benchmark
	$(BIN)/pytest --benchmark $(ARGS)

lint: $(READY) ## check format, style, types and dependencies
	@echo clang-format --dry-run; $(BIN)/clang-format --style=file:core/.clang-format --dry-run -Werror $(CXX_SOURCES)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy harness models_src rt_apps
	$(BIN)/deptry .
	@! command -v swift > /dev/null || { echo swift format lint; swift format lint --strict --recursive Package.swift ios; }

format: $(READY) ## format the sources
	@$(BIN)/clang-format --style=file:core/.clang-format -i $(CXX_SOURCES)
	@! command -v swift > /dev/null || swift format --in-place --recursive Package.swift ios
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

lock: $(UV) ## pin the dependencies anew, with hashes
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --extra train --group dev \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --upgrade pyproject.toml -o requirements.lock

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) build core/build .build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Python 3.10 to 3.13 is needed; $(PYTHON) is `$(PYTHON) -V 2>&1`. Name another one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(READY): requirements.lock pyproject.toml $(CORE) | $(UV)
	@command -v $${CXX:-c++} > /dev/null || { $(ASROOT) g++ > /dev/null; } || { \
	  echo "The C++ core needs a C++17 compiler; on Debian or Ubuntu: apt-get install g++" >&2; exit 2; }
	@$(HEADER) || { $(ASROOT) python3-dev > /dev/null && $(HEADER); } || { \
	  echo "The C++ core needs the headers of $(PYTHON); on Debian or Ubuntu: apt-get install python3-dev" >&2; exit 2; }
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" SEGCORE_REQUIRED=1 \
	  $(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@# opencv-python links libraries of the system that a minimal one lacks.
	@$(BIN)/python -c 'import cv2' 2> /dev/null || { $(ASROOT) libgl1 libglib2.0-0 libxcb1 > /dev/null; } || true
	@$(BIN)/python -c 'import cv2' || { \
	  echo "OpenCV needs libraries of the system; on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0 libxcb1" >&2; exit 2; }
	@touch $@
