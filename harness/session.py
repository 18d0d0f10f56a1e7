# SPDX-License-Identifier: Apache-2.0
"""A session: several runtimes run over one suite, each in a worker of its own, one bundle per runtime and lane.

Every bundle is put down as ``partial`` before anything runs, so that whatever interrupts the session, the
folder says what is missing and :func:`resume` goes on with it. What becomes of one runtime never touches
another's bundles. Nothing here judges.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from harness import bundle as bundles
from harness import conditions, device, latency, measure, runtime, suite, targets, timing
from harness.errors import HarnessError, InvalidError
from harness.request import LANES, Arm, Plan, Request, find_arm, timed_case
from harness.supervisor import Supervisor, WorkerFailure

_MEMORY_FRAMES = 4  # inferences of the memory pass


class Progress(Protocol):
    """Told what a session is doing."""

    def __call__(self, label: str, activity: str, done: float, total: float) -> None: ...


def run(plan: Plan, folder: Path, progress: Progress) -> list[Path]:
    """Run a session and return its bundles' folders, in the order of the command line, complete or failed.

    Raises:
        HarnessError: the folder cannot be written; then nothing has run.
    """
    request, cases, feed, arms = plan.request, plan.cases, plan.feed, [_Arm(found) for found in plan.arms]
    session = f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    for arm in arms:
        for lane in (lane for lane in LANES if lane in request.lanes):
            facts = _initial_facts(request, cases, arm, lane, session, feed)
            arm.writers[lane] = bundles.BundleWriter(folder / f"{facts['run_id']}.run", facts)
    return _run_arms(request, cases, arms, feed, progress)


def resume(folder: Path, progress: Progress) -> list[Path]:
    """Go on with the interrupted session in ``folder``; bundles that are complete are left alone.

    Raises:
        HarnessError: there is no session, or the model or suite is no longer the one it was started with.
    """
    paths = sorted(folder.glob("*.run"))
    opened = [bundles.open(path) for path in paths if not bundles.remove_unbegun(path)]
    if not opened:
        remedy = "nothing was written yet; start a new run" if paths else "give the folder of an interrupted run"
        raise HarnessError(f"{folder}: no run bundles to go on with; {remedy}")
    unfinished = [b for b in opened if b.facts["status"] == "partial"]
    for bundle in opened:
        if bundle not in unfinished and not bundle.has_checksums:
            bundles.seal(bundle.path)  # it was cut between its last facts and these
    if not unfinished:
        return _in_order(opened)
    stored = unfinished[0].facts["request"]
    if "session" not in stored:
        writer = unfinished[0].facts["tool"]["name"]
        raise HarnessError(f"{unfinished[0].path}: is of {writer}; finish it with the command that began it")
    request = Request.from_json(stored["session"])
    found = {(b.label, b.lane): b for b in opened}
    wanted = [(spec, lane) for spec in request.specs for lane in LANES if lane in request.lanes]
    todo = [key for key in wanted if key not in found or found[key] in unfinished]
    cases = suite.find(request.suite)
    arms: dict[str, _Arm] = {}
    for label, lane in todo:
        if label not in arms:
            arms[label] = _Arm(find_arm(request, label, request.specs.index(label)))
        arm = arms[label]
        if (cut := found.get((label, lane))) is None:  # it was cut before its first file
            facts = _initial_facts(request, cases, arm, lane, unfinished[0].facts["session"]["id"], stored["feed"])
            arm.writers[lane] = bundles.BundleWriter(folder / f"{facts['run_id']}.run", facts)
            continue
        _refuse_changed(cut, cases, arm)
        arm.writers[lane] = bundles.BundleWriter(cut.path, cut.facts)
    _run_arms(request, cases, list(arms.values()), stored["feed"], progress)
    return _in_order(bundles.open(path) for path in sorted(folder.glob("*.run")))


def _refuse_changed(cut: bundles.Bundle, cases: suite.Suite, arm: _Arm) -> None:
    """Raise HarnessError unless the facts of an interrupted bundle will be true of what is added to it as well; which
    version the runtime is of, and how it was built, is known once it is loaded."""
    facts = cut.facts
    if cases.sha256 != facts["suite"]["sha256"]:
        raise HarnessError(
            f"{cut.path}: suite {facts['suite']['id']!r} has changed since the run was interrupted; start a new run"
        )
    if arm.found.model and facts["model"] and arm.found.model.sha256 != facts["model"]["sha256"]:
        raise HarnessError(
            f"{cut.path}: {arm.found.model.path} has changed since the run was interrupted; start a new run"
        )
    here = {"device": device.describe(), "tool": device.tool()}
    keys = [("device", part) for part in (*conditions.MACHINE, "os")] + [("tool", "version")]
    others = [f"{part}.{key}" for part, key in keys if facts[part].get(key) != here[part][key]]
    if others:
        raise _begun_with_another(cut.path, others)


def _begun_with_another(path: Path, keys: Iterable[str]) -> HarnessError:
    return HarnessError(
        f"{path}: was begun with another {', '.join(keys)}; finish it with what it was begun with, or start a new run"
    )


def _in_order(opened: Iterable[bundles.Bundle]) -> list[Path]:
    """The folders of bundles, in the order of the command line."""
    return [b.path for b in sorted(opened, key=lambda b: b.facts["session"]["order"])]


@dataclass
class _Arm:
    """One runtime of a session, and the bundles it writes, one per lane."""

    found: Arm
    writers: dict[str, bundles.BundleWriter] = dataclasses.field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.found.label

    @property
    def timed(self) -> bundles.BundleWriter:
        """The bundle of the last lane, which is the one that is timed; it stays open for the memory pass."""
        return list(self.writers.values())[-1]

    @property
    def log(self) -> Path:
        """Where the worker's standard error goes; kept where it failed."""
        return self.timed.folder.parent / f"{self.timed.facts['run_id']}.log"

    @property
    def finished(self) -> bool:
        return self.timed.facts["status"] != "partial"

    def finish(self) -> None:
        if steady := latency.steady(bundles.open(self.timed.folder)):
            self.timed.facts["timing"]["steady"] = steady
        self.timed.finish("complete")
        self.log.unlink(missing_ok=True)

    def fail(self, failure: WorkerFailure) -> None:
        error = {"kind": failure.kind, "message": str(failure), "case": failure.case}
        for writer in self.writers.values():
            if writer.facts["status"] == "partial":
                writer.finish("failed", error)


