# SPDX-License-Identifier: Apache-2.0
"""Small pictures of one case: thumbnail, masks, difference maps and the worst pixels, as ``data:`` URIs.

All in lossless WebP but the photograph, and at most 256 pixels a side. Knows arrays only: no runs, no page.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from harness.contract import quantise, resize

SIDE = 256
"""Longest side of a picture in pixels."""

_LOSSY, _LOSSLESS = 72, 101
_BACKDROP = 128.0
_STEPS = 1e-6 * 10.0 ** np.arange(6)
# Dark is equal; each decade of difference is one step brighter. RGB.
_COLOURS = np.array(
    [(16, 17, 24), (38, 25, 82), (89, 28, 128), (158, 47, 127), (226, 83, 98), (252, 146, 92), (253, 214, 140)],
    np.uint8,
)
_FLIPPED = np.array((70, 240, 230), np.uint8)


def legend() -> list[tuple[str, str]]:
    """The difference map's colours, darkest first: CSS colour and what it stands for."""
    labels = ["up to 1e-6", *(f"above 1e-{6 - step}" for step in range(len(_STEPS)))]
    return [(_css(colour), label) for colour, label in zip(_COLOURS, labels, strict=True)] + [
        (_css(_FLIPPED), "changes sides of the threshold")
    ]


def thumbnail(image: np.ndarray) -> str:
    """A photograph, uint8 RGB ``(H, W, 3)``, as a small lossy WebP."""
    return _encode(_shrink(image), _LOSSY)


def mask(plane: np.ndarray) -> str:
    """A mask or probability map ``(h, w)`` in [0, 1] in 32 shades of grey; no number is drawn as background."""
    # Fewer shades than 256 halve the file and cannot be told apart by eye.
    grey = _shrink(quantise(plane.astype(np.float32))).astype(np.uint16)
    return _encode(((grey * 31 + 127) // 255 * 255 // 31).astype(np.uint8), _LOSSLESS)


def cutout(image: np.ndarray, plane: np.ndarray) -> str:
    """The picture, uint8 RGB ``(H, W, 3)``, with everything outside the mask ``(h, w)`` in plain grey."""
    small = _shrink(image)
    alpha = resize(quantise(plane), small.shape[0], small.shape[1])[..., None].astype(np.float32) / 255
    return _encode((small * alpha + _BACKDROP * (1 - alpha) + 0.5).astype(np.uint8), _LOSSY)


def difference(plane: np.ndarray, reference: np.ndarray, threshold: float) -> str:
    """The map of ``|plane - reference|`` in decades; pixels that change sides of the threshold have their own colour.

    A pixel of a shrunk map shows the worst of those it stands for, so that a single wrong pixel stays visible.
    """
    step = np.searchsorted(_STEPS, _distance(plane, reference), side="left").astype(np.uint8)
    step[(plane > threshold) != (reference > threshold)] = len(_COLOURS)
    return _encode(np.vstack([_COLOURS, _FLIPPED])[_worst_of_blocks(step)], _LOSSLESS)


@dataclass(frozen=True)
class Pixel:
    """One pixel at the model's resolution, and what two runs say of it."""

    x: int
    y: int
    reference: float
    value: float


def worst_pixels(plane: np.ndarray, reference: np.ndarray, count: int = 5) -> list[Pixel]:
    """The pixels that differ most, worst first; a value that is no number is the worst of all."""
    distance = _distance(plane, reference).ravel()
    # Of equal pixels the first in reading order, on every machine.
    least = np.partition(distance, -count)[-count] if len(distance) > count else 0.0
    candidates = np.flatnonzero(distance >= least)
    order = candidates[np.argsort(-distance[candidates], kind="stable")][:count]
    places = [(int(i % plane.shape[1]), int(i // plane.shape[1])) for i in order if distance[i] > 0]
    return [Pixel(x, y, float(reference[y, x]), float(plane[y, x])) for x, y in places]


def _distance(plane: np.ndarray, reference: np.ndarray) -> np.ndarray:
    distance = np.abs(plane.astype(np.float64) - reference.astype(np.float64))
    return np.nan_to_num(distance, nan=np.inf, posinf=np.inf)


def _worst_of_blocks(step: np.ndarray) -> np.ndarray:
    size = -(-max(step.shape) // SIDE)
    rows, columns = (-(-side // size) for side in step.shape)
    padded = np.zeros((rows * size, columns * size), step.dtype)
    padded[: step.shape[0], : step.shape[1]] = step
    return padded.reshape(rows, size, columns, size).max(axis=(1, 3))


def _shrink(image: np.ndarray) -> np.ndarray:
    factor = SIDE / max(image.shape[:2])
    if factor >= 1:
        return image
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _encode(image: np.ndarray, quality: int) -> str:
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    _, data = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _css(colour: np.ndarray) -> str:
    return "#" + bytes(colour).hex()
