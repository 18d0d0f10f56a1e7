# SPDX-License-Identifier: Apache-2.0
"""What two masks or two probability maps have in common. Pure functions; no models, files or clocks.

Masks are boolean ``(H, W)`` arrays, True where the person is; probabilities are float arrays in [0, 1].
"""

from __future__ import annotations

import math

import cv2
import numpy as np


def iou(mask: np.ndarray, reference: np.ndarray) -> float:
    """Intersection over union in [0, 1]; 1.0 where both masks are empty (they agree)."""
    _same_shape(mask, reference)
    union = np.count_nonzero(mask | reference)
    return np.count_nonzero(mask & reference) / union if union else 1.0


def boundary_band(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask within ``width`` pixels of its edge, inside it.

    That is the mask less what is left of it after ``width`` erosions by the four-neighbour cross. The picture's
    border is no edge: a person who is cut off there has no outline, and two masks would agree on it for nothing.
    """
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L1, 3)
    return mask & (distance <= width)


def boundary_width(height: int, width: int) -> int:
    """Width of the band in pixels: 2 % of the picture's diagonal, at least 1."""
    return max(1, math.floor(0.02 * math.hypot(height, width) + 0.5))


def boundary_iou(mask: np.ndarray, reference: np.ndarray) -> float:
    """IoU of the two masks' inner bands, as wide as :func:`boundary_width` says.

    Where neither has an outline, each is all person or all background: 1.0 if it is the same, else 0.0.

    After Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021, but for
    the shape of the band and the border: see :func:`boundary_band`.
    """
    _same_shape(mask, reference)
    width = boundary_width(*mask.shape)
    bands = boundary_band(mask, width), boundary_band(reference, width)
    if not bands[0].any() and not bands[1].any():
        return iou(mask, reference)
    return iou(*bands)


def pixel_accuracy(mask: np.ndarray, reference: np.ndarray) -> float:
    """Share of pixels on which the masks agree, in [0, 1]."""
    _same_shape(mask, reference)
    return float(np.mean(mask == reference))


def psnr(error: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 1, from the differences; infinity where there are none."""
    mse = float(np.mean(np.square(error, dtype=np.float64)))
    return -10.0 * math.log10(mse) if mse > 0 else math.inf


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine similarity of two arrays; 1.0 where both are zero everywhere, 0.0 where one is."""
    _same_shape(a, b)
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    norm = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    return float(x @ y) / norm if norm else float(not x.any() and not y.any())


def flips(
    probability: np.ndarray, reference: np.ndarray, threshold: float, tolerance: float
) -> tuple[np.ndarray, float]:
    """Pixels that change sides of the threshold, and how many of them a tolerated tensor error explains.

    Args:
        probability, reference: probability maps of one shape.
        threshold: a pixel is person where its probability is greater.
        tolerance: the largest tensor error that is still accepted.

    Returns:
        The boolean map of flipped pixels, and the *flip margin*: the share of flipped pixels whose reference
        probability lies within ``tolerance`` of the threshold. 1.0 is threshold jitter, near 0 a real defect;
        NaN where nothing flipped.
    """
    _same_shape(probability, reference)
    flipped = (probability > threshold) != (reference > threshold)
    if not flipped.any():
        return flipped, math.nan
    distance = np.abs(reference[flipped].astype(np.float64) - threshold)
    return flipped, float(np.mean(distance <= tolerance))


def _same_shape(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")
