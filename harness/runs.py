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
    def contract(self) -> contracts.Contract | None:
        model = self.facts["model"]
        return contracts.parse(model["contract"], f"contract of {self.label}") if model else None


def open_runs(paths: Sequence[str | Path]) -> list[Run]:
    """Open bundles and put those of one session and runtime together; the first one's run comes first.

    Raises:
        HarnessError: two bundles are the same lane of the same run, or one cannot be read.
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
    return runs


def _open(path: str | Path) -> bundles.Bundle:
    """A bundle that can be compared: of a suite, unchanged since it was completed, its contract readable."""
    bundle = bundles.open(path)
    if bundle.facts["kind"] != "suite":
        raise HarnessError(f"{path}: a {bundle.facts['kind']} bundle has no tensors to compare")
    if bundle.complete:
        bundle.verify()
    if bundle.facts["model"]:
        try:
            contracts.parse(bundle.facts["model"]["contract"], f"{path}: contract")
        except contracts.ContractError as error:
            raise bundles.BundleError(str(error)) from None
    return bundle
