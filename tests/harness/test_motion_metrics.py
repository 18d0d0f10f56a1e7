# SPDX-License-Identifier: Apache-2.0
"""Flicker and lag against closed forms: a bar that moves, a mask that is late by a known time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness import metrics, motion_metrics

SEQUENCE = (4, 5, 6)


def bar(offsets: list[float], length: int = 200, width: int = 60) -> np.ndarray:
    """A bar whose left end lies at the given columns, one frame each: bool ``(frames, 1, length)``."""
    column = np.arange(length)
    return np.array([[(column >= offset) & (column < offset + width)] for offset in offsets])


class TestFlicker:
    @given(st.integers(0, 255))
    def test_is_nothing_for_a_constant_alpha(self, value: int) -> None:
        alpha = np.full(SEQUENCE, value, np.uint8)

        assert motion_metrics.flicker(alpha, np.ones(SEQUENCE, bool)) == 0

    @given(st.integers(0, 255), st.integers(0, 255))
    def test_is_the_difference_of_two_values_that_alternate(self, one: int, other: int) -> None:
        alpha = np.empty(SEQUENCE, np.uint8)
        alpha[0::2], alpha[1::2] = one, other

        assert motion_metrics.flicker(alpha, np.ones(SEQUENCE, bool)) == abs(one - other)

    @given(arrays.arrays(np.uint8, SEQUENCE), arrays.arrays(bool, SEQUENCE), arrays.arrays(np.uint8, SEQUENCE))
    def test_counts_only_steps_into_unchanged_pixels(self, alpha, unchanged, other) -> None:
        steps = np.abs(np.diff(alpha.astype(int), axis=0))[unchanged[1:]]
        expected = steps.mean() if steps.size else math.nan

        assert motion_metrics.flicker(alpha, unchanged) == pytest.approx(expected, nan_ok=True)


class TestLag:
    @given(st.integers(-motion_metrics.REACH, motion_metrics.REACH), st.integers(2, 5))
    def test_is_k_for_a_mask_that_is_k_frames_late(self, k: int, speed: int) -> None:
        frames = np.arange(24)

        assert motion_metrics.lag(bar(list(20 + (frames - k) * speed)), bar(list(20 + frames * speed))) == k

    @given(st.integers(-16, 16), st.integers(8, 16))
    def test_is_exact_to_a_tenth_of_a_frame_between_frames(self, late: int, speed: int) -> None:
        frames = np.arange(20)
        masks = bar([200 + f * speed - late for f in frames], 800, 300)

        measured = motion_metrics.lag(masks, bar([200 + f * speed for f in frames], 800, 300))

        assert measured == pytest.approx(late / speed, abs=0.1)

    @given(st.floats(0.1, 3))
    def test_does_not_depend_on_what_stands_still_beside_it(self, late: float) -> None:
        frames = np.arange(20)
        masks, truth = bar(list(20 + (frames - late) * 8.0)), bar(list(20 + frames * 8.0))
        beside = np.ones((20, 1, 50), bool)

        with_more = motion_metrics.lag(np.concatenate([masks, beside], 2), np.concatenate([truth, beside], 2))

        assert with_more == pytest.approx(motion_metrics.lag(masks, truth), abs=0.1)

    def test_is_none_where_the_truth_rests_but_for_a_moment(self) -> None:
        truth = bar([20.0] * 10 + [40.0] * 10)

        assert motion_metrics.lag(truth, truth) == 0

    @pytest.mark.parametrize("frames", [1, 10, 30])
    def test_is_not_known_where_the_truth_does_not_move_or_the_sequence_is_short(self, frames: int) -> None:
        still = bar([20.0] * frames)
        moving = bar([float(f) for f in range(min(frames, 2 * motion_metrics.REACH))])

        assert math.isnan(motion_metrics.lag(still, still))
        assert math.isnan(motion_metrics.lag(moving, moving))


@given(arrays.arrays(bool, SEQUENCE), arrays.arrays(bool, SEQUENCE))
def test_the_mean_iou_is_that_of_the_frames(masks: np.ndarray, truth: np.ndarray) -> None:
    expected = np.mean([metrics.iou(mask, true) for mask, true in zip(masks, truth, strict=True)])

    assert motion_metrics.mean_iou(masks, truth) == pytest.approx(expected)


def test_sequences_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="two sequences of one shape"):
        motion_metrics.flicker(np.zeros((2, 3, 4), np.uint8), np.ones((2, 4, 3), bool))
