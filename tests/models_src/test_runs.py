# SPDX-License-Identifier: Apache-2.0
"""Which run of an experiment is the latest."""

from __future__ import annotations

import os
from pathlib import Path

from models_src import runs


def test_the_latest_run_is_the_one_that_began_last_whatever_its_name(tmp_path: Path) -> None:
    for began, name in enumerate(("20261128-120000", "slurm-99", "slurm-100")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("")
        os.utime(tmp_path / name / "config.yaml", (began, began))

    assert runs.latest(tmp_path) == tmp_path / "slurm-100"


def test_of_runs_that_began_together_the_name_decides(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("")
        os.utime(tmp_path / name / "config.yaml", (1, 1))

    assert runs.latest(tmp_path) == tmp_path / "b"
