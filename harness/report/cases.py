# SPDX-License-Identifier: Apache-2.0
"""The cases of the page: the worst first, each in pictures made when it is reached, and all of them in tables.

Knows a comparison and its evidence; how a case looks is the template's business.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.comparison import CaseResult, Comparison, RunSummary
from harness.contract import Contract, crop_to_content
from harness.errors import HarnessError
from harness.report import figures, pictures
from harness.report.evidence import Evidence
from harness.report.overview import ATTENTION, LANES
from harness.verdict import Verdict, worst

_OPEN = 3
"""Cases that are unfolded when the page opens."""


@dataclass(frozen=True)
class Entry:
    """A case with its results by run and lane.

    Attributes:
        verdict: the worst of the runs; a run that broke off counts only where no other was compared.
        lane: the lane in which the case looks worst.
        worst: the figures that put it there, in words.
    """

    case: str
    verdict: Verdict
    lane: str
    worst: str
    results: dict[tuple[str, str], CaseResult]


def worst_first(comparison: Comparison) -> list[Entry]:
    """All cases, the worst first: by verdict, then by what the eye would see."""
    grouped: dict[str, dict[tuple[str, str], CaseResult]] = defaultdict(dict)
    for result in comparison.cases:
        grouped[result.case][result.run, result.lane] = result
    others = {run.label for run in comparison.runs if not run.reference}
    sound = {run.label for run in comparison.runs if not run.reference and not run.error}
    keyed = []
    for case, results in grouped.items():
        judged = [r for r in results.values() if r.run in (sound or others)] or list(results.values())
        first = min(judged, key=_badness)
        entry = Entry(case, worst(r.verdict for r in judged), first.lane, _words(first, len(others)), results)
        keyed.append((_badness(first), entry))
    return [entry for _, entry in sorted(keyed, key=lambda pair: pair[0])]


def _badness(result: CaseResult) -> tuple[float, ...]:
    rank = 0 if result.verdict in ATTENTION else 1 if result.verdict is Verdict.WARN else 2
    iou = result.metrics.get("mask_iou", result.metrics.get("gt_iou"))
    largest = result.metrics.get("max_abs")
    return rank, -math.inf if iou is None else iou, -math.inf if largest is None else -largest


def _words(result: CaseResult, others: int) -> str:
    name = "mask_iou" if "mask_iou" in result.metrics else "gt_iou"
    if name not in result.metrics:
        return result.note
    text = f"{figures.name(name)} {figures.metric(name, result.metrics[name])}"
    return f"{text}, {result.run}" if others > 1 else text


# --- in pictures ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunPictures:
    """What one run drew of a case.

    Attributes:
        truth: IoU against ground truth, which is taken in one lane only.
        below: the difference map; for the reference, the picture cut out by its mask.
        problem: why a picture is missing.
    """

    label: str
    reference: bool
    result: CaseResult | None
    truth: float | None
    mask: str = ""
    below: str = ""
    pixels: tuple[pictures.Pixel, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class CasePictures:
    """One case in pictures, all of them ``data:`` URIs or empty.

    Attributes:
        aspect: width and height of the picture in pixels, which masks are stretched to.
        size: ``(height, width)`` of the reference's tensor, in which the worst pixels are counted.
    """

    number: int
    entry: Entry
    open: bool
    aspect: tuple[int, int]
    size: tuple[int, int] | None
    image: str
    truth: str
    runs: list[RunPictures]

    @property
    def pixels(self) -> list[tuple[str, pictures.Pixel]]:
        return [(run.label, pixel) for run in self.runs for pixel in run.pixels]


def in_pictures(comparison: Comparison, entries: list[Entry], evidence: Evidence) -> Iterator[CasePictures]:
    """The cases one by one; only one is held at a time."""
    for number, entry in enumerate(entries, 1):
        yield _case(comparison, number, entry, evidence)


def _case(comparison: Comparison, number: int, entry: Entry, evidence: Evidence) -> CasePictures:
    reference, problem = _tensor(evidence, comparison.reference, entry)
    image, truth = evidence.image(entry.case), evidence.truth(entry.case)
    size = (reference.shape[0], reference.shape[1]) if reference is not None else None
    height, width = frame = evidence.frame(entry.case) or size or (1, 1)
    runs = []
    for run in comparison.runs:
        crop = _Crop(evidence.contract(run.label), frame)
        bare = RunPictures(run.label, run.reference, entry.results.get((run.label, entry.lane)), _truth(run, entry))
        if run.reference:
            runs.append(_reference(bare, reference, problem, image, crop))
        else:
            plane, missing = _tensor(evidence, run, entry)
            runs.append(_other(bare, plane, missing, reference, crop))
    return CasePictures(
        number,
        entry,
        number <= _OPEN,
        (width, height),
        size,
        pictures.thumbnail(image) if image is not None else "",
        pictures.mask(truth) if truth is not None else "",
        runs,
    )


@dataclass(frozen=True)
class _Crop:
    """Cuts a plane of the model's size back to the part that shows the frame."""

    contract: Contract | None
    frame: tuple[int, int]

    def __call__(self, plane: np.ndarray) -> np.ndarray:
        return crop_to_content(self.contract, plane, self.frame) if self.contract else plane

    @property
    def threshold(self) -> float:
        return self.contract.threshold if self.contract else 0.5


