# SPDX-License-Identifier: Apache-2.0
"""Things that belong to no person: a chair behind one, a headset on one. Pictures are RGB float32 in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np

from models_src import compositing
from models_src.synth.people import Head

_FINER = 4  # drawn so many times finer, so that edges are soft

Random = np.random.Generator


def chair(scene: np.ndarray, head: Head, rng: Random) -> tuple[np.ndarray, np.ndarray]:
    """The scene with the back of a chair where a person with this head is about to sit, and its matte ``(H, W)``."""
    height, width = scene.shape[:2]
    half = head.width * rng.uniform(0.9, 1.5)
    top = head.top + head.height * rng.uniform(0.3, 1.1)
    shape = np.zeros((height * _FINER, width * _FINER), np.float32)
    x0, x1 = int((head.x - half) * _FINER), int((head.x + half) * _FINER)
    y0, y1 = int(top * _FINER), int((height + head.height) * _FINER)
    round_by = int(min(half, head.height) * rng.uniform(0.1, 0.5) * _FINER)
    cv2.rectangle(shape, (x0 + round_by, y0), (x1 - round_by, y1), 1.0, -1)
    cv2.rectangle(shape, (x0, y0 + round_by), (x1, y1), 1.0, -1)
    for x in (x0 + round_by, x1 - round_by):
        cv2.circle(shape, (x, y0 + round_by), round_by, 1.0, -1)
    if rng.random() < 0.4:  # a head rest
        rest = int(head.width * 0.45 * _FINER)
        low, high = int((top + head.height * 0.1) * _FINER), int((top - head.height * rng.uniform(0.4, 0.7)) * _FINER)
        cv2.rectangle(shape, (int(head.x * _FINER) - rest, high), (int(head.x * _FINER) + rest, low), 1.0, -1)
    return _painted(scene, shape, rng)


def headset(scene: np.ndarray, head: Head, rng: Random) -> tuple[np.ndarray, np.ndarray]:
    """The scene with headphones on this head, perhaps with a microphone, and their matte ``(H, W)``."""
    height, width = scene.shape[:2]
    shape = np.zeros((height * _FINER, width * _FINER), np.float32)

    def at(x: float, y: float) -> tuple[int, int]:
        return int((head.x + x * head.width) * _FINER), int((head.top + y * head.height) * _FINER)

    wide, high = int(0.52 * head.width * _FINER), int(0.5 * head.height * _FINER)
    thick = max(_FINER, int(head.width * rng.uniform(0.05, 0.1) * _FINER))
    cv2.ellipse(shape, at(0, 0.48), (wide, high), 0, 180, 360, 1.0, thick)
    cup = int(head.width * rng.uniform(0.07, 0.13) * _FINER), int(head.height * rng.uniform(0.12, 0.18) * _FINER)
    for side in (-0.5, 0.5):
        cv2.ellipse(shape, at(side, 0.52), cup, 0, 0, 360, 1.0, -1)
    if rng.random() < 0.5:
        side = rng.choice([-1, 1])
        cv2.line(shape, at(0.5 * side, 0.6), at(0.2 * side, 0.82), 1.0, max(2, thick // 3))
        cv2.circle(shape, at(0.2 * side, 0.82), thick, 1.0, -1)
    return _painted(scene, shape, rng)


def _material(rng: Random) -> np.ndarray:
    grey = rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.7, 0.95), rng.uniform(0.2, 0.7)], p=[0.6, 0.15, 0.25])
    return np.clip(grey * (1 + rng.uniform(0, 0.4) * rng.uniform(-1, 1, 3)), 0, 1).astype(np.float32)


def _painted(scene: np.ndarray, shape: np.ndarray, rng: Random) -> tuple[np.ndarray, np.ndarray]:
    """The scene with the shape in one material, lit from above or a side, and the shape's matte."""
    colour, matte = _material(rng), _coarse(shape)
    height, width = scene.shape[:2]
    light = np.linspace(rng.uniform(0.8, 1.4), rng.uniform(0.5, 1.0), height, dtype=np.float32)[:, None, None]
    light = light * np.linspace(rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.2), width, dtype=np.float32)[None, :, None]
    return compositing.over(np.clip(colour * light, 0, 1), matte, scene), matte


def _coarse(shape: np.ndarray) -> np.ndarray:
    size = shape.shape[1] // _FINER, shape.shape[0] // _FINER
    return cv2.resize(shape, size, interpolation=cv2.INTER_AREA)
