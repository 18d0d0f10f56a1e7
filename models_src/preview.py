# SPDX-License-Identifier: Apache-2.0
"""Contact sheets of a dataset: as it is, or as a training would see it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from harness import files
from harness.errors import HarnessError
from models_src import sheet
from models_src.datasets.manifest import Dataset

_COLUMNS = 6


def write(dataset: Dataset, out: Path, count: int, seed: int, config_file: str | None = None) -> None:
    """Write a sheet of pictures with the outlines of their masks.

    Args:
        out: a ``.jpg`` or ``.png`` file.
        count: pictures; fewer where there are fewer. They are drawn as an epoch draws them, by weight.
        seed: of the choice, and of the augmentation.
        config_file: an experiment whose augmentation is shown.

    Raises:
        HarnessError: the file is of another kind, or the experiment cannot be read.
    """
    if out.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise HarnessError(f"{out}: a preview is a .jpg or .png file")
    samples = dataset.samples
    chosen = [int(k) for k in dataset.epoch(seed, 0)[:count]]
    change = None
    if config_file is not None:
        from models_src import augment, config

        change = augment.from_config(config.load(config_file))
    drawn = []
    for position, number in enumerate(chosen):
        image, mask = samples[number].read()
        if change:
            image, mask = change(image, mask, (seed, 0, position))
        drawn.append(sheet.overlay(image, np.zeros(mask.shape, np.float32), mask))
    picture = sheet.tiled(drawn, min(_COLUMNS, len(drawn)))
    files.write_file(out, bytes(cv2.imencode(out.suffix, picture[..., ::-1])[1]))
