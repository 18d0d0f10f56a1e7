# SPDX-License-Identifier: Apache-2.0
"""What a report shows beside the figures: tensors, samples and pictures, as far as they are at hand.

A comparison names run bundles; the suite may or may not be there. Whatever is missing becomes a sentence in
``problems`` and leaves a gap in the page, never an error. One tensor or picture is held at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import bundle
from harness.comparison import Comparison, RunSummary
from harness.contract import Contract, ContractError, parse
from harness.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd

    from harness.suite import Case, Suite


class Evidence:
    """The bundles and the suite behind one comparison.

    Args:
        folder: the report's folder, which relative bundle paths start from.
        suite: the suite that was run; None where it is not at hand.
    """

    def __init__(self, comparison: Comparison, folder: Path, suite: Suite | None = None) -> None:
        self._folder = folder
        self._runs = {run.label: run for run in comparison.runs}
        self._bundles: dict[tuple[str, str], bundle.Bundle | None] = {}
        self._contracts = {run.label: self._contract(run) for run in comparison.runs}
        self._frames: dict[str, tuple[int, int]] | None = None
        self.problems: dict[str, None] = {}
        self._cases: dict[str, Case] = {}
        if comparison.of_live_runs:
            return  # no masks, no pictures
        if suite is None:
            self._problem(f"The suite {comparison.suite.get('id')} is not at hand: masks are shown without pictures.")
        elif suite.sha256 != comparison.suite.get("sha256"):
            self._problem(
                f"The suite {suite.id} at hand is not the one that was run (sha256 {suite.sha256[:12]}, "
                f"expected {str(comparison.suite.get('sha256'))[:12]}): masks are shown without its pictures."
            )
        else:
            self._cases = {case.id: case for case in suite.cases}

    def tensor(self, run: str, lane: str, case: str) -> np.ndarray:
        """Probability ``(h, w)`` float32 at the model's resolution.

        Raises:
            HarnessError: the run left none.
        """
        opened = self._open(run, lane)
        if opened is None:
            raise HarnessError("its bundle is not at hand")
        return opened.tensor(case)

    def samples(self, run: str) -> pd.DataFrame | None:
        """Timed frames of the image lane, where there are any."""
        opened = self._open(run, "image")
        if opened is None:
            return None
        try:
            table = opened.samples()
        except (HarnessError, OSError, ValueError, KeyError) as error:
            self._problem(f"{run}: its samples cannot be read: {error}")
            return None
        return table if len(table) else None

    def contract(self, run: str) -> Contract | None:
        """The contract the run was made with; None where the bundle does not carry a readable one."""
        return self._contracts[run]

    def frame(self, case: str) -> tuple[int, int] | None:
        """``(height, width)`` of the case's picture in pixels."""
        if self._frames is None:
            opened = (self._open(label, lane) for label, run in self._runs.items() for lane in run.bundles)
            first = next((b for b in opened if b is not None), None)
            cases: list[dict[str, Any]] = first.facts["suite"]["cases"] if first else []
            self._frames = {c["id"]: (c["height"], c["width"]) for c in cases}
        return self._frames.get(case)

    def image(self, case: str) -> np.ndarray | None:
        """The case's picture, uint8 RGB ``(H, W, 3)``."""
        return self._read(case, "read_image") if case in self._cases else None

    def truth(self, case: str) -> np.ndarray | None:
        """The case's ground truth, boolean ``(H, W)``."""
        if case not in self._cases or self._cases[case].mask is None:
            return None
        return self._read(case, "read_mask")

    def _read(self, case: str, how: str) -> np.ndarray | None:
        try:
            return getattr(self._cases[case], how)()
        except HarnessError as error:
            self._problem(f"{case}: {error}")
            return None

    def _open(self, run: str, lane: str) -> bundle.Bundle | None:
        key = run, lane
        if key not in self._bundles:
            self._bundles[key] = None
            if path := self._runs[run].bundles.get(lane):
                try:
                    self._bundles[key] = bundle.open(self._folder / path)
                except (HarnessError, OSError) as error:
                    self._problem(f"{run}, {lane} lane: {error}")
        return self._bundles[key]

    def _contract(self, run: RunSummary) -> Contract | None:
        text = (run.facts.get("model") or {}).get("contract")
        try:
            return parse(text) if text else None
        except ContractError:
            return None

    def _problem(self, text: str) -> None:
        self.problems[text] = None
