# SPDX-License-Identifier: Apache-2.0
"""Many runs over time: an index of all bundles below a folder, without reading tensors and, mostly, samples.

Of each bundle ``run.json`` is read, of each comparison beside them the list of its runs, for accuracy and verdict.
Where a bundle's writer left no ``timing.steady`` its samples are read once, and what they said is kept in the user's
cache folder. A bundle that is damaged or unfinished is an entry that says so. Nothing here judges.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from harness import bundle as bundles
from harness import conditions, latency, live
from harness.errors import HarnessError
from harness.files import cache_folder, write_file

_UNREADABLE = (HarnessError, KeyError, TypeError, ValueError, AttributeError, OSError)
"""What reading the facts of a bundle that nobody has checked may raise."""

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Entry:
    """One run. What is not known is None, or empty.

    Attributes:
        label: the runtime as it was named.
        started_at: ISO 8601, UTC.
        machine: processor, its number of logical cores, and operating system.
        p50, p90: milliseconds of the steady frames; of a camera application from capture to screen.
        fps: frames per second.
        memory_bytes, model_bytes: peak of the process; size of the file.
        iou: against ground truth, from the newest comparison of this run.
        verdict: of the same comparison.
        page: that comparison's page, relative to the indexed folder.
        bundles: its bundles, relative to the indexed folder.
        problem: why the run is damaged, unfinished or failed.
    """

    label: str
    started_at: str = ""
    session: str = ""
    model: str = ""
    variant: str = ""
    suite: str = ""
    machine: str = ""
    profile: str = ""
    version: str = ""
    p50: float | None = None
    p90: float | None = None
    fps: float | None = None
    memory_bytes: float | None = None
    model_bytes: float | None = None
    iou: float | None = None
    verdict: str = ""
    page: str = ""
    bundles: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def series(self) -> tuple[str, ...]:
        """Runs that can be held against each other over time have this in common."""
        return self.label, self.model, self.variant, self.suite, self.machine


def index(folder: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Entry]:
    """Every run below a folder, the oldest first; those whose time is not known come last.

    Raises:
        HarnessError: there is no such folder.
    """
    if not folder.is_dir():
        raise HarnessError(f"{folder}: no such folder; name one that holds run bundles, such as reports")
    paths, comparisons = _find(folder)
    judged = _judged(comparisons)
    cache = _Cache(folder)
    runs: dict[tuple[str, ...], list[_Bundle]] = {}
    for number, path in enumerate(paths):
        if number % 100 == 0:
            progress(number, len(paths))
        found = _Bundle.read(path, cache)
        runs.setdefault(found.key, []).append(found)
    cache.save()
    entries = [_entry(parts, folder, judged) for parts in runs.values()]
    return sorted(entries, key=lambda entry: (not entry.started_at, entry.started_at, entry.label))


def latest(entries: list[Entry]) -> list[Entry]:
    """The newest sound run of each series, by label."""
    newest = {entry.series: entry for entry in entries if not entry.problem}
    return sorted(newest.values(), key=lambda entry: entry.series)


def _find(folder: Path) -> tuple[list[str], list[str]]:
    """Paths of the bundles and of the comparisons below a folder."""
    paths, comparisons = [], []
    for place, folders, files in os.walk(folder):
        paths += [os.path.join(place, name) for name in folders if name.endswith(".run")]
        paths += [os.path.join(place, name) for name in files if name.endswith(".run.zip") and not name.startswith(".")]
        comparisons += [os.path.join(place, name) for name in files if name == "comparison.json"]
        folders[:] = sorted(name for name in folders if not name.endswith(".run") and not name.startswith("."))
    return sorted(paths), comparisons


# --- one bundle ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Bundle:
    """What the index keeps of a bundle."""

    path: str
    key: tuple[str, ...]
    lane: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def read(cls, path: str, cache: _Cache) -> _Bundle:
        try:
            opened = bundles.open(path, check=False)
            facts = opened.facts
            about = _about(facts)
            key = str(facts["session"]["id"]), about["label"]
            problem = _problem(opened)
            if (facts["lane"] == "image" or facts["kind"] == "live") and not conditions.why_untimed(facts):
                told = _told(facts)
                about |= cache.figures(opened) if told is None else told
            return cls(path, key, str(facts["lane"]), about, problem)
        except _UNREADABLE as error:
            what = f"run.json has no {error}" if isinstance(error, KeyError) else str(error).removeprefix(f"{path}: ")
            return cls(path, (path,), problem=f"damaged: {what}")


def _about(facts: dict[str, Any]) -> dict[str, Any]:
    model, device, suite = facts["model"] or {}, facts["device"], facts["suite"]
    # Read back, so that what is no time is a damaged bundle, and every time is of one form.
    started = datetime.fromisoformat(facts["started_at"].replace("Z", "+00:00")).astimezone(timezone.utc)
    system = str(device["os"]).partition(" (kernel")[0]
    return {
        "label": str(facts["label"]),
        "session": str(facts["session"]["id"]),
        "started_at": started.isoformat(timespec="seconds"),
        "model": str(model.get("name", "")),
        "variant": str(model.get("variant", "")),
        "suite": f"{suite['id']} {(suite['sha256'] or '')[:8]}".strip(),
        "machine": f"{device['cpu']}, {device['cores']} cores, {system}",
        "profile": str(facts["protocol"]["profile"]),
        "version": f"{facts['tool']['version']} {(facts['tool'].get('commit') or '')[:8]}".strip(),
        "memory_bytes": _number(facts["memory"].get("peak_bytes")),
        "model_bytes": _number(model.get("bytes")),
    }


def _problem(opened: bundles.Bundle) -> str:
    facts = opened.facts
    if facts["status"] == "failed":
        return f"failed: {(facts.get('error') or {}).get('message', 'for an unknown reason')}"
    if facts["status"] != "complete":
        return "unfinished: go on with harness run --resume"
    if not opened.has_checksums:
        return "incomplete: checksums.txt is missing"
    return ""


def _told(facts: dict[str, Any]) -> Figures | None:
    """The figures of the steady phase, if ``run.json`` holds them, or there is nothing to tell."""
    if facts["kind"] == "live" or facts["status"] != "complete":
        return None if facts["status"] == "complete" else {}
    steady = facts["timing"].get("steady")
    if steady is None:
        return None if facts["protocol"]["count"] else {}
    return _steady(steady)


def _steady(told: dict[str, Any]) -> Figures:
    p50, p90 = _number(told["p50_ns"]), _number(told["p90_ns"])
    return {"p50": p50 and p50 / 1e6, "p90": p90 and p90 / 1e6, "fps": _number(told["fps"])}


def _number(value: Any) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise TypeError(f"{value!r} is no number")
    return value


class _Cache:
    """Figures that had to be read from samples, by bundle, while these have not changed."""

    def __init__(self, folder: Path) -> None:
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._file = cache_folder() / "history" / f"{digest}.json"
        self._kept: dict[str, list[Any]] = {}
        self._changed = False
        try:
            self._kept = dict(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            pass

    def figures(self, opened: bundles.Bundle) -> Figures:
        """``p50``, ``p90`` and ``fps``, in milliseconds and per second."""
        file = opened.path if opened.path.is_file() else opened.path / "samples.csv"
        stamp = [file.stat().st_mtime_ns, file.stat().st_size]
        kept = self._kept.get(str(opened.path.resolve()))
        if kept is None or kept[0] != stamp:
            kept = [stamp, _measured(opened)]
            self._kept[str(opened.path.resolve())] = kept
            self._changed = True
        return dict(kept[1])

    def save(self) -> None:
        if not self._changed:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_file(self._file, json.dumps(self._kept).encode())
        except (OSError, HarnessError):
            pass  # without a cache the next index takes longer, and nothing else


def _measured(opened: bundles.Bundle) -> Figures:
    if opened.facts["kind"] == "live":
        shown = live.summarise(opened)
        return {"p50": shown.p50, "p90": shown.p90, "fps": shown.presented_fps}
    timed = latency.steady(opened)
    return _steady(timed) if timed else {}


# --- one run -------------------------------------------------------------------------------------


def _entry(parts: list[_Bundle], folder: Path, judged: dict[str, _Judged]) -> Entry:
    """A run of its bundles: the lane that is timed speaks for it. Copies of a bundle are listed, and count once."""
    parts = sorted(parts, key=lambda part: (part.lane != "image", bool(part.problem)))
    paths = [os.path.relpath(part.path, folder) for part in parts]
    whole = {part.lane: part for part in reversed(parts)}
    problem = "; ".join(dict.fromkeys(part.problem for part in whole.values() if part.problem))
    about = dict(parts[0].about) or {"label": Path(parts[0].path).name}
    verdicts = [judged[path] for part in parts if (path := os.path.realpath(part.path)) in judged]
    if verdicts:
        newest = max(verdicts, key=lambda one: one.created_at)
        page = os.path.relpath(newest.page, folder)
        about |= {"iou": newest.iou, "verdict": newest.verdict, "page": page}
    return Entry(**about, bundles=paths, problem=problem)


@dataclass(frozen=True)
class _Judged:
    created_at: str
    verdict: str
    iou: float | None
    page: str


def _judged(comparisons: list[str]) -> dict[str, _Judged]:
    """By the real path of a bundle, what the newest comparison that names it says of its run."""
    found: dict[str, _Judged] = {}
    for path in comparisons:
        try:
            for where, one in _runs_of(path):
                if where not in found or one.created_at > found[where].created_at:
                    found[where] = one
        except _UNREADABLE:
            continue  # the bundles are listed all the same, without accuracy
    return found


def _runs_of(path: str) -> Iterator[tuple[str, _Judged]]:
    """The runs of a ``comparison.json``. They come before its thousands of rows, which are not parsed; no text within
    a JSON string can look like the line that begins them, since strings hold no line breaks."""
    folder = os.path.dirname(path)
    text = Path(path).read_text(encoding="utf-8")
    decoder = json.JSONDecoder()
    created = decoder.raw_decode(text, text.index('\n "created_at": ') + 16)[0]
    for run in decoder.raw_decode(text, text.index('\n "runs": ') + 10)[0]:
        ious = [run["pooled"].get(lane, {}).get("gt_iou") for lane in ("image", "tensor")]
        iou = next((_number(value) for value in ious if value is not None), None)
        # A reference is compared with nothing: that it is whole is no verdict.
        verdict = "" if run["reference"] and run["verdict"] in ("PASS", "SKIP") else str(run["verdict"])
        one = _Judged(str(created), verdict, iou, os.path.join(folder, "index.html"))
        for bundle in run["bundles"].values():
            yield os.path.realpath(os.path.join(folder, bundle)), one
