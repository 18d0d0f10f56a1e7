# SPDX-License-Identifier: Apache-2.0
"""What two masks or two probability maps have in common, held against closed forms and plain loops."""

from __future__ import annotations

import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness import metrics

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
masks = shapes.flatmap(lambda shape: arrays.arrays(bool, shape))
pairs_of_masks = shapes.flatmap(lambda shape: st.tuples(arrays.arrays(bool, shape), arrays.arrays(bool, shape)))
probabilities = st.floats(0, 1, width=32)
pairs_of_maps = shapes.flatmap(lambda shape: st.tuples(*[arrays.arrays(np.float32, shape, elements=probabilities)] * 2))


def pixels(mask: np.ndarray) -> set[tuple[int, int]]:
    return {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}


def erode(mask: np.ndarray) -> np.ndarray:
    """One erosion by the four-neighbour cross; a person goes on beyond the picture's border."""
    padded = np.pad(mask, 1, constant_values=True)
    height, width = mask.shape
    cross = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    return np.logical_and.reduce([padded[y : y + height, x : x + width] for y, x in cross])


# --- intersection over union ---------------------------------------------------------------------


@given(pairs_of_masks)
def test_iou_is_the_share_of_common_pixels(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = map(pixels, pair)
    assume(a | b)

    assert metrics.iou(*pair) == len(a & b) / len(a | b)


@given(pairs_of_masks)
def test_iou_is_symmetric(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert metrics.iou(*pair) == metrics.iou(*pair[::-1])


@given(masks)
def test_a_mask_agrees_with_itself(mask: np.ndarray) -> None:
    assert metrics.iou(mask, mask) == 1.0
    assert metrics.boundary_iou(mask, mask) == 1.0


def test_two_empty_masks_agree_and_an_empty_one_agrees_with_no_other() -> None:
    empty, person = np.zeros((3, 4), bool), np.eye(3, 4, dtype=bool)

    assert metrics.iou(empty, empty) == 1.0
    assert metrics.iou(empty, person) == 0.0
    assert metrics.boundary_iou(empty, empty) == 1.0
    assert metrics.boundary_iou(empty, person) == 0.0


# --- boundary ------------------------------------------------------------------------------------


@given(masks, st.integers(1, 5))
def test_the_band_is_what_iterated_erosion_takes_away(mask: np.ndarray, width: int) -> None:
    eroded = mask
    for _ in range(width):
        eroded = erode(eroded)

    np.testing.assert_array_equal(metrics.boundary_band(mask, width), mask & ~eroded)


@pytest.mark.parametrize(
    ("size", "width"),
    [
        ((1, 1), 1),
        ((30, 40), 1),  # diagonal 50: exactly 1
        ((42, 56), 1),  # diagonal 70: 1.4
        ((45, 60), 2),  # diagonal 75: 1.5 goes up
        ((300, 400), 10),
        ((1080, 1920), 44),  # diagonal 2202.9: 44.06
    ],
)
def test_the_band_is_two_percent_of_the_diagonal_wide(size: tuple[int, int], width: int) -> None:
    assert metrics.boundary_width(*size) == width


@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 2**32 - 1))
def test_boundary_iou_is_the_iou_of_the_two_bands(height: int, width: int, seed: int) -> None:
    a, b = (np.random.default_rng(seed + i).random((height, width)) < 0.95 for i in range(2))
    iterations = max(1, math.floor(0.02 * math.sqrt(height**2 + width**2) + 0.5))
    bands = []
    for mask in (a, b):
        eroded = mask
        for _ in range(iterations):
            eroded = erode(eroded)
        bands.append(pixels(mask & ~eroded))

    assert metrics.boundary_iou(a, b) == len(bands[0] & bands[1]) / len(bands[0] | bands[1])


def test_boundary_iou_notices_an_edge_that_iou_hardly_sees() -> None:
    # A square of 80 pixels in a picture of 100×100 (band of 3), and the same one pixel smaller all around.
    truth, mask = np.zeros((2, 100, 100), bool)
    truth[10:90, 10:90] = True
    mask[11:89, 11:89] = True

    assert metrics.iou(mask, truth) == 78**2 / 80**2
    common = 78**2 - 74**2  # rings 2 and 3 of the truth are rings 1 and 2 of the mask
    assert metrics.boundary_iou(mask, truth) == common / ((80**2 - 74**2) + (78**2 - 72**2) - common)


def test_the_pictures_border_is_no_outline() -> None:
    # A person from edge to edge but for the upper half: the outline is the one row where the person begins.
    mask = np.zeros((10, 12), bool)
    mask[5:] = True

    assert pixels(metrics.boundary_band(mask, 1)) == {(5, x) for x in range(12)}


