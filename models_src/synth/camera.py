# SPDX-License-Identifier: Apache-2.0
"""What a camera does to a scene: exposure, tint, motion, softness, noise. RGB float32 in [0, 1]."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

Random = np.random.Generator


def take(scene: np.ndarray, mask: np.ndarray, rng: Random) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """A picture of a scene, the mask as the picture shows it, and what was done.

    Args:
        scene: ``(H, W, 3)``.
        mask: ``(H, W)`` in [0, 1]; what moves or is out of focus, moves and blurs there too.
    """
    told: dict[str, Any] = {}
    if rng.random() < 0.15:
        told["motion"] = length = int(rng.integers(3, 3 + max(1, scene.shape[0] // 30)))
        kernel = _line(length, rng.uniform(0, 180))
        scene, mask = cv2.filter2D(scene, -1, kernel), cv2.filter2D(mask, -1, kernel)
    if rng.random() < 0.25:
        told["softness"] = sigma = round(float(rng.uniform(0.4, 1.5)), 2)
        scene, mask = cv2.GaussianBlur(scene, (0, 0), sigma), cv2.GaussianBlur(mask, (0, 0), sigma)
    stops = rng.normal(0, 0.4) if rng.random() < 0.85 else rng.choice([rng.uniform(-2.5, -1), rng.uniform(0.5, 1.1)])
    told["stops"] = round(float(stops), 2)
    warm, green = rng.normal(0, 0.06, 2)
    gains = 2.0**stops * np.array([1 + warm, 1 + green / 2, 1 - warm])
    linear = np.clip(scene, 0, 1) ** 2.2 * gains.astype(np.float32)
    # Light arrives in grains, so bright pixels are noisier; the sensor's own noise is the same everywhere.
    grain = 10 ** rng.uniform(-3.6, -2.0)
    told["grain"] = round(float(grain), 5)
    noise = rng.standard_normal(scene.shape).astype(np.float32)
    linear = linear + noise * np.sqrt(np.maximum(linear, 0) * grain + (grain / 4) ** 1.5)
    return np.clip(linear, 0, 1) ** np.float32(1 / 2.2), np.clip(mask, 0, 1), told


def _line(length: int, degrees: float) -> np.ndarray:
    """A kernel that smears by so many pixels in one direction."""
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    dx, dy = np.cos(np.radians(degrees)) * length / 2, np.sin(np.radians(degrees)) * length / 2
    ends = [(round(length + sign * dx), round(length + sign * dy)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    return kernel / kernel.sum()
