# SPDX-License-Identifier: Apache-2.0
"""Random changes to a training pair: every picture of every epoch is a function of its seed.

Works on NumPy arrays; knows neither files nor TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from harness.errors import HarnessError

# Its version check would ask a server at import.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

Augment = Callable[[np.ndarray, np.ndarray, Sequence[int]], tuple[np.ndarray, np.ndarray]]

_FULL_BODY_RATIO = 1.7
"""A person whose box is this much higher than wide shows more than head and shoulders."""


def make(transforms: Sequence[dict[str, Any]], head_and_shoulders: float, size: tuple[int, int]) -> Augment:
    """The augmentation ``(image, mask, seed) -> (image, mask)``.

    Args:
        transforms: albumentations transforms, ``{"name": class, **arguments}``, applied in order.
        head_and_shoulders: probability of cropping a full-body picture, in [0, 1].
        size: ``(height, width)`` of the result.

    Returns:
        A function of an RGB image ``(H, W, 3)`` and a mask ``(H, W)`` in [0, 255], both uint8 of any size, and a
        sequence of whole numbers. It is not thread-safe: each thread makes its own.

    Raises:
        HarnessError: there is no transform of that name, or it does not take these arguments.
    """
    import albumentations as A

    # Enlarging first and colours last: the geometry sees all pixels there are, the colours only those needed.
    shrink = A.Resize(*size, interpolation=cv2.INTER_AREA, mask_interpolation=cv2.INTER_AREA)
    built = [_build(A, spec) for spec in transforms]
    geometry = A.Compose([t for t in built if isinstance(t, A.DualTransform)])
    colours = A.Compose([shrink, *(t for t in built if not isinstance(t, A.DualTransform))])

    def augment(image: np.ndarray, mask: np.ndarray, seed: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(list(seed))
        if rng.random() < head_and_shoulders:
            image, mask = crop_head_and_shoulders(image, mask, rng)
        for stage in (geometry, colours):
            stage.set_random_seed(int(rng.integers(2**31)))
            changed = stage(image=image, mask=mask)
            image, mask = changed["image"], changed["mask"]
        return image, mask

    return augment


def _build(library: Any, spec: dict[str, Any]) -> Any:
    arguments = {key: tuple(v) if isinstance(v, list) else v for key, v in spec.items() if key != "name"}
    kind = getattr(library, spec["name"], None)
    if not (isinstance(kind, type) and issubclass(kind, library.BasicTransform)):
        raise HarnessError(f"AUGMENT.TRANSFORMS: albumentations has no transform {spec['name']!r}")
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise HarnessError(f"AUGMENT.TRANSFORMS: {spec['name']} does not take {arguments}: {error}") from None


def crop_head_and_shoulders(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Crop a full-body picture to its upper part, as a camera on a desk would frame it.

    Pictures whose mask is not much higher than wide are returned unchanged: they are cropped already.
    """
    rows, columns = np.flatnonzero(mask.max(axis=1) > 127), np.flatnonzero(mask.max(axis=0) > 127)
    if not rows.size:
        return image, mask
    top, body = int(rows[0]), int(rows[-1] - rows[0] + 1)
    if body < _FULL_BODY_RATIO * (columns[-1] - columns[0] + 1):
        return image, mask
    # A standing person's head is about an eighth of the body: from a close-up down to the hips.
    shown = body * rng.uniform(0.22, 0.6)
    above = shown * rng.uniform(0.02, 0.35)
    head = np.flatnonzero(mask[top : top + max(1, int(shown))].max(axis=0) > 127)
    centre = (head[0] + head[-1]) / 2 + shown * rng.uniform(-0.2, 0.2)
    width = (shown + above) * rng.uniform(0.7, 1.5)
    y0, y1 = max(0, int(top - above)), min(mask.shape[0], int(top + shown) + 1)
    x0, x1 = max(0, int(centre - width / 2)), min(mask.shape[1], int(centre + width / 2) + 1)
    return image[y0:y1, x0:x1], mask[y0:y1, x0:x1]