def _initial_facts(
    request: Request, cases: suite.Suite, arm: _Arm, lane: str, session: str, feed: str
) -> dict[str, Any]:
    profile = measure.PROFILES[request.profile] if lane == "image" else measure.PROFILES["none"]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", arm.label)
    asked = {"delegate": request.delegate, "threads": request.threads}
    return {
        "schema": bundles.SCHEMA,
        "run_id": f"{name}-{lane}-{session}",
        "kind": "suite",
        "status": "partial",
        "error": None,
        "label": arm.label,
        "session": {"id": session, "arm": arm.label, "order": arm.found.order},
        "started_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "tool": device.tool(),
        "suite": {
            "id": cases.id,
            "sha256": cases.sha256,
            "cases": [
                {
                    "id": case.id,
                    "input_sha256": case.image.sha256,
                    "height": case.height,
                    "width": case.width,
                    "tags": list(case.tags),
                }
                for case in cases.cases
            ],
        },
        "model": arm.found.model.facts() if arm.found.model else None,
        "runtime": {"name": arm.found.spec.runtime, "version": None, "requested": asked, "actual": {}},
        "device": device.describe(),
        "build": {},
        "lane": lane,
        "protocol": {
            **profile.facts(),
            "parity": request.parity,
            "warmup": 0,
            "restarts": 0,
            "seed": None,
            "timer": device.timer(),
        },
        "conditions": {},
        "timing": {},
        "memory": {},
        "request": {
            "spec": arm.label,
            "session": dataclasses.asdict(request),
            "feed": feed,
        },
    }


def _run_arms(request: Request, cases: suite.Suite, arms: list[_Arm], feed: str, progress: Progress) -> list[Path]:
    """Every case of every arm, then their timing beside each other, then memory: a pass of its own for each."""
    for arm in arms:
        with _finishing(arm, progress):
            if arm.found.problem:
                raise arm.found.problem
            if request.parity:
                _run_lanes(request, cases, arm, feed, progress)
    _time(request, cases, [arm for arm in arms if not arm.finished], feed, progress)
    for arm in arms:
        if not arm.finished:
            with _finishing(arm, progress):
                progress(arm.label, "memory pass", 0, 1)
                with _worker(request, arm) as worker:
                    _activate(request, arm, feed, worker)
                    arm.timed.facts["memory"] = _memory_pass(cases, worker)
                arm.finish()
                progress(arm.label, "done", 1, 1)
    return [writer.folder for arm in arms for writer in arm.writers.values()]


@contextmanager
def _finishing(arm: _Arm, progress: Progress) -> Iterator[None]:
    """What becomes of an arm's worker in this block is written into its bundles, and stops nobody else."""
    try:
        yield
    except WorkerFailure as failure:
        arm.fail(failure)
        progress(arm.label, f"failed: {failure}", 1, 1)


def _run_lanes(request: Request, cases: suite.Suite, arm: _Arm, feed: str, progress: Progress) -> None:
    with _worker(request, arm) as worker:
        progress(arm.label, "loading", 0, 1)
        activation = _activate(request, arm, feed, worker)
        for lane, writer in arm.writers.items():
            writer.facts["protocol"]["restarts"] += 1
            _record_activation(writer, activation)
            _run_lane(request, cases, arm.label, lane, writer, worker, progress)
            if writer is not arm.timed:
                writer.finish("complete")


