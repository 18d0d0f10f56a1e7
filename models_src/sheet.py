# SPDX-License-Identifier: Apache-2.0
"""Contact sheets: pictures with what is drawn on them, side by side in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from harness import contract as contracts
from models_src.datasets.sample import Sample

if TYPE_CHECKING:
    import keras

    from harness.contract import Contract

_PERSON = np.array([255, 64, 64], np.float32)
_TRUTH = (64, 255, 64)


def overlay(image: np.ndarray, probability: np.ndarray, truth: np.ndarray | None = None) -> np.ndarray:
    """A picture whose person is tinted red by how likely it is, and the outline of the true mask in green.

    Args:
        image: RGB ``(H, W, 3)`` uint8.
        probability: ``(H, W)`` in [0, 1].
        truth: ``(H, W)`` uint8, a person above 127.
    """
    share = 0.5 * probability[..., None]
    drawn = np.round(image * (1 - share) + _PERSON * share).astype(np.uint8)
    if truth is not None:
        outlines = cv2.findContours((truth > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(drawn, outlines, -1, _TRUTH, 1)
    return drawn


def tiled(pictures: Sequence[np.ndarray], columns: int, cell: int = 192) -> np.ndarray:
    """The pictures in rows, each fitted into a square of ``cell`` pixels; RGB uint8."""
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * cell, columns * cell, 3), 24, np.uint8)
    for number, picture in enumerate(pictures):
        scale = cell / max(picture.shape[:2])
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        y, x = (number // columns) * cell + (cell - size[1]) // 2, (number % columns) * cell + (cell - size[0]) // 2
        sheet[y : y + size[1], x : x + size[0]] = small
    return sheet


def of_network(model: keras.Model, contract: Contract, samples: Sequence[Sample], columns: int = 4) -> np.ndarray:
    """What a network that is being trained makes of some samples; RGB uint8.

    Args:
        model: returns logits.
        contract: its own, of logits.
    """
    images, masks = zip(*(sample.read() for sample in samples), strict=True)
    logits = model(np.concatenate([contracts.preprocess(contract, image) for image in images]), training=False)
    drawn = []
    for image, mask, output in zip(images, masks, np.asarray(logits, np.float32), strict=True):
        plane = contracts.frame_probability(contract, contracts.probability(contract, output[None]), mask.shape)
        drawn.append(overlay(image, plane, mask))
    return tiled(drawn, columns)


def encoded(sheet: np.ndarray) -> bytes:
    """As a JPEG file."""
    return bytes(cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
