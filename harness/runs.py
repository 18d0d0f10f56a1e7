# SPDX-License-Identifier: Apache-2.0
"""Runs as a comparison takes them: the bundles of one runtime in one session, by lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import bundle as bundles
from harness import contract as contracts
from harness.errors import HarnessError


@dataclass(frozen=True)
class Run:
    """The bundles of one runtime in one session, by lane."""

    label: str
    lanes: dict[str, bundles.Bundle]

    @property
    def facts(self) -> dict[str, Any]:
        """``run.json`` of the lane that is timed, or of the only one there is."""
        return (self.lanes.get("image") or next(iter(self.lanes.values()))).facts

    @property
    def kind(self) -> str:
        """``suite`` or ``live``."""
        return str(self.facts["kind"])

    @property
    def contract(self) -> contracts.Contract | None:
        model = self.facts["model"]
        return contracts.parse(model["contract"], f"contract of {self.label}") if model else None


def open_runs(paths: Sequence[str | Path]) -> list[Run]:
    """Open bundles and put those of one session and runtime together; the first one's run comes first.

    Raises:
        HarnessError: two bundles are the same lane of the same run, one cannot be read, or they are not of one kind;
            of camera applications, they did not see the same pictures.
    """
    groups: dict[tuple[str, str], dict[str, bundles.Bundle]] = {}
    for path in paths:
        bundle = _open(path)
        lanes = groups.setdefault((bundle.facts["session"]["id"], bundle.label), {})
        if bundle.lane in lanes:
            raise HarnessError(
                f"{path}: the {bundle.lane} lane of this run was given already: {lanes[bundle.lane].path}"
            )
        lanes[bundle.lane] = bundle
    taken: dict[str, int] = {}
    runs = []
    for (_, label), lanes in groups.items():
        taken[label] = taken.get(label, 0) + 1
        runs.append(Run(label if taken[label] == 1 else f"{label} ({taken[label]})", lanes))
    _check_kinds(runs)
    return runs


def find_bundles(path: str | Path) -> list[Path]:
    """The bundles that a path names: itself, or those of a folder or of the ``runs`` of a comparison's folder, in the
    order of their session. A path that is neither is handed back, for opening it to complain."""
    path = Path(path)
    if bundles.is_bundle(path) or not path.is_dir():
        return [path]
    found = [p for folder in (path, path / "runs") for pattern in ("*.run", "*.run.zip") for p in folder.glob(pattern)]
    return sorted(found, key=lambda p: (bundles.open(p).facts["session"]["order"], p.name))


def _check_kinds(runs: Sequence[Run]) -> None:
    """Runs of a suite are judged by their tensors, camera applications stand side by side: never both at once."""
    for run in runs[1:]:
        first, path = runs[0], next(iter(run.lanes.values())).path
        if run.kind != first.kind:
            raise HarnessError(
                f"{path}: a {run.kind} bundle cannot be compared with a {first.kind} bundle ({first.label}); "
                "compare bundles of one kind"
            )
        ours, theirs = run.facts["suite"], first.facts["suite"]
        if run.kind == "live" and (ours["sha256"] is None or ours["sha256"] != theirs["sha256"]):
            raise HarnessError(
                f"{path}: {run.label} saw {ours['id']!r}, {first.label} saw {theirs['id']!r}: camera applications are "
                "compared on the same pictures; let both play one motion suite"
            )


def _open(path: str | Path) -> bundles.Bundle:
    """A bundle that can be compared: unchanged since it was completed, its contract readable."""
    bundle = bundles.open(path)
    if bundle.complete:
        bundle.verify()
    if bundle.facts["model"]:
        try:
            contracts.parse(bundle.facts["model"]["contract"], f"{path}: contract")
        except contracts.ContractError as error:
            raise bundles.BundleError(str(error)) from None
    return bundle
