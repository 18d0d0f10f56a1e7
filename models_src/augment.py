# SPDX-License-Identifier: Apache-2.0
"""Random changes to a training pair: every picture of every epoch is a function of its seed."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from harness.errors import HarnessError
from models_src import compositing
from models_src.datasets import manifest
from models_src.datasets.sample import read_image

if TYPE_CHECKING:
    from yacs.config import CfgNode

# Its version check would ask a server at import.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

Augment = Callable[[np.ndarray, np.ndarray, Sequence[int]], tuple[np.ndarray, np.ndarray]]

_FULL_BODY_RATIO = 1.7
"""A person whose box is this much higher than wide shows more than head and shoulders."""


def make(
    transforms: Sequence[dict[str, Any]],
    head_and_shoulders: float,
    size: tuple[int, int],
    backgrounds: Sequence[Path] = (),
    replaced: float = 0.0,
) -> Augment:
    """The augmentation ``(image, mask, seed) -> (image, mask)``.

    Args:
        transforms: albumentations transforms, ``{"name": class, **arguments}``: those that move pixels are applied
            first, then those that only change them, each kind in this order.
        head_and_shoulders: probability of cropping a full-body picture, in [0, 1].
        size: ``(height, width)`` of the result.
        backgrounds: pictures without people.
        replaced: probability of putting a person before one of them, in [0, 1].

    Returns:
        A function of an RGB image ``(H, W, 3)`` and a mask ``(H, W)`` in [0, 255], both uint8 of any size, and a
        sequence of whole numbers. It is not thread-safe: each thread makes its own.

    Raises:
        HarnessError: there is no transform of that name, or it does not take these arguments.
    """
    import albumentations as A

    built = [_build(A, spec) for spec in transforms]
    geometry = A.Compose([t for t in built if isinstance(t, A.DualTransform)])
    colours = A.Compose([t for t in built if not isinstance(t, A.DualTransform)])

    def augment(image: np.ndarray, mask: np.ndarray, seed: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(list(seed))
        if rng.random() < head_and_shoulders:
            image, mask = crop_head_and_shoulders(image, mask, rng)
        if backgrounds and rng.random() < replaced and mask.any():
            image, mask = replace_background(
                image, mask, read_image(backgrounds[int(rng.integers(len(backgrounds)))]), rng
            )
        # The geometry sees all pixels there are, the colours only those needed.
        image, mask = _changed(geometry, image, mask, rng)
        image, mask = _resized(image, size), _resized(mask, size)
        return _changed(colours, image, mask, rng)

    return augment


def from_config(cfg: CfgNode) -> Augment:
    """The augmentation of an experiment; see :func:`make`."""
    return make(
        cfg.AUGMENT.TRANSFORMS,
        cfg.AUGMENT.HEAD_AND_SHOULDERS,
        (cfg.INPUT.HEIGHT, cfg.INPUT.WIDTH),
        [image for folder in cfg.AUGMENT.BACKGROUNDS for image in manifest.images(folder)],
        cfg.AUGMENT.REPLACE_BACKGROUND,
    )


def _changed(
    stage: Any, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    stage.set_random_seed(int(rng.integers(2**31)))
    changed = stage(image=image, mask=mask)
    return changed["image"], changed["mask"]


def _resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An axis is shrunk by area or enlarged bilinearly, as a contract with ``resize = "area"`` has it but for rounding.

    OpenCV's own area interpolation repeats pixels where it enlarges.
    """
    (height, width), (old_height, old_width) = size, pixels.shape[:2]
    shrunk = cv2.resize(pixels, (min(width, old_width), min(height, old_height)), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)


def _build(library: Any, spec: dict[str, Any]) -> Any:
    arguments = {key: tuple(v) if isinstance(v, list) else v for key, v in spec.items() if key != "name"}
    kind = getattr(library, spec["name"], None)
    if not (isinstance(kind, type) and issubclass(kind, library.BasicTransform)):
        raise HarnessError(f"AUGMENT.TRANSFORMS: albumentations has no transform {spec['name']!r}")
    known = inspect.signature(kind).parameters
    if unknown := sorted(arguments.keys() - known.keys()):  # of most transforms only a warning tells it
        raise HarnessError(
            f"AUGMENT.TRANSFORMS: {spec['name']} has no argument {', '.join(unknown)}; it has {', '.join(known)}"
        )
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


def replace_background(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The person before a random part of another picture, its light moved some way towards that picture's.

    Args:
        image, mask: RGB ``(H, W, 3)`` and ``(H, W)``, uint8.
        background: RGB uint8 of any size.

    Returns:
        Both of the size they had, the mask as it was.
    """
    scene = compositing.cover(background, mask.shape[0], mask.shape[1], rng).astype(np.float32) / 255
    # Sharp masks are softened as a lens would: edges that no camera takes would be learnt.
    alpha = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), rng.uniform(0.4, 1.0))
    person = compositing.foreground(image.astype(np.float32) / 255, alpha)
    person = compositing.match_light(person, alpha, scene, rng.uniform(0, 0.7))
    return np.round(compositing.over(person, alpha, scene) * 255).clip(0, 255).astype(np.uint8), mask
