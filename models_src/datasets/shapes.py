# SPDX-License-Identifier: Apache-2.0
"""Shapes that annotation files describe, drawn as masks: polygons, and the run lengths of COCO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

_FINER = 8  # a polygon is drawn so many times finer, and a pixel is the share of it that is covered


def polygon(outline: Any, holes: Sequence[Any], height: int, width: int) -> np.ndarray:
    """A filled polygon, a pixel being the share of it that is inside.

    Args:
        outline: corners ``[[x, y], …]``, three at least; pixel (0, 0) is the square from (0, 0) to (1, 1). What is
            outside the picture is cut off.
        holes: outlines that are left out of it.
        height, width: of the mask.

    Returns:
        ``(H, W)`` uint8.

    Raises:
        ValueError: an outline is no list of at least three pairs of finite numbers.
    """
    rings = [_corners(ring) for ring in (outline, *holes)]
    (left, top), (right, bottom) = np.floor(rings[0].min(axis=0)), np.ceil(rings[0].max(axis=0))
    x0, y0 = max(0, int(min(left, width))), max(0, int(min(top, height)))
    x1, y1 = min(width, int(max(right, 0))), min(height, int(max(bottom, 0)))
    mask = np.zeros((height, width), np.uint8)
    if x1 <= x0 or y1 <= y0:
        return mask
    fine = np.zeros(((y1 - y0) * _FINER, (x1 - x0) * _FINER), np.uint8)
    # OpenCV's pixel centres are whole numbers, and it draws the outline too: half a fine pixel in each direction.
    points = [np.round((ring - (x0, y0)) * _FINER - 0.5).clip(-(2**20), 2**20).astype(np.int32) for ring in rings]
    cv2.fillPoly(fine, points[:1], 255)
    for hole in points[1:]:
        cv2.fillPoly(fine, [hole], 0)
    mask[y0:y1, x0:x1] = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return mask


def _corners(ring: Any) -> np.ndarray:
    try:
        corners = np.asarray(ring, np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 3 or not np.isfinite(corners).all():
        raise ValueError("a polygon is a list of at least three pairs of numbers")
    return corners


def run_lengths(counts: Any, height: int, width: int) -> np.ndarray:
    """A mask of COCO's run lengths: of zeros and ones in turn, column by column.

    Args:
        counts: the lengths, or the text that they are packed into: five bits a character from ``0`` on, the lowest
            first, the sixth bit saying that more follow; from the fourth on each is the difference from the one before
            the last (``rleFrString`` in cocodataset/cocoapi).
        height, width: of the mask.

    Returns:
        ``(H, W)`` uint8, 0 or 255.

    Raises:
        ValueError: they are not of such a mask.
    """
    if isinstance(counts, str):
        counts = _unpacked(counts)
    if not isinstance(counts, list) or not all(isinstance(n, int) and n >= 0 for n in counts):
        raise ValueError("run lengths are whole numbers, 0 or above")
    if sum(counts) != height * width:
        raise ValueError(f"the run lengths are of {sum(counts)} pixels, the picture has {height * width}")
    values = np.arange(len(counts)) % 2 * 255
    return np.repeat(values.astype(np.uint8), counts).reshape(width, height).T.copy()


def _unpacked(text: str) -> list[int]:
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise ValueError(f"{character!r} is no part of packed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value, shift = 0, 0
    if shift:
        raise ValueError("the packed run lengths are cut off")
    return counts
