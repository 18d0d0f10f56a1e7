# SPDX-License-Identifier: Apache-2.0
"""In CI a skipped test fails the run unless its reason is listed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_that_runs():
    pass

@pytest.mark.skip(reason="needs a camera")
def test_that_is_skipped():
    pass
"""


@pytest.mark.parametrize(
    ("ci", "listed", "workers", "status"),
    [
        ("true", "# nothing\n", "0", 1),
        ("true", "needs a *\n", "0", 0),
        ("true", "# nothing\n", "1", 1),
        ("", "# nothing\n", "0", 0),
    ],
)
def test_an_unlisted_skip_fails_in_ci_only(tmp_path: Path, ci: str, listed: str, workers: str, status: int) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "allowed-skips.txt").write_text(listed)
    (tmp_path / "test_some.py").write_text(TESTS)
    environment = {**os.environ, "CI": ci}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers, str(tmp_path)]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == status, done.stdout
    assert ("needs a camera" in done.stdout) == (status == 1)
