# SPDX-License-Identifier: Apache-2.0
"""What is drawn behind a person: the blend exactly as defined, no halo, and masks that hold still."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rt_apps.rtpy.background import Background, blur, compose, cover, hide
from rt_apps.rtpy.segmenter import Smoother

PICTURES = arrays.arrays(np.uint8, (5, 7, 3))
ALPHAS = arrays.arrays(np.uint8, (5, 7))
FEATHER = 32


def feathered(alpha: int) -> int:
    """The ramp from 32 to 223, rounded half up."""
    stretched = floor(Fraction(255 * (alpha - FEATHER), 255 - 2 * FEATHER) + Fraction(1, 2))
    return min(max(stretched, 0), 255)


@given(PICTURES, ALPHAS, st.tuples(*[st.integers(0, 255)] * 3))
def test_a_composite_is_the_rounded_mean_of_frame_and_background(
    frame: np.ndarray, alpha: np.ndarray, colour: tuple[int, int, int]
) -> None:
    drawn = compose(frame, alpha, Background("colour", colour=colour))

    for y, x, channel in np.ndindex(frame.shape):
        a = feathered(int(alpha[y, x]))
        mean = Fraction(a * int(frame[y, x, channel]) + (255 - a) * colour[::-1][channel], 255)
        assert drawn[y, x, channel] == floor(mean + Fraction(1, 2))


@given(PICTURES, ALPHAS)
def test_no_background_leaves_the_frame_as_it_is(frame: np.ndarray, alpha: np.ndarray) -> None:
    np.testing.assert_array_equal(compose(frame, alpha, Background("none")), frame)


@pytest.mark.parametrize("kind", ["blur", "colour", "image"])
def test_hidden_is_what_it_looks_like_without_a_person(kind: str) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    background = Background(kind, image=np.full((10, 10, 3), 9, np.uint8))

    nobody = np.zeros((48, 64), np.uint8)
    np.testing.assert_array_equal(hide(frame, background), compose(frame, nobody, background))


@pytest.mark.parametrize("permille", [5, 25, 100])
def test_a_white_person_leaves_no_halo_on_black(permille: int) -> None:
    frame, alpha = np.zeros((180, 320, 3), np.uint8), np.zeros((180, 320), np.uint8)
    frame[40:, 120:200], alpha[40:, 120:200] = 255, 255

    drawn = compose(frame, alpha, Background("blur", blur=permille))

    assert drawn[alpha == 0].max() <= 2
    assert (drawn[alpha == 255] == 255).all()


@given(st.integers(1, 200), st.integers(0, 255))
def test_a_blur_keeps_an_even_picture_even(permille: int, value: int) -> None:
    frame = np.full((30, 40, 3), value, np.uint8)
    alpha = np.zeros((30, 40), np.uint8)
    alpha[10:20, 10:20] = 255

    blurred = blur(frame, alpha, permille)

    assert np.abs(blurred.astype(int) - value).max() <= 1


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_a_picture_covers_the_frame_around_its_centre(height: int, width: int, h: int, w: int) -> None:
    image = np.full((h, w, 3), 7, np.uint8)

    assert cover(image, height, width).shape == (height, width, 3)
    assert (cover(image, height, width) == 7).all()


def test_a_wide_picture_loses_its_sides_evenly() -> None:
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255

    assert (cover(image, 10, 10) == 255).all()


# --- steadier over time --------------------------------------------------------------------------


@given(arrays.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)))
def test_a_first_mask_and_one_that_does_not_change_stay_as_they_are(probability: np.ndarray) -> None:
    smoother = Smoother()

    for _ in range(3):
        np.testing.assert_allclose(smoother(probability), probability, atol=1e-6)


def test_what_the_network_is_sure_of_is_taken_at_once() -> None:
    smoother = Smoother()
    smoother(np.zeros((1, 1), np.float32))

    assert smoother(np.ones((1, 1), np.float32)) == 1.0


def test_what_it_doubts_flickers_less() -> None:
    rng = np.random.default_rng(2)
    doubtful = [np.clip(0.5 + 0.1 * rng.standard_normal((50, 50)), 0, 1).astype(np.float32) for _ in range(20)]
    smoother = Smoother()

    smoothed = [smoother(p).copy() for p in doubtful]

    def flicker(masks: list[np.ndarray]) -> float:
        return float(np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(masks[5:])]))

    assert flicker(smoothed) < flicker(doubtful) / 3


def test_another_size_starts_anew() -> None:
    smoother = Smoother()
    smoother(np.zeros((1, 1), np.float32))

    np.testing.assert_array_equal(smoother(np.full((2, 2), 0.5, np.float32)), np.full((2, 2), 0.5, np.float32))
