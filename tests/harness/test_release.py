# SPDX-License-Identifier: Apache-2.0
"""What is shipped passes its own gates: the model's variants, on the suite, as `configs/compare/release.yaml` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import comparison, resources
from harness.verdict import Verdict

from .commands import run

pytest.importorskip("tensorflow", reason="needs TensorFlow: pip install 'mobile-unet-harness[keras]'")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> comparison.Comparison:
    out = tmp_path_factory.mktemp("release") / "out"
    config = resources.data_folder("configs") / "compare" / "release.yaml"
    done = run("compare", "--config", config, "--profile", "none", "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return comparison.read(out / "comparison.json")


def test_every_variant_passes(result: comparison.Comparison) -> None:
    assert [summary.label for summary in result.runs] == [
        *("keras", "tflite", "tflite:fp16", "tflite:dyn8", "tflite:int8")
    ]
    assert {summary.verdict for summary in result.runs} == {Verdict.PASS}


@pytest.mark.parametrize("lane", ["tensor", "image"])
def test_the_variants_stay_as_close_to_keras_as_promised(result: comparison.Comparison, lane: str) -> None:
    pooled = {summary.label: summary.pooled[lane] for summary in result.runs}

    assert pooled["tflite"]["max_abs"] <= 1e-4
    assert pooled["tflite:fp16"]["mask_iou"] >= 0.995
    assert pooled["tflite:int8"]["mask_iou"] >= 0.98


def test_the_model_folder_is_complete_and_small() -> None:
    folder: Path = resources.default_model()
    files = {path.name for path in folder.iterdir()}

    assert {"model.keras", "contract.toml", "model.json", "README.md"} <= files
    assert sum(path.stat().st_size for path in folder.iterdir()) < 12_000_000
