# SPDX-License-Identifier: Apache-2.0
"""Camera frames to upright RGB, held against the standards' own formulas in exact fractions."""

from __future__ import annotations

import itertools
from fractions import Fraction

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import contract as contracts
from harness import frames

sides = st.integers(1, 9)
orientations = st.tuples(st.sampled_from(frames.ROTATIONS), st.booleans())


def pictures(channels: int) -> st.SearchStrategy[np.ndarray]:
    return st.tuples(sides, sides).flatmap(lambda size: arrays.arrays(np.uint8, (*size, channels)))


def exact_rgb(matrix: str, luma: int, cb: int, cr: int) -> list[Fraction]:
    """Red, green and blue by the definition of BT.601 and BT.709, without rounding and clipping."""
    red, blue = {"bt601": ("0.299", "0.114"), "bt709": ("0.2126", "0.0722")}[matrix.partition("-")[0]]
    kr, kb = Fraction(red), Fraction(blue)
    limited = matrix.endswith("limited")
    y = Fraction(luma - 16, 219) if limited else Fraction(luma, 255)
    pb, pr = (Fraction(value - 128, 224 if limited else 255) for value in (cb, cr))
    r, b = y + 2 * (1 - kr) * pr, y + 2 * (1 - kb) * pb
    return [255 * value for value in (r, (y - kr * r - kb * b) / (1 - kr - kb), b)]


@pytest.mark.parametrize("name", frames.YUV_MATRICES)
def test_a_coefficient_is_the_standards_rounded_to_13_bits(name: str) -> None:
    matrix = frames.YUV_MATRICES[name]
    black = exact_rgb(name, matrix.black, 128, 128)
    luma = exact_rgb(name, matrix.black + 1, 128, 128)
    cb, cr = exact_rgb(name, matrix.black, 129, 128), exact_rgb(name, matrix.black, 128, 129)

    assert black == [0, 0, 0]
    exact = (luma[0], cr[0], cb[1], cr[1], cb[2])
    assert tuple(matrix[1:]) == tuple(round(value * 2**frames.YUV_SHIFT) for value in exact)


@pytest.mark.parametrize("name", frames.YUV_MATRICES)
def test_a_colour_is_the_standards_to_within_one_step(name: str) -> None:
    values = [0, 1, 15, 16, 60, 127, 128, 129, 200, 235, 240, 254, 255]
    for luma, cb, cr in itertools.product(values, repeat=3):
        rgb = frames.nv12_to_rgb(np.full((1, 1), luma, np.uint8), np.array([[[cb, cr]]], np.uint8), name)[0, 0]
        for got, exact in zip(rgb.tolist(), exact_rgb(name, luma, cb, cr), strict=True):
            assert abs(got - min(max(exact, Fraction(0)), Fraction(255))) < Fraction(53, 100)


@pytest.mark.parametrize("name", frames.YUV_MATRICES)
def test_grey_stays_grey_from_black_to_white(name: str) -> None:
    lumas = np.arange(256, dtype=np.uint8)[None]
    rgb = frames.nv12_to_rgb(lumas, np.full((1, 128, 2), 128, np.uint8), name)[0]

    assert (rgb == rgb[:, :1]).all()
    black, white = (16, 235) if name.endswith("limited") else (0, 255)
    assert rgb[black, 0] == 0 and rgb[white, 0] == 255


@given(sides, sides, st.data())
def test_a_pair_of_chroma_colours_its_block_of_four_pixels(height: int, width: int, data: st.DataObject) -> None:
    luma = data.draw(arrays.arrays(np.uint8, (height, width)))
    chroma = data.draw(arrays.arrays(np.uint8, ((height + 1) // 2, (width + 1) // 2, 2)))

    rgb = frames.nv12_to_rgb(luma, chroma, "bt709-full")

    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    alone = frames.nv12_to_rgb(luma[y : y + 1, x : x + 1], chroma[y // 2, x // 2][None, None], "bt709-full")
    np.testing.assert_array_equal(rgb[y, x], alone[0, 0])


def test_chroma_that_does_not_fit_the_luma_is_refused() -> None:
    with pytest.raises(ValueError, match=r"chroma of 3 x 5 luma has the shape \(2, 3, 2\), got uint8 \(1, 3, 2\)"):
        frames.nv12_to_rgb(np.zeros((3, 5), np.uint8), np.zeros((1, 3, 2), np.uint8), "bt601-full")


@pytest.mark.parametrize(("pixel_format", "pixel"), [("rgb", (1, 2, 3)), ("bgr", (3, 2, 1)), ("rgba", (1, 2, 3, 9))])
def test_packed_pixels_become_red_green_blue(pixel_format: str, pixel: tuple[int, ...]) -> None:
    frame = np.array([[pixel]], np.uint8)

    assert frames.packed_to_rgb(frame, pixel_format).tolist() == [[[1, 2, 3]]]
    with pytest.raises(ValueError, match="expected 8-bit bgra"):
        frames.packed_to_rgb(np.zeros((1, 1, 3), np.uint8), "bgra")


def test_a_quarter_turn_is_clockwise_and_mirroring_comes_after_it() -> None:
    stored = np.array([[1, 2, 3], [4, 5, 6]])

    assert frames.turn_upright(stored, 90).tolist() == [[4, 1], [5, 2], [6, 3]]
    assert frames.turn_upright(stored, 90, mirrored=True).tolist() == [[1, 4], [2, 5], [3, 6]]
    with pytest.raises(ValueError, match="rotation is 45"):
        frames.turn_upright(stored, 45)


@given(pictures(3), orientations)
def test_turning_back_undoes_turning_upright(picture: np.ndarray, orientation: tuple[int, bool]) -> None:
    back = frames.turn_back(frames.turn_upright(picture, *orientation), *orientation)

    np.testing.assert_array_equal(back, picture)


@given(pictures(1), orientations, sides, sides)
def test_resizing_and_turning_may_change_places(
    picture: np.ndarray, orientation: tuple[int, bool], height: int, width: int
) -> None:
    turned_first = contracts.resize(frames.turn_upright(picture, *orientation), height, width)
    stored = (width, height) if orientation[0] % 180 else (height, width)

    resized_first = frames.turn_upright(contracts.resize(picture, *stored), *orientation)

    np.testing.assert_array_equal(resized_first, turned_first)
