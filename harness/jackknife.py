# SPDX-License-Identifier: Apache-2.0
"""How sure a figure of one recording is, whose samples are alike in time. Knows numbers only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def pseudo_values(whole: float, without: Sequence[float] | np.ndarray) -> np.ndarray:
    """Independent-looking values whose mean is a statistic, and whose scatter is its own: the jackknife's.

    For a statistic of a recording that is correlated in time, from the same statistic of the recording with each of k
    equal stretches left out in turn: ``whole − (k − 1) · (without − mean of without)``. That is the jackknife (J. W.
    Tukey, *Bias and confidence in not quite large samples*, Annals of Mathematical Statistics 29, 1958) that leaves out
    stretches of time (H. R. Künsch, *The jackknife and the bootstrap for general stationary observations*, Annals of
    Statistics 17, 1989). They must be longer than what is alike in neighbours.

    Args:
        whole: the statistic of all.
        without: the statistic without each stretch, shape (k,), k ≥ 2.

    Returns:
        Shape (k,).
    """
    left = np.asarray(without, np.float64)
    return np.asarray(whole - (len(left) - 1) * (left - left.mean()))


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of independent values, shape (k,), k ≥ 2; of :func:`pseudo_values`, that of their
    statistic."""
    from scipy.stats import t

    half = float(t.ppf((1 + confidence) / 2, len(values) - 1)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half
