# SPDX-License-Identifier: Apache-2.0
"""Where the files of a bundle lie: a folder, or a zip file, which may come from anybody.

A zip file is read with suspicion, before anything in it is: it must be of a size that a bundle can have, hold nothing
but files and folders, each once, and no name may lead out of the folder it is unpacked into.
"""

from __future__ import annotations

import io
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from harness.errors import InvalidError

MOST_ENTRIES = 100_000
MOST_PACKED = 4 << 30
MOST_BYTES = 8 << 30
MOST_RATIO = 200
"""How many times larger than packed the whole may be; masks of a flat picture come to 50. What is below
:data:`SMALL` bytes may be anything: nobody runs out of that."""
SMALL = 64 << 20
_LONGEST_LIST = 16 << 20  # bytes of a zip's list of entries, which is read in one piece
_LONGEST_NAME = 1000
_LONGEST_PART = 255


class FilesError(InvalidError):
    """Files that cannot be a bundle's; the message does not name the path, the caller knows it."""


class Folder:
    """A bundle's folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Files by their path in the bundle, sorted."""
        found = (p.relative_to(self._path).as_posix() for p in self._path.rglob("*") if p.is_file())
        return sorted(name for name in found if not _is_litter(name))

    def has(self, name: str) -> bool:
        return (self._path / name).is_file()

    def open(self, name: str) -> IO[bytes]:
        """Raises FileNotFoundError where there is no such file, and OSError where it cannot be read."""
        return (self._path / name).open("rb")

    def check(self) -> None:
        """Hold the folder to what is asked of a zip file; a link may lead anywhere, and a pipe has no end.

        Raises:
            FilesError: a file is of another kind, badly named, or there is too much.
        """
        entries = []
        for path in self._path.rglob("*"):
            status = path.lstat()
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise FilesError(f"{path.relative_to(self._path)} is neither a file nor a folder")
            folder = stat.S_ISDIR(status.st_mode)
            name = path.relative_to(self._path).as_posix() + "/" * folder
            entries.append((name, 0 if folder else status.st_size))
        check_names(name for name, _ in entries)
        _check_sizes([size for _, size in entries])


class Zip:
    """A bundle's zip file, with or without the folder's name inside.

    Raises:
        FilesError: it is no zip file, or one that no bundle, or more than one, is packed in.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():  # a pipe would never end
            raise FilesError("neither a file nor a folder")
        try:
            packed = path.stat().st_size
            if packed > MOST_PACKED:
                raise FilesError(f"{packed:,} bytes, more than {MOST_PACKED:,}")
            file = _Reader(path)
            self._zip = zipfile.ZipFile(file)
            file.most = None
        except FilesError:
            raise
        except Exception as error:  # a damaged archive raises whatever its bytes happen to mean
            raise FilesError(str(error) or type(error).__name__) from None
        entries = self._zip.infolist()
        for entry in entries:
            _check_kind(entry)
        check_names(entry.filename for entry in entries)
        _check_sizes([entry.file_size for entry in entries], packed)
        if sum(entry.compress_size for entry in entries) > packed:
            raise FilesError("its entries overlap")
        files = {e.filename: e for e in entries if not e.is_dir() and not _is_litter(e.filename)}
        # The zip of a folder keeps the folder's name; both forms are accepted.
        found = [name for name in files if name.count("/") <= 1 and name.split("/")[-1] == "run.json"]
        prefix = found[0].removesuffix("run.json") if len(found) == 1 else ""
        if beside := [name for name in files if not name.startswith(prefix)]:
            raise FilesError(f"{beside[0]!r} lies beside the bundle's folder {prefix!r}; pack that folder alone")
        inside = {name.removeprefix(prefix): e for name, e in files.items()}
        self._files = {name: e for name, e in inside.items() if not _is_litter(name)}

    def names(self) -> list[str]:
        """Files by their path in the bundle, sorted."""
        return sorted(self._files)

    def has(self, name: str) -> bool:
        return name in self._files

    def open(self, name: str) -> IO[bytes]:
        """Raises FileNotFoundError where there is no such file; damage raises whatever its bytes happen to mean.

        What is read ends where the list of entries says, however much is packed."""
        if name not in self._files:
            raise FileNotFoundError(name)
        return self._zip.open(self._files[name])


class _Reader(io.FileIO):
    """A file of which at most so many bytes are read at once."""

    most: int | None = _LONGEST_LIST

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise FilesError("its list of entries is longer than that of any bundle")
        return super().read(-1 if size is None else size) or b""


def _check_kind(entry: zipfile.ZipInfo) -> None:
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise FilesError(f"{entry.filename!r} is neither a file nor a folder")
    if entry.flag_bits & 1:
        raise FilesError(f"{entry.filename!r} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FilesError(f"{entry.filename!r} is packed by another method than deflate")
    if "\0" in entry.orig_filename:
        raise FilesError(f"{entry.orig_filename!r} is no name for a file")


def check_names(names: Iterable[str]) -> None:
    """Raises FilesError unless every name leads to a place of its own inside the folder, on file systems that ignore
    case as well; a folder's name ends with a slash."""
    seen: dict[str, str] = {}
    files: set[str] = set()
    parents: set[str] = set()
    for name in names:
        path = name.removesuffix("/")
        check_name(path)
        for place in _prefixes(path):
            key = unicodedata.normalize("NFC", place).casefold()
            if seen.setdefault(key, place) != place:
                raise FilesError(f"{place!r} and {seen[key]!r} are one name where case is ignored")
        if name != path:
            parents.add(path)
        elif path in files:
            raise FilesError(f"{path!r} is there twice")
        else:
            files.add(path)
        parents.update(list(_prefixes(path))[:-1])
    if both := files & parents:
        raise FilesError(f"{min(both)!r} is a file and a folder")


def check_name(name: str) -> None:
    """Raises FilesError where a name is not that of a file inside the folder, written with slashes."""
    parts = name.split("/")
    forbidden = any(character in "\\:\x7f" or character < " " for character in name)
    if forbidden or any(part in ("", ".", "..") for part in parts):
        raise FilesError(f"{name!r} is no name for a file of a bundle")
    lengths = [len(part.encode("utf-8", "surrogatepass")) for part in (name, *parts)]
    if max(lengths[1:]) > _LONGEST_PART or lengths[0] > _LONGEST_NAME:
        raise FilesError(f"{name[:40]!r}… is too long a name")


def _prefixes(path: str) -> Iterator[str]:
    """``a``, ``a/b``, ``a/b/c`` of ``a/b/c``."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
    yield path


def _check_sizes(sizes: list[int], packed: int | None = None) -> None:
    if len(sizes) > MOST_ENTRIES:
        raise FilesError(f"{len(sizes):,} entries, more than {MOST_ENTRIES:,}")
    total = sum(sizes)
    if total > MOST_BYTES:
        raise FilesError(f"{total:,} bytes unpacked, more than {MOST_BYTES:,}")
    if packed is not None and total > max(SMALL, MOST_RATIO * packed):
        raise FilesError(f"{total:,} bytes packed in {packed:,}: no bundle can be packed so small")


def _is_litter(name: str) -> bool:
    """What macOS leaves beside files: folder settings, and attributes that a zip cannot hold."""
    parts = name.split("/")
    return parts[0] == "__MACOSX" or parts[-1] == ".DS_Store" or parts[-1].startswith("._")
