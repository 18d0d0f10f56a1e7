# SPDX-License-Identifier: Apache-2.0
"""Small sets in every format, written as the tools that know them write them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

HEIGHT, WIDTH = 60, 80


def picture(seed: int) -> np.ndarray:
    """BGR uint8."""
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def person(seed: int) -> np.ndarray:
    """A mask ``(HEIGHT, WIDTH)``, 0 or 255, of a shape that touches no border."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    centre = int(rng.integers(25, 55)), int(rng.integers(22, 38))
    cv2.ellipse(mask, centre, (int(rng.integers(8, 18)), int(rng.integers(8, 18))), 0, 0, 360, 255, -1)
    return mask


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def pairs(folder: Path, seeds: Sequence[int]) -> Path:
    for seed in seeds:
        write(folder / "images" / f"p{seed}.png", picture(seed))
        write(folder / "masks" / f"p{seed}.png", person(seed))
    return folder


def labels(folder: Path, seeds: Sequence[int]) -> Path:
    """Class numbers in every channel: 1 is a person, 2 something else. Beside the part for training one for tests."""
    for part, name, seed in [*(("train", "p", seed) for seed in seeds), ("test", "t", 7)]:
        write(folder / f"images_prepped_{part}" / f"{name}{seed}.png", picture(seed))
        numbers = (person(seed) > 0).astype(np.uint8)
        numbers[:5] = 2
        write(folder / f"annotations_prepped_{part}" / f"{name}{seed}.png", np.repeat(numbers[..., None], 3, axis=2))
    return folder


def cutouts(folder: Path, seeds: Sequence[int]) -> Path:
    for seed in seeds:
        write(folder / f"p{seed}.png", np.dstack([picture(seed), person(seed)]))
    return folder


def supervisely(folder: Path, seeds: Sequence[int]) -> Path:
    """Even ones as bitmaps at an origin, odd ones as polygons, with something that is no person."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = [{"title": t, "shape": s, "color": "#FF0000"} for t, s in (("person_bmp", "bitmap"), ("cat", "rectangle"),
                                                                         ("person_poly", "polygon"))]  # fmt: skip
    (folder / "meta.json").write_text(json.dumps({"classes": classes, "tags": []}), encoding="utf-8")
    for seed in seeds:
        write(folder / "ds1" / "img" / f"p{seed}.png", picture(seed))
        mask = person(seed)
        drawn = _bitmap(mask) if seed % 2 == 0 else _polygon(mask)
        cat = {
            "classTitle": "cat",
            "geometryType": "rectangle",
            "points": {"exterior": [[0, 0], [9, 9]], "interior": []},
        }
        table = {"size": {"height": HEIGHT, "width": WIDTH}, "tags": [], "objects": [drawn, cat]}
        annotation = folder / "ds1" / "ann" / f"p{seed}.png.json"
        annotation.parent.mkdir(exist_ok=True)
        annotation.write_text(json.dumps(table), encoding="utf-8")
    return folder


def _bitmap(mask: np.ndarray) -> dict[str, Any]:
    x, y, w, h = cv2.boundingRect(mask)
    png = bytes(cv2.imencode(".png", mask[y : y + h, x : x + w])[1])
    bitmap = {"data": packed_bytes(png), "origin": [x, y]}
    return {"classTitle": "person_bmp", "geometryType": "bitmap", "bitmap": bitmap}


def packed_bytes(png: bytes) -> str:
    return base64.b64encode(zlib.compress(png)).decode()


def _polygon(mask: np.ndarray) -> dict[str, Any]:
    outline = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0][:, 0].tolist()
    points = {"exterior": outline, "interior": []}
    return {"classTitle": "person_poly", "geometryType": "polygon", "points": points}


def coco(folder: Path, seeds: Sequence[int]) -> Path:
    """By turns: run lengths, packed run lengths, a polygon; and one picture without a person."""
    images, annotations = [], []
    for seed in [*seeds, 999]:
        write(folder / "images" / f"p{seed}.png", picture(seed))
        images.append({"id": seed, "file_name": f"p{seed}.png", "height": HEIGHT, "width": WIDTH})
    for seed in seeds:
        kind: Callable[[np.ndarray], Any] = (runs, packed, outline)[seed % 3]
        annotations.append({"id": seed, "image_id": seed, "category_id": 1, "segmentation": kind(person(seed))})
        annotations.append({"id": -seed, "image_id": seed, "category_id": 17, "segmentation": [[0, 0, 9, 0, 9, 9]]})
    categories = [{"id": 1, "name": "person"}, {"id": 17, "name": "cat"}]
    table = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / "instances_some.json").write_text(json.dumps(table), encoding="utf-8")
    return folder


def counts(mask: np.ndarray) -> list[int]:
    """COCO's run lengths, by definition: zeros first, column by column."""
    flat = (mask > 0).T.reshape(-1)
    found, value, length = [], False, 0
    for pixel in flat:
        if pixel != value:
            found.append(length)
            value, length = pixel, 0
        length += 1
    return [*found, length]


def runs(mask: np.ndarray) -> dict[str, Any]:
    return {"size": list(mask.shape), "counts": counts(mask)}


def packed(mask: np.ndarray) -> dict[str, Any]:
    return {"size": list(mask.shape), "counts": packed_text(counts(mask))}


def packed_text(lengths: Sequence[int]) -> str:
    """As ``rleToString`` of cocodataset/cocoapi packs them."""
    text = ""
    for place, length in enumerate(lengths):
        value = length - lengths[place - 2] if place > 2 else length
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
    return text


def outline(mask: np.ndarray) -> list[list[float]]:
    """A polygon along the edges of the pixels."""
    big = cv2.resize(mask, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    contour = cv2.findContours(big, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0][:, 0]
    return [((contour + 0.5) / 8).reshape(-1).tolist()]


WRITERS: dict[str, Callable[[Path, Sequence[int]], Path]] = {
    "pairs": pairs,
    "labels": labels,
    "cutouts": cutouts,
    "supervisely": supervisely,
    "coco": coco,
}
