# SPDX-License-Identifier: Apache-2.0
"""Suites: hash-locked sets of pictures with ground-truth masks, read one case at a time.

A suite is a folder with ``suite.json`` (``schemas/suite-1.json``), ``images/`` and ``masks/``. Its pictures
are PNG files, or NPY arrays where it is *packed* for readers without an image decoder. EXIF orientation,
colour profiles and alpha are settled when a suite is made, so that no runtime decides about them. This module
knows neither models nor runtimes.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness.errors import HarnessError
from harness.resources import suites_folder

SCHEMA = "segmentation-suite/1"
DEFAULT = "portraits"
"""Id of the suite that is used where none is named."""
_INDEX = "suite.json"


class SuiteError(HarnessError):
    """A suite that cannot be read, made or trusted."""


@dataclass(frozen=True)
class Picture:
    """An image or a mask on disk.

    Attributes:
        path: the PNG or NPY file.
        file_sha256: hash of the file.
        sha256: hash of the pixels as bytes, row by row; the same for PNG and NPY.
    """

    path: Path
    file_sha256: str
    sha256: str

    def read_bytes(self) -> bytes:
        """The file's bytes, checked against its hash.

        Raises:
            SuiteError: the file is missing or was changed.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise SuiteError(f"{self.path}: cannot read: {error.strerror}; run: harness suite verify") from None
        if (actual := _sha256(data)) != self.file_sha256:
            raise SuiteError(
                f"{self.path}: the file was changed: its sha256 is {actual}, the suite was made with "
                f"{self.file_sha256}; run: harness suite verify"
            )
        return data

    def read(self, shape: tuple[int, ...]) -> np.ndarray:
        """The pixels, uint8 of the given shape.

        Raises:
            SuiteError: the file is missing, was changed, or does not hold such pixels.
        """
        data = self.read_bytes()
        pixels = _decode_npy(data) if self.path.suffix == ".npy" else _decode(data, grey=len(shape) == 2)
        if pixels is None or pixels.shape != shape or pixels.dtype != np.uint8:
            found = "nothing readable" if pixels is None else f"{pixels.dtype} {pixels.shape}"
            raise SuiteError(f"{self.path}: expected uint8 pixels of shape {shape}, found {found}")
        return pixels


@dataclass(frozen=True)
class Case:
    """One image of a suite, with its ground truth. Pixels are read when asked for and not kept."""

    id: str
    image: Picture
    mask: Picture | None
    height: int
    width: int
    tags: tuple[str, ...] = ()
    provenance: str = ""

    def read_image(self) -> np.ndarray:
        """uint8 RGB ``(H, W, 3)``, checked against the hash; raises :class:`SuiteError`."""
        return self.image.read((self.height, self.width, 3))

    def read_mask(self) -> np.ndarray:
        """bool ``(H, W)``, True where the person is, checked against the hash; raises :class:`SuiteError`."""
        if self.mask is None:
            raise SuiteError(f"case {self.id} has no ground-truth mask")
        return self.mask.read((self.height, self.width)) > 127


@dataclass(frozen=True)
class Suite:
    """A suite as ``suite.json`` describes it."""

    id: str
    root: Path
    cases: tuple[Case, ...]

    @property
    def packed(self) -> bool:
        """Whether the pictures are NPY arrays."""
        return self.cases[0].image.path.suffix == ".npy"

    @functools.cached_property
    def sha256(self) -> str:
        """Hash over the canonical JSON of everything that defines the suite, its pixels' hashes included.

        File formats do not enter: a packed suite has the hash of the one it was packed from, and results of
        both can be compared.
        """
        content = {
            "schema": SCHEMA,
            "id": self.id,
            "cases": [
                {
                    "id": case.id,
                    "height": case.height,
                    "width": case.width,
                    "image": case.image.sha256,
                    "mask": case.mask and case.mask.sha256,
                    "tags": list(case.tags),
                    "provenance": case.provenance,
                }
                for case in self.cases
            ],
        }
        return _sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


# --- reading -------------------------------------------------------------------------------------


