# SPDX-License-Identifier: Apache-2.0
"""A model's place on a leaderboard, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Accuracy:
    """Means over the pictures of a set, each in [0, 1]; see :func:`harness.parity.against_truth`."""

    iou: float
    boundary_iou: float
    pictures: int


@dataclass(frozen=True)
class Entry:
    """One file of a model.

    Attributes:
        label: ``model/variant``.
        size: height and width of its input.
        parameters, macs: of a TFLite file.
        accuracy: by the name of the set.
        invoke_ms, total_ms: medians of the steady phase: the network alone, and with what comes before and after it.
        ratio: how many times as long the network takes as the first entry's, and the ends of the 95 % interval.
        problem: why there are no figures.
    """

    label: str
    model: str
    variant: str
    size: tuple[int, int]
    bytes: int
    parameters: int | None
    macs: int | None
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    invoke_ms: float | None = None
    total_ms: float | None = None
    ratio: tuple[float, float, float] | None = None
    problem: str = ""

    @property
    def iou(self) -> float | None:
        """Mean over the sets."""
        return float(np.mean([a.iou for a in self.accuracy.values()])) if self.accuracy else None

    def to_json(self) -> dict[str, Any]:
        """As a plain mapping."""
        return asdict(self)
