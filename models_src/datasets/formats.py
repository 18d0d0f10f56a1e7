# SPDX-License-Identifier: Apache-2.0
"""Which format a set is in, and reading it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from models_src.datasets import coco, folders, supervisely
from models_src.datasets.sample import SUFFIXES, Sample

Reader = Callable[..., list[Sample]]

FORMATS: dict[str, Reader] = {
    "pairs": folders.pairs,
    "labels": folders.labels,
    "cutouts": folders.cutouts,
    "nobody": folders.nobody,
    "supervisely": supervisely.read,
    "coco": coco.read,
}
"""Readers by name. Each takes a path, a list that takes a line for each fault, and options of its own."""


_KINDS: dict[str, tuple[type | None, str]] = {
    "people": (int, "a list of whole numbers, such as [1]"),
    "classes": (str, "a list of names, such as [person]"),
    "masks": (None, "a name"),
    "images": (None, "a name"),
    "part": (None, "a name"),
}
"""What the readers' options are: of what they are lists, None for a text."""


def read(path: Path, faults: list[str], name: str | None = None, **options: Any) -> list[Sample]:
    """The samples of a set; the files of pictures and masks are not read yet.

    Args:
        path: folder or file.
        faults: takes a line for each thing that is wrong with it.
        name: the format; told by what is there if None.
        options: those of the format's reader.

    Raises:
        HarnessError: there is no such set or format, the format has no such option, or nothing of it can be read.
    """
    if not path.exists():
        raise HarnessError(f"{path}: no such file or folder")
    name = name or told_by(path, str(options.get("masks", "masks")))
    if name not in FORMATS:
        raise HarnessError(f"{path}: unknown format {name!r}; there are {', '.join(FORMATS)}")
    reader = FORMATS[name]
    known = [option for option in inspect.signature(reader).parameters if option not in ("path", "folder", "faults")]
    if unknown := options.keys() - set(known):
        raise HarnessError(
            f"{path}: format {name} has no option {', '.join(sorted(unknown))}; it has {', '.join(known) or 'none'}"
        )
    for option, value in options.items():
        kind, words = _KINDS[option]
        if not (isinstance(value, str) if kind is None else _listed(value, kind)):
            raise HarnessError(f"{path}: {option} is {words}, not {value!r}")
    return reader(path, faults, **options)


def _listed(value: Any, kind: type) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(type(one) is kind for one in value)


def told_by(path: Path, masks: str = "masks") -> str:
    """The format that the files of a set speak for; never ``nobody``, since a set whose masks are missing looks so.

    Args:
        path: the set.
        masks: the folder that pairs have their masks in.

    Raises:
        HarnessError: none.
    """
    if path.suffix.lower() == ".json" or any(path.glob("annotations/*.json")):
        return "coco"
    if (path / "meta.json").is_file():
        return "supervisely"
    if (path / "images").is_dir() and (path / masks).is_dir():
        return "pairs"
    if any(path.glob("annotations*")) and any(path.glob("images*")):
        return "labels"
    if any(path.glob("*.json")):
        return "coco"
    if path.is_dir():
        files = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES]
        if files and all(file.suffix.lower() in (".png", ".webp") for file in files):
            return "cutouts"
    raise HarnessError(
        f"{path}: not known as pictures with masks; expected images/ and masks/, images/ and annotations/, a "
        "Supervisely project, a COCO file, PNG cut-outs, or a manifest (.yaml). Pictures without a person: a manifest "
        "with `format: nobody`"
    )
