# SPDX-License-Identifier: Apache-2.0
"""Making suites: from arrays, from a user's folder of pictures, and packed from another suite.

A suite is there as a whole or not at all, the same input gives the same bytes, and none is ever overwritten.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from harness import pictures
from harness.suite import INDEX, SCHEMA, Motion, Suite, SuiteError, clashes, parse


@dataclass(frozen=True)
class Entry:
    """A case that is to be written.

    Attributes:
        image: uint8 RGB ``(H, W, 3)``.
        mask: bool ``(H, W)``, or None without ground truth.
        motion: the place in a motion suite; its ``unchanged`` is not looked at.
        unchanged: bool ``(H, W)``: what becomes ``motion.unchanged``.
    """

    id: str
    image: np.ndarray
    mask: np.ndarray | None
    tags: tuple[str, ...] = ()
    provenance: str = ""
    motion: Motion | None = None
    unchanged: np.ndarray | None = None


def write(
    out: str | Path,
    suite_id: str,
    entries: Iterable[Entry],
    *,
    fps: int | None = None,
    packed: bool = False,
    compression: int = 6,
    documents: Mapping[str, str] | None = None,
) -> Suite:
    """Write a suite; the same entries give the same bytes.

    Everything goes to a temporary folder that is renamed at the end: a suite is there as a whole or not at all.

    Args:
        out: the folder to make; it must not exist, or be empty.
        entries: taken one at a time.
        fps: the rate of a motion suite; every entry then has its place in a sequence.
        packed: NPY arrays instead of PNG files.
        compression: zlib level of the PNG files; 9 takes four times as long for 3 % less.
        documents: texts for people, by file name (``*.md``).

    Raises:
        SuiteError: ``out`` is in use or not writable, or the entries make no valid suite.
    """
    out = Path(out)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise SuiteError(f"{out}: exists already; a suite is never overwritten: choose another folder with --out")
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.tmp", dir=out.parent))
    except OSError as error:
        raise SuiteError(f"{out}: cannot write there: {error.strerror}; choose another folder with --out") from None
    encode = pictures.encode_npy if packed else functools.partial(pictures.encode_png, compression=compression)
    try:
        temporary.chmod(0o755)
        for name in ("images", "masks") if fps is None else ("images", "masks", "unchanged"):
            (temporary / name).mkdir()
        cases = [_write_case(temporary, entry, ".npy" if packed else ".png", encode) for entry in entries]
        rate = {} if fps is None else {"motion": {"fps": fps}}
        table = {"schema": SCHEMA, "id": suite_id, **rate, "cases": cases}
        suite = parse(table, out)
        (temporary / INDEX).write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        for name, text in (documents or {}).items():
            (temporary / name).write_text(text, encoding="utf-8")
        os.replace(temporary, out)
    except OSError as error:
        raise SuiteError(f"{out}: cannot write: {error.strerror}; choose another folder with --out") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return suite


def _write_case(root: Path, entry: Entry, suffix: str, encode: Callable[[np.ndarray], bytes]) -> dict[str, Any]:
    def write_picture(folder: str, pixels: np.ndarray) -> dict[str, str]:
        data, file = encode(pixels), f"{folder}/{_slug(entry.id)}{suffix}"
        (root / file).write_bytes(data)
        return {"file": file, "file_sha256": pictures.sha256(data), "sha256": pictures.sha256(pixels.tobytes())}

    def write_plane(folder: str, plane: np.ndarray | None) -> dict[str, str] | None:
        return None if plane is None else write_picture(folder, np.where(plane, np.uint8(255), np.uint8(0)))

    case: dict[str, Any] = {
        "id": entry.id,
        "height": entry.image.shape[0],
        "width": entry.image.shape[1],
        "image": write_picture("images", entry.image),
        "mask": write_plane("masks", entry.mask),
        "tags": list(entry.tags),
        "provenance": entry.provenance,
    }
    if entry.motion:
        place = {"movement": entry.motion.movement, "frame": entry.motion.frame}
        case["motion"] = {**place, "unchanged": write_plane("unchanged", entry.unchanged)}
    return case


def pack(suite: Suite, out: str | Path) -> Suite:
    """Write the same suite with NPY arrays; see :func:`write`."""
    entries = (
        Entry(
            case.id,
            case.read_image(),
            case.read_mask() if case.mask else None,
            case.tags,
            case.provenance,
            case.motion,
            case.read_unchanged() if case.motion and case.motion.unchanged else None,
        )
        for case in suite.cases
    )
    return write(out, suite.id, entries, fps=suite.fps, packed=True)


def create(
    folder: str | Path,
    out: str | Path,
    *,
    suite_id: str | None = None,
    tags: Sequence[str] = (),
    provenance: str = "",
    match: str = "*",
) -> Suite:
    """Make a suite from a user's pictures; see :func:`write`.

    EXIF orientation is applied, to masks as well; colour profiles and alpha are dropped; 16-bit pictures become
    8-bit. A case is called like its file, with anything but letters, digits, ``.``, ``_`` and ``-`` replaced.

    Args:
        folder: holds ``images/``, or the pictures themselves, and optionally ``masks/`` with one mask per picture
            of the same stem. A mask has two values (the greater is the person) or is grey (the person is above half
            of the range).
        suite_id: the name of ``out`` by default.
        tags, provenance: noted with every case.
        match: only pictures whose name, without the suffix, matches this glob.

    Raises:
        SuiteError: lists everything that is unreadable, unpaired or of differing size.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise SuiteError(f"{folder}: no such folder")
    pairs, problems = _pairs(folder, match)
    entries = _read_pairs(pairs, problems, folder, tuple(tags), provenance)
    return write(out, suite_id or _slug(out.resolve().name), entries)


