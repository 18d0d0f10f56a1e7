# SPDX-License-Identifier: Apache-2.0
"""COCO: one JSON file for many pictures, people as polygons or run lengths.

The format: https://cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from harness.errors import HarnessError
from models_src.datasets import shapes
from models_src.datasets.sample import Sample


@dataclass(frozen=True)
class CocoMask:
    """People of one picture: their segmentations as the file has them."""

    file: Path
    picture: str
    segmentations: tuple[Any, ...]

    def read(self, height: int, width: int) -> np.ndarray:
        """See :meth:`models_src.datasets.sample.Mask.read`."""
        mask = np.zeros((height, width), np.uint8)
        for segmentation in self.segmentations:
            try:
                for part in _parts(segmentation, height, width):
                    np.maximum(mask, part, out=mask)
            except (KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
                raise HarnessError(f"{self.file}: {self.picture}: a segmentation cannot be used: {error}") from None
        return mask


def read(path: Path, faults: list[str], classes: Sequence[str] = ("person",), images: str = "") -> list[Sample]:
    """The pictures of a COCO file. Those without a person are samples too, with an empty mask.

    Args:
        path: the JSON file, or a folder that holds one, there or in ``annotations/``.
        faults: takes a line for each entry that cannot be used.
        classes: names of the categories that are people.
        images: folder of the pictures, relative to the file's; found by itself where that is ``images/``, beside the
            file, or the file's name without ``instances_``.

    Raises:
        HarnessError: the file is no COCO file, or has no category of these names.
    """
    file = path if path.is_file() else _only_json(path)
    try:
        table = json.loads(file.read_bytes())
        entries, annotations = list(table["images"]), list(table["annotations"])
        people = {c["id"] for c in table["categories"] if c["name"] in classes}
        known = sorted({str(c["name"]) for c in table["categories"]})
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise HarnessError(f"{file}: not readable as a COCO file: {error!r}") from None
    if unknown := [name for name in classes if name not in known]:
        raise HarnessError(f"{file}: has no category {', '.join(unknown)}; its categories: {', '.join(known)}")
    folder = _pictures_of(file, images, entries)
    found: dict[Any, list[Any]] = {}
    for number, annotation in enumerate(annotations):
        try:
            if annotation["category_id"] in people:
                found.setdefault(annotation["image_id"], []).append(annotation["segmentation"])
        except (KeyError, TypeError):
            faults.append(f"{file}: annotation {number} lacks category_id, image_id or segmentation")
    samples = {}
    for number, entry in enumerate(entries):
        try:
            key, name = entry["id"], str(entry["file_name"])
            segmentations = tuple(found.pop(key, ()))
        except (KeyError, TypeError):
            faults.append(f"{file}: image {number} lacks id or file_name")
            continue
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            faults.append(f"{file}: {name}: leads out of the folder of pictures")
        elif name in samples:
            faults.append(f"{file}: {name}: is listed twice")
        else:
            stem = PurePosixPath(name).with_suffix("").as_posix().replace("/", "_")
            mask = CocoMask(file, name, segmentations) if segmentations else None
            samples[name] = Sample(stem, folder / name, mask, stem)
    faults += [f"{file}: an annotation is of image {key}, which is not listed" for key in found]
    return list(samples.values())


def _parts(segmentation: Any, height: int, width: int) -> Iterator[np.ndarray]:
    if isinstance(segmentation, dict):
        size = list(segmentation["size"])
        if size != [height, width]:
            raise ValueError(f"run lengths of {size}, the picture is [{height}, {width}]")
        yield shapes.run_lengths(segmentation["counts"], height, width)
    else:
        for flat in segmentation:
            yield shapes.polygon(np.asarray(flat, np.float64).reshape(-1, 2), (), height, width)


def _only_json(folder: Path) -> Path:
    found = sorted([*folder.glob("*.json"), *folder.glob("annotations/*.json")])
    if len(found) != 1:
        raise HarnessError(f"{folder}: holds {len(found) or 'no'} JSON files; name the one with the annotations")
    return found[0]


def _pictures_of(file: Path, images: str, entries: list[Any]) -> Path:
    if images:
        return file.parent / images
    stem = file.stem.removeprefix("instances_")
    beside = [base / name for base in (file.parent, file.parent.parent) for name in ("images", stem, f"images/{stem}")]
    names = [str(entry.get("file_name", "")) for entry in entries[:20] if isinstance(entry, dict)]
    holds = [folder for folder in (*beside, file.parent) if any(name and (folder / name).is_file() for name in names)]
    return holds[0] if holds else beside[0]
