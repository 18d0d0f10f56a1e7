# SPDX-License-Identifier: Apache-2.0
"""A picture and where its mask comes from: what every dataset format is read into.

Pictures are decoded here and nowhere else. Masks are soft: 0 is background, 255 person, between them a share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

import cv2
import numpy as np

from harness.errors import HarnessError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
"""Of files that are taken for pictures."""


class Mask(Protocol):
    """Where a sample's mask comes from."""

    @property
    def file(self) -> Path:
        """What an error about it names."""

    def read(self, height: int, width: int) -> np.ndarray:
        """The mask of a picture of this size, ``(H, W)`` uint8.

        Raises:
            HarnessError: it cannot be read, or is of another size.
        """


@dataclass(frozen=True)
class Sample:
    """A picture with its mask.

    Attributes:
        name: what manifests choose it by; of other sets, or of another folder, there may be one of the same name.
        mask: None where there is nobody in the picture.
        group: pictures of one person or scene have one group, and are never parted between training and validation.
    """

    name: str
    image: Path
    mask: Mask | None
    group: str

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """The picture, RGB ``(H, W, 3)``, and its mask ``(H, W)``, both uint8.

        Raises:
            HarnessError: one of them cannot be read, or they differ in size.
        """
        image = read_image(self.image)
        height, width = image.shape[:2]
        return image, np.zeros((height, width), np.uint8) if self.mask is None else self.mask.read(height, width)


@dataclass(frozen=True)
class GreyMask:
    """A picture whose brightness is the mask."""

    file: Path

    def read(self, height: int, width: int) -> np.ndarray:
        """See :meth:`Mask.read`."""
        return of_size(self.file, decode(self.file, cv2.IMREAD_GRAYSCALE), height, width)


@dataclass(frozen=True)
class AlphaMask:
    """The transparency of a picture that has one."""

    file: Path

    def read(self, height: int, width: int) -> np.ndarray:
        """See :meth:`Mask.read`."""
        picture = decode(self.file, cv2.IMREAD_UNCHANGED)
        if picture.ndim != 3 or picture.shape[2] != 4:
            raise HarnessError(f"{self.file}: has no transparency")
        alpha = picture[..., 3]
        return of_size(self.file, (alpha >> 8).astype(np.uint8) if alpha.dtype == np.uint16 else alpha, height, width)


@dataclass(frozen=True)
class LabelMask:
    """A picture whose pixels are numbers of classes, some of which are people."""

    file: Path
    people: tuple[int, ...]

    def read(self, height: int, width: int) -> np.ndarray:
        """See :meth:`Mask.read`."""
        picture = decode(self.file, cv2.IMREAD_UNCHANGED)
        labels = picture if picture.ndim == 2 else picture[..., 0]  # tools write the number into every channel
        if picture.ndim == 3 and not (picture[..., :3] == labels[..., None]).all():
            raise HarnessError(f"{self.file}: is a coloured picture, not one of class numbers")
        return of_size(self.file, np.isin(labels, self.people).astype(np.uint8) * 255, height, width)


def of_size(file: Path, mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mask as it is. Raises HarnessError if it is of another size."""
    if mask.shape != (height, width):
        raise HarnessError(f"{file}: mask is {mask.shape[1]}×{mask.shape[0]}, its image {width}×{height}")
    return mask


def read_image(path: Path) -> np.ndarray:
    """An RGB picture ``(H, W, 3)`` uint8, EXIF orientation applied. Raises HarnessError if it cannot be read."""
    return cv2.cvtColor(decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def decode(path: Path, flags: int) -> np.ndarray:
    """What OpenCV makes of a file of a picture. Raises HarnessError if it cannot be read."""
    try:
        picture = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    except (OSError, cv2.error):
        picture = None
    if picture is None:
        raise HarnessError(f"{path}: cannot be read as a picture")
    return picture


def pictures(folder: Path) -> dict[str, list[Path]]:
    """The pictures of a folder by stem, sorted. Raises HarnessError if there is no such folder."""
    if not folder.is_dir():
        raise HarnessError(f"{folder}: no such folder")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            found.setdefault(path.stem, []).append(path)
    return found


# --- what is wrong with a set --------------------------------------------------------------------


def check(samples: Sequence[Sample]) -> list[str]:
    """A line for every sample whose files cannot be used; all of them are read."""
    with ThreadPoolExecutor() as threads:
        return [fault for fault in threads.map(_fault, samples) if fault]


def _fault(sample: Sample) -> str | None:
    try:
        sample.read()
    except HarnessError as error:
        return str(error)
    return None


def refuse(where: str | Path, faults: Iterable[str]) -> NoReturn:
    """Raise one HarnessError that names all faults."""
    lines = sorted(faults)
    count = "1 fault" if len(lines) == 1 else f"{len(lines)} faults"
    raise HarnessError(f"{where}: {count}; mend or remove what is named:\n  " + "\n  ".join(lines))
