# SPDX-License-Identifier: Apache-2.0
"""The runtime ``tflite``, slower by a known share: what a comparison of speeds must find."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np

from harness.runtime import Inference
from harness.runtimes.tflite import TFLiteRuntime

SHARE = float(os.environ.get("SLOWED_BY", "0.05"))


class SlowedRuntime(TFLiteRuntime):
    """Every frame takes ``SLOWED_BY`` of its own time longer, waiting actively after the network."""

    def infer_image(self, frame: np.ndarray) -> Inference:
        done = super().infer_image(frame)
        until = done.start_ns + round(done.total_ns * (1 + SHARE))
        while time.perf_counter_ns() < until:
            pass
        longer = time.perf_counter_ns() - done.start_ns - done.total_ns
        stages = {**done.stages_ns, "invoke": done.stages_ns["invoke"] + longer}
        return replace(done, stages_ns=stages, total_ns=done.total_ns + longer)
