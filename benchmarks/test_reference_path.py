# SPDX-License-Identifier: Apache-2.0
"""What the NumPy reference of the pixel path and one compared case cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness import contract, parity, resources

pytestmark = pytest.mark.benchmark(group="reference in NumPy")
CONTRACT = contract.read(resources.default_model() / "contract.toml")
SIZE = (CONTRACT.input_height, CONTRACT.input_width)


@pytest.fixture(params=[(480, 640), (720, 1280)], ids=lambda s: f"{s[1]}x{s[0]}")
def frame(request: pytest.FixtureRequest) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*request.param, 3), dtype=np.uint8)


def test_preprocess(harness_timeit: Callable[..., Any], frame: np.ndarray) -> None:
    harness_timeit(contract.preprocess, CONTRACT, frame)


def test_alpha_at_frame_size(harness_timeit: Callable[..., Any], frame: np.ndarray) -> None:
    probability = np.random.default_rng(0).random(SIZE, np.float32)
    harness_timeit(contract.frame_alpha, CONTRACT, probability, frame.shape[:2])


def test_one_compared_case(harness_timeit: Callable[..., Any]) -> None:
    a, b = np.random.default_rng(0).random((2, *SIZE), np.float32)
    harness_timeit(parity.against_reference, a, b, CONTRACT.threshold, 1e-4)
