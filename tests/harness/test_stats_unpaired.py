# SPDX-License-Identifier: Apache-2.0
"""How many times as long B takes as A where the two were timed apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import ttest_ind

from harness import stats

starts = st.lists(arrays.arrays(np.float64, st.integers(1, 9), elements=st.floats(1e6, 3e6)), min_size=2, max_size=5)


def unpaired(a: list[np.ndarray], b: list[np.ndarray], **options: int) -> stats.Effect:
    found = stats.unpaired(a, b, **{"resamples": 60, **options})
    assert found is not None
    return found


def test_the_interval_is_welchs_where_blocks_of_a_start_are_alike() -> None:
    random = np.random.default_rng(0)
    logs = [random.normal(0, 0.01, 4), random.normal(0.05, 0.04, 6)]
    a, b = ([np.exp(np.full(8, centre)) for centre in side] for side in logs)
    expected = ttest_ind(logs[1], logs[0], equal_var=False)

    found = unpaired(a, b)

    interval = expected.confidence_interval()
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.restarts, found.pairs) == (10, 0)


def test_starts_that_agree_by_luck_promise_no_more_than_their_blocks_can_hold() -> None:
    blocks = np.exp(np.random.default_rng(1).normal(0, 0.05, 30))

    found = unpaired([blocks] * 5, [blocks] * 5)

    assert found.restart_error == pytest.approx(0, abs=1e-12)
    assert found.low < 0.995
    assert found.high > 1.005


@given(starts, starts)
def test_the_other_way_round_is_the_inverse(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    there, back = unpaired(a, b, resamples=20), unpaired(b, a, resamples=20)

    assert there.low <= there.estimate <= there.high
    assert there.estimate * back.estimate == pytest.approx(1)
    assert there.restart_error == pytest.approx(back.restart_error)


@given(starts, st.floats(0.2, 5))
def test_a_unit_means_nothing_and_a_slowdown_is_its_factor(a: list[np.ndarray], factor: float) -> None:
    slower = [factor * x for x in a]

    assert unpaired(a, slower, resamples=20).estimate == pytest.approx(factor)
    assert unpaired(slower, slower, resamples=20).high == pytest.approx(unpaired(a, a, resamples=20).high)


def test_one_start_says_nothing_of_the_next() -> None:
    blocks = [np.ones(5)]

    assert stats.unpaired(blocks, blocks * 3) is None
    assert stats.unpaired([*blocks, np.empty(0)], blocks * 3) is None


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_a_time_is_a_finite_number_above_0(wrong: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        stats.unpaired([np.array([1.0, wrong])] * 2, [np.ones(2)] * 2)


@pytest.mark.parametrize("spread", [0.0, 0.02], ids=["starts alike", "starts differ"])
def test_intervals_cover_also_where_blocks_are_correlated_and_sides_unlike(spread: float) -> None:
    """By simulation: starts differ, twice as much on one side; neighbouring blocks are alike (AR 0.6)."""
    random, covered, runs = np.random.default_rng(2), 0, 700

    def start(sd: float) -> np.ndarray:
        noise = random.normal(0, 0.02, 24)
        for k in range(1, len(noise)):
            noise[k] = 0.6 * noise[k - 1] + 0.8 * noise[k]
        return np.exp(noise + random.normal(0, sd))

    for _ in range(runs):
        found = unpaired([start(spread) for _ in range(5)], [1.07 * start(2 * spread) for _ in range(5)])
        covered += found.low <= 1.07 <= found.high

    assert covered / runs >= 0.93