@contextmanager
def _worker(request: Request, arm: _Arm) -> Iterator[Supervisor]:
    entry = runtime.registered()[arm.found.spec.runtime]
    limit = request.memory_limit_mb
    memory = limit << 20 if limit else None
    if arm.found.spec.target is None:
        with Supervisor(entry.value, arm.log, request.timeout, memory) as worker:
            yield worker
        return
    try:
        python = targets.python_for(arm.found.spec.target)
    except InvalidError as error:
        raise WorkerFailure("runtime", str(error)) from None
    with tempfile.TemporaryDirectory() as folder:
        targets.link_packages(Path(folder))
        with Supervisor(entry.value, arm.log, request.timeout, memory, python, Path(folder)) as worker:
            yield worker


def _activate(request: Request, arm: _Arm, feed: str, worker: Supervisor) -> dict[str, Any]:
    assert arm.found.model is not None
    return worker.request(
        "activate",
        path=str(arm.found.model.path),
        contract=arm.found.model.contract_text,
        feed=feed,
        threads=request.threads,
        delegate=request.delegate,
    )


def _record_activation(writer: bundles.BundleWriter, activation: dict[str, Any]) -> None:
    found = activation["facts"]
    facts = writer.facts
    others = [f"build.{key}" for key in facts["build"] if facts["build"][key] != found["build"].get(key)]
    if facts["runtime"]["version"] not in (None, found["version"]):
        others.append("runtime.version")
    if others:
        raise _begun_with_another(writer.folder, others)
    facts["runtime"].update(version=found["version"], actual=found["actual"])
    facts["model"].update(inputs=found["inputs"], outputs=found["outputs"])
    facts["build"] = found["build"]
    facts["timing"].setdefault("load_ns", activation["load_ns"])
    facts["conditions"].setdefault("before", device.conditions())
    writer.save()


def _run_lane(
    request: Request,
    cases: suite.Suite,
    label: str,
    lane: str,
    writer: bundles.BundleWriter,
    worker: Supervisor,
    progress: Progress,
) -> None:
    """One pass over the suite: every case's tensor, and for the image lane the cold and warm-up frames."""
    total = len(cases.cases)
    restart = writer.facts["protocol"]["restarts"] - 1
    phase = "cold"
    for number, case in enumerate(cases.cases):
        progress(label, f"{lane} lane", number, total)
        if writer.done(case.id):
            continue
        stages = str(writer.stage_path(case.id, "{}")) if request.stages and lane == "image" else None
        reply = _ask_case(worker, lane, case, writer, stages)
        if lane == "image":
            writer.add_samples([{"phase": phase, "restart": restart, "block": 0, **reply["sample"]}])
            writer.facts["protocol"]["warmup"] += phase == "warm"
            if phase == "cold":
                writer.facts["timing"].setdefault("first_inference_ns", reply["sample"]["total_ns"])
        phase = "warm"
    progress(label, f"{lane} lane", total, total)


def _ask_case(
    worker: Supervisor, lane: str, case: suite.Case, writer: bundles.BundleWriter, stages: str | None
) -> dict[str, Any]:
    try:
        case.image.read_bytes()  # a changed picture must not become a result
        out = writer.tensor_path(case.id)
        return worker.request("infer", lane=lane, case=case.id, image=str(case.image.path), out=str(out), stages=stages)
    except HarnessError as error:
        raise WorkerFailure("suite", str(error), case.id) from None
    except WorkerFailure as failure:
        raise WorkerFailure(failure.kind, f"case {case.id}: {failure}", case.id) from None


def _time(request: Request, cases: suite.Suite, arms: list[_Arm], feed: str, progress: Progress) -> None:
    """Time the arms beside each other; one that fails is finished as failed."""
    profile = measure.PROFILES[request.profile]
    arms = [arm for arm in arms if arm.timed.facts["lane"] == "image"]
    if profile.count == 0 or not arms:
        return
    frame = timed_case(request, cases)
    plan = timing.Plan(
        profile=profile,
        frame=(frame.id, str(frame.image.path)),
        paced=request.paced,
        sustained=request.sustained,
        cpus=timing.processors(request.threads),
    )
    timed = [
        timing.Arm(
            label=arm.label,
            start=functools.partial(_worker, request, arm),
            activate=functools.partial(_activate_and_record, request, arm, feed),
            writer=arm.timed,
        )
        for arm in arms
    ]
    timing.time_arms(timed, plan, progress)
    for arm, result in zip(arms, timed, strict=True):
        if result.failure:
            arm.fail(result.failure)
            progress(arm.label, f"failed: {result.failure}", 1, 1)


def _activate_and_record(request: Request, arm: _Arm, feed: str, worker: Supervisor) -> dict[str, Any]:
    activation = _activate(request, arm, feed, worker)
    _record_activation(arm.timed, activation)
    return activation


def _memory_pass(cases: suite.Suite, worker: Supervisor) -> dict[str, Any]:
    frames = [(case.id, str(case.image.path)) for case in cases.cases[:_MEMORY_FRAMES]]
    worker.request("time", cases=frames, frames=_MEMORY_FRAMES, first=0)
    return worker.request("peak")
