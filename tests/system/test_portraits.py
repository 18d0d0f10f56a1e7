# SPDX-License-Identifier: Apache-2.0
"""The shipped suite is what its build script makes of the packages its pictures come from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import suite

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("scikit-image==0.26.0", "matplotlib==3.11.2")


def test_the_suite_can_be_built_again_pixel_by_pixel(tmp_path: Path) -> None:
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    # Only the pictures inside the packages are needed, so their own dependencies are not.
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "sources"), *SOURCES]
    subprocess.run([*install, "--python", sys.executable], check=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "sources")}
    build = [sys.executable, "-m", "harness.suites.build_portraits", str(tmp_path / "portraits")]
    subprocess.run(build, cwd=ROOT, env=environment, check=True)

    assert suite.load(tmp_path / "portraits").sha256 == suite.find("portraits").sha256
