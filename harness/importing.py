# SPDX-License-Identifier: Apache-2.0
"""Taking in bundles that were made elsewhere: everything in them is checked, and nothing that is there is overwritten.

A bundle is unpacked into a hidden folder beside its place, checked there, and renamed: what has its name is whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness import bundle as bundles
from harness.bundle import Bundle, BundleError
from harness.bundle_files import FilesError, Folder, check_name
from harness.errors import ExitCode, HarnessError

Verdict = Literal["imported", "present", "partial", "refused"]


@dataclass(frozen=True)
class Outcome:
    """What became of one bundle.

    Attributes:
        source: what was given.
        verdict: ``imported``; ``present`` if the same bundle was there already; ``partial`` if it has yet to be
            finished where it was made; ``refused``. The last two leave nothing behind.
        bundle: where it lies now; None where it does not.
        facts: its ``run.json``; None where it could not be read.
        message: why, or what is to be known of it; empty where all is well.
        exit_code: what it adds to the exit status.
    """

    source: Path
    verdict: Verdict
    bundle: Path | None = None
    facts: dict[str, Any] | None = None
    message: str = ""
    exit_code: ExitCode = ExitCode.PASS


def take(source: Path, folder: Path) -> Outcome:
    """Bring one bundle, a ``.run.zip`` or a ``.run`` folder, into ``folder`` as ``<run_id>.run``.

    Whatever is wrong with it is an outcome, never an error.
    """
    try:
        opened = _open(source)
        # The checksums are written last: without them it was cut off, whatever its facts say.
        if opened.facts["status"] == "partial" or not opened.has_checksums:
            return Outcome(source, "partial", None, opened.facts, _unfinished(opened), ExitCode.INVALID)
        target = folder / f"{opened.facts['run_id']}.run"
        verdict: Verdict = "imported"
        with _beside(target) as staged:
            _copy(opened, staged)
            _check(staged, source)
            if os.path.lexists(target):
                _compare(staged, target)
                verdict = "present"
            else:
                os.rename(staged, target)
    except HarnessError as error:
        return Outcome(source, "refused", message=str(error), exit_code=error.exit_code)
    except OSError as error:
        message = f"{folder}: cannot write there: {error.strerror}; choose another folder with --out"
        return Outcome(source, "refused", message=message, exit_code=ExitCode.USAGE)
    failed = opened.facts["status"] == "failed"
    message = f"the run failed: {(opened.facts.get('error') or {}).get('message', 'for an unknown reason')}" * failed
    return Outcome(source, verdict, target, opened.facts, message, ExitCode.INVALID if failed else ExitCode.PASS)


def _open(source: Path) -> Bundle:
    try:
        if source.is_dir():
            Folder(source).check()
        opened = bundles.open(source)
        check_name(f"{opened.facts['run_id']}.run")
    except FilesError as error:
        raise BundleError(f"{source}: not a run bundle: {error}") from None
    except OSError as error:
        raise BundleError(f"{source}: cannot be read: {error.strerror}") from None
    if opened.facts["run_id"].startswith("."):
        raise BundleError(f"{source}: run_id {opened.facts['run_id']!r} would be hidden")
    return opened


def _unfinished(opened: Bundle) -> str:
    cases = opened.facts["suite"]["cases"]
    done = sum(opened.files.has(f"tensors/{case['id']}.npy") for case in cases)
    cut = opened.facts["status"] == "partial" and done < len(cases)
    state = f"{done} of {len(cases)} cases done" if cut else "it was interrupted before its end"
    return f"{state}: let it finish where it was made, and send it again"


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A hidden folder beside the target, which is gone afterwards unless it was renamed."""
    staged = target.with_name(f".{target.name}.tmp{os.getpid()}")
    staged.mkdir(parents=True)
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _copy(opened: Bundle, folder: Path) -> None:
    for name in opened.files.names():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in opened.chunks(name):
                file.write(chunk)


def _check(folder: Path, source: Path) -> None:
    """Every file against its checksum, and every tensor and all samples against the format; a run that ended well has
    the tensors of all its cases."""
    try:
        staged = bundles.open(folder)
        staged.verify()
        whole = _has_masks(staged)
        for case in staged.cases():
            if whole or staged.files.has(f"tensors/{case['id']}.npy"):
                staged.tensor(case["id"])
            for stage in bundles.STAGES:
                staged.stage(case["id"], stage)
        staged.samples()
    except BundleError as error:
        raise BundleError(str(error).replace(str(folder), str(source))) from None


def _has_masks(opened: Bundle) -> bool:
    facts = opened.facts
    return bool(facts["status"] == "complete" and facts["kind"] == "suite" and facts["protocol"].get("parity", True))


def _compare(staged: Path, target: Path) -> None:
    """Raises HarnessError unless the two hold the same files, and these can be read."""
    remedy = "nothing is overwritten; move it away, or choose another folder with --out"
    try:
        there = _hashes(target)
    except OSError as error:
        raise HarnessError(f"{target}: has this bundle's name and cannot be read: {error.strerror}; {remedy}") from None
    if _hashes(staged) != there:
        raise HarnessError(f"{target}: is another bundle of this name, and {remedy}")


def _hashes(folder: Path) -> dict[str, str]:
    return {name: bundles.sha256(folder / name) for name in Folder(folder).names()}