def test_masks_without_any_outline_agree_only_where_they_are_the_same() -> None:
    nobody, filled = np.zeros((9, 9), bool), np.ones((9, 9), bool)

    assert metrics.boundary_iou(filled, filled) == 1.0
    assert metrics.boundary_iou(filled, nobody) == 0.0


# --- maps ----------------------------------------------------------------------------------------


@given(pairs_of_masks)
def test_pixel_accuracy_counts_the_pixels_that_agree(pair: tuple[np.ndarray, np.ndarray]) -> None:
    different = pixels(pair[0]) ^ pixels(pair[1])

    assert metrics.pixel_accuracy(*pair) == pytest.approx(1 - len(different) / pair[0].size, abs=1e-15)


@pytest.mark.parametrize(("error", "decibel"), [(1.0, 0.0), (0.1, 20.0), (0.01, 40.0), (1e-5, 100.0)])
def test_psnr_of_a_constant_error(error: float, decibel: float) -> None:
    assert metrics.psnr(np.full((3, 5), error)) == pytest.approx(decibel)
    assert metrics.psnr(np.full((3, 5), -error)) == pytest.approx(decibel)


def test_psnr_takes_the_mean_of_squares() -> None:
    assert metrics.psnr(np.array([0.3, 0.4, 0.0, 0.0])) == pytest.approx(-10 * math.log10(0.0625))


def test_psnr_of_no_error_is_infinite() -> None:
    assert metrics.psnr(np.zeros((2, 2))) == math.inf


@given(pairs_of_maps)
def test_cosine_is_symmetric_bounded_and_that_of_the_angle(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (np.round(m, 3) for m in pair)  # away from the underflow of squares
    assume(a.any() and b.any())
    x, y = a.ravel().tolist(), b.ravel().tolist()
    dot = math.fsum(p * q for p, q in zip(x, y, strict=True))

    cosine = metrics.cosine(a, b)

    assert cosine == metrics.cosine(b, a)
    assert -1e-12 <= cosine <= 1 + 1e-12
    assert cosine == pytest.approx(dot / math.hypot(*x) / math.hypot(*y), abs=1e-12)


def test_cosine_of_multiples_opposites_and_right_angles() -> None:
    a = np.array([3.0, 4.0], np.float32)

    assert metrics.cosine(a, 2 * a) == pytest.approx(1.0)
    assert metrics.cosine(a, -a) == pytest.approx(-1.0)
    assert metrics.cosine(a, np.array([-4.0, 3.0], np.float32)) == 0.0


def test_cosine_where_a_map_is_zero_everywhere() -> None:
    zero, one = np.zeros(3), np.ones(3)

    assert metrics.cosine(zero, zero) == 1.0
    assert metrics.cosine(zero, one) == 0.0


# --- flips ---------------------------------------------------------------------------------------


@given(pairs_of_maps, probabilities, st.floats(0, 0.5))
def test_flips_are_pixels_on_different_sides_and_the_margin_is_their_share_near_the_threshold(
    pair: tuple[np.ndarray, np.ndarray], threshold: float, tolerance: float
) -> None:
    values = list(zip(*(m.ravel().tolist() for m in pair), strict=True))
    flipped = [(p > threshold) != (r > threshold) for p, r in values]
    near = [abs(r - threshold) <= tolerance for (_, r), flip in zip(values, flipped, strict=True) if flip]

    where, margin = metrics.flips(*pair, threshold, tolerance)

    assert where.shape == pair[0].shape
    assert where.ravel().tolist() == flipped
    if near:
        assert margin == pytest.approx(sum(near) / len(near), abs=1e-15)
    else:
        assert math.isnan(margin)


def test_a_probability_at_the_threshold_is_background() -> None:
    where, margin = metrics.flips(np.array([[0.5, 0.75]]), np.array([[0.75, 0.5]]), threshold=0.5, tolerance=0.1)

    assert where.all()
    assert margin == 0.5  # the second pixel's reference lies at the threshold, the first one's does not


@pytest.mark.parametrize(
    "compare",
    [metrics.iou, metrics.boundary_iou, metrics.pixel_accuracy, metrics.cosine, lambda a, b: metrics.flips(a, b, 0, 0)],
)
def test_maps_of_different_shapes_are_refused(compare) -> None:
    # Shapes that NumPy would broadcast without a word.
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(1, 3\)"):
        compare(np.zeros((2, 3), bool), np.zeros((1, 3), bool))
