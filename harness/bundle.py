# SPDX-License-Identifier: Apache-2.0
"""Run bundles: reading and writing ``<run_id>.run/`` folders and ``.run.zip`` files.

The format is ``schemas/run-1.json`` for ``run.json``; around it lie ``samples.csv``, ``tensors/``,
``stages/`` and, written last, ``checksums.txt``. A bundle holds facts; this module knows no verdicts.
Every file is written to a temporary name and renamed, so what has its own name is whole; only ``samples.csv`` grows in
place, and may end in a torn line until it is sealed.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.bundle_files import FilesError, Folder, Zip
from harness.errors import InvalidError
from harness.files import write_file
from harness.printable import shortened

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "run/1"
STAGES = ("input", "alpha", "composite")
"""Stages that a bundle may keep, in the order a frame passes them; probability lies in ``tensors/``."""
SAMPLE_FIELDS = (
    "seq", "phase", "restart", "block", "case", "due_ns", "start_ns", "preprocess_ns", "invoke_ns",
    "postprocess_ns", "refine_ns", "composite_ns", "total_ns", "presented_ns", "dropped", "mask_age", "thermal",
)  # fmt: skip
_TEXT_FIELDS = ("phase", "case", "thermal")
_CHECKSUMS = "checksums.txt"
_LONGEST_FACTS = 64 << 20  # bytes of run.json: 100,000 cases come to 20 MB
_LONGEST_FILE = 256 << 20  # of any other that is read at once


class BundleError(InvalidError):
    """A bundle that cannot be read or trusted."""


@functools.cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(resources.files("harness").joinpath("schemas/run-1.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def check_facts(facts: Any, where: str) -> dict[str, Any]:
    """Validate the content of a ``run.json`` against the schema, and that its cases differ; errors name the key."""
    problems = sorted(_validator().iter_errors(facts), key=lambda e: list(map(str, e.absolute_path)))
    if problems:
        said = (f"{'.'.join(map(str, p.absolute_path)) or 'top level'}: {p.message}" for p in problems[:3])
        what = "; ".join(map(shortened, said))
        raise BundleError(f"{where}: not a valid run bundle: {what}")
    seen = Counter(case["id"].casefold() for case in facts["suite"]["cases"])
    if twice := [name for name, number in seen.items() if number > 1]:
        raise BundleError(f"{where}: not a valid run bundle: suite.cases: {shortened(repr(twice[0]))} is there twice")
    return facts


# --- writing -------------------------------------------------------------------------------------


class BundleWriter:
    """Writes one bundle folder; an interrupted one stays behind with status ``partial``.

    Opening a folder that holds a partial bundle goes on with it.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.folder = folder
        self.facts = facts
        try:
            (folder / "tensors").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BundleError(
                f"{folder}: cannot make the folder: {error.strerror}; choose another folder with --out"
            ) from None
        (folder / _CHECKSUMS).unlink(missing_ok=True)
        _remove_leftovers(folder)
        self.save()
        self.rows, self._sampled = self._read_rows()

    @property
    def samples(self) -> Path:
        return self.folder / "samples.csv"

    def tensor_path(self, case: str) -> Path:
        return self.folder / "tensors" / f"{case}.npy"

    def stage_path(self, case: str, stage: str) -> Path:
        (self.folder / "stages").mkdir(exist_ok=True)
        return self.folder / "stages" / f"{case}.{stage}.npy"

    def done(self, case: str) -> bool:
        """Whether an earlier, interrupted pass left this case's tensor, and in the image lane its sample as well."""
        return self.tensor_path(case).exists() and (self.facts["lane"] == "tensor" or case in self._sampled)

    def save(self) -> None:
        """Write ``run.json`` with the facts known so far."""
        check_facts(self.facts, str(self.folder / "run.json"))
        write_file(self.folder / "run.json", (json.dumps(self.facts, indent=1, allow_nan=False) + "\n").encode())

    def add_samples(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append timed frames, given as dictionaries of :data:`SAMPLE_FIELDS`; absent fields stay empty."""
        with self.samples.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, SAMPLE_FIELDS, lineterminator="\n")
            for row in rows:
                writer.writerow({"seq": self.rows, **row})
                self.rows += 1

    def finish(self, status: str, error: dict[str, Any] | None = None) -> None:
        """Write the final ``run.json`` and then the checksums."""
        self.facts.update(status=status, error=error)
        self.save()
        seal(self.folder)

    def _read_rows(self) -> tuple[int, set[str]]:
        """Number of timed frames there are already, and the cases they are of."""
        if not self.samples.exists():
            write_file(self.samples, (",".join(SAMPLE_FIELDS) + "\n").encode())
            return 0, set()
        # An interruption may have cut the last line: keep the whole ones.
        whole = self.samples.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]
        write_file(self.samples, whole)
        cases = [row["case"] for row in csv.DictReader(io.StringIO(whole.decode()))]
        return len(cases), set(cases)


def seal(folder: Path) -> None:
    """Write the checksums of a bundle that has its last facts: then it is whole."""
    _remove_leftovers(folder)
    names = [name for name in Folder(folder).names() if name != _CHECKSUMS]
    lines = [f"{sha256(folder / name)}  {name}\n" for name in names]
    write_file(folder / _CHECKSUMS, "".join(lines).encode())


def remove_unbegun(folder: Path) -> bool:
    """Remove a bundle's folder that was killed before there was anything in it; False where something is."""
    _remove_leftovers(folder)
    if any(path.is_file() for path in folder.rglob("*")):
        return False
    shutil.rmtree(folder)
    return True


def _remove_leftovers(folder: Path) -> None:
    """Remove what :func:`harness.files.write_file` leaves behind when it is killed."""
    for leftover in folder.rglob(".*.tmp*"):
        leftover.unlink()


def sha256(path: Path) -> str:
    """Hash of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return _digest(iter(lambda: file.read(1 << 20), b""))


def _digest(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


# --- reading -------------------------------------------------------------------------------------


class Bundle:
    """One bundle, opened for reading. Tensors are read one at a time.

    Attributes:
        path: the folder or zip file.
        files: what lies in it.
        facts: the content of ``run.json``, validated.
    """

    def __init__(self, path: Path, check: bool = True) -> None:
        self.path = path
        if not path.exists():
            raise BundleError(f"{path}: no such run bundle")
        try:
            self.files = Folder(path) if path.is_dir() else Zip(path)
            facts = json.loads(self._read("run.json", _LONGEST_FACTS))
            json.dumps(facts, ensure_ascii=False).encode()  # half a character can be neither printed nor written
        except FilesError as error:
            raise BundleError(f"{path}: not a run bundle: {error}") from None
        except FileNotFoundError:
            raise BundleError(f"{path}: not a run bundle: it has no run.json") from None
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{path}: run.json is not readable: {error}") from None
        self.facts = check_facts(facts, f"{path}/run.json") if check else facts

    @property
    def label(self) -> str:
        return str(self.facts["label"])

    @property
    def lane(self) -> str:
        return str(self.facts["lane"])

    @property
    def complete(self) -> bool:
        return self.facts["status"] == "complete"

    @property
    def has_checksums(self) -> bool:
        """Whether the file that is written last is there; :meth:`verify` looks into it."""
        return self.files.has(_CHECKSUMS)

    def cases(self) -> Iterator[dict[str, Any]]:
        """Facts of each case, in the suite's order: ``id, input_sha256, height, width, tags``."""
        yield from self.facts["suite"]["cases"]

    def tensor(self, case: str) -> np.ndarray:
        """Probability of one case: float32 ``(h, w)`` at the model's resolution.

        Raises:
            BundleError: the tensor is missing, damaged, or no float32 map.
        """
        name = f"tensors/{case}.npy"
        try:
            data = self._read(name)
        except FileNotFoundError:
            raise BundleError(
                f"{self.path}: no tensor for case {case!r} (run status: {self.facts['status']})"
            ) from None
        array = self._array(name, data)
        if array.dtype != np.float32 or array.ndim != 2:
            raise BundleError(f"{self.path}: {name} is {array.dtype} {array.shape}, expected float32 (h, w)")
        return array

    def stage(self, case: str, stage: str) -> np.ndarray | None:
        """What a stage of one case left, an array of numbers; None where the bundle does not keep it.

        Raises:
            BundleError: it is damaged.
        """
        name = f"stages/{case}.{stage}.npy"
        try:
            data = self._read(name)
        except FileNotFoundError:
            return None
        array = self._array(name, data)
        if array.dtype.kind not in "uif":
            raise BundleError(f"{self.path}: {name} holds {array.dtype}, expected numbers")
        return array

    def _array(self, name: str, data: bytes) -> np.ndarray:
        try:
            return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        except Exception as error:  # a damaged header raises whatever its bytes happen to mean
            raise BundleError(f"{self.path}: {name} is damaged: {shortened(str(error))}") from None

    def samples(self) -> pd.DataFrame:
        """All timed frames, one row each, columns :data:`SAMPLE_FIELDS`, in nanoseconds.

        Raises:
            BundleError: ``samples.csv`` is missing or damaged.
        """
        import pandas as pd

        numeric = [name for name in SAMPLE_FIELDS if name not in _TEXT_FIELDS]
        try:
            table = pd.read_csv(io.BytesIO(self._read("samples.csv")), dtype=dict.fromkeys(_TEXT_FIELDS, str))
            table[numeric] = table[numeric].apply(pd.to_numeric)
        except FileNotFoundError:
            raise BundleError(f"{self.path}: samples.csv is missing") from None
        except (ValueError, KeyError) as error:  # no table, a column that is not there, text instead of a number
            raise BundleError(f"{self.path}: samples.csv is damaged: {shortened(str(error))}") from None
        return table

    def verify(self) -> None:
        """Check every file against ``checksums.txt``; a complete bundle must have one.

        Raises:
            BundleError: a file is missing, changed, or not listed.
        """
        try:
            lines = self._read(_CHECKSUMS).decode().splitlines()
            expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        except FileNotFoundError:
            raise BundleError(f"{self.path}: incomplete: {_CHECKSUMS} is missing") from None
        except ValueError as error:
            raise BundleError(f"{self.path}: {_CHECKSUMS} is damaged: {error}") from None
        present = set(self.files.names()) - {_CHECKSUMS}
        problems = [f"{name} is missing" for name in sorted(expected.keys() - present)]
        problems += [f"{name} is not listed" for name in sorted(present - expected.keys())]
        for name in sorted(present & expected.keys()):
            if self.sha256(name) != expected[name]:
                problems.append(f"{name} has changed")
        if problems:
            raise BundleError(f"{self.path}: " + "; ".join(problems[:5]))

    def sha256(self, name: str) -> str:
        """Hash of a file, by its path in the bundle.

        Raises:
            BundleError: it cannot be read.
        """
        return _digest(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file, piece by piece.

        Raises:
            FileNotFoundError: there is none.
            BundleError: it cannot be read.
        """
        try:
            with self.files.open(name) as file:
                while chunk := file.read(1 << 20):
                    yield chunk
        except FileNotFoundError:
            raise FileNotFoundError(name) from None
        except Exception as error:  # a damaged archive raises whatever its bytes happen to mean
            raise BundleError(f"{self.path}: {name} cannot be read: {error}") from None

    def _read(self, name: str, most: int = _LONGEST_FILE) -> bytes:
        """The content of a file of at most so many bytes; FileNotFoundError where there is none."""
        content = bytearray()
        for chunk in self.chunks(name):
            content += chunk
            if len(content) > most:
                raise BundleError(f"{self.path}: {name} is larger than {most:,} bytes")
        return bytes(content)


def open(path: str | Path, check: bool = True) -> Bundle:
    """Open a run bundle for reading.

    Args:
        check: validate ``run.json``, which takes most of the time; without it any key may be missing or be anything.

    Raises:
        BundleError: there is none at ``path``, or its ``run.json`` is not valid.
    """
    return Bundle(Path(path), check)


def is_bundle(path: str | Path) -> bool:
    """Whether a command-line argument names a recorded bundle (by its ending)."""
    return str(path).rstrip("/").endswith((".run", ".run.zip"))
