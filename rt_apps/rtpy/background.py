# SPDX-License-Identifier: Apache-2.0
"""What is drawn behind a person: nothing new, a blur, a colour or a picture. Knows pictures and alpha only.

Pictures are 8-bit BGR ``(H, W, 3)``, alpha is 8-bit ``(H, W)``, 255 where the person is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

BACKGROUNDS = ("none", "blur", "colour", "image")

_FEATHER = 32
"""Alpha below is background, above 255 − this is person; the rest is stretched between."""

_SMALL_SIGMA = 4.0
"""Standard deviation in pixels to which a blur is reduced: a smaller picture is blurred faster and looks the same."""

_UNSEEN = 1.0
"""Weight out of 255 of the picture itself where no background is within the blur's reach."""


@dataclass(frozen=True)
class Background:
    """A choice of background.

    Attributes:
        kind: one of :data:`BACKGROUNDS`.
        blur: standard deviation of the blur in thousandths of the picture's longer side.
        colour: red, green, blue.
        image: the picture for ``image``, 8-bit BGR; it is scaled to cover the frame and cut around its centre.
    """

    kind: str = "blur"
    blur: int = 25
    colour: tuple[int, int, int] = (0, 120, 60)
    image: np.ndarray | None = None


def compose(frame: np.ndarray, alpha: np.ndarray, background: Background) -> np.ndarray:
    """The person over a background: ``round((a·frame + (255 − a)·background) / 255)`` with the feathered alpha."""
    if background.kind == "none":
        return frame
    a = _RAMP[alpha][..., None].astype(np.uint16)
    return ((a * frame + (255 - a) * _behind(frame, alpha, background) + 127) // 255).astype(np.uint8)


def hide(frame: np.ndarray, background: Background) -> np.ndarray:
    """The frame as if nobody were in it: what is shown while there is no valid mask."""
    return frame if background.kind == "none" else _behind(frame, np.zeros(frame.shape[:2], np.uint8), background)


def _behind(frame: np.ndarray, alpha: np.ndarray, background: Background) -> np.ndarray:
    if background.kind == "blur":
        return blur(frame, alpha, background.blur)
    if background.kind == "image" and background.image is not None:
        return cover(background.image, frame.shape[0], frame.shape[1])
    return np.full_like(frame, background.colour[::-1])


def blur(frame: np.ndarray, alpha: np.ndarray, permille: int) -> np.ndarray:
    """The frame blurred with its pixels weighted by ``255 − alpha``: the person's colours do not bleed outwards."""
    height, width = alpha.shape
    sigma = permille / 1000 * max(height, width)
    factor = max(1.0, sigma / _SMALL_SIGMA)
    size = max(1, round(width / factor)), max(1, round(height / factor))
    weight = 255 - alpha
    # Weighted before it is made smaller, or a small pixel on the outline would hold the person's colour.
    weighted = cv2.multiply(frame, cv2.merge([weight] * 3), scale=1 / 255)
    small = (cv2.resize(p, size, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (weighted, weight, frame))
    sums, weights, whole = (cv2.GaussianBlur(plane, (0, 0), sigma / factor) for plane in small)
    blurred = (255 * sums + _UNSEEN * whole) / (weights + _UNSEEN)[..., None]
    return cv2.resize(np.clip(blurred + 0.5, 0, 255).astype(np.uint8), (width, height))


def cover(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture scaled to cover ``(height, width)`` and cut around its centre."""
    scale = max(height / image.shape[0], width / image.shape[1])
    size = max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale))
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    return scaled[top : top + height, left : left + width]


def _ramp() -> np.ndarray:
    span = 255 - 2 * _FEATHER
    stretched = (2 * 255 * (np.arange(256) - _FEATHER) + span) // (2 * span)
    return np.clip(stretched, 0, 255).astype(np.uint8)


_RAMP = _ramp()
