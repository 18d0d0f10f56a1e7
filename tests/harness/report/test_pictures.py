# SPDX-License-Identifier: Apache-2.0
"""The small pictures: what they show, at what size, and what they never hide."""

from __future__ import annotations

import base64

import cv2
import numpy as np

from harness.report import pictures


def decoded(uri: str) -> np.ndarray:
    """RGB or grey pixels of a ``data:`` URI."""
    kind, data = uri.split(",", 1)
    assert kind == "data:image/webp;base64"
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def colours(picture: np.ndarray) -> set[str]:
    return {"#" + bytes(pixel).hex() for pixel in picture.reshape(-1, 3)}


def test_equal_masks_make_a_dark_map() -> None:
    plane = np.full((20, 30), 0.25, np.float32)

    shown = decoded(pictures.difference(plane, plane, 0.5))

    assert shown.shape == (20, 30, 3)
    assert colours(shown) == {pictures.legend()[0][0]}


def test_each_decade_of_difference_has_the_colour_of_its_legend() -> None:
    legend = {label: colour for colour, label in pictures.legend()}
    for exponent in range(-6, 0):
        reference = np.zeros((8, 8), np.float64)
        plane = reference + 3 * 10.0**exponent

        assert colours(decoded(pictures.difference(plane, reference, 0.9))) == {legend[f"above 1e{exponent}"]}


def test_a_single_flipped_pixel_stays_visible_in_a_shrunk_map() -> None:
    reference = np.zeros((1000, 700), np.float32)
    plane = reference.copy()
    plane[501, 333] = 1.0

    shown = decoded(pictures.difference(plane, reference, 0.5))

    assert max(shown.shape) <= pictures.SIDE
    assert np.count_nonzero((shown != shown[0, 0]).any(axis=2)) == 1
    assert colours(shown) == {pictures.legend()[0][0], pictures.legend()[-1][0]}


def test_a_value_that_is_no_number_is_drawn_as_the_largest_difference_and_listed_first() -> None:
    reference = np.full((8, 8), 0.2, np.float32)
    plane = reference.copy()
    plane[1, 2], plane[3, 4] = 0.3, np.nan

    assert pictures.legend()[-2][0] in colours(decoded(pictures.difference(plane, reference, 0.5)))
    worst = pictures.worst_pixels(plane, reference)
    assert [(pixel.x, pixel.y) for pixel in worst] == [(4, 3), (2, 1)]


def test_worst_pixels_come_with_both_values_and_only_where_they_differ() -> None:
    reference = np.zeros((4, 5), np.float32)
    plane = reference.copy()
    plane[2, 1], plane[0, 4] = 0.5, 0.25

    worst = pictures.worst_pixels(plane, reference)

    assert worst == [pictures.Pixel(1, 2, 0.0, 0.5), pictures.Pixel(4, 0, 0.0, 0.25)]


def test_a_mask_keeps_its_shape_and_its_extremes() -> None:
    plane = np.linspace(0, 1, 12 * 16, dtype=np.float32).reshape(12, 16)

    shown = decoded(pictures.mask(plane))

    assert shown.shape == (12, 16, 3)
    assert shown[0, 0, 0] == 0
    assert shown[-1, -1, 0] == 255
    assert np.abs(shown[..., 0] / 255 - plane).max() < 1 / 31


def test_a_cutout_shows_the_person_and_nothing_of_the_background() -> None:
    image = np.full((64, 48, 3), (250, 40, 40), np.uint8)
    plane = np.zeros((32, 32), np.float32)
    plane[:, 16:] = 1.0

    shown = decoded(pictures.cutout(image, plane)).astype(int)

    assert np.abs(shown[:, :16] - 128).max() < 12
    assert np.abs(shown[:, 32:] - (250, 40, 40)).max() < 24
