# SPDX-License-Identifier: Apache-2.0
"""Zip files as nobody's tool writes them: every field of the format can be set, and mutated.

The format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central
directory) and 4.3.16 (its end).
"""

from __future__ import annotations

import functools
import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

STORED, DEFLATED = 0, 8
REGULAR, LINK, PIPE, DEVICE = 0o100644, 0o120777, 0o010644, 0o060644


@dataclass(frozen=True)
class Member:
    """One file of a zip; what is None follows from its content."""

    name: bytes
    content: bytes
    method: int = DEFLATED
    mode: int = REGULAR
    flags: int = 0x800
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    at: int | None = None
    local_name: bytes | None = None


def pack(members: list[Member], entries: int | None = None, comment: bytes = b"") -> bytes:
    """The bytes of a zip with these members; ``entries`` is what it says their number is."""
    data, central = bytearray(), bytearray()
    for member in members:
        packed = _deflated(member.content) if member.method == DEFLATED else member.content
        crc = zlib.crc32(member.content) if member.crc is None else member.crc
        packed_size = len(packed) if member.packed_size is None else member.packed_size
        size = len(member.content) if member.size is None else member.size
        local = member.name if member.local_name is None else member.local_name
        common = (20, member.flags, member.method, 0, 0x21, crc, packed_size, size)
        at = len(data) if member.at is None else member.at
        data += struct.pack("<IHHHHHIIIHH", 0x04034B50, *common, len(local), 0) + local + packed
        central += struct.pack(
            "<IHHHHHHIIIHHHHHII", 0x02014B50, 0x031E, *common, len(member.name), 0, 0, 0, 0, member.mode << 16, at
        )  # fmt: skip
        central += member.name
    count = min(len(members) if entries is None else entries, 0xFFFF)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(central), len(data), len(comment))
    return bytes(data + central + end + comment)


@functools.lru_cache(50)
def _deflated(content: bytes) -> bytes:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeezer.compress(content) + squeezer.flush()


@functools.cache
def bomb() -> bytes:
    """80 MB of nothing, which pack into 80 kB."""
    return bytes(80 << 20)


def members_of(bundle: Path, top: str = "") -> list[Member]:
    """The files of a bundle's folder, below a folder ``top`` or not."""
    files = sorted(p for p in bundle.rglob("*") if p.is_file())
    return [Member(f"{top}{p.relative_to(bundle).as_posix()}".encode(), p.read_bytes()) for p in files]


def with_fresh_checksums(members: list[Member], top: str = "") -> list[Member]:
    """The members, with a ``checksums.txt`` that vouches for all of them: only what they hold can be wrong."""
    others = [m for m in members if not m.name.endswith(b"checksums.txt")]
    lines = [
        f"{hashlib.sha256(m.content).hexdigest()}  {m.name.decode('utf-8', 'replace').removeprefix(top)}\n"
        for m in others
    ]
    return [*others, Member(f"{top}checksums.txt".encode(), "".join(lines).encode())]


# --- mutations -----------------------------------------------------------------------------------

