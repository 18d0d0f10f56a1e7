# SPDX-License-Identifier: Apache-2.0
"""The plots' geometry: everything lies inside, nothing is lost, outliers stay."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.report import plots

VALUES = st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e6)), min_size=1, max_size=50)


@given(VALUES, st.sampled_from([4, 40]))
def test_a_histogram_counts_every_value_and_stays_inside_the_plot(values: list[float], per_decade: int) -> None:
    histogram = plots.log_axis(values, per_decade).histogram(values)

    assert sum(bar.count for bar in histogram.bars) == len(values)
    assert all(bar.left >= 0 and bar.left + bar.width <= 100.01 and 0 < bar.height <= 100 for bar in histogram.bars)


@given(VALUES)
def test_a_value_lies_in_its_bar(values: list[float]) -> None:
    axis = plots.log_axis(values, 4)

    for value in values:
        (bar,) = axis.histogram([value]).bars
        assert bar.left - 0.01 <= axis.at(value) <= bar.left + bar.width + 0.01


@given(VALUES)
def test_ticks_of_a_logarithmic_axis_are_few_ordered_and_where_they_say(values: list[float]) -> None:
    axis = plots.log_axis(values, 4)
    ticks = plots.decade_ticks(axis)

    assert len(ticks) <= 8
    assert [tick.at for tick in ticks] == sorted(tick.at for tick in ticks)
    assert all(math.isclose(tick.at, axis.at(float(tick.label))) for tick in ticks)


@given(st.floats(1e-3, 1e6))
def test_ticks_of_a_linear_axis_start_at_zero_and_stay_inside(high: float) -> None:
    ticks = plots.linear_ticks(high)

    assert ticks[0] == plots.Tick(0.0, "0")
    assert 2 <= len(ticks) <= 6
    assert all(0 <= tick.at <= 100.01 for tick in ticks)


def test_thinning_a_series_keeps_its_outliers() -> None:
    seconds, milliseconds = np.arange(10_000.0), np.ones(10_000)
    milliseconds[7_777] = 50.0

    places = plots.points(seconds, milliseconds, 9_999.0, 50.0)

    assert len(places) <= 600
    assert min(top for _, top in places) == 0.0
