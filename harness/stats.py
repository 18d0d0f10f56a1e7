# SPDX-License-Identifier: Apache-2.0
"""Statistics of samples. Knows numbers only: no models, runs or verdicts."""

from __future__ import annotations

import functools

import numpy as np

_CONFIDENCE = 0.99
_MIN_ABOVE = 2


@functools.cache
def smallest_n(p: float) -> int:
    """The smallest sample size for which a percentile may be printed.

    At least two samples must lie above the true percentile with 99 % confidence: the smallest n with
    ``P[Bin(n, 1 − p) ≤ 1] ≤ 0.01`` (p50: 11, p90: 64, p99: 662).

    Args:
        p: the percentile as a share, 0 < p < 1.
    """
    if not 0.0 < p < 1.0:
        raise ValueError(f"a percentile lies between 0 and 1, not {p}")
    from scipy.stats import binom

    n = _MIN_ABOVE
    while binom.cdf(_MIN_ABOVE - 1, n, 1 - p) > 1 - _CONFIDENCE:
        n += 1
    return n


def percentile(samples: np.ndarray, p: float) -> float | None:
    """The order statistic ``⌈p·n⌉``, or None where there are too few samples (:func:`smallest_n`)."""
    n = len(samples)
    if n < smallest_n(p):
        return None
    return float(np.quantile(samples, p, method="inverted_cdf"))
