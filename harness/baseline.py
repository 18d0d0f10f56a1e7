# SPDX-License-Identifier: Apache-2.0
"""Baselines: a recorded set of runs under a name, to hold later runs against (:mod:`harness.baseline_check`).

A baseline is a folder ``<name>/`` with a manifest, ``baseline.json``, and the whole bundles of each run as zip files:
without its masks a run could not be held against them. Nothing here judges.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from harness import bundle as bundles
from harness import conditions, device
from harness.errors import HarnessError, InvalidError
from harness.files import write_file
from harness.runs import Run, open_runs

SCHEMA = "baseline/1"
FOLDER = "baselines"
"""Where baselines lie unless another folder is named: beside the user's work, to be kept with it."""

_MANIFEST = "baseline.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MACHINE = (*conditions.MACHINE, "emulated")


@dataclass(frozen=True)
class Recorded:
    """One run of a baseline.

    Attributes:
        target: what was run and how (:func:`target`); later runs find their counterpart by it.
        model: ``name``, ``variant``, ``sha256`` and ``bytes`` of the file.
        machine: where it ran (:func:`machine`).
        timed: whether its latency was measured.
        masks: whether every case was run, and not times alone taken.
        bundles: lane -> name of its zip file.
    """

    target: str
    model: dict[str, Any]
    machine: dict[str, Any]
    timed: bool
    masks: bool
    bundles: dict[str, str]


@dataclass(frozen=True)
class Baseline:
    """A recorded set of runs.

    Attributes:
        folder: its own folder.
        created_at: ISO 8601, UTC.
        tool: what recorded it.
        suite: ``id`` and ``sha256`` of the suite that all of them ran.
    """

    folder: Path
    name: str
    created_at: str
    tool: dict[str, Any]
    suite: dict[str, Any]
    runs: list[Recorded]

    @property
    def bytes(self) -> int:
        """What it takes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def open(self, recorded: Recorded) -> Run:
        """One of its runs, to compare with.

        Raises:
            InvalidError: a bundle is missing or has changed.
        """
        (run,) = open_runs([self.folder / name for name in recorded.bundles.values()])
        return run


def target(run: Run) -> str:
    """What was run and how: ``tflite:int8``, ``tflite:fp32@tflite-runtime==2.14.0``, ``core:fp32, 2 threads``.

    Read from the bundle's facts, so that ``tflite`` and ``tflite:fp32`` on the command line are one target.
    """
    facts = run.facts
    spec, _, package = str(facts["request"]["spec"]).partition("@")
    variant = facts["model"]["variant"] if facts["model"] else spec.partition(":")[2]
    asked = facts["runtime"]["requested"]
    threads, delegate = asked.get("threads", 1), asked.get("delegate", "cpu")
    text = ":".join(filter(None, [facts["runtime"]["name"], variant])) + (f"@{package}" if package else "")
    text += f" on {delegate}" if delegate != "cpu" else ""
    return text + (f", {threads} threads" if threads != 1 else "")


def slug(target: str) -> str:
    """A target as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", target)


def machine(run: Run) -> dict[str, Any]:
    """What must be equal for two times to be comparable: kind and model of the device, name, instruction set and number
    of its processors, whether they are emulated, the operating system, and the frequency governor where the platform
    tells. The kernel's release is left out: an update does not make another machine."""
    facts = run.facts
    told = {name: facts["device"].get(name) for name in _MACHINE}
    told["os"] = str(facts["device"]["os"]).partition(" (kernel")[0]
    governor = (facts["conditions"].get("before") or {}).get("governor")
    return told | ({"governor": governor} if governor else {})


def timed(run: Run) -> bool:
    """Whether the run's latency was measured."""
    return "image" in run.lanes and run.facts["protocol"]["count"] > 0


def masks(run: Run) -> bool:
    """Whether every case was run; ``harness bench`` takes times alone."""
    return any(bundle.facts["protocol"].get("parity", True) for bundle in run.lanes.values())


# --- recording -----------------------------------------------------------------------------------


