# SPDX-License-Identifier: Apache-2.0
"""Supervisely projects: ``meta.json``, and in each dataset ``img/NAME`` with ``ann/NAME.json``; a dataset may be a
folder within another's ``datasets/``.

The format: https://docs.supervisely.com, "Supervisely annotation format". A bitmap is a PNG, compressed by zlib, in
base64, whose left upper corner is at ``origin``.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness.errors import HarnessError
from models_src.datasets.sample import Sample

_MOST_BYTES = 256 << 20  # of a bitmap's PNG: more is a bomb
_FARTHEST = 2**20  # pixels from the picture's corner


_BAD = (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, zlib.error, cv2.error)
"""What an annotation that is none may end in."""


@dataclass(frozen=True)
class SuperviselyMask:
    """People of one picture, as its annotation file has them."""

    file: Path
    classes: tuple[str, ...]

    def read(self, height: int, width: int) -> np.ndarray:
        """See :meth:`models_src.datasets.sample.Mask.read`."""
        mask = np.zeros((height, width), np.uint8)
        try:
            table = json.loads(self.file.read_bytes())
            size = table["size"]["height"], table["size"]["width"]
            if size != (height, width):
                raise ValueError(f"is of a picture of {size[1]}×{size[0]}, which has {width}×{height}")
            for thing in table["objects"]:
                if thing["classTitle"] in self.classes:
                    np.maximum(mask, _drawn(thing, height, width), out=mask)
        except _BAD as error:
            raise HarnessError(f"{self.file}: {_told(error)}") from None
        return mask


def read(folder: Path, faults: list[str], classes: Sequence[str] = ()) -> list[Sample]:
    """The pictures of a project, of all its datasets, those inside of others too.

    Args:
        folder: with ``meta.json``.
        faults: takes a line for each picture without an annotation and the reverse.
        classes: titles of the classes that are people; all with ``person`` or ``human`` in them if none is given.

    Raises:
        HarnessError: there is no project, or it has no such class.
    """
    meta = folder / "meta.json"
    try:
        titles = [str(c["title"]) for c in json.loads(meta.read_bytes())["classes"]]
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise HarnessError(f"{meta}: not readable as a Supervisely project: {_told(error)}") from None
    people = tuple(classes or (t for t in titles if "person" in t.lower() or "human" in t.lower()))
    if not people or (unknown := [title for title in people if title not in titles]):
        wanted = ", ".join(unknown) if people else "with person or human in it"
        raise HarnessError(f"{meta}: has no class {wanted}; its classes: {', '.join(titles)}")
    datasets = sorted(path.parent for path in folder.rglob("img") if path.is_dir())
    if not datasets:
        raise HarnessError(f"{folder}: has no dataset, which is a folder with img/ and ann/")
    return [sample for dataset in datasets for sample in _samples(folder, dataset, people, faults)]


def _samples(folder: Path, dataset: Path, people: tuple[str, ...], faults: list[str]) -> Iterator[Sample]:
    named = {path.name: path for path in (dataset / "img").iterdir()}
    told = {path.name.removesuffix(".json"): path for path in (dataset / "ann").glob("*.json")}
    faults += [f"{named[name]}: has no annotation in ann/" for name in named.keys() - told.keys()]
    faults += [f"{told[name]}: has no image in img/" for name in told.keys() - named.keys()]
    within = dataset.relative_to(folder).as_posix().replace("/", "_")
    for name in sorted(named.keys() & told.keys()):
        stem = f"{within}_{Path(name).stem}"
        yield Sample(stem, named[name], SuperviselyMask(told[name], people), stem)


def _drawn(thing: dict[str, Any], height: int, width: int) -> np.ndarray:
    kind = thing["geometryType"]
    mask = np.zeros((height, width), np.uint8)
    if kind == "polygon":
        # Corners are pixels, and the outline belongs to the figure, as OpenCV draws it.
        outline, *holes = [_pixels(ring) for ring in (thing["points"]["exterior"], *thing["points"]["interior"])]
        cv2.fillPoly(mask, [outline], 255)
        for hole in holes:
            cv2.fillPoly(mask, [hole], 0)
    elif kind == "rectangle":
        (left, top), (right, bottom) = _pixels(thing["points"]["exterior"])
        cv2.rectangle(mask, (int(left), int(top)), (int(right), int(bottom)), 255, -1)
    elif kind == "bitmap":
        _paste(thing["bitmap"], mask)
    else:
        raise ValueError(f"a person is drawn as {kind}; read are polygon, rectangle and bitmap")
    return mask


def _pixels(points: Any) -> np.ndarray:
    found = np.asarray(points, np.float64)
    if found.ndim != 2 or found.shape[1] != 2 or not np.isfinite(found).all() or np.abs(found).max() > _FARTHEST:
        raise ValueError("points are pairs of numbers")
    return found.round().astype(np.int32)


def _paste(bitmap: dict[str, Any], mask: np.ndarray) -> None:
    unpack = zlib.decompressobj()
    png = unpack.decompress(base64.b64decode(bitmap["data"], validate=True), _MOST_BYTES)
    if not unpack.eof:
        raise ValueError("a bitmap is cut off")
    # Its header tells the size: few bytes may be a picture of gigabytes.
    width, height = (int.from_bytes(png[k : k + 4], "big") for k in (16, 20))
    x, y = (int(v) for v in bitmap["origin"])
    if x < 0 or y < 0 or x + width > mask.shape[1] or y + height > mask.shape[0]:
        raise ValueError(f"a bitmap of {width}×{height} at ({x}, {y}) leaves the picture")
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) if png[:4] == b"\x89PNG" else None
    if picture is None or picture.shape[:2] != (height, width):
        raise ValueError("a bitmap is no PNG")
    channels = np.atleast_3d(picture)
    inside = (channels[..., 3:] if channels.shape[2] == 4 else channels).any(axis=2)
    mask[y : y + height, x : x + width] = inside * np.uint8(255)


def _told(error: Exception) -> str:
    return f"lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
