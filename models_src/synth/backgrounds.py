# SPDX-License-Identifier: Apache-2.0
"""What is behind the people: photographs, rooms that are drawn, and the virtual backgrounds of video calls.

Pictures are RGB float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from models_src import compositing
from models_src.datasets.sample import read_image

Random = np.random.Generator


def photograph(paths: Sequence[Path], height: int, width: int, rng: Random) -> tuple[np.ndarray, str]:
    """A random part of one of these pictures, sometimes mirrored or out of focus, and its name."""
    path = paths[int(rng.integers(len(paths)))]
    image = compositing.cover(read_image(path).astype(np.float32) / 255, height, width, rng)
    if rng.random() < 0.5:
        image = image[:, ::-1].copy()
    if rng.random() < 0.4:
        image = _defocused(image, rng.uniform(0.004, 0.02))
    return image, f"photograph {path.name}"


def room(height: int, width: int, rng: Random) -> tuple[np.ndarray, str]:
    """A room: a wall, perhaps a floor, and some of window, shelf, pictures, door, lamp and plant."""
    tint = _colour(rng, 0.35, 0.95, 0.25)
    image = np.empty((height, width, 3), np.float32)
    image[:] = tint * (1 + _slope(height, width, rng) * rng.uniform(0, 0.3))[..., None]
    if rng.random() < 0.6:
        line = int(height * rng.uniform(0.7, 0.95))
        floor = _colour(rng, 0.2, 0.7, 0.3)
        image[line:] = floor * (0.8 + 0.4 * np.linspace(0, 1, height - line, dtype=np.float32))[:, None, None]
        cv2.rectangle(image, (0, line - max(2, height // 60)), (width, line), (tint * 0.85).tolist(), -1)
    things = [_window, _shelf, _frames, _door, _lamp, _plant]
    for number in rng.permutation(len(things))[: int(rng.integers(1, 5))]:
        things[number](image, rng)
    image += (
        rng.normal(0, 0.01, (height // 2 + 1, width // 2 + 1, 1))
        .astype(np.float32)
        .repeat(2, 0)
        .repeat(2, 1)[:height, :width]
    )
    if rng.random() < 0.6:
        image = _defocused(image, rng.uniform(0.002, 0.012))
    return np.clip(image, 0, 1), "room"


def virtual(paths: Sequence[Path], height: int, width: int, rng: Random) -> tuple[np.ndarray, str]:
    """What a video call puts behind people: a colour, a gradient, stripes or discs, or a picture much out of focus."""
    kind = rng.integers(4 if paths else 3)
    first, second = _colour(rng, 0.05, 1.0, 0.8), _colour(rng, 0.05, 1.0, 0.8)
    if kind == 3:
        image, name = photograph(paths, height, width, rng)
        return _defocused(image, rng.uniform(0.03, 0.08)), f"blurred {name}"
    slope = (_slope(height, width, rng) + 1) / 2
    image = (first + (second - first) * slope[..., None] * (kind > 0)).astype(np.float32)
    if kind == 2:
        for _ in range(int(rng.integers(2, 9))):
            centre = int(rng.integers(width)), int(rng.integers(height))
            radius = int(rng.uniform(0.05, 0.4) * height)
            cv2.circle(image, centre, radius, _colour(rng, 0.05, 1.0, 0.8).tolist(), -1, cv2.LINE_AA)
    return image, "virtual"


def draw(paths: Sequence[Path], height: int, width: int, rng: Random) -> tuple[np.ndarray, str]:
    """One of the three; photographs most often where there are any."""
    drawn = rng.random()
    if paths and drawn < 0.7:
        return photograph(paths, height, width, rng)
    return virtual(paths, height, width, rng) if drawn > 0.88 else room(height, width, rng)


# --- things in rooms ------------------------------------------------------------------------------


def _window(image: np.ndarray, rng: Random) -> None:
    (x0, y0), (x1, y1) = _box(image, rng, (0.2, 0.5), (0.3, 0.7))
    light = _colour(rng, 0.8, 1.0, 0.15)
    outside = np.linspace(1, rng.uniform(0.5, 1), max(1, y1 - y0), dtype=np.float32)
    image[y0:y1, x0:x1] = light * outside[:, None, None]
    frame, bar = _colour(rng, 0.5, 1.0, 0.1).tolist(), max(1, (x1 - x0) // 30)
    cv2.rectangle(image, (x0, y0), (x1, y1), frame, 2 * bar)
    for k in range(1, int(rng.integers(2, 4))):
        x = x0 + (x1 - x0) * k // 2
        cv2.line(image, (x, y0), (x, y1), frame, bar)
    cv2.line(image, (x0, (y0 + y1) // 2), (x1, (y0 + y1) // 2), frame, bar)


def _shelf(image: np.ndarray, rng: Random) -> None:
    (x0, y0), (x1, y1) = _box(image, rng, (0.25, 0.6), (0.4, 0.9))
    wood = _colour(rng, 0.15, 0.7, 0.35)
    cv2.rectangle(image, (x0, y0), (x1, y1), (wood * 0.6).tolist(), -1)
    rows = int(rng.integers(2, 6))
    for row in range(rows):
        top, bottom = y0 + (y1 - y0) * row // rows, y0 + (y1 - y0) * (row + 1) // rows
        x = x0
        while x < x1 - 2:
            thick = int(rng.integers(2, max(4, (x1 - x0) // 10)))
            if rng.random() < 0.85:
                book_top = top + int((bottom - top) * rng.uniform(0.1, 0.45))
                book = _colour(rng, 0.1, 0.9, 0.9).tolist()
                cv2.rectangle(image, (x, book_top), (min(x + thick, x1) - 1, bottom), book, -1)
            x += thick
        cv2.line(image, (x0, bottom), (x1, bottom), wood.tolist(), max(1, (bottom - top) // 15))


def _frames(image: np.ndarray, rng: Random) -> None:
    for _ in range(int(rng.integers(1, 4))):
        (x0, y0), (x1, y1) = _box(image, rng, (0.08, 0.3), (0.1, 0.35))
        cv2.rectangle(image, (x0, y0), (x1, y1), _colour(rng, 0.05, 0.95, 0.3).tolist(), -1)
        inner = slice(y0 + 2, max(y0 + 3, y1 - 2)), slice(x0 + 2, max(x0 + 3, x1 - 2))
        spots = rng.random((int(rng.integers(2, 6)), int(rng.integers(2, 6)), 3)).astype(np.float32)
        shape = image[inner].shape[1], image[inner].shape[0]
        if min(shape) > 0:
            image[inner] = cv2.resize(spots, shape, interpolation=cv2.INTER_CUBIC).clip(0, 1)


def _door(image: np.ndarray, rng: Random) -> None:
    height, width = image.shape[:2]
    x0, x1 = sorted(int(width * v) for v in (rng.uniform(-0.1, 0.9), rng.uniform(0.1, 1.1)))
    x1 = min(x1, x0 + int(0.35 * width))
    top = int(height * rng.uniform(-0.1, 0.25))
    colour = _colour(rng, 0.3, 0.95, 0.2)
    cv2.rectangle(image, (x0, top), (x1, height), colour.tolist(), -1)
    cv2.rectangle(image, (x0, top), (x1, height), (colour * 0.7).tolist(), max(1, width // 120))


def _lamp(image: np.ndarray, rng: Random) -> None:
    height, width = image.shape[:2]
    x, y = rng.uniform(0, width), rng.uniform(0, 0.6 * height)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    near = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * (height * rng.uniform(0.05, 0.3)) ** 2))
    image += near[..., None] * _colour(rng, 0.5, 0.9, 0.3)
    cv2.circle(image, (int(x), int(y)), max(2, height // 40), (1.0, 0.98, 0.9), -1, cv2.LINE_AA)


def _plant(image: np.ndarray, rng: Random) -> None:
    height, width = image.shape[:2]
    x, y = int(rng.uniform(0, width)), int(height * rng.uniform(0.5, 1.0))
    for _ in range(int(rng.integers(8, 25))):
        size = height * rng.uniform(0.05, 0.16)
        angle = rng.uniform(-170, -10)
        centre = (
            int(x + size * np.cos(np.radians(angle)) * rng.uniform(0.5, 1.5)),
            int(y + size * np.sin(np.radians(angle)) * rng.uniform(0.5, 2.0)),
        )
        green = np.array([rng.uniform(0.05, 0.35), rng.uniform(0.25, 0.7), rng.uniform(0.05, 0.3)])
        cv2.ellipse(image, centre, (int(size), int(size / 4) + 1), angle, 0, 360, green.tolist(), -1, cv2.LINE_AA)


def _box(
    image: np.ndarray, rng: Random, wide: tuple[float, float], high: tuple[float, float]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corners of a random box of these shares of the picture, some of it perhaps outside."""
    height, width = image.shape[:2]
    w, h = max(6, int(width * rng.uniform(*wide))), max(6, int(height * rng.uniform(*high)))
    x, y = int(rng.uniform(-0.1, 1) * (width - w / 2)), int(rng.uniform(-0.05, 0.7) * (height - h / 2))
    x, y = max(0, x), max(0, y)
    return (x, y), (min(width - 1, x + w), min(height - 1, y + h))


def _colour(rng: Random, darkest: float, brightest: float, vivid: float) -> np.ndarray:
    """A colour of some brightness; ``vivid``, 0 … 1, is how far from grey it may be."""
    grey = rng.uniform(darkest, brightest)
    return np.clip(grey * (1 + vivid * rng.uniform(-1, 1, 3)), 0, 1).astype(np.float32)


def _slope(height: int, width: int, rng: Random) -> np.ndarray:
    """A linear gradient in a random direction, -1 … 1."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    return ((np.cos(angle) * columns + np.sin(angle) * rows) / np.sqrt(2)).astype(np.float32)


def _defocused(image: np.ndarray, share: float) -> np.ndarray:
    """Blurred by a Gaussian whose deviation is that share of the height."""
    return cv2.GaussianBlur(image, (0, 0), max(0.3, share * image.shape[0]))
