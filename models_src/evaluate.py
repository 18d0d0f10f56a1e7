# SPDX-License-Identifier: Apache-2.0
"""How well a model segments the pictures of a pair folder: one definition for every variant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness import contract as contracts
from harness import metrics
from harness.contract import Contract
from harness.errors import HarnessError
from models_src.datasets.sample import Sample
from models_src.inference import Network, probability


@dataclass(frozen=True)
class Score:
    """Means over pictures, each in [0, 1]."""

    pictures: int
    iou: float
    boundary_iou: float
    pixel_accuracy: float

    def to_json(self) -> dict[str, Any]:
        """As a plain mapping."""
        return asdict(self)


def score(network: Network, contract: Contract, samples: Iterable[Sample]) -> Score:
    """Foreground IoU, boundary IoU and pixel accuracy against ground truth.

    Each picture is judged at the size of its mask: the probability is enlarged by half-pixel bilinear and compared
    with the contract's threshold; truth is where the mask is above 127.

    Raises:
        HarnessError: the network returns a value that is no number.
    """
    rows = []
    for sample in samples:
        image, truth = sample.read()
        plane = probability(network, contract, image)
        if not np.isfinite(plane).all():
            raise HarnessError(f"{sample.image}: the model's output has values that are not finite")
        mask = contracts.frame_probability(contract, plane, truth.shape) > contract.threshold
        rows.append([measure(mask, truth > 127) for measure in _MEASURES])
    iou, boundary, accuracy = np.mean(rows, axis=0)
    return Score(len(rows), float(iou), float(boundary), float(accuracy))


_MEASURES = (metrics.iou, metrics.boundary_iou, metrics.pixel_accuracy)
