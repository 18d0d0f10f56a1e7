# SPDX-License-Identifier: Apache-2.0
"""The programs that write bundles without Python, for the tests that need them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from harness.runtimes import swift


def segbench() -> str:
    """Path of `segbench`: of ``SEGBENCH``, beside the interpreter, or on the path; skips where it is not built."""
    beside = Path(sys.executable).parent / "segbench"
    found = os.environ.get("SEGBENCH") or (str(beside) if beside.exists() else shutil.which("segbench"))
    if found is None:
        pytest.skip("segbench is not built: make setup, with a C++ compiler")
    return found


def segbench_swift() -> str:
    """Path of `segbench-swift`, where the runtime `swift` looks for it; skips where there is no Swift toolchain that
    could have built it."""
    found = swift.program()
    if found is None and shutil.which("swift") is None:
        pytest.skip("segbench-swift is not built: there is no Swift toolchain")
    assert found is not None, "segbench-swift is not built: make test-system does it"
    return found


def environment() -> dict[str, str]:
    """The environment in which LiteRT is found wherever a program lies."""
    return {"VIRTUAL_ENV": sys.prefix, **os.environ}
