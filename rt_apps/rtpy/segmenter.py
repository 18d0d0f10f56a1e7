# SPDX-License-Identifier: Apache-2.0
"""From a picture to the person's probability, and steadier over time. Knows a model, no threads and no windows.

All pixel arithmetic is :mod:`harness.contract`'s.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness import contract as contracts
from harness import model_file
from harness.errors import InvalidError
from rt_apps.rtpy.engine import KerasEngine, ModelLoadError

_MEMORY = 0.9
"""Share of the past in the most uncertain pixel."""


class Segmenter:
    """A Keras model with its contract.

    Args:
        model: a model folder or a ``.keras`` or ``.h5`` file.
        threads: of one operator; 0 leaves the choice to TensorFlow.

    Attributes:
        load_ns, first_ns: how long it took to load the model, and to run it for the first time.

    Raises:
        HarnessError: there is no such model, it has no contract, or it is damaged.
    """

    def __init__(self, model: Path, threads: int) -> None:
        self.file = model_file.find(model, "keras")
        self.contract = self.file.contract
        self.size = self.contract.input_height, self.contract.input_width
        began = time.perf_counter_ns()
        try:
            with _quiet():
                self._engine = KerasEngine(self.file.path, self.size, threads)
            self.load_ns = time.perf_counter_ns() - began
            # Run once before pictures come, so that the first of them does not wait.
            contracts.probability(self.contract, self._engine(np.zeros((1, *self.size, 3), np.float32)))
        except (ModelLoadError, contracts.ContractError) as error:
            raise InvalidError(str(error)) from None
        self.first_ns = time.perf_counter_ns() - began - self.load_ns
        self.threads, self.output_shape = self._engine.threads, self._engine.output_shape

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        """Probability ``(h, w)`` float32 of an 8-bit BGR picture, and the nanoseconds of each stage."""
        times = [time.perf_counter_ns()]
        tensor = contracts.preprocess(self.contract, picture[..., ::-1])
        times.append(time.perf_counter_ns())
        output = self._engine(tensor)
        times.append(time.perf_counter_ns())
        probability = contracts.probability(self.contract, output)
        times.append(time.perf_counter_ns())
        return probability, dict(
            zip(("preprocess_ns", "invoke_ns", "postprocess_ns"), map(int, np.diff(times)), strict=True)
        )


class Smoother:
    """Temporal smoothing weighted by uncertainty: a pixel the network is sure of is taken as it is, one at 0.5 is
    mostly what it was before, so that outlines and doubtful patches flicker less and clear motion does not lag."""

    def __init__(self) -> None:
        self._past: np.ndarray | None = None

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        """The smoothed probability; frames are passed in the order they were captured."""
        if self._past is None or self._past.shape != probability.shape:
            self._past = probability
        uncertainty = 1 - (2 * probability - 1) ** 2
        self._past = (probability + _MEMORY * uncertainty * (self._past - probability)).astype(np.float32)
        return self._past


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on standard error: TensorFlow greets there whatever its log level; its errors are exceptions."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