def _slug(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")[:100] or "unnamed"


def _pairs(folder: Path, match: str) -> tuple[list[tuple[Path, Path | None]], list[str]]:
    """Images with their masks, by stem, and what is wrong with them."""
    images_folder = folder / "images" if (folder / "images").is_dir() else folder
    images, problems = _by_stem(images_folder, match)
    if not images:
        raise SuiteError(f"{images_folder}: no pictures {'there' if match == '*' else f'match {match!r}'}")
    if not (folder / "masks").is_dir():
        return [(image, None) for image in images.values()], problems
    masks, more = _by_stem(folder / "masks", match)
    problems += more
    problems += [f"{path}: no mask of this name in masks/" for stem, path in images.items() if stem not in masks]
    problems += [f"{path}: no image of this name" for stem, path in masks.items() if stem not in images]
    return [(path, masks[stem]) for stem, path in images.items() if stem in masks], problems


def _by_stem(folder: Path, match: str) -> tuple[dict[str, Path], list[str]]:
    found: dict[str, Path] = {}
    problems = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() or path.name.startswith(".") or not fnmatchcase(path.stem, match):
            continue
        other = found.setdefault(path.stem, path)
        if other is not path:
            problems.append(f"{path}: has the name of {other.name}")
    return found, problems


def _read_pairs(
    pairs: list[tuple[Path, Path | None]],
    problems: list[str],
    folder: Path,
    tags: tuple[str, ...],
    provenance: str,
) -> Iterator[Entry]:
    """Entries one at a time; problems are gathered on the way and raised together at the end."""
    ids = [_slug(image.stem) for image, _ in pairs]
    problems = problems + [f"more than one picture would be called {name}" for name in clashes(ids)]
    for case_id, (image_path, mask_path) in zip(ids, pairs, strict=True):
        image, mask = None, None
        try:
            image = _read_foreign(image_path, grey=False)
            mask = None if mask_path is None else _person(mask_path, _read_foreign(mask_path, grey=True))
        except SuiteError as error:
            problems.append(str(error))
        if image is not None and mask is not None and image.shape[:2] != mask.shape:
            problems.append(f"{mask_path}: is {_size(mask)} pixels, its image {_size(image)}")
        if not problems and image is not None:
            yield Entry(case_id, image, mask, tags, provenance or image_path.name)
    if problems:
        raise SuiteError(f"{folder}: no suite was made of it:\n" + "\n".join(f"  {problem}" for problem in problems))


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"


def _read_foreign(path: Path, grey: bool) -> np.ndarray:
    try:
        pixels = pictures.decode(path.read_bytes(), grey)
    except OSError as error:
        raise SuiteError(f"{path}: cannot read: {error.strerror}") from None
    if pixels is None:
        raise SuiteError(f"{path}: not a readable picture")
    return pixels


def _person(path: Path, mask: np.ndarray) -> np.ndarray:
    """Where a user's mask shows the person: its greater value if it has two, else above half of the range."""
    if mask.dtype not in (np.uint8, np.uint16):
        raise SuiteError(f"{path}: a mask has 8 or 16 bits, this one is {mask.dtype}")
    values, half = np.unique(mask), np.iinfo(mask.dtype).max // 2
    if len(values) > 2 and values[-1] <= half:
        raise SuiteError(f"{path}: neither a mask of two values nor a grey one: its values end at {values[-1]}")
    if len(values) == 2:
        return mask == values[1]
    return mask > (half if len(values) > 2 else 0)
