# SPDX-License-Identifier: Apache-2.0
"""Parts of a dataset that share no group: the same person is never in two of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml

from harness import files
from harness.errors import HarnessError
from models_src.datasets import manifest
from models_src.datasets.sample import Sample

Part = Literal["train", "val"]
PARTS: tuple[Part, ...] = ("train", "val")


def part_of(group: str, share: float, seed: int = 0) -> Part:
    """The part that a group belongs to, wherever and whenever that is asked: by a hash of its name.

    Args:
        share: of the groups that are for validation, 0 … 1.
        seed: another one draws other groups.
    """
    drawn = int.from_bytes(hashlib.sha256(f"{seed}\n{group}".encode()).digest()[:8], "big") / 2**64
    return "val" if drawn < share else "train"


def of_part(samples: Iterable[Sample], part: Part, share: float, seed: int = 0) -> list[Sample]:
    """The samples whose group belongs to a part; see :func:`part_of`."""
    return [sample for sample in samples if part_of(sample.group, share, seed) == part]


def write(
    path: Path, out: Path, match: str, share: float, group: str | None, seed: int, options: dict[str, Any]
) -> dict[str, int]:
    """Write ``train.yaml`` and ``val.yaml`` to a folder: manifests of the two parts, with lists of their names.

    Args:
        path: a set in any format, but no manifest.
        out: the folder.
        match, options: of :func:`models_src.datasets.manifest.load`.
        share, seed: of :func:`part_of`.
        group: regular expression; see :mod:`models_src.datasets.manifest`.

    Returns:
        Pictures of each.

    Raises:
        HarnessError: the set cannot be read, or a part would be empty.
    """
    if path.suffix.lower() in (".yaml", ".yml"):
        raise HarnessError(f"{path}: is a manifest; part the sets that it mixes")
    samples = manifest.load(path, match, **options).samples
    entry: dict[str, Any] = {"data": os.path.relpath(path.resolve(), out.resolve())}
    entry |= {"format" if name == "name" else name: _plain(value) for name, value in options.items()}
    if group is not None:
        entry["group"] = group
        samples = manifest.grouped(samples, group, str(path))
    out.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    for part in PARTS:
        names = [sample.name for sample in of_part(samples, part, share, seed)]
        if not names:
            raise HarnessError(f"{path}: nothing is left for {part}: {len(samples)} pictures, --val {share:g}")
        files.write_file(out / f"{part}.txt", ("\n".join(names) + "\n").encode())
        table = {"sources": [{**entry, "only": f"{part}.txt"}]}
        files.write_file(out / f"{part}.yaml", yaml.safe_dump(table, sort_keys=False).encode())
        counts[part] = len(names)
    return counts


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
