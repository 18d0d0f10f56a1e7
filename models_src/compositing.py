# SPDX-License-Identifier: Apache-2.0
"""Putting a person of one picture before another background. NumPy arrays in, NumPy arrays out.

Pictures are RGB float32 in [0, 1], ``(H, W, 3)``; mattes float32 in [0, 1], ``(H, W)``.
"""

from __future__ import annotations

import cv2
import numpy as np

_RADII = (45, 6)  # of the two passes, in pixels
_TINY = 1e-5


def foreground(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colours that a person would have without what shows through at the edges.

    Blur fusion: M. Forte, *Approximate Fast Foreground Colour Estimation*, ICIP 2021, in two passes. Far from the
    person the colours mean nothing.
    """
    alpha = alpha[..., None]
    person, behind = image, image
    for radius in _RADII:
        size = (2 * radius + 1, 2 * radius + 1)
        share = cv2.blur(alpha, size)[..., None]
        near = cv2.blur(person * alpha, size) / (share + _TINY)
        behind = cv2.blur(behind * (1 - alpha), size) / (1 - share + _TINY)
        person = np.clip(near + alpha * (image - alpha * near - (1 - alpha) * behind), 0, 1)
    return person


def over(person: np.ndarray, alpha: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The person before the background: ``α·F + (1 − α)·B``."""
    return background + alpha[..., None] * (person - background)


def match_light(person: np.ndarray, alpha: np.ndarray, scene: np.ndarray, strength: float) -> np.ndarray:
    """The person with brightness, contrast and tint moved towards those of the scene.

    Means and deviations of CIE L*a*b* are moved: E. Reinhard et al., *Color Transfer between Images*, IEEE Computer
    Graphics and Applications 21, 2001. Deviations change by a quarter at most: a dark scene has no grey person in it.

    Args:
        strength: 0 leaves the person as it is, 1 moves all the way.
    """
    weight = alpha[..., None] / max(float(alpha.sum()), _TINY)
    ours, theirs = cv2.cvtColor(person, cv2.COLOR_RGB2LAB), cv2.cvtColor(scene, cv2.COLOR_RGB2LAB)
    mean = (ours * weight).sum(axis=(0, 1))
    deviation = np.sqrt(((ours - mean) ** 2 * weight).sum(axis=(0, 1)))
    wanted_mean, wanted = theirs.mean(axis=(0, 1)), theirs.std(axis=(0, 1))
    gain = np.clip(wanted / (deviation + _TINY), 0.75, 1.25)
    moved = (ours - mean) * (1 + strength * (gain - 1)) + mean + strength * (wanted_mean - mean)
    return np.clip(cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1)


def cover(image: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of a picture, of the aspect ratio wanted, resized to that size; any dtype, ``(H, W, c)``."""
    scale = min(image.shape[0] / height, image.shape[1] / width) * rng.uniform(0.6, 1.0)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    y, x = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(image.shape, (rows, columns), strict=False))
    smooth = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return cv2.resize(image[y : y + rows, x : x + columns], (width, height), interpolation=smooth)
