# SPDX-License-Identifier: Apache-2.0
"""How sure a figure of a recording is: exact where there is a formula, by simulation where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.signal import lfilter
from scipy.stats import t, ttest_ind

from harness import jackknife, stats
from harness.live import STRETCHES

matrices = arrays.arrays(np.float64, (10, 8), elements=st.floats(1.0, 1e3))


@given(matrices)
def test_pseudo_values_of_a_mean_are_the_means_of_the_stretches(stretches: np.ndarray) -> None:
    whole, without = stretches.mean(), [np.delete(stretches, k, axis=0).mean() for k in range(len(stretches))]

    assert jackknife.pseudo_values(float(whole), without) == pytest.approx(stretches.mean(axis=1))


@given(st.floats(-5, 5), arrays.arrays(np.float64, 10, elements=st.floats(-5, 5)))
def test_the_mean_of_pseudo_values_is_the_statistic(whole: float, without: np.ndarray) -> None:
    assert jackknife.pseudo_values(whole, without).mean() == pytest.approx(whole, abs=1e-9)


def test_the_interval_of_a_mean_is_students() -> None:
    values = np.array([9.0, 10.0, 12.0, 13.0])
    half = t.ppf(0.975, 3) * values.std(ddof=1) / 2

    assert jackknife.mean_interval(values) == pytest.approx((11 - half, 11 + half))


@given(*[arrays.arrays(np.float64, 10, elements=st.floats(-5, 5), unique=True) for _ in "ab"])
def test_a_difference_has_welchs_interval(a: np.ndarray, b: np.ndarray) -> None:
    expected = ttest_ind(b, a, equal_var=False).confidence_interval(0.95)

    assert stats.difference(a, b) == pytest.approx((b.mean() - a.mean(), expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("correlation", "seconds"), [(0.0, 15), (0.9, 15), (0.98, 60)])
def test_intervals_of_a_rate_hold_it_as_often_as_they_say(correlation: float, seconds: int) -> None:
    """Pictures at 30 FPS whose durations are like those before, cut into stretches as of a live recording."""
    random, frames, held, trials = np.random.default_rng(7), 30 * seconds, 0, 600
    for _ in range(trials):
        steps = random.normal(0, math.sqrt(1 - correlation**2), frames + 300)
        noise = lfilter([1.0], [1.0, -correlation], steps)[300:]
        shown = np.cumsum((1 + 0.3 * noise).clip(0.05) / 30)
        stretch = np.minimum((shown / shown[-1] * STRETCHES).astype(int), STRETCHES - 1)
        left = (1 - 1 / STRETCHES) * shown[-1]
        rates = [math.log((frames - n) / left) for n in np.bincount(stretch, minlength=STRETCHES)]
        low, high = jackknife.mean_interval(jackknife.pseudo_values(math.log(frames / shown[-1]), rates))
        held += low <= math.log(30) <= high

    # 93 % of a nominal 95 %, less two standard errors of so many trials.
    assert held / trials >= 0.93 - 2 * math.sqrt(0.93 * 0.07 / trials)
