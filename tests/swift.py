# SPDX-License-Identifier: Apache-2.0
"""`segbench-swift` for the tests that need it."""

from __future__ import annotations

import shutil

import pytest

from harness.runtimes import swift


def program() -> str:
    """Path of `segbench-swift`; skips where there is no Swift toolchain that could have built it."""
    found = swift.program()
    if found is None and shutil.which("swift") is None:
        pytest.skip("segbench-swift is not built: there is no Swift toolchain")
    assert found is not None, "segbench-swift is not built: make test-system does it"
    return found
