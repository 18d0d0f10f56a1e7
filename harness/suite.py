# SPDX-License-Identifier: Apache-2.0
"""Suites: hash-locked sets of pictures with ground-truth masks, read one case at a time.

A suite is a folder with ``suite.json`` (``schemas/suite-1.json``), ``images/`` and ``masks/``. Its pictures
are PNG files, or NPY arrays where it is *packed* for readers without an image decoder. EXIF orientation,
colour profiles and alpha are settled when a suite is made, so that no runtime decides about them. In a *motion* suite
the cases are frames of sequences. This module knows neither models nor runtimes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from harness import pictures
from harness.errors import HarnessError
from harness.resources import suites_folder

SCHEMA = "segmentation-suite/1"
DEFAULT = "portraits"
"""Id of the suite that is used where none is named."""
INDEX = "suite.json"
"""The file that describes a suite."""


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
        if (actual := pictures.sha256(data)) != self.file_sha256:
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
        pixels = (
            pictures.decode_npy(data) if self.path.suffix == ".npy" else pictures.decode(data, grey=len(shape) == 2)
        )
        if pixels is None or pixels.shape != shape or pixels.dtype != np.uint8:
            found = "nothing readable" if pixels is None else f"{pixels.dtype} {pixels.shape}"
            raise SuiteError(f"{self.path}: expected uint8 pixels of shape {shape}, found {found}")
        return pixels


@dataclass(frozen=True)
class Motion:
    """A case's place in a sequence.

    Attributes:
        movement: the sequence it belongs to, called after what moves; cases of one sequence follow each other.
        frame: its number in the sequence, from 0.
        unchanged: where nothing but noise changed since the frame before; None where there is none, or it is not known.
    """

    movement: str
    frame: int
    unchanged: Picture | None = None


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
    motion: Motion | None = None

    def read_image(self) -> np.ndarray:
        """uint8 RGB ``(H, W, 3)``, checked against the hash; raises :class:`SuiteError`."""
        return self.image.read((self.height, self.width, 3))

    def read_mask(self) -> np.ndarray:
        """bool ``(H, W)``, True where the person is, checked against the hash; raises :class:`SuiteError`."""
        if self.mask is None:
            raise SuiteError(f"case {self.id} has no ground-truth mask")
        return self.mask.read((self.height, self.width)) > 127

    def read_unchanged(self) -> np.ndarray:
        """bool ``(H, W)``, True where nothing but noise changed since the frame before, checked against the hash.

        Raises:
            SuiteError: this is no later frame of a motion suite.
        """
        if self.motion is None or self.motion.unchanged is None:
            raise SuiteError(f"case {self.id} does not tell what is unchanged since the frame before")
        return self.motion.unchanged.read((self.height, self.width)) > 127


@dataclass(frozen=True)
class Suite:
    """A suite as ``suite.json`` describes it; ``fps`` is the rate of a motion suite, whose cases are frames."""

    id: str
    root: Path
    cases: tuple[Case, ...]
    fps: int | None = None

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
        content: dict[str, Any] = {"schema": SCHEMA, "id": self.id, "cases": [_identity(c) for c in self.cases]}
        if self.fps is not None:
            content["fps"] = self.fps
        return pictures.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def _identity(case: Case) -> dict[str, Any]:
    """What the hash of a suite is taken over, of one case."""
    identity: dict[str, Any] = {
        "id": case.id,
        "height": case.height,
        "width": case.width,
        "image": case.image.sha256,
        "mask": case.mask and case.mask.sha256,
        "tags": list(case.tags),
        "provenance": case.provenance,
    }
    if case.motion:
        unchanged = case.motion.unchanged and case.motion.unchanged.sha256
        identity["motion"] = [case.motion.movement, case.motion.frame, unchanged]
    return identity


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
    index = root / INDEX
    try:
        table = json.loads(index.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SuiteError(
            f"{root}: not a suite: it has no {INDEX}; make one from a folder of pictures with: harness suite create"
        ) from None
    except OSError as error:
        raise SuiteError(f"{index}: cannot read: {error.strerror}") from None
    except ValueError as error:
        raise SuiteError(f"{index}: not readable JSON: {error}") from None
    return parse(table, root)


def parse(table: Any, root: Path) -> Suite:
    """The suite that the content of a ``suite.json`` describes."""
    index = root / INDEX
    problems = sorted(_validator().iter_errors(table), key=lambda e: list(map(str, e.absolute_path)))
    if problems:
        what = "; ".join(f"{'.'.join(map(str, p.absolute_path)) or 'top level'}: {p.message}" for p in problems[:3])
        raise SuiteError(f"{index}: not a valid suite: {what}")
    cases = tuple(_case(root, entry) for entry in table["cases"])
    if not cases:
        raise SuiteError(f"{index}: the suite is empty: it has no cases")
    if same := clashes(case.id for case in cases):
        raise SuiteError(f"{index}: more than one case is called {', '.join(same)}")
    if "motion" in table and (problem := _sequence_problem(cases)):
        raise SuiteError(f"{index}: not a valid motion suite: {problem}")
    return Suite(table["id"], root, cases, table["motion"]["fps"] if "motion" in table else None)


def _sequence_problem(cases: tuple[Case, ...]) -> str | None:
    """Why cases are no sequences of frames; None where they are."""
    expected: dict[str, int] = {}
    before = None
    for case in cases:
        if case.motion is None:
            return f"case {case.id} has no motion"
        if (case.height, case.width) != (cases[0].height, cases[0].width):
            return f"case {case.id} has another size than {cases[0].id}"
        new = case.motion.movement != before
        if case.motion.frame != expected.get(case.motion.movement, 0) or (new and case.motion.frame):
            return f"case {case.id} is not the next frame of its movement"
        before = case.motion.movement
        expected[before] = case.motion.frame + 1
    return None


def _case(root: Path, entry: dict[str, Any]) -> Case:
    def picture(value: dict[str, Any] | None) -> Any:
        return value and Picture(root / value["file"], value["file_sha256"], value["sha256"])

    place = entry.get("motion")
    motion = place and Motion(place["movement"], place["frame"], picture(place["unchanged"]))
    return Case(
        entry["id"], picture(entry["image"]), picture(entry["mask"]), entry["height"], entry["width"],
        tuple(entry["tags"]), entry["provenance"], motion,
    )  # fmt: skip


def clashes(ids: Iterable[str]) -> list[str]:
    """Ids that occur twice; letter case does not count, since files are named after them."""
    seen: dict[str, int] = {}
    for name in ids:
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
    return sorted(name for name, count in seen.items() if count > 1)


def shipped() -> list[str]:
    """Ids of the suites that come with the package."""
    return sorted(index.parent.name for index in suites_folder().glob(f"*/{INDEX}"))


def find(name_or_path: str | Path) -> Suite:
    """A shipped suite by its id, or any other by its folder (or its ``suite.json``); see :func:`load`."""
    if str(name_or_path) in shipped():
        return load(suites_folder() / name_or_path)
    path = Path(name_or_path)
    if not path.exists():
        raise SuiteError(f"{path}: no such suite; name a suite's folder or one of: {', '.join(shipped())}")
    return load(path.parent if path.name == INDEX else path)


def verify(suite: Suite) -> list[str]:
    """Read every file of a suite and list all that is wrong, one line each; an empty list is a sound suite."""
    problems = []
    expected = {suite.root / INDEX}
    for case in suite.cases:
        shape = (case.height, case.width)
        unchanged = case.motion.unchanged if case.motion else None
        for picture, form in ((case.image, (*shape, 3)), (case.mask, shape), (unchanged, shape)):
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
    if (actual := pictures.sha256(pixels.tobytes())) != picture.sha256:
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
