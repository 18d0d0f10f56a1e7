# SPDX-License-Identifier: Apache-2.0
"""In which order the runs of an experiment began."""

from __future__ import annotations

import os
from pathlib import Path

from models_src import runs


def test_the_run_that_began_last_is_the_first_whatever_its_name(tmp_path: Path) -> None:
    for began, name in enumerate(("20261128-120000", "slurm-99", "slurm-100")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("")
        os.utime(tmp_path / name / "config.yaml", (began, began))

    assert [run.name for run in runs.of(tmp_path)] == ["slurm-100", "slurm-99", "20261128-120000"]


def test_of_runs_that_began_together_the_name_decides(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("")
        os.utime(tmp_path / name / "config.yaml", (1, 1))

    assert [run.name for run in runs.of(tmp_path)] == ["b", "a"]
    assert runs.of(tmp_path / "nowhere") == []