@functools.cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(resources.files("harness").joinpath("schemas/suite-1.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def load(path: str | Path) -> Suite:
    """Read and validate the ``suite.json`` of a suite's folder. Pictures are read, and checked, later.

    Raises:
        SuiteError: there is no suite, its description is not valid, or it has no cases.
    """
    root = Path(path)
    index = root / _INDEX
    try:
        table = json.loads(index.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SuiteError(
            f"{root}: not a suite: it has no {_INDEX}; make one from a folder of pictures with: harness suite create"
        ) from None
    except OSError as error:
        raise SuiteError(f"{index}: cannot read: {error.strerror}") from None
    except ValueError as error:
        raise SuiteError(f"{index}: not readable JSON: {error}") from None
    return _parse(table, root)


def _parse(table: Any, root: Path) -> Suite:
    """The suite that the content of a ``suite.json`` describes."""
    index = root / _INDEX
    problems = sorted(_validator().iter_errors(table), key=lambda e: list(map(str, e.absolute_path)))
    if problems:
        what = "; ".join(f"{'.'.join(map(str, p.absolute_path)) or 'top level'}: {p.message}" for p in problems[:3])
        raise SuiteError(f"{index}: not a valid suite: {what}")
    cases = tuple(_case(root, entry) for entry in table["cases"])
    if not cases:
        raise SuiteError(f"{index}: the suite is empty: it has no cases")
    if clashes := _clashes(case.id for case in cases):
        raise SuiteError(f"{index}: more than one case is called {', '.join(clashes)}")
    return Suite(table["id"], root, cases)


def _case(root: Path, entry: dict[str, Any]) -> Case:
    image, mask = (
        value and Picture(root / value["file"], value["file_sha256"], value["sha256"])
        for value in (entry["image"], entry["mask"])
    )
    return Case(
        entry["id"], image, mask, entry["height"], entry["width"], tuple(entry["tags"]), entry["provenance"]
    )  # fmt: skip


def _clashes(ids: Iterable[str]) -> list[str]:
    """Ids that occur twice; letter case does not count, since files are named after them."""
    seen: dict[str, int] = {}
    for name in ids:
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
    return sorted(name for name, count in seen.items() if count > 1)


def shipped() -> list[str]:
    """Ids of the suites that come with the package."""
    return sorted(index.parent.name for index in suites_folder().glob(f"*/{_INDEX}"))


def find(name_or_path: str | Path) -> Suite:
    """A shipped suite by its id, or any other by its folder (or its ``suite.json``); see :func:`load`."""
    if str(name_or_path) in shipped():
        return load(suites_folder() / name_or_path)
    path = Path(name_or_path)
    if not path.exists():
        raise SuiteError(f"{path}: no such suite; name a suite's folder or one of: {', '.join(shipped())}")
    return load(path.parent if path.name == _INDEX else path)


def verify(suite: Suite) -> list[str]:
    """Read every file of a suite and list all that is wrong, one line each; an empty list is a sound suite."""
    problems = []
    expected = {suite.root / _INDEX}
    for case in suite.cases:
        shape = (case.height, case.width)
        for picture, form in ((case.image, (*shape, 3)), (case.mask, shape)):
            if picture is not None:
                expected.add(picture.path)
                problems += _picture_problems(picture, form)
    problems += [f"{path}: not part of the suite" for path in _files(suite.root) if path not in expected]
    return problems


def _picture_problems(picture: Picture, shape: tuple[int, ...]) -> list[str]:
    try:
        pixels = picture.read(shape)
    except SuiteError as error:
        return [str(error).removesuffix("; run: harness suite verify")]
    problems = []
    if (actual := _sha256(pixels.tobytes())) != picture.sha256:
        problems.append(f"{picture.path}: the sha256 of its pixels is {actual}, expected {picture.sha256}")
    if len(shape) == 2 and not np.isin(pixels, (0, 255)).all():
        problems.append(f"{picture.path}: a mask holds 0 and 255 only")
    return problems


def _files(root: Path) -> Iterator[Path]:
    """Every file below a suite's folder, except hidden ones and texts for people (``*.md``) at the top."""
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.is_file() and not hidden and not (path.parent == root and path.suffix == ".md"):
            yield path


# --- writing -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A case that is to be written.

    Attributes:
        image: uint8 RGB ``(H, W, 3)``.
        mask: bool ``(H, W)``, or None without ground truth.
    """

    id: str
    image: np.ndarray
    mask: np.ndarray | None
    tags: tuple[str, ...] = ()
    provenance: str = ""


def write(
    out: str | Path,
    suite_id: str,
    entries: Iterable[Entry],
    *,
    packed: bool = False,
    compression: int = 6,
    documents: Mapping[str, str] | None = None,
) -> Suite:
    """Write a suite; the same entries give the same bytes.

    Everything goes to a temporary folder that is renamed at the end: a suite is there as a whole or not at all.

    Args:
        out: the folder to make; it must not exist, or be empty.
        entries: taken one at a time.
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
    encode = _encode_npy if packed else functools.partial(_encode_png, compression=compression)
    try:
        temporary.chmod(0o755)
        for name in ("images", "masks"):
            (temporary / name).mkdir()
        cases = [_write_case(temporary, entry, ".npy" if packed else ".png", encode) for entry in entries]
        table = {"schema": SCHEMA, "id": suite_id, "cases": cases}
        suite = _parse(table, out)
        (temporary / _INDEX).write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
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
        return {"file": file, "file_sha256": _sha256(data), "sha256": _sha256(pixels.tobytes())}

    mask = None if entry.mask is None else np.where(entry.mask, np.uint8(255), np.uint8(0))
    return {
        "id": entry.id,
        "height": entry.image.shape[0],
        "width": entry.image.shape[1],
        "image": write_picture("images", entry.image),
        "mask": None if mask is None else write_picture("masks", mask),
        "tags": list(entry.tags),
        "provenance": entry.provenance,
    }


def pack(suite: Suite, out: str | Path) -> Suite:
    """Write the same suite with NPY arrays; see :func:`write`."""
    entries = (
        Entry(
            case.id,
            case.read_image(),
            case.read_mask() if case.mask else None,
            case.tags,
            case.provenance,
        )
        for case in suite.cases
    )
    return write(out, suite.id, entries, packed=True)


def create(
    folder: str | Path,
    out: str | Path,
    *,
    suite_id: str | None = None,
    tags: Sequence[str] = (),
    provenance: str = "",
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

    Raises:
        SuiteError: lists everything that is unreadable, unpaired or of differing size.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise SuiteError(f"{folder}: no such folder")
    pairs, problems = _pairs(folder)
    entries = _read_pairs(pairs, problems, folder, tuple(tags), provenance)
    return write(out, suite_id or _slug(out.resolve().name), entries)


def _slug(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")[:100] or "unnamed"


def _pairs(folder: Path) -> tuple[list[tuple[Path, Path | None]], list[str]]:
    """Images with their masks, by stem, and what is wrong with them."""
    images_folder = folder / "images" if (folder / "images").is_dir() else folder
    images, problems = _by_stem(images_folder)
    if not images:
        raise SuiteError(f"{images_folder}: no pictures there")
    if not (folder / "masks").is_dir():
        return [(image, None) for image in images.values()], problems
    masks, more = _by_stem(folder / "masks")
    problems += more
    problems += [f"{path}: no mask of this name in masks/" for stem, path in images.items() if stem not in masks]
    problems += [f"{path}: no image of this name" for stem, path in masks.items() if stem not in images]
    return [(path, masks[stem]) for stem, path in images.items() if stem in masks], problems


def _by_stem(folder: Path) -> tuple[dict[str, Path], list[str]]:
    found: dict[str, Path] = {}
    problems = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() or path.name.startswith("."):
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
    problems = problems + [f"more than one picture would be called {name}" for name in _clashes(ids)]
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
        pixels = _decode(path.read_bytes(), grey)
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


# --- pixels and bytes ----------------------------------------------------------------------------


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _decode(data: bytes, grey: bool) -> np.ndarray | None:
    """Upright pixels of an image file, 8-bit RGB, or grey of the file's own depth; None where it cannot be decoded."""
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH if grey else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        return None
    return pixels if pixels is None or grey else np.ascontiguousarray(pixels[..., ::-1])


def _encode_png(pixels: np.ndarray, compression: int) -> bytes:
    bgr = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, compression])[1].tobytes()


def _decode_npy(data: bytes) -> np.ndarray | None:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError):
        return None


def _encode_npy(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(pixels), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()
