# SPDX-License-Identifier: Apache-2.0
"""What each stage of the core costs on a 1280×720 frame; ``benchmarks/core.py`` holds them against other libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

segcore = pytest.importorskip("segcore", reason="the core is not installed; `make setup` builds it")

from core import CorePath, some_frames  # noqa: E402  # needs segcore
from harness import contract, model_file, resources  # noqa: E402

pytestmark = pytest.mark.benchmark(group="core, stage by stage")
VARIANT = "int8"


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return some_frames()[0]


@pytest.fixture(scope="module")
def core() -> CorePath:
    return CorePath(model_file.find(resources.default_model(), VARIANT).path)


@pytest.fixture(scope="module")
def mask(core: CorePath, frame: np.ndarray) -> Any:
    return core.segment(frame)


@pytest.fixture(scope="module")
def alpha(core: CorePath, mask: Any) -> np.ndarray:
    return core.enlarge(mask).copy()


def test_preprocess(harness_timeit: Callable[..., Any], core: CorePath, frame: np.ndarray) -> None:
    tensor = harness_timeit(core.segmenter.preprocess, frame)

    rules = contract.parse(core.segmenter.info.contract, "the model's contract")
    assert tensor.shape[-3:] == (rules.input_height, rules.input_width, 3)


@pytest.mark.parametrize("variant", model_file.VARIANTS)
def test_invoke(harness_timeit: Callable[..., Any], frame: np.ndarray, variant: str) -> None:
    segmenter = CorePath(model_file.find(resources.default_model(), variant).path).segmenter
    tensor = segmenter.preprocess(frame)

    output = harness_timeit(segmenter.invoke, tensor)

    assert np.isfinite(output).all()


def test_segment(harness_timeit: Callable[..., Any], core: CorePath, frame: np.ndarray) -> None:
    assert harness_timeit(core.segment, frame).alpha.any()


def test_smooth(harness_timeit: Callable[..., Any], mask: Any) -> None:
    refiner = segcore.Refiner(segcore.RefinerOptions(smooth=True, guided=False))
    harness_timeit(refiner.smooth, mask)


def test_enlarge(harness_timeit: Callable[..., Any], core: CorePath, frame: np.ndarray, mask: Any) -> None:
    assert harness_timeit(core.enlarge, mask).shape == frame.shape[:2]


def test_enlarge_guided(harness_timeit: Callable[..., Any], frame: np.ndarray, mask: Any) -> None:
    refiner = segcore.Refiner(segcore.RefinerOptions(smooth=False, guided=True))
    assert harness_timeit(refiner.upsample, mask, frame).shape == frame.shape[:2]


def test_blur_and_composite(
    harness_timeit: Callable[..., Any], core: CorePath, frame: np.ndarray, alpha: np.ndarray
) -> None:
    assert harness_timeit(core.draw, frame, alpha).shape == frame.shape


def test_whole_frame(harness_timeit: Callable[..., Any], core: CorePath, frame: np.ndarray) -> None:
    assert harness_timeit(core.run, frame).shape == frame.shape
