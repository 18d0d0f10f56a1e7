# SPDX-License-Identifier: Apache-2.0
"""Writing a set of scenes: a pair folder, with a line for each scene that says what is in it and of which seed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from harness import files
from harness.errors import HarnessError
from models_src.datasets.sample import Sample
from models_src.synth import scene
from models_src.synth.people import Cutout, cut_out

_QUALITIES = (35, 96)  # of JPEG, from, to
_TOLD = "synth.json"  # in the folder of a set: what decided it
_TRIES = 200  # to draw somebody who is large enough to be cut out


@dataclass(frozen=True)
class Options:
    """What decides a set, besides the people and the backgrounds.

    Attributes:
        scenario: one of :data:`models_src.synth.scene.SCENARIOS`.
        side: longer side of the pictures in pixels.
    """

    scenario: str
    count: int
    seed: int = 0
    side: int = 320


def write(
    out: Path,
    options: Options,
    people: Sequence[Sample],
    photographs: Sequence[Path],
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int | None = None,
) -> None:
    """Write a set to ``out``: ``images/``, ``masks/``, ``scenes.jsonl``, ``synth.json``. The same arguments give the
    same bytes, with any number of processes. One that was interrupted goes on with the scenes that are missing.

    Raises:
        HarnessError: the folder holds something else, or there are no people.
    """
    if not people:
        raise HarnessError("no people to cut out: the set, or its part, is empty")
    told = {**asdict(options), "people": _digest(_person, people), "photographs": _digest(_photograph, photographs)}
    _refuse_another(out, told)
    if (out / "scenes.jsonl").is_file():
        return
    out.mkdir(parents=True, exist_ok=True)
    files.write_file(out / _TOLD, (json.dumps(told, indent=1, sort_keys=True) + "\n").encode())
    for folder in ("images", "masks", "scenes"):
        (out / folder).mkdir(exist_ok=True)
    missing = [k for k in range(options.count) if not (out / "scenes" / f"{_stem(options, k)}.json").is_file()]
    done = options.count - len(missing)
    jobs = [(out, options, k) for k in missing]
    with _mapped(processes or os.cpu_count() or 1, people, photographs) as mapped:
        for number, _ in enumerate(mapped(jobs)):
            progress(done + number + 1, options.count)
    lines = [(out / "scenes" / f"{_stem(options, k)}.json").read_bytes() for k in range(options.count)]
    files.write_file(out / "scenes.jsonl", b"".join(lines))
    for k in range(options.count):
        (out / "scenes" / f"{_stem(options, k)}.json").unlink()
    (out / "scenes").rmdir()


def _stem(options: Options, number: int) -> str:
    return f"{options.scenario}_{options.seed}_{number:06d}"


def _refuse_another(out: Path, told: dict[str, Any]) -> None:
    """Raise HarnessError if a folder holds anything but a part of this set."""
    if not out.exists() or not any(out.iterdir()):
        return
    try:
        there = dict(json.loads((out / _TOLD).read_bytes()))
    except (OSError, TypeError, ValueError):
        raise HarnessError(f"{out}: holds something that is no set of scenes; choose another --out") from None
    differing = [
        key if key in ("people", "photographs") else f"{key} (there: {there.get(key)}, asked for: {value})"
        for key, value in told.items()
        if there.get(key) != value
    ]
    if differing:
        raise HarnessError(
            f"{out}: holds a set that differs in {', '.join(differing)}; ask for that one, or choose another --out"
        )


def _digest(contents: Callable[[Any], tuple[bytes, ...]], things: Sequence[Any]) -> str:
    """Of the contents of things, in order."""
    with ThreadPoolExecutor() as threads:
        found = threads.map(lambda thing: hashlib.sha256(b"\0".join(contents(thing))).digest(), things)
        return hashlib.sha256(b"".join(found)).hexdigest()


def _person(sample: Sample) -> tuple[bytes, ...]:
    """The mask as pixels, whatever it is read from: classes and numbers of people decide about it too."""
    return os.fsencode(sample.name), sample.image.read_bytes(), sample.read()[1].tobytes()


def _photograph(path: Path) -> tuple[bytes, ...]:
    return os.fsencode(path.name), path.read_bytes()


@contextmanager
def _mapped(
    processes: int, people: Sequence[Sample], photographs: Sequence[Path]
) -> Iterator[Callable[[list[Any]], Iterator[None]]]:
    """:func:`_make` for each of a list, by so many processes."""
    if processes == 1:
        _begin(people, photographs)
        yield lambda jobs: map(_make, jobs)
        return
    # Started anew: a copy of a process whose libraries have threads may wait for a lock that nobody holds.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(people, photographs))
    try:
        yield lambda jobs: pool.map(_make, jobs, chunksize=8)
    finally:
        pool.shutdown(cancel_futures=True)


_people: Sequence[Sample] = ()
_photographs: Sequence[Path] = ()


def _begin(people: Sequence[Sample], photographs: Sequence[Path]) -> None:
    """What a process of the pool knows from its beginning."""
    global _people, _photographs
    _people, _photographs = people, photographs
    _cutout.cache_clear()
    cv2.setNumThreads(1)


@lru_cache(maxsize=256)
def _cutout(number: int) -> Cutout | None:
    return cut_out(_people[number])


def _pick(rng: np.random.Generator) -> Cutout:
    for _ in range(_TRIES):
        if found := _cutout(int(rng.integers(len(_people)))):
            return found
    raise HarnessError("no people to cut out: hardly anybody in the set is large enough")


def _make(job: tuple[Path, Options, int]) -> None:
    """Make one scene and write its files, the one that says that it is there last."""
    out, options, number = job
    seed = (options.seed, number)
    made = scene.compose(scene.SCENARIOS[options.scenario], _pick, _photographs, options.side, [*seed, 0])
    quality = int(np.random.default_rng([*seed, 1]).integers(*_QUALITIES))
    stem = _stem(options, number)
    files.write_file(out / "images" / f"{stem}.jpg", _encoded(".jpg", made.image[..., ::-1], quality))
    files.write_file(out / "masks" / f"{stem}.png", _encoded(".png", made.mask))
    facts = {"name": stem, "seed": list(seed), "quality": quality, **made.facts}
    files.write_file(out / "scenes" / f"{stem}.json", (json.dumps(facts) + "\n").encode())


def _encoded(suffix: str, picture: np.ndarray, quality: int | None = None) -> bytes:
    flags = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    return bytes(cv2.imencode(suffix, picture, flags)[1])
