# SPDX-License-Identifier: Apache-2.0
"""A runtime from another package, for the tests: it works, and misbehaves as the environment tells it to.

``FAULTY_AT`` is the number of the inference to misbehave at, ``FAULTY_HOW`` what to do then.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from harness.contract import Contract
from harness.runtime import Availability, Facts, Options, Runtime
from harness.runtimes.tflite import TFLiteRuntime


class FaultyRuntime(Runtime):
    """Calls bright pixels a person."""

    formats = ("tflite",)

    @classmethod
    def availability(cls) -> Availability:
        return Availability(os.environ.get("FAULTY_VERSION", "faulty 1.0") or None, "pip install faulty")

    def activate(self, path: Path, contract: Contract, options: Options) -> Facts:
        self.contract = contract
        self._count = 0
        self._ballast: list[np.ndarray] = []
        return Facts("faulty 1.0", {"delegate": "none", "threads": options.threads})

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        self._count += 1
        time.sleep(float(os.environ.get("FAULTY_SLEEP", "0")))
        if self._count == int(os.environ.get("FAULTY_AT", "-1")):
            self._misbehave(os.environ["FAULTY_HOW"])
        output = 1.0 / (1.0 + np.exp(-4.0 * tensor.mean(axis=-1, keepdims=True)))
        return output if os.environ.get("FAULTY_HOW") != "nan" else np.where(output > 0.9, np.nan, output)

    def _misbehave(self, how: str) -> None:
        if how == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif how == "exit":
            os._exit(3)
        elif how == "hang":
            while True:
                time.sleep(60)
        elif how == "memory":
            while True:
                self._ballast.append(np.ones(1 << 22))
                time.sleep(0.01)
        elif how == "raise":
            raise RuntimeError("the accelerator went away")


class MissingDependency(FaultyRuntime):
    """Installed without what it needs."""

    @classmethod
    def availability(cls) -> Availability:
        return Availability(None, "pip install what-it-needs")


class SwappedRuntime(TFLiteRuntime):
    """Hands its frames on as OpenCV decodes them: blue first."""

    def decode(self, path: Path) -> np.ndarray:
        return np.ascontiguousarray(super().decode(path)[..., ::-1])
