# SPDX-License-Identifier: Apache-2.0
"""Frames as cameras deliver them: every pixel format to upright RGB, from where ``harness.contract`` takes over.

This module is the reference definition that every runtime is tested against, like the contract, and imports
nothing but NumPy. It knows no camera and no file: a frame is an array. All arithmetic is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PACKED_FORMATS = {"rgb": (0, 1, 2), "bgr": (2, 1, 0), "rgba": (0, 1, 2), "bgra": (2, 1, 0)}
"""Where red, green and blue lie in a pixel of each packed format; a fourth byte means nothing."""

ROTATIONS = (0, 90, 180, 270)


class YuvMatrix(NamedTuple):
    """How luma and chroma stand for colours, in units of 2⁻¹³.

    With y = luma − black, u = Cb − 128 and v = Cr − 128, before the division by 2¹³:
    red = luma · y + red_cr · v, green = luma · y + green_cb · u + green_cr · v, blue = luma · y + blue_cb · u.
    """

    black: int
    luma: int
    red_cr: int
    green_cb: int
    green_cr: int
    blue_cb: int


YUV_SHIFT = 13
"""The coefficients fit 16 bits with sign, and so do the values they are multiplied by: fast on every processor."""

YUV_MATRICES = {
    "bt601-limited": YuvMatrix(16, 9539, 13075, -3209, -6660, 16525),
    "bt601-full": YuvMatrix(0, 8192, 11485, -2819, -5850, 14516),
    "bt709-limited": YuvMatrix(16, 9539, 14686, -1747, -4366, 17305),
    "bt709-full": YuvMatrix(0, 8192, 12901, -1535, -3835, 15201),
}
"""ITU-R BT.601 and BT.709; luma from 16 to 235 and chroma from 16 to 240 (limited), or both from 0 to 255 (full)."""


def packed_to_rgb(frame: np.ndarray, pixel_format: str) -> np.ndarray:
    """RGB uint8 ``(H, W, 3)`` of a frame uint8 ``(H, W, 3 or 4)`` in one of :data:`PACKED_FORMATS`."""
    channels = len(pixel_format)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != channels:
        raise ValueError(f"expected 8-bit {pixel_format} (H, W, {channels}), got {frame.dtype} {frame.shape}")
    return np.ascontiguousarray(frame[..., PACKED_FORMATS[pixel_format]])


def nv12_to_rgb(luma: np.ndarray, chroma: np.ndarray, matrix: str) -> np.ndarray:
    """RGB of an NV12 frame. A pair of chroma counts for its whole block of 2x2 pixels; one rounding, half up.

    Args:
        luma: uint8 ``(H, W)``.
        chroma: uint8 ``(⌈H/2⌉, ⌈W/2⌉, 2)``, Cb and Cr.
        matrix: one of :data:`YUV_MATRICES`.

    Returns:
        uint8 ``(H, W, 3)``; what lies outside of 0 … 255 is clipped.
    """
    height, width = luma.shape
    if chroma.shape != ((height + 1) // 2, (width + 1) // 2, 2) or {luma.dtype, chroma.dtype} != {np.dtype(np.uint8)}:
        raise ValueError(
            f"8-bit chroma of {height} x {width} luma has the shape "
            f"{((height + 1) // 2, (width + 1) // 2, 2)}, got {chroma.dtype} {chroma.shape}"
        )
    m = YUV_MATRICES[matrix]
    pairs = chroma.repeat(2, axis=0).repeat(2, axis=1)[:height, :width].astype(np.int32) - 128
    u, v = pairs[..., 0], pairs[..., 1]
    grey = (luma.astype(np.int32) - m.black) * m.luma
    colours = [grey + m.red_cr * v, grey + m.green_cb * u + m.green_cr * v, grey + m.blue_cb * u]
    rounded = (np.stack(colours, axis=-1) + (1 << (YUV_SHIFT - 1))) >> YUV_SHIFT
    return np.clip(rounded, 0, 255).astype(np.uint8)


def turn_upright(image: np.ndarray, rotation: int = 0, mirrored: bool = False) -> np.ndarray:
    """Turn a picture ``(H, W, …)`` clockwise by ``rotation`` degrees, then flip it left to right if ``mirrored``."""
    if rotation not in ROTATIONS:
        raise ValueError(f"rotation is {rotation}, allowed: 0, 90, 180, 270")
    turned = np.rot90(image, -rotation // 90)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def turn_back(image: np.ndarray, rotation: int = 0, mirrored: bool = False) -> np.ndarray:
    """Undo :func:`turn_upright`: from an upright mask to one that lies as the frame was stored."""
    if mirrored:  # a turn and a flip, twice, is where one began
        return turn_upright(image, rotation, mirrored)
    return turn_upright(image, (360 - rotation) % 360)
