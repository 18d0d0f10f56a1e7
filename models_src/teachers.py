# SPDX-License-Identifier: Apache-2.0
"""Networks that make masks for pictures that have none: soft masks, and how far several networks agree on them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from harness import contract as contracts
from harness import files, metrics, model_file
from harness.errors import HarnessError
from models_src import inference
from models_src.datasets.sample import read_image

Teacher = Callable[[np.ndarray], np.ndarray]
"""An RGB picture ``(H, W, 3)`` uint8 to a person's probability, ``(H, W)`` float32 in [0, 1]."""

TABLE = "agreement.csv"


def load(spec: str, mirrored: bool = True) -> Teacher:
    """A teacher.

    Args:
        spec: a Keras or TFLite model with its contract: a model folder, a file that carries its contract or has it
            beside it, or ``MODEL,CONTRACT``.
        mirrored: take the mean with what it makes of the mirror image.

    Raises:
        HarnessError: it cannot be loaded.
    """
    path, _, contract = spec.partition(",")
    variants = model_file.available_variants(Path(path)) if Path(path).is_dir() else []
    variant = next(
        (v for v in ("fp32", "keras") if v in variants), "keras" if path.endswith((".keras", ".h5")) else "fp32"
    )
    file = model_file.find(path, variant, contract or None)
    network = inference.load(file)

    def once(image: np.ndarray) -> np.ndarray:
        plane = inference.probability(network, file.contract, image)
        if not np.isfinite(plane).all():
            raise HarnessError(f"{path}: the teacher's output has values that are not finite")
        return contracts.frame_probability(file.contract, plane, image.shape[:2]).astype(np.float32)

    def both(image: np.ndarray) -> np.ndarray:
        return (once(image) + once(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]) / 2

    return both if mirrored else once


def mean(teachers: Sequence[Teacher], image: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean of the teachers' probabilities ``(H, W)``, and the smallest IoU of any two of their masks; 1 of one."""
    planes = [teacher(image) for teacher in teachers]
    masks = [plane > 0.5 for plane in planes]
    ious = [metrics.iou(a, b) for k, a in enumerate(masks) for b in masks[:k]]
    return np.asarray(np.mean(planes, axis=0), np.float32), min(ious, default=1.0)


def label(
    images: Sequence[Path],
    teachers: Sequence[Teacher],
    out: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, float]:
    """Write a pair folder: each picture as it is, its mask, and ``agreement.csv`` with ``name,agreement``. What is
    there is not made again.

    Returns:
        The agreement of each picture, by stem.

    Raises:
        HarnessError: a picture cannot be read.
    """
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    table = _read(out / TABLE)
    for number, path in enumerate(images):
        target = out / "masks" / f"{path.stem}.png"
        if path.stem not in table or not target.is_file():
            plane, agreement = mean(teachers, read_image(path))
            picture = cv2.imencode(".png", np.round(plane * 255).astype(np.uint8))[1]
            files.write_file(out / "images" / path.name, path.read_bytes())
            files.write_file(target, bytes(picture))
            table[path.stem] = round(agreement, 4)
        if number % 100 == 99 or number == len(images) - 1:
            files.write_file(out / TABLE, _text(table).encode())
        progress(number + 1, len(images))
    return table


def _read(path: Path) -> dict[str, float]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["name"]: float(row["agreement"]) for row in csv.DictReader(file)}


def _text(table: dict[str, float]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "agreement"])
    writer.writerows(sorted(table.items()))
    return text.getvalue()
