# SPDX-License-Identifier: Apache-2.0
"""What the tests of the live application start from: moving squares, and a real network that finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness import suite_making
from harness.suite import Motion
from rt_apps.rtpy.sources import Source

HEIGHT, WIDTH, SIDE = 64, 96, 16
GROUND, SQUARE = 40, 240
CONTRACT = """\
schema = "segmentation-contract/1"
input_height = 64
input_width = 96
channels = "rgb"
fit = "stretch"
resize = "area"
scale = 0.00392156862745098
offset = 0.0
output = "probability"
foreground = 0
threshold = 0.5
"""


def place(number: int) -> tuple[slice, slice]:
    """Where the square of a frame is; those of neighbouring frames do not overlap."""
    left = (number % 5) * SIDE
    return slice(24, 24 + SIDE), slice(left, left + SIDE)


def picture(number: int) -> np.ndarray:
    """A bright square on dark ground, 8-bit BGR."""
    image = np.full((HEIGHT, WIDTH, 3), GROUND, np.uint8)
    image[place(number)] = SQUARE
    return image


def model(folder: Path) -> Path:
    """A model folder with a network of one layer: bright is person."""
    keras = pytest.importorskip("keras", reason="needs Keras: pip install 'mobile-unet-harness[keras]'")
    inputs = keras.Input((HEIGHT, WIDTH, 3))
    layer = keras.layers.Conv2D(1, 1, activation="sigmoid")
    network = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.full((1, 1, 3, 1), 40, np.float32), np.array([-60], np.float32)])
    folder.mkdir(parents=True)
    network.save(folder / "model.keras")
    (folder / "contract.toml").write_text(CONTRACT, encoding="utf-8")
    return folder


def video(path: Path, frames: int, rate: float = 100.0) -> Path:
    """An AVI file of moving squares."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (WIDTH, HEIGHT))
    for number in range(frames):
        writer.write(picture(number))
    writer.release()
    return path


def motion_suite(folder: Path, frames: int, rate: int = 100) -> Path:
    """A motion suite of moving squares."""
    entries = (
        suite_making.Entry(
            f"{n:03}",
            picture(n)[..., ::-1].copy(),
            picture(n)[..., 0] == SQUARE,
            motion=Motion("hop", n),
            unchanged=np.zeros((HEIGHT, WIDTH), bool) if n else None,
        )
        for n in range(frames)
    )
    suite_making.write(folder, "squares", entries, fps=rate)
    return folder


class Injected(Source):
    """A camera that is none: gives these pictures, and then ends or breaks off.

    Args:
        before: called with the number of each picture before it is given.
    """

    def __init__(
        self,
        pictures: Iterator[np.ndarray],
        error: Exception | None = None,
        before: Callable[[int], object] = lambda number: None,
    ) -> None:
        self.name, self.rate = "camera:0", None
        self.suite = {"id": "camera:0", "sha256": None, "cases": []}
        self._pictures, self._error, self._before = pictures, error, before
        self._given = 0
        self.closed = False

    def read(self) -> tuple[np.ndarray, str] | None:
        self._before(self._given)
        self._given += 1
        image = next(self._pictures, None)
        if image is None and self._error:
            raise self._error
        return None if image is None else (image, "")

    def rewind(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
