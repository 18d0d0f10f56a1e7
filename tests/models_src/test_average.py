# SPDX-License-Identifier: Apache-2.0
"""Averaging runs: the mean of their weights, in a folder that exports like any run."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from harness.errors import HarnessError
from models_src import average, export
from tests.models_src.conftest import segmodel


@pytest.fixture
def other(trained: Path, tmp_path: Path) -> Path:
    """A run of the same network with other weights."""
    run = shutil.copytree(trained, tmp_path / "other")
    model = keras.saving.load_model(run / "best.keras", compile=False)
    random = np.random.default_rng(0)
    model.set_weights([w + np.abs(random.normal(0, 0.1, w.shape)) for w in model.get_weights()])
    model.save(run / "best.keras")
    return run


def test_the_result_is_a_run_with_the_mean_of_the_weights(trained: Path, other: Path, tmp_path: Path) -> None:
    result = segmodel("average", trained, other, "--out", tmp_path / "mean")

    assert result.exit_code == 0, result.output
    first, second, mean = (
        keras.saving.load_model(run / "best.keras", compile=False).get_weights()
        for run in (trained, other, tmp_path / "mean")
    )
    for a, b, c in zip(first, second, mean, strict=True):
        np.testing.assert_allclose(c, (a + b) / 2, rtol=1e-6, atol=1e-7)
    assert export.from_run(tmp_path / "mean").source["run"] == "mean"
    assert not list(tmp_path.glob(".*"))


def test_runs_that_do_not_fit_together_are_refused_by_name(trained: Path, other: Path, tmp_path: Path) -> None:
    inputs = keras.Input((64, 64, 3))
    keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(inputs)).save(other / "best.keras")

    with pytest.raises(HarnessError, match="other: another network"):
        average.average([trained, other], tmp_path / "mean")
    with pytest.raises(HarnessError, match="no best.keras"):
        average.average([trained, tmp_path], tmp_path / "mean")
    with pytest.raises(HarnessError, match="two runs or more"):
        average.average([trained], tmp_path / "mean")
    with pytest.raises(HarnessError, match="exists already"):
        average.average([trained, other], other)
    assert not (tmp_path / "mean").exists()


def test_it_is_nothing_to_resume_since_its_weights_would_be_replaced(
    trained: Path, other: Path, tmp_path: Path
) -> None:
    average.average([trained, other], tmp_path / "mean")
    weights = (tmp_path / "mean/best.keras").read_bytes()

    result = segmodel("train", "--resume", tmp_path / "mean")

    assert result.exit_code == 2
    assert f"begin a new run with TRAIN.INITIAL_WEIGHTS {tmp_path / 'mean'}" in result.output
    assert (tmp_path / "mean/best.keras").read_bytes() == weights
