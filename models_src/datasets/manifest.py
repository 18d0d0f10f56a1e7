# SPDX-License-Identifier: Apache-2.0
"""Datasets put together from several sets, each with its weight; and what an epoch draws from them.

A manifest is a YAML file::

    sources:
      - data: ../portraits/train    # any format; relative to the manifest
      - data: ../rooms
        format: nobody              # told by what is there if left out
        weight: 0.5                 # how often an epoch shows each picture, on average; 1 if left out
        match: "room_*"             # only names that match
      - data: ../snapshots
        masks: soft_masks           # an option of the format
        where: {table: soft_masks.csv, name: stem, column: teacher_iou, least: 0.85}
        only: train.txt             # only names listed there, one a line
        group: "(.*)_[0-9]+"        # what names of one person have in common
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from harness.errors import HarnessError
from models_src.datasets import folders, formats
from models_src.datasets.sample import Sample, check, refuse

_OWN = {"data", "format", "weight", "match", "only", "where", "group"}


@dataclass(frozen=True)
class Source:
    """One set of a dataset.

    Attributes:
        path: as an error names it.
        weight: how often an epoch shows each of its pictures, on average.
    """

    path: Path
    samples: tuple[Sample, ...]
    weight: float = 1.0

    @property
    def drawn(self) -> int:
        """Pictures that an epoch shows of it."""
        return round(len(self.samples) * self.weight)


@dataclass(frozen=True)
class Dataset:
    """What a training, or a judgement, is made on."""

    sources: tuple[Source, ...]

    @property
    def samples(self) -> list[Sample]:
        """All samples, in order."""
        return [sample for source in self.sources for sample in source.samples]

    @property
    def drawn(self) -> int:
        """Pictures that an epoch shows."""
        return sum(source.drawn for source in self.sources)

    def epoch(self, seed: int, number: int) -> np.ndarray:
        """Which of :attr:`samples` an epoch shows, in what order; a function of seed and number alone.

        Of a weight of 2.5 each picture is shown twice, and half of them, others in every epoch, once more.

        Returns:
            Positions in :attr:`samples`, int, shape ``(drawn,)``.
        """
        shown, first = [], 0
        for place, source in enumerate(self.sources):
            count = len(source.samples)
            order = np.random.default_rng([seed, number, place]).permutation(count)
            shown.append(first + np.resize(order, source.drawn) if count else np.empty(0, int))
            first += count
        return np.random.default_rng([seed, number]).permutation(np.concatenate(shown).astype(int))


def load(path: str | Path, match: str = "*", **options: Any) -> Dataset:
    """A dataset, every picture and mask of which has been read once.

    Args:
        path: a manifest, or a set in any format.
        match: only names that match this glob.
        options: of a set; see :func:`models_src.datasets.formats.read`.

    Raises:
        HarnessError: names everything that is wrong with it; or nothing matches.
    """
    faults: list[str] = []
    dataset = read(path, faults, match, **options)
    faults += check(dataset.samples)
    if faults:
        refuse(path, faults)
    if not dataset.samples:
        raise HarnessError(f"{path}: no pictures {'there' if match == '*' else f'match {match!r}'}")
    return dataset


def images(path: str | Path) -> list[Path]:
    """The pictures of a folder, or of its ``images/``, with masks or without; of anything else those of the dataset.

    Raises:
        HarnessError: there are none, or something is wrong with the dataset.
    """
    path = Path(path)
    if path.is_dir() and (found := folders.images(path)):
        return found
    faults: list[str] = []
    try:
        found = [sample.image for sample in read(path, faults).samples]
    except HarnessError as error:
        raise HarnessError(f"no pictures: {error}") from None
    if faults:
        refuse(path, faults)
    if not found:
        raise HarnessError(f"{path}: no pictures")
    return found


def read(path: str | Path, faults: list[str], match: str = "*", **options: Any) -> Dataset:
    """A dataset whose pictures have not been read; arguments and errors as of :func:`load`, but ``faults`` takes a line
    for each thing that is wrong with single files, or with a source of a manifest."""
    path = Path(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        if options:
            raise HarnessError(f"{path}: is a manifest; format and options of its sources stand in it")
        sources = list(_sources(path, faults))
    else:
        sources = [Source(path, tuple(formats.read(path, faults, **options)))]
    kept = (replace(s, samples=tuple(x for x in s.samples if fnmatchcase(x.name, match))) for s in sources)
    return Dataset(tuple(kept))


def _sources(path: Path, faults: list[str]) -> Iterator[Source]:
    for entry in _entries(path):
        try:
            yield _source(entry, path, faults)
        except HarnessError as error:
            faults.append(str(error))


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HarnessError(f"{path}: not readable as YAML: {error}") from None
    entries = table.get("sources") if isinstance(table, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) and "data" in e for e in entries):
        raise HarnessError(f"{path}: a manifest has a list `sources`, and each of them `data`")
    return entries


def _source(entry: dict[str, Any], manifest: Path, faults: list[str]) -> Source:
    data = manifest.parent / str(entry["data"])
    where = f"{manifest}: {entry['data']}"
    weight = entry.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 1000:
        raise HarnessError(f"{where}: weight is a number above 0, not {weight!r}")
    options = {str(key): value for key, value in entry.items() if key not in _OWN}
    samples: Sequence[Sample] = formats.read(data, faults, entry.get("format"), **options)
    if "match" in entry:
        samples = [sample for sample in samples if fnmatchcase(sample.name, str(entry["match"]))]
    if "only" in entry:
        samples = _only(samples, manifest.parent / str(entry["only"]), faults)
    if "where" in entry:
        samples = _where(samples, data, entry["where"], where)
    if "group" in entry:
        samples = grouped(samples, str(entry["group"]), where)
    if not samples:
        raise HarnessError(f"{where}: no picture is left of this source")
    source = Source(data, tuple(samples), float(weight))
    if not source.drawn:
        raise HarnessError(f"{where}: weight {weight:g} of {len(samples)} pictures shows none of them")
    return source


def _only(samples: Sequence[Sample], file: Path, faults: list[str]) -> list[Sample]:
    try:
        names = set(file.read_text(encoding="utf-8").split("\n")) - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{file}: cannot be read: {error}") from None
    faults += [f"{file}: {name}: no such picture" for name in names - {sample.name for sample in samples}]
    return [sample for sample in samples if sample.name in names]


def _where(samples: Sequence[Sample], data: Path, rule: Any, where: str) -> list[Sample]:
    keys = {"table", "name", "column", "least"}
    if not isinstance(rule, dict) or rule.keys() != keys:
        raise HarnessError(f"{where}: `where` has {', '.join(sorted(keys))}")
    table = data / str(rule["table"])
    try:
        with table.open(newline="", encoding="utf-8") as file:
            values = {row[rule["name"]]: float(row[rule["column"]]) for row in csv.DictReader(file)}
        least = float(rule["least"])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HarnessError(f"{table}: cannot be read: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"{table}: `where` needs columns {rule['name']} and {rule['column']}: {error}") from None
    return [sample for sample in samples if values.get(sample.name, -np.inf) >= least]


def grouped(samples: Sequence[Sample], pattern: str, where: str) -> list[Sample]:
    """The samples with groups of their names: what the one group of a regular expression matches, the whole name where
    that does not match.

    Args:
        where: what an error names.

    Raises:
        HarnessError: it is no such expression.
    """
    try:
        matches = [re.fullmatch(pattern, sample.name) for sample in samples]
        names = [match.group(1) if match else s.name for match, s in zip(matches, samples, strict=True)]
    except (re.error, IndexError) as error:
        raise HarnessError(
            f"{where}: a group is a regular expression with one group, not {pattern!r}: {error}"
        ) from None
    return [replace(sample, group=name) for sample, name in zip(samples, names, strict=True)]