ODD_NUMBERS = (0, 1, 2, 7, 8, 20, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
ODD_CASES = ("../../../../secret", "/x", "..", "", "a/b", "A", "b", "x" * 300, "a\x1b[2J", "\ud800")
ODD_LABELS = ("\ud800x", "\x1b[2J", "a\rb", "\u202e", "\x9b31m", "é", " ", "x" * 300)
ODD_RUN_IDS = ("..", ".", "../x", "/x", "", "x\n", ".hidden", "x" * 300, "CON", "a:b", "x\\y", "é")


@dataclass
class Mutator:
    """Mutations of a bundle's zip, the same for the same seed.

    Args:
        bundle: a complete bundle's folder.
        outside: an absolute path of a file that must never come to be.
    """

    bundle: Path
    outside: Path
    seed: int = 0
    top: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def next(self) -> tuple[str, bytes]:
        """What was done, and the bytes it gave."""
        kinds: list[Callable[[list[Member]], bytes]] = [
            self.flip, self.truncate, self.fields, self.rename, self.add, self.sizes, self.kinds, self.bomb,
            self.overlap, self.facts, self.contents, self.shuffle,
        ]  # fmt: skip
        self.top = self._pick(["", "one.run/", "Runs and more/"])
        kind = self._pick(kinds)
        return kind.__name__, kind(members_of(self.bundle, self.top))

    def flip(self, members: list[Member]) -> bytes:
        data = bytearray(pack(members))
        for _ in range(self._below(8) + 1):
            data[self._below(len(data))] ^= 1 << self._below(8)
        return bytes(data)

    def truncate(self, members: list[Member]) -> bytes:
        data = pack(members)
        cut = self._below(len(data))
        return self._pick([data[:cut], data[cut:], data[:cut] + bytes(len(data) - cut), data + data[:cut]])

    def fields(self, members: list[Member]) -> bytes:
        """A number of a header, a directory entry or the end becomes another."""
        data = bytearray(pack(members))
        signature = self._pick([b"PK\3\4", b"PK\1\2", b"PK\5\6"])
        places = [k for k in range(len(data)) if data[k : k + 4] == signature]
        at = self._pick(places) + 4 + 2 * self._below(19)
        number = self._pick([*ODD_NUMBERS, self._below(1 << 32)])
        width = self._pick([2, 4])
        data[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, "little")
        return bytes(data)

    def rename(self, members: list[Member]) -> bytes:
        at = self._below(len(members))
        members[at] = replace(members[at], name=self._bad_name(members))
        if self._below(3) == 0:
            members[at] = replace(members[at], local_name=b"run.json")
        return pack(self._maybe_vouched(members))

    def add(self, members: list[Member]) -> bytes:
        members.insert(self._below(len(members) + 1), Member(self._bad_name(members), b"more", self._pick([0, 8])))
        return pack(self._maybe_vouched(members))

    def sizes(self, members: list[Member]) -> bytes:
        at = self._below(len(members))
        what = self._pick(["size", "packed_size", "crc"])
        members[at] = replace(members[at], **{what: self._pick(list(ODD_NUMBERS))})
        return pack(members, self._pick([None, 0, 1, 0xFFFF]))

    def kinds(self, members: list[Member]) -> bytes:
        at = self._below(len(members))
        change = self._pick(
            [{"mode": LINK}, {"mode": PIPE}, {"mode": DEVICE}, {"mode": 0o040755}, {"mode": 0}, {"flags": 0x801},
             {"flags": 0x8}, {"flags": 0}, {"method": 12}, {"method": 14}, {"method": 9}, {"method": 99}]
        )  # fmt: skip
        members[at] = replace(members[at], **change)
        return pack(members)

    def bomb(self, members: list[Member]) -> bytes:
        """A few kilobytes that say, truly or not, that they are gigabytes."""
        name = f"{self.top}tensors/bomb.npy".encode()
        if self._below(2):
            claimed = self._pick([1 << 31, 0xFFFFFFFE])
            return pack([*members, *(Member(name + b"%d" % k, bytes(9), size=claimed) for k in range(3))])
        return pack([*members, Member(name, bomb())])

    def overlap(self, members: list[Member]) -> bytes:
        """Many entries that all are the same bytes of the file."""
        first = replace(members[0], content=bytes(1 << 16))
        names = [f"{self.top}stages/{k}.input.npy".encode() for k in range(200)]
        return pack([first, *members[1:], *(replace(first, name=name, at=0) for name in names)])

    def facts(self, members: list[Member]) -> bytes:
        """Another ``run.json``, with checksums that vouch for it."""
        at = next(k for k, m in enumerate(members) if m.name.endswith(b"run.json"))
        table = json.loads(members[at].content)
        what = self._below(4)
        if what == 0:
            table["run_id"] = self._pick(list(ODD_RUN_IDS))
        elif what == 1:
            table["label"] = self._pick(list(ODD_LABELS))
        elif what == 2:
            table["suite"]["cases"][0]["id"] = self._pick(list(ODD_CASES))
        else:
            table[self._pick(sorted(table))] = self._pick([None, 1, "x", [], {}, [{}], "../../x", {"id": "/x"}])
        members[at] = replace(members[at], content=json.dumps(table).encode())
        return pack(with_fresh_checksums(members, self.top))

    def contents(self, members: list[Member]) -> bytes:
        """Damage inside a file, with checksums that vouch for it."""
        at = self._below(len(members))
        data = bytearray(members[at].content)
        for _ in range(self._below(4) + 1):
            data[self._below(len(data))] = self._below(256)
        members[at] = replace(members[at], content=bytes(data[: self._pick([len(data), self._below(len(data))])]))
        return pack(with_fresh_checksums(members, self.top))

    def shuffle(self, members: list[Member]) -> bytes:
        """Sound, in another order, with a comment, or some of it left out."""
        order = [members[int(k)] for k in self.random.permutation(len(members))]
        return pack(order[: self._pick([len(order), self._below(len(order) + 1)])], comment=bytes(self._below(300)))

    def _bad_name(self, members: list[Member]) -> bytes:
        known = self._pick(members).name
        return self._pick(
            [b"../" + known, b"/" + known, str(self.outside).encode(), b"../" * 12 + str(self.outside).encode()[1:],
             b"..\\..\\outside", b"C:\\outside", b"C:/outside", known + b"/..", b"tensors/../../outside", known,
             known.upper(), known + b"/", known + b"/x", b"", b"/", b".", b"..", b"a//b", b"a\0b", b"\xff\xfe",
             b"x" * 4000, b"d/" * 900,
             f"{self.top}tensors/./a.npy".encode(), f"{self.top}tensors/e\u0301.npy".encode(), b"a\nb",
             b"\xe2\x80\xae.npy", f"{self.top}.hidden".encode(), b"__MACOSX/._x", b"run.json", b"a/run.json"]
        )  # fmt: skip

    def _maybe_vouched(self, members: list[Member]) -> list[Member]:
        return with_fresh_checksums(members, self.top) if self._below(2) else members

    def _below(self, limit: int) -> int:
        return int(self.random.integers(limit))

    def _pick(self, choices: list[Any]) -> Any:
        return choices[self._below(len(choices))]
