# SPDX-License-Identifier: Apache-2.0
"""Folders of pictures with a picture for a mask each, or none: pairs, mattes, class numbers, nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from models_src.datasets.sample import AlphaMask, GreyMask, LabelMask, Mask, Sample, pictures


def pairs(folder: Path, faults: list[str], masks: str = "masks") -> list[Sample]:
    """``images/NAME.jpg`` with ``masks/NAME.png``, 0 background and 255 person; mattes are the same with more greys.

    Args:
        folder: of the two folders.
        faults: takes a line for each file without a partner, and each second file of a stem.
        masks: name of the folder of masks.
    """
    return _matched(folder / "images", folder / masks, GreyMask, faults)


def labels(folder: Path, faults: list[str], people: Sequence[int] = (1,), part: str | None = None) -> list[Sample]:
    """``images_prepped_train/NAME.jpg`` with ``annotations_prepped_train/NAME.png``, whose pixels are numbers of
    classes: what image-segmentation-keras by D. Gupta expects. ``images/`` and ``annotations/`` will do as well.

    Args:
        folder, faults: as for :func:`pairs`.
        people: the numbers that stand for a person.
        part: ``test`` for ``images_prepped_test/``; if None, the only part there is, or ``train`` of several.
    """
    parts = [path for path in folder.glob("images_prepped_*") if path.is_dir()]
    if part is None and len(parts) < 2:
        images = parts[0] if parts else folder / "images"
    else:
        images = folder / f"images_prepped_{part or 'train'}"
    annotations = folder / images.name.replace("images", "annotations", 1)
    return _matched(images, annotations, lambda path: LabelMask(path, tuple(people)), faults)


def cutouts(folder: Path, faults: list[str]) -> list[Sample]:
    """Pictures whose own transparency is the mask.

    Args:
        folder: of the pictures, or of ``images/``.
        faults: takes a line for each second file of a stem.
    """
    found = _single(_images(folder), faults)
    return [Sample(stem, path, AlphaMask(path), stem) for stem, path in sorted(found.items())]


def nobody(folder: Path, faults: list[str]) -> list[Sample]:
    """Pictures without a person.

    Args:
        folder, faults: as for :func:`cutouts`.
    """
    return [Sample(stem, path, None, stem) for stem, path in sorted(_single(_images(folder), faults).items())]


def images(folder: Path) -> list[Path]:
    """The pictures of a folder, or of its ``images/``, whatever masks there are."""
    return [file for _, files in sorted(pictures(_images(folder)).items()) for file in files]


def _images(folder: Path) -> Path:
    return folder / "images" if (folder / "images").is_dir() else folder


def _matched(images: Path, masks: Path, mask: Callable[[Path], Mask], faults: list[str]) -> list[Sample]:
    ours, theirs = _single(images, faults), _single(masks, faults)
    faults += [f"{ours[stem]}: has no mask in {masks.name}/" for stem in ours.keys() - theirs.keys()]
    faults += [f"{theirs[stem]}: has no image in {images.name}/" for stem in theirs.keys() - ours.keys()]
    return [Sample(stem, ours[stem], mask(theirs[stem]), stem) for stem in sorted(ours.keys() & theirs.keys())]


def _single(folder: Path, faults: list[str]) -> dict[str, Path]:
    """One picture of each stem."""
    found = pictures(folder)
    faults += [f"{file}: second file of that stem" for files in found.values() for file in files[1:]]
    return {stem: files[0] for stem, files in found.items()}
