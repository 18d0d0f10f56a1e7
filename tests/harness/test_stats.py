# SPDX-License-Identifier: Apache-2.0
"""Which percentile may be printed from how many samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from harness import stats


@pytest.mark.parametrize(("p", "n"), [(0.5, 11), (0.9, 64), (0.99, 662)])
def test_the_smallest_sample_of_the_usual_percentiles(p: float, n: int) -> None:
    assert stats.smallest_n(p) == n


@given(st.floats(0.02, 0.995))
def test_at_least_two_samples_lie_above_the_percentile_with_99_percent_confidence(p: float) -> None:
    n = stats.smallest_n(p)

    # P[at most one above] in closed form, and one sample fewer would not do.
    def at_most_one(count: int) -> float:
        return p**count + count * (1 - p) * p ** (count - 1)

    assert at_most_one(n) <= 0.01 + 1e-12
    assert n == 2 or at_most_one(n - 1) > 0.01 - 1e-12
    assert at_most_one(n) == pytest.approx(binom.cdf(1, n, 1 - p), abs=1e-12)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 90.0, math.nan])
def test_a_percentile_is_a_share(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats.smallest_n(p)


@pytest.mark.parametrize(("p", "n"), [(0.5, 11), (0.9, 64), (0.99, 662)])
def test_a_percentile_of_too_few_samples_is_none(p: float, n: int) -> None:
    samples = np.random.default_rng(0).permutation(n).astype(float)  # 0 … n-1

    assert stats.percentile(samples[1:], p) is None
    assert stats.percentile(samples, p) == math.ceil(p * n) - 1


@given(st.lists(st.floats(-1e9, 1e9), min_size=64, max_size=200), st.sampled_from([0.5, 0.9]))
def test_a_percentile_is_an_order_statistic(samples: list[float], p: float) -> None:
    value = stats.percentile(np.array(samples), p)

    assert value in samples
    assert sum(s <= value for s in samples) >= p * len(samples)
    assert sum(s < value for s in samples) < p * len(samples)


def test_no_samples_have_no_percentile() -> None:
    assert stats.percentile(np.empty(0), 0.5) is None
