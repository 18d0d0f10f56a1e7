# SPDX-License-Identifier: Apache-2.0
"""What a frame of the shipped model costs in every runtime and variant, timed beside each other in one session.

pytest --benchmark benchmarks/test_models.py --benchmark-runtimes tflite,tflite:int8
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness import model_file

TARGETS = ["keras", *(f"{runtime}:{variant}" for runtime in ("tflite", "core") for variant in model_file.VARIANTS)]


@pytest.mark.parametrize("harness_benchmark", TARGETS, indirect=True)
def test_frame(harness_benchmark: Callable[..., Any]) -> None:
    measured = harness_benchmark()

    assert {"preprocess", "invoke", "postprocess"} <= set(measured.latency.stages)