def save(name: str, runs: Sequence[Run], folder: Path, replace: bool = False) -> Baseline:
    """Record runs under a name. The baseline appears whole or not at all.

    Raises:
        HarnessError: the name is taken or none; the runs are of different suites, twice the same, or of a camera.
        InvalidError: a run is not complete.
    """
    if _NAME.fullmatch(name) is None:
        raise HarnessError(f"{name!r} is no name for a baseline: use letters, digits, dot, dash and underscore")
    destination = folder / name
    if destination.exists() and not replace:
        raise HarnessError(f"{destination}: there is such a baseline already; choose another name, or give --replace")
    check_runs(runs)
    facts = runs[0].facts["suite"]
    with _appearing(destination) as growing:
        recorded = [_record(run, growing) for run in runs]
        saved = Baseline(
            folder=destination,
            name=name,
            created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            tool=device.tool(),
            suite={"id": facts["id"], "sha256": facts["sha256"]},
            runs=recorded,
        )
        manifest = {"schema": SCHEMA, **{k: v for k, v in asdict(saved).items() if k != "folder"}}
        write_file(growing / _MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return saved


def check_runs(runs: Sequence[Run]) -> None:
    """Whether runs can be recorded, or held against a baseline: complete, of one suite, each target once.

    Raises:
        HarnessError, InvalidError: they cannot; see :func:`save`.
    """
    if not runs:
        raise HarnessError("name the runs: bundles, a folder of them, a comparison's folder, or runtimes to run")
    seen: dict[str, Path] = {}
    for run in runs:
        path = next(iter(run.lanes.values())).path
        if run.kind != "suite":
            raise HarnessError(
                f"{path}: a {run.kind} bundle has no masks to hold anything against; name runs of a suite"
            )
        for bundle in run.lanes.values():
            if not bundle.complete:
                status = bundle.facts["status"]
                raise InvalidError(f"{bundle.path}: {status}: only complete runs count; finish it, or leave it out")
        if run.facts["suite"]["sha256"] != runs[0].facts["suite"]["sha256"]:
            ids = f"{run.facts['suite']['id']!r} and {runs[0].facts['suite']['id']!r}"
            raise HarnessError(f"{path}: another suite than the other runs' ({ids}); a baseline has one")
        if target(run) in seen:
            raise HarnessError(f"{path}: a second run of {target(run)}, beside {seen[target(run)]}; leave one out")
        seen[target(run)] = path


def _record(run: Run, folder: Path) -> Recorded:
    names = {}
    for lane, bundle in run.lanes.items():
        names[lane] = f"{slug(target(run))}-{lane}.run.zip"
        if bundle.path.is_file():
            shutil.copyfile(bundle.path, folder / names[lane])
        else:
            _zip(bundle.path, folder / names[lane])
        bundles.open(folder / names[lane]).verify()  # a copy that is not whole would be found out much too late
    model = {key: run.facts["model"][key] for key in ("name", "variant", "sha256", "bytes")}
    return Recorded(target(run), model, machine(run), timed(run), masks(run), names)


def _zip(folder: Path, destination: Path) -> None:
    """The same files give the same bytes: names in order, and no times of day."""
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


@contextmanager
def _appearing(destination: Path) -> Iterator[Path]:
    """A folder to fill that takes its name when the context ends well, and is gone when it does not."""
    growing = destination.with_name(f".{destination.name}.tmp{os.getpid()}")
    old = destination.with_name(f".{destination.name}.old{os.getpid()}")
    try:
        growing.mkdir(parents=True)
        yield growing
        with contextlib.suppress(FileNotFoundError):
            destination.rename(old)
        growing.rename(destination)
    except OSError as error:
        raise HarnessError(f"{destination}: cannot write: {error.strerror}; choose another --folder") from None
    finally:
        shutil.rmtree(growing, ignore_errors=True)
        if destination.exists():
            shutil.rmtree(old, ignore_errors=True)


# --- reading -------------------------------------------------------------------------------------


def load(name: str, folder: Path) -> Baseline:
    """The baseline of a name.

    Raises:
        HarnessError: there is none.
        InvalidError: its manifest cannot be read.
    """
    path = folder / name / _MANIFEST
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table.pop("schema") != SCHEMA:
            raise ValueError("another format")
        return Baseline(folder / name, **{**table, "runs": [Recorded(**run) for run in table["runs"]]})
    except FileNotFoundError:
        known = ", ".join(names(folder)) or "none at all"
        raise HarnessError(f"{folder}: no baseline {name!r}; there is {known}; choose with --folder") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidError(f"{path}: not a readable baseline: {error}; record it again with --replace") from None


def names(folder: Path) -> list[str]:
    """The baselines in a folder, readable or not."""
    return sorted(path.parent.name for path in folder.glob(f"*/{_MANIFEST}") if not path.parent.name.startswith("."))