def _reference(
    bare: RunPictures, plane: np.ndarray | None, problem: str, image: np.ndarray | None, crop: _Crop
) -> RunPictures:
    if plane is None:
        return replace(bare, problem=problem)
    below = pictures.cutout(image, crop(plane)) if image is not None else ""
    return replace(bare, mask=pictures.mask(crop(plane)), below=below)


def _other(
    bare: RunPictures, plane: np.ndarray | None, problem: str, reference: np.ndarray | None, crop: _Crop
) -> RunPictures:
    if plane is None:
        return replace(bare, problem=problem)
    drawn = replace(bare, mask=pictures.mask(crop(plane)))
    if reference is None:
        return replace(drawn, problem="the reference left no mask")
    if plane.shape != reference.shape:
        sizes = " and ".join(f"{w} × {h}" for h, w in (plane.shape, reference.shape))
        return replace(drawn, problem=f"masks of different sizes: {sizes}")
    below = pictures.difference(crop(plane), crop(reference), crop.threshold)
    return replace(drawn, below=below, pixels=tuple(pictures.worst_pixels(plane, reference)))


def _truth(run: RunSummary, entry: Entry) -> float | None:
    results = (entry.results.get((run.label, lane)) for lane in LANES)
    return next((r.metrics["gt_iou"] for r in results if r and "gt_iou" in r.metrics), None)


def _tensor(evidence: Evidence, run: RunSummary, entry: Entry) -> tuple[np.ndarray | None, str]:
    try:
        return evidence.tensor(run.label, entry.lane, entry.case), ""
    except HarnessError as error:
        return None, str(error)


# --- in tables -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CaseTable:
    """All cases of one lane, the worst first, with rows made while they are written.

    Attributes:
        runs: the runs that have figures in this lane.
        truth: whether any of them was held against ground truth here.
    """

    lane: str
    runs: list[RunSummary]
    truth: bool
    entries: list[Entry]

    def rows(self) -> Iterator[tuple[int, Entry, list[tuple[RunSummary, CaseResult | None]]]]:
        for number, entry in enumerate(self.entries, 1):
            yield number, entry, [(run, entry.results.get((run.label, self.lane))) for run in self.runs]


def tables(comparison: Comparison, lanes: list[str], entries: list[Entry]) -> list[CaseTable]:
    """One table for each lane."""
    present = {key for entry in entries for key in entry.results}
    made = []
    for lane in lanes:
        truth = any("gt_iou" in run.pooled.get(lane, {}) for run in comparison.runs)
        runs = [run for run in comparison.runs if (run.label, lane) in present and (truth or not run.reference)]
        made.append(CaseTable(lane, runs, truth, entries))
    return made
