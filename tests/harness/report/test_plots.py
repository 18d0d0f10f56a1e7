# SPDX-License-Identifier: Apache-2.0
"""The plots' geometry: everything lies inside, nothing is lost, outliers stay."""

from __future__ import annotations

import itertools
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


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=20))
def test_fine_ticks_are_several_ordered_and_where_they_say(values: list[float]) -> None:
    axis = plots.log_axis(values, 200)
    ticks = plots.fine_ticks(axis)

    assert len(ticks) <= 8
    assert [tick.at for tick in ticks] == sorted({tick.at for tick in ticks})
    assert all(0 <= tick.at <= 100 and math.isclose(tick.at, axis.at(float(tick.label)), abs_tol=0.1) for tick in ticks)


def test_an_axis_from_just_below_to_just_above_one_has_ticks() -> None:
    labels = [tick.label for tick in plots.fine_ticks(plots.log_axis([0.97, 1.03], 200))]

    assert {"0.98", "1", "1.02"} <= set(labels)


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=50))
def test_a_distribution_climbs_from_nothing_to_all_in_steps(values: list[float]) -> None:
    ordered, axis = np.sort(values), plots.log_axis(values, 200)
    corners = plots.steps(axis, ordered, np.arange(1, len(values) + 1) / len(values))

    assert (corners[0][1], corners[-1][1]) == (100.0, 0.0)
    assert all(before[0] <= after[0] and before[1] >= after[1] for before, after in itertools.pairwise(corners))
    # Each step stands at its value: a vertical line, then a horizontal one.
    assert all(up[0] == foot[0] for foot, up in zip(corners[::2], corners[1::2], strict=True))


POINTS = st.lists(
    st.tuples(st.sampled_from([1.0, 2.0, 3.0, 4.0]), st.sampled_from([0.5, 0.6, 0.7])), min_size=1, max_size=12
)


@given(POINTS)
def test_the_front_holds_whatever_no_other_beats(points: list[tuple[float, float]]) -> None:
    def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
        return a[0] <= b[0] and a[1] >= b[1] and a != b

    best = plots.front([cost for cost, _ in points], [gain for _, gain in points])

    assert set(best) == {k for k, point in enumerate(points) if not any(beats(other, point) for other in points)}
    assert [points[k][0] for k in best] == sorted(points[k][0] for k in best)


@given(POINTS)
def test_no_two_numbers_of_a_scatter_lie_on_each_other(points: list[tuple[float, float]]) -> None:
    costs, gains = [cost for cost, _ in points], [gain for _, gain in points]
    drawn = plots.scatter(costs, gains, plots.front(costs, gains), [""] * len(points))

    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in [*drawn.points, *drawn.front])
    assert sorted(", ".join(text for *_, text in drawn.numbers).split(", "), key=int) == [
        str(number) for number in range(1, len(points) + 1)
    ]
    for (x1, y1, _), (x2, y2, _) in itertools.combinations(drawn.numbers, 2):
        assert abs(x1 - x2) >= 4 or abs(y1 - y2) >= 8.9


def test_points_on_one_place_share_a_number() -> None:
    costs, gains = [1.0, 1.001, 4.0], [0.8, 0.8, 0.9]

    drawn = plots.scatter(costs, gains, plots.front(costs, gains), [""] * 3)

    assert [(x, y, text) for (x, y), text in zip((drawn.points[0], drawn.points[2]), ("1, 2", "3"), strict=True)] == (
        drawn.numbers
    )
