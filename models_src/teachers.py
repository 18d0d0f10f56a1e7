# SPDX-License-Identifier: Apache-2.0
"""Networks that make masks for pictures that have none: soft masks, and how far several networks agree on them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from harness import contract as contracts
from harness import files, metrics, model_file
from harness.errors import HarnessError
from models_src import inference
from models_src.datasets.sample import read_image, refuse

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
    file = _file(spec)
    network = inference.load(file)

    def once(image: np.ndarray) -> np.ndarray:
        plane = inference.probability(network, file.contract, image)
        if not np.isfinite(plane).all():
            raise HarnessError(f"{file.path}: the teacher's output has values that are not finite")
        return contracts.frame_probability(file.contract, plane, image.shape[:2]).astype(np.float32)

    def both(image: np.ndarray) -> np.ndarray:
        return (once(image) + once(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]) / 2

    return both if mirrored else once


def _file(spec: str) -> model_file.ModelFile:
    path, _, contract = spec.partition(",")
    variants = model_file.available_variants(Path(path)) if Path(path).is_dir() else []
    variant = next(
        (v for v in ("fp32", "keras") if v in variants), "keras" if path.endswith((".keras", ".h5")) else "fp32"
    )
    return model_file.find(path, variant, contract or None)


def mean(teachers: Sequence[Teacher], image: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean of the teachers' probabilities ``(H, W)``, and the smallest IoU of any two of their masks; 1 of one."""
    planes = [teacher(image) for teacher in teachers]
    masks = [plane > 0.5 for plane in planes]
    ious = [metrics.iou(a, b) for k, a in enumerate(masks) for b in masks[:k]]
    return np.asarray(np.mean(planes, axis=0), np.float32), min(ious, default=1.0)


def label(
    images: Sequence[Path],
    teachers: Sequence[str],
    out: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, float]:
    """Write a pair folder: each picture as it is, its mask, ``agreement.csv`` with ``name,agreement``, and
    ``teachers.json``, which says whose masks they are. What is there is not made again, unless the picture has changed.

    Args:
        teachers: for each what :func:`load` takes.

    Returns:
        The agreement of each picture, by stem.

    Raises:
        HarnessError: the folder holds something else, a teacher cannot be loaded, two pictures would have the same
            name, or some cannot be read; all of them are named, and the others have their masks.
    """
    stems = Counter(path.stem for path in images)
    if repeated := [f"{path}: another picture has that name" for path in images if stems[path.stem] > 1]:
        refuse(out, repeated)
    _begin(out, images, teachers)
    loaded = [load(teacher) for teacher in teachers]
    known = _read(out / TABLE)
    table = {path.stem: known[path.stem] for path in images if path.stem in known and _has_mask(path, out)}
    files.write_file(out / TABLE, _text(table).encode())
    faults = []
    for number, path in enumerate(images):
        if path.stem not in table:
            try:
                image = read_image(path)
            except HarnessError as error:
                faults.append(str(error))
            else:
                plane, agreement = mean(loaded, image)
                _write(path, plane, out)
                table[path.stem] = round(agreement, 4)
        if number % 100 == 99 or number == len(images) - 1:
            files.write_file(out / TABLE, _text(table).encode())
        progress(number + 1, len(images))
    if faults:
        refuse(out, faults)
    return table


def _begin(out: Path, images: Sequence[Path], teachers: Sequence[str]) -> None:
    """Say in a folder whose masks it holds. Raises HarnessError if it holds others, or other pictures."""
    told = out / "teachers.json"
    text = json.dumps(sorted(_digest(_file(teacher)) for teacher in teachers), indent=1) + "\n"
    if out.exists() and any(out.iterdir()) and (not told.is_file() or told.read_text(encoding="utf-8") != text):
        raise HarnessError(f"{out}: holds something else than masks of these teachers; choose another --out")
    names = {path.name for path in images}
    if others := sorted(copy.name for copy in (out / "images").glob("[!.]*") if copy.name not in names):
        raise HarnessError(
            f"{out}: holds {len(others)} pictures that are not among these, such as {others[0]}; choose another --out"
        )
    for folder in (out, out / "images", out / "masks"):
        folder.mkdir(parents=True, exist_ok=True)
    files.write_file(told, text.encode())


def _digest(file: model_file.ModelFile) -> str:
    """Of all that decides about a teacher's masks."""
    return hashlib.sha256(f"{file.sha256}\n{file.contract_text}".encode()).hexdigest()


def _has_mask(path: Path, out: Path) -> bool:
    """Whether the folder has a mask of this very picture."""
    copy, mask = out / "images" / path.name, out / "masks" / f"{path.stem}.png"
    return mask.is_file() and copy.is_file() and copy.read_bytes() == path.read_bytes()


def _write(path: Path, plane: np.ndarray, out: Path) -> None:
    """Write a picture's mask, then its copy, which says that the mask is there."""
    picture = cv2.imencode(".png", np.round(plane * 255).astype(np.uint8))[1]
    files.write_file(out / "masks" / f"{path.stem}.png", bytes(picture))
    files.write_file(out / "images" / path.name, path.read_bytes())


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
