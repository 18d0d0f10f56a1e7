# SPDX-License-Identifier: Apache-2.0
"""What ``pytest --benchmark`` does with models: one session for all targets of a test, its bundles, its report.

Times come from :mod:`harness.session` as in ``harness bench``: workers of their own, blocks that take turns, several
starts. Knows nothing of pytest.
"""

from __future__ import annotations

import dataclasses
import io
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import baseline as baselines
from harness import baseline_check, bundle, compare, gates, report, resources, runs, runtime, session, suite
from harness.baseline import Baseline
from harness.baseline_check import Check
from harness.comparison import Comparison, Latency
from harness.errors import HarnessError, InvalidError
from harness.report import check as check_report
from harness.report import junit
from harness.request import LANES, Request
from harness.runs import Run
from harness.verdict import Verdict

_MOST_REASONS = 3  # rows that a failed test names; the report has all
_OPTIONS = ("model", "suite", "frame", "contract", "threads", "profile")


class Unsuitable(Exception):
    """A target that nobody asked for by name and that cannot run here, or not this model."""


@dataclass(frozen=True)
class Settings:
    """What was asked for on the command line.

    Attributes:
        model, suite: for tests that name none.
        targets: named ones, which must run; none for whatever can.
        baseline: what runs are held against; None for nothing.
        folder: where everything goes; it does not exist yet.
        command: what to type to repeat it.
    """

    model: str
    suite: str
    targets: tuple[str, ...]
    profile: str
    baseline: Baseline | None
    folder: Path
    command: str


def settings(
    model: str | None,
    cases: str | None,
    targets: str | None,
    profile: str,
    baseline: str | None,
    out: str | None,
    command: Sequence[str],
) -> Settings:
    """The options, checked before anything runs; None means the default.

    Raises:
        HarnessError: a target, model, suite or baseline that does not exist, or a folder that holds results already.
    """
    named = tuple(name.strip() for name in (targets or "").split(",") if name.strip())
    for name in named:
        runtime.parse_spec(name)
    if model is not None and not Path(model).exists():
        raise HarnessError(f"--benchmark-model {model}: no such model folder or file")
    if cases is not None:
        suite.find(cases)
    folder = Path(out) if out else Path("reports") / f"{datetime.now():%Y%m%d-%H%M%S}-benchmark"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HarnessError(f"--benchmark-out {folder}: holds something already; choose another folder")
    return Settings(
        model=str(Path(model or resources.default_model()).resolve()),
        suite=str(Path(cases).resolve()) if cases and Path(cases).exists() else cases or suite.DEFAULT,
        targets=named,
        profile=profile,
        baseline=_baseline(baseline) if baseline else None,
        folder=folder.resolve(),
        command=shlex.join(command),
    )


def _baseline(name: str) -> Baseline:
    """The baseline of a name where they usually lie, or in a folder of its own."""
    path = Path(name)
    place = path.parent if path.is_dir() or len(path.parts) > 1 else Path(baselines.FOLDER)
    try:
        return baselines.load(path.name, place)
    except HarnessError as error:
        raise HarnessError(f"--benchmark-baseline {name}: {error}") from None


@dataclass(frozen=True)
class Measured:
    """What one target took.

    Attributes:
        target: the runtime as named, such as ``tflite:int8``.
        seconds: duration of every steady frame, in the order in which they were taken.
        latency: its figures in milliseconds; see :class:`harness.comparison.Latency`.
        bundle: its run bundle.
        report: the page that shows it beside the other targets.
        objection: what the baseline says against it; empty where it says nothing.
    """

    target: str
    seconds: list[float]
    latency: Latency
    bundle: Path
    report: Path
    objection: str = ""

    def facts(self) -> dict[str, Any]:
        """What pytest-benchmark's data keep beside the durations."""
        timed = self.latency
        figures = {"p50_ms": timed.p50, "p90_ms": timed.p90, "fps": timed.fps, "stages_ms": timed.stages}
        return {"target": self.target, **figures, "bundle": str(self.bundle), "report": str(self.report)}


@dataclass
class _Session:
    """One session: what could not be run and why, the comparison of what was, and what the baseline says of it."""

    comparison: Comparison | None = None
    check: Check | None = None
    folder: Path | None = None
    objections: dict[str, str] = field(default_factory=dict)
    problems: dict[str, HarnessError] = field(default_factory=dict)


