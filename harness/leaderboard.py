# SPDX-License-Identifier: Apache-2.0
"""Models beside each other on pictures with true masks: what they cost, how good and how fast they are.

Unlike a comparison it judges nothing: models may differ in everything. Times come from one session of all, so that they
can be compared; masks from bundles, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import model_cost, model_file, parity, session, suite
from harness.bundle import BundleError
from harness.errors import HarnessError
from harness.performance import effects
from harness.request import Named, Request
from harness.runs import Run, open_runs
from harness.session import Progress
from harness.standing import Accuracy, Entry

_RUNTIMES = {"tflite": "tflite", "keras": "keras", "h5": "keras"}


def find(models: Sequence[str], variants: Sequence[str] = ()) -> tuple[list[Named], list[Entry]]:
    """What the names on a command line stand for.

    Args:
        models: ``MODEL`` or ``MODEL,CONTRACT``: model folders, of which every TFLite variant is taken, or single files.
        variants: of folders, only these; ``keras`` as well.

    Raises:
        HarnessError: there is no such model, it has no such variant, it has no contract, or one is named twice.
    """
    named: list[Named] = []
    entries: list[Entry] = []
    for text in models:
        path, _, contract = text.partition(",")
        for variant in _variants(Path(path), variants):
            file = model_file.find(path, variant, contract or None)
            label = f"{file.name}/{file.variant}" if Path(path).is_dir() else file.name
            if any(entry.label == label for entry in entries):
                raise HarnessError(f"two models are called {label}: rename a folder or file")
            spec = f"{_RUNTIMES[file.format]}:{variant}"
            absolute = str(Path(contract).resolve()) if contract else None
            named.append(Named(label, spec, str(Path(path).resolve()), absolute))
            cost = model_cost.of(file.path) if file.format == "tflite" else None
            size = file.contract.input_height, file.contract.input_width
            weights, macs = (cost.parameters, cost.macs) if cost else (None, None)
            entries.append(Entry(label, file.name, file.variant, size, file.bytes, weights, macs))
    return named, entries


def _variants(path: Path, wanted: Sequence[str]) -> list[str]:
    if not path.is_dir():
        return ["keras" if path.suffix in (".keras", ".h5") else "fp32"]  # a TFLite file tells its variant itself
    there = model_file.available_variants(path)
    return list(wanted) or [variant for variant in there if variant in model_file.VARIANTS] or there


def requests(named: Sequence[Named], sets: Sequence[str], profile: str, threads: int = 1) -> list[Request]:
    """The sessions to run: one over each set, of which the first is timed."""
    return [
        Request(
            specs=tuple(entry.label for entry in named),
            model=named[0].model,
            suite=name,
            lanes=("image",),
            profile=profile if number == 0 else "none",
            threads=threads,
            named=tuple(named),
        )
        for number, name in enumerate(sets)
    ]


def run(asked: Sequence[Request], folder: Path, progress: Progress) -> list[list[Run]]:
    """Run the sessions, each in a folder of its own under ``folder``; the runs of each, in order."""
    plans = [request.plan() for request in asked]
    return [open_runs(session.run(plan, folder / plan.cases.id, progress)) for plan in plans]


def rank(entries: Sequence[Entry], sets: Sequence[str], runs: Sequence[Sequence[Run]]) -> list[Entry]:
    """The entries with the figures of their runs, in the order given.

    Args:
        sets: suites, and
        runs: those of each, as :func:`run` returns them; the first of them is the one that was timed.
    """
    found = []
    for number, entry in enumerate(entries):
        accuracy, problem = {}, ""
        for name, each in zip(sets, runs, strict=True):
            cases = suite.find(name)
            try:
                accuracy[cases.id] = _accuracy(each[number], cases)
            except HarnessError as error:
                problem = problem or str(error)
        timed, first = runs[0][number], runs[0][0]
        found.append(Entry(**{**vars(entry), "accuracy": accuracy, "problem": problem, **_speed(timed, first)}))
    return found


def _accuracy(run: Run, cases: suite.Suite) -> Accuracy:
    bundle = run.lanes["image"]
    if not bundle.complete:
        raise BundleError(f"{run.label}: {(bundle.facts.get('error') or {}).get('message', 'incomplete')}")
    assert run.contract is not None
    rows = []
    for case in cases.cases:
        if case.mask:
            probability = bundle.tensor(case.id)
            try:
                parity.check_finite(probability)
            except parity.NotFinite as error:
                raise BundleError(f"{run.label}: {case.id}: NaN or infinity in {error.count} pixels") from None
            rows.append(parity.against_truth(run.contract, probability, case.read_mask()))
    if not rows:
        raise HarnessError(f"suite {cases.id}: has no true masks")
    return Accuracy(
        float(np.mean([row["gt_iou"] for row in rows])),
        float(np.mean([row["gt_boundary_iou"] for row in rows])),
        len(rows),
    )


def _speed(run: Run, first: Run) -> dict[str, Any]:
    bundle, reference = run.lanes["image"], first.lanes["image"]
    if not (bundle.complete and bundle.facts["protocol"]["count"]):
        return {}
    steady = bundle.samples().query("phase == 'steady'")
    figures: dict[str, Any] = {
        f"{stage}_ms": float(steady[f"{stage}_ns"].median()) / 1e6 for stage in ("invoke", "total")
    }
    effect = effects(reference, bundle).get("invoke") if reference.complete and run is not first else None
    if effect:
        figures["ratio"] = (effect[0].estimate, effect[0].low, effect[0].high)
    return figures
