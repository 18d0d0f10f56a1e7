# SPDX-License-Identifier: Apache-2.0
"""A scene: some people, each at a size and place that its cut-out allows, before a background, in one light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models_src import compositing
from models_src.synth import backgrounds, camera, props
from models_src.synth.people import Cutout, find_head

Random = np.random.Generator
_TRIES = 8
_UNSUITED = 0.1  # of those whom the picture has no room for, so many are taken all the same


@dataclass(frozen=True)
class Scenario:
    """What kind of picture is taken.

    Attributes:
        aspects: width / height, one of which is drawn.
        people: probabilities of one person, two, …
        heights: of what is seen of the nearest person, as a share of the picture's; from, to.
        chair, headset: probabilities for a person.
    """

    aspects: tuple[float, ...]
    people: tuple[float, ...]
    heights: tuple[float, float]
    chair: float
    headset: float


SCENARIOS = {
    "selfie": Scenario((3 / 4, 3 / 4, 9 / 16, 1.0), (0.85, 0.15), (0.6, 1.05), 0.02, 0.03),
    "videocall": Scenario((16 / 9, 16 / 9, 4 / 3), (0.8, 0.2), (0.45, 0.95), 0.3, 0.3),
    "group": Scenario((4 / 3, 3 / 4, 16 / 9, 1.0), (0.15, 0.3, 0.3, 0.25), (0.22, 0.85), 0.05, 0.02),
}


@dataclass(frozen=True)
class Scene:
    """A picture as a camera took it, RGB uint8 ``(H, W, 3)``, its mask, uint8 ``(H, W)``, and what is in it."""

    image: np.ndarray
    mask: np.ndarray
    facts: dict[str, Any]


def compose(
    scenario: Scenario, pick: Callable[[Random], Cutout], photographs: Sequence[Path], side: int, seed: Any
) -> Scene:
    """Make a scene; a function of its arguments alone.

    Args:
        pick: draws somebody.
        photographs: backgrounds to choose from; may be empty.
        side: longer side of the picture in pixels.
        seed: of ``numpy.random.default_rng``.
    """
    rng = np.random.default_rng(seed)
    aspect = float(rng.choice(scenario.aspects))
    height, width = (round(side / aspect), side) if aspect > 1 else (side, round(side * aspect))
    scene, behind = backgrounds.draw(photographs, height, width, rng)
    scene = np.ascontiguousarray(scene, np.float32)
    mask = np.zeros((height, width), np.float32)
    count = 1 + int(rng.choice(len(scenario.people), p=scenario.people))
    strength, slots = rng.uniform(0.2, 0.8), rng.permutation(count)
    drawn = [_suited(pick, aspect, rng) for _ in range(count)]
    placed = [
        _place(cutout, height, width, rng.uniform(*scenario.heights), (slot + rng.uniform(0.2, 0.8)) / count, rng)
        for cutout, slot in zip(drawn, slots, strict=True)
    ]
    wearing = []
    # Whoever is smaller is farther away, and behind.
    for one in sorted((one for one in placed if one), key=lambda one: one.high):
        alpha = one.alpha
        colours = compositing.match_light(one.colours, alpha, scene, strength)
        # Outlines of whole bodies are too small, and of another shape, to tell the head by.
        head = find_head(alpha) if one.cutout.cut[2] else None
        if head and rng.random() < scenario.chair:
            scene, hidden = props.chair(scene, head, rng)
            mask = mask * (1 - hidden)
            wearing.append("chair")
        scene = _shadow(scene, alpha, rng)
        scene = compositing.over(colours, alpha, scene)
        mask = 1 - (1 - mask) * (1 - alpha)
        if head and rng.random() < scenario.headset:
            scene, worn = props.headset(scene, head, rng)
            mask = mask * (1 - worn)
            wearing.append("headset")
    image, mask, taken = camera.take(_lit(scene, rng), mask, rng)
    facts = {"people": [cutout.name for cutout in drawn], "background": behind, "props": wearing, **taken}
    return Scene(_bytes(image), _bytes(mask), facts)


@dataclass(frozen=True)
class _Placed:
    """Somebody in an empty picture: colours and matte of its size, and how high the person is in it, in pixels."""

    cutout: Cutout
    colours: np.ndarray
    alpha: np.ndarray
    high: int


def _suited(pick: Callable[[Random], Cutout], aspect: float, rng: Random) -> Cutout:
    """Somebody whom the picture has room for: who was cut off above, or on both sides, fills it and more."""
    for _ in range(_TRIES):
        cutout = pick(rng)
        above, right, _, left = cutout.cut
        narrow = left and right and cutout.alpha.shape[1] < 0.8 * aspect * cutout.alpha.shape[0]
        if not (above or narrow) or rng.random() < _UNSUITED:
            break
    return cutout


def _place(cutout: Cutout, height: int, width: int, share: float, middle: float, rng: Random) -> _Placed | None:
    """Somebody at a place; None where nothing of the person would be in the picture.

    Where the old picture ended before the person did, the new one ends as well: edges that were cut lie on its border
    or outside.

    Args:
        share: height of what is seen of the person, as a share of the picture's.
        middle: where its middle is, as a share of the width.
    """
    above, right, below, left = cutout.cut
    rows, columns = cutout.alpha.shape
    # A whole body may be cropped by the picture's lower border, as a camera on a desk would.
    cropped = rows > 1.7 * columns and not below and rng.random() < 0.7
    seen = rows * (rng.uniform(0.25, 0.9) if cropped else 1.0)
    scale = share * height / seen
    if left and right:
        scale = max(scale, width / columns)
    if above:
        scale = max(scale, height / rows)
    wide, high = max(2, round(columns * scale)), max(2, round(rows * scale))
    if above:
        top = min(0, height - high + round(rng.uniform(0, 0.1) * height))
    elif cropped or below:
        top = max(height - round(seen * scale), round(rng.uniform(0, 0.15) * height))
    else:
        top = max(0, height - high - round(rng.uniform(0, 0.12) * height))  # feet on the ground
    flip = rng.random() < 0.5
    if flip:
        left, right = right, left
    if left and right:
        start = -round(rng.uniform(0, 1) * (wide - width))
    elif left:
        start = -round(rng.uniform(0, 0.1) * wide)
    elif right:
        start = width - wide + round(rng.uniform(0, 0.1) * wide)
    else:
        start = round(middle * width - wide / 2)
    turned = slice(None, None, -1) if flip else slice(None)
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    colours, alpha = (
        cv2.resize(np.ascontiguousarray(plane[:, turned]), (wide, high), interpolation=smooth)
        for plane in (cutout.colours, cutout.alpha)
    )
    y0, y1, x0, x1 = max(0, top), min(height, top + high), max(0, start), min(width, start + wide)
    if y1 - y0 < 4 or x1 - x0 < 4:
        return None
    whole_colours, whole_alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    inside = slice(y0 - top, y1 - top), slice(x0 - start, x1 - start)
    whole_colours[y0:y1, x0:x1], whole_alpha[y0:y1, x0:x1] = colours[inside], alpha[inside]
    return _Placed(cutout, whole_colours, whole_alpha, high)


def _shadow(scene: np.ndarray, alpha: np.ndarray, rng: Random) -> np.ndarray:
    """The scene with a soft shadow of a person on what is behind."""
    if rng.random() < 0.4:
        return scene
    height, width = alpha.shape
    moved = np.array([[1, 0, rng.normal(0, 0.06) * width], [0, 1, rng.uniform(-0.01, 0.06) * height]], np.float32)
    shadow = cv2.warpAffine(alpha, moved, (width, height), borderMode=cv2.BORDER_REPLICATE)
    shadow = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(0.01, 0.06) * height)
    return scene * (1 - rng.uniform(0.1, 0.5) * shadow[..., None])


def _lit(scene: np.ndarray, rng: Random) -> np.ndarray:
    """The scene in a light that falls off to one side, and a little towards the corners."""
    height, width = scene.shape[:2]
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    angle, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.3)
    light = 1 + fall * (np.cos(angle) * columns + np.sin(angle) * rows) - rng.uniform(0, 0.12) * (rows**2 + columns**2)
    tint = 1 + rng.normal(0, 0.03, 3)
    return np.clip(scene * (light[..., None] * tint).astype(np.float32), 0, 1)


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.round(image * 255).astype(np.uint8)