class Models:
    """The sessions of one pytest run, each measured once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._sessions: dict[Request, _Session] = {}

    def make_folder(self) -> None:
        """Make the folder that results go to.

        Raises:
            HarnessError: it cannot be made.
        """
        try:
            self.settings.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HarnessError(
                f"{self.settings.folder}: cannot make the folder: {error.strerror}; choose another with --benchmark-out"
            ) from None

    def measure(
        self, test: str, targets: Sequence[str], target: str, options: dict[str, Any], progress: session.Progress
    ) -> Measured:
        """Times of one target, from the session of all of them, which the first call runs.

        Args:
            test: node id of the test function: what the session's folder is named after.
            targets: what is timed beside each other; the first one is the reference.
            options: what the test chose, by name.

        Raises:
            Unsuitable: the target cannot run, and nobody named it.
            HarnessError: it cannot run, or what was measured cannot be trusted.
        """
        request = self._request(tuple(targets), options)
        found = self._sessions.get(request)
        if found is None:
            found = self._sessions[request] = _Session()
            self._run(found, test, request, progress)
        if target in found.problems:
            if self.settings.targets:
                raise found.problems[target]
            raise Unsuitable(str(found.problems[target]))
        if found.comparison is None or found.folder is None:
            raise InvalidError(f"{target}: what was measured beside it could not be compared; its first test says why")
        summary = next(run for run in found.comparison.runs if run.label == target)
        if summary.error:
            raise InvalidError(f"{target}: {summary.error}")
        assert summary.latency is not None
        if summary.latency.note:
            raise InvalidError(f"{target}: {summary.latency.note}")
        opened = bundle.open(found.folder / summary.bundles["image"])
        samples = opened.samples()
        steady = samples.loc[samples["phase"] == "steady", "total_ns"]
        return Measured(
            target=target,
            seconds=(steady / 1e9).tolist(),
            latency=summary.latency,
            bundle=opened.path,
            report=found.folder / "index.html",
            objection=found.objections.get(target, ""),
        )

    def summary(self, colours: bool, width: int) -> list[str]:
        """What to tell at the end: a table for every session, and where its report and the data are."""
        from rich.console import Console

        from harness.report import console

        text = io.StringIO()
        for found in self._sessions.values():
            if found.comparison is not None and found.folder is not None:
                terminal = Console(file=text, force_terminal=colours, width=max(width, 100), highlight=False)
                terminal.print(found.comparison.name, style="bold")
                console.print_table(found.comparison, terminal, _near(found.folder / "index.html"))
                terminal.print()
                if found.check:
                    check_report.print_table(found.check, terminal, _near(found.folder / "baseline" / "report.md"))
                    terminal.print()
        if any(self.settings.folder.glob("*")):
            text.write(f"Everything is in {_near(self.settings.folder)}\n")
        elif self.settings.folder.is_dir():
            self.settings.folder.rmdir()
        return text.getvalue().splitlines()

    def _request(self, targets: tuple[str, ...], options: dict[str, Any]) -> Request:
        if unknown := sorted(set(options) - set(_OPTIONS)):
            raise HarnessError(f"harness_benchmark knows no {', '.join(unknown)}; known: {', '.join(_OPTIONS)}")
        usual = {"model": self.settings.model, "suite": self.settings.suite, "profile": self.settings.profile}
        chosen = {**usual, **{name: value for name, value in options.items() if value is not None}}
        chosen |= {name: str(chosen[name]) for name in ("model", "suite", "contract") if name in chosen}
        # A baseline with masks judges those too.
        baseline = self.settings.baseline
        masks = baseline is not None and any(run.masks for run in baseline.runs)
        return Request(specs=targets, lanes=LANES if masks else ("image",), parity=masks, **chosen)

    def _run(self, found: _Session, test: str, request: Request, progress: session.Progress) -> None:
        for target in request.specs:
            try:
                (arm,) = dataclasses.replace(request, specs=(target,)).plan().arms
                if arm.problem is not None:
                    raise InvalidError(str(arm.problem))
            except HarnessError as error:
                found.problems[target] = error
        able = tuple(target for target in request.specs if target not in found.problems)
        if not able:
            return
        plan = dataclasses.replace(request, specs=able).plan()
        found.folder = self._folder(test)
        opened = runs.open_runs(session.run(plan, found.folder / "runs", progress))
        limits = gates.load(resources.default_gates())
        name = found.folder.name
        comparison = compare.compare(opened, limits, name, self.settings.command, plan.cases)
        found.comparison = compare.relative_bundles(comparison, found.folder)
        report.write(found.comparison, found.folder, plan.cases)
        if self.settings.baseline:
            self._check(found, self.settings.baseline, opened, limits, plan.cases)

    def _check(
        self, found: _Session, baseline: Baseline, ours: list[Run], limits: gates.Gates, cases: suite.Suite
    ) -> None:
        """Hold what was measured against the baseline."""
        assert found.folder is not None
        recorded = {run.target for run in baseline.runs}
        whole = [run for run in ours if all(lane.complete for lane in run.lanes.values())]
        known = [run for run in whole if baselines.target(run) in recorded]
        for run in whole:
            if run not in known:
                found.objections[run.label] = (
                    f"baseline {baseline.name!r} has no {run.label}; it has {', '.join(sorted(recorded))}: "
                    "record one with it (harness baseline save), or leave it out with --benchmark-runtimes"
                )
        if not known:
            return
        try:
            found.check = baseline_check.check(baseline, known, limits, self.settings.command, cases)
        except HarnessError as error:
            why = f"{error} (harness baseline check {baseline.name} {_near(found.folder / 'runs')})"
            found.objections |= {run.label: why for run in known}
            return
        check_report.write(found.check, found.folder / "baseline", cases)
        for run in known:
            if objection := _objection(found.check.comparisons[baselines.target(run)]):
                found.objections[run.label] = f"{run.label} against baseline {baseline.name!r}: {objection}"

    def _folder(self, test: str) -> Path:
        """A new folder for the sessions of a test function, named after it."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", test.replace(".py::", "-").rpartition("/")[2]).strip("-.")
        taken = {found.folder.name for found in self._sessions.values() if found.folder}
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name}-{number}"
        return self.settings.folder / free


def _objection(comparison: Comparison) -> str:
    """What fails or cannot be judged, in one line; empty where nothing does."""
    if comparison:
        return ""
    bad = [row for row in comparison.rows if row.verdict in (Verdict.FAIL, Verdict.INVALID)]
    errors = [run.error for run in comparison.runs if run.error]
    return "; ".join(errors + [f"{row.row}: {junit.explain(row)}" for row in bad[:_MOST_REASONS]]) or "INVALID"


def _near(path: Path) -> Path:
    """A path as one types it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
