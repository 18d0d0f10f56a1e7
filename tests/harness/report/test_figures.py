# SPDX-License-Identifier: Apache-2.0
"""Figures for people: precise enough to act on, never prettier than the truth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import figures


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (figures.error, 0.0, "0"),
        (figures.error, 1.2345e-7, "1.2e-7"),
        (figures.error, 1e-6, "1e-6"),
        (figures.error, 0.03162, "0.032"),
        (figures.iou, 0.98765, "0.9877"),
        (figures.milliseconds, 8.123, "8.12"),
        (figures.milliseconds, 23.19, "23.2"),
        (figures.milliseconds, 245.3, "245"),
        (figures.megabytes, 4_821_000, "4.82"),
        (figures.megabytes, 169_000_000, "169"),
        (figures.share, 1.0, "100 %"),
        (figures.share, 0.135, "13.5 %"),
        (figures.count, 1412.0, "1,412"),
        (figures.difference, -0.124, "−0.1240"),
        (figures.exact, 1e-4, "0.0001"),
        (figures.exact, 3.24e-5, "3.24e-5"),
    ],
)
def test_a_figure_has_sensible_precision(write: object, value: float, text: str) -> None:
    assert write(value) == text  # type: ignore[operator]


@given(st.floats(0, 1, exclude_max=True))
def test_only_equal_masks_have_an_iou_of_one(value: float) -> None:
    assert figures.iou(value) not in ("1", "1.0000")


@given(st.floats(0, 1, exclude_min=True))
def test_only_no_error_at_all_is_written_as_zero(value: float) -> None:
    assert float(figures.error(value)) > 0


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_share_is_all_or_nothing_only_where_it_is(value: float) -> None:
    assert figures.share(value) not in ("0 %", "0.0 %", "100 %", "100.0 %")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_tolerance_is_written_so_that_it_reads_back_the_same(value: float) -> None:
    assert float(figures.exact(value)) == value


@pytest.mark.parametrize("name", [*figures.NAMES, "a metric of a later version"])
def test_a_figure_that_does_not_exist_is_written_as_such(name: str) -> None:
    assert figures.metric(name, None) == "n/a"
