# SPDX-License-Identifier: Apache-2.0
"""Why two runs differ, as far as their bundles tell: each rule looks at one kind of evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from harness import contract as contracts
from harness.comparison import CaseResult, Finding, Row
from harness.verdict import Verdict

if TYPE_CHECKING:
    from harness.runs import Run


_JITTER = 0.5
"""Share of flipped pixels that must lie close to the threshold for jitter to explain them."""


def explain(reference: Run, run: Run, rows: Sequence[Row], cases: Sequence[CaseResult]) -> list[Finding]:
    """All findings about one run; none where there is nothing to explain."""
    findings = list(_failure(run))
    if run is not reference:
        findings += [*_contracts(reference, run), *_foreign_file(run)]
        findings += [*_lanes(run.label, rows, cases), *_far_flips(run.label, rows)]
    return findings + list(_not_finite(run.label, cases))


def _failure(run: Run) -> Iterator[Finding]:
    for lane, bundle in run.lanes.items():
        error = bundle.facts.get("error")
        if bundle.facts["status"] == "failed" and error:
            where = f" at case {error['case']}" if error.get("case") else ""
            yield Finding(
                run.label,
                f"The run failed in the {lane} lane{where} ({error['kind']})",
                error["message"],
                "Mend what the message names and run it again; the other runs' bundles are complete",
            )
            return


def _contracts(reference: Run, run: Run) -> Iterator[Finding]:
    ours, theirs = run.contract, reference.contract
    if ours is None or theirs is None or ours == theirs:
        return
    differences = [
        f"{field.name} is {getattr(ours, field.name)!r} here and {getattr(theirs, field.name)!r} in the reference"
        for field in fields(contracts.Contract)
        if getattr(ours, field.name) != getattr(theirs, field.name)
    ]
    yield Finding(
        run.label,
        "The model's contract is not the reference's",
        "; ".join(differences),
        "Export both from one training run with segmodel export, which embeds the contract",
    )


def _foreign_file(run: Run) -> Iterator[Finding]:
    model = run.facts["model"]
    if model and model.get("listed") is False:
        yield Finding(
            run.label,
            "The file is not the one its model.json lists",
            f"model.json gives another SHA-256 for variant {model['variant']} than {model['sha256'][:12]}…",
            "Export the model's variants together with segmodel export; do not copy single files between models",
        )


def _lanes(label: str, rows: Sequence[Row], cases: Sequence[CaseResult]) -> Iterator[Finding]:
    # Accuracy is taken in one lane alone: to fail in this one and not in the other tells nothing.
    beyond = [
        r for r in rows if r.verdict is Verdict.FAIL and not r.row.split("/")[-1].startswith(("gt_", "not_finite"))
    ]
    failed = {lane: [row for row in beyond if row.lane == lane] for lane in ("tensor", "image")}
    compared = {case.lane for case in cases}
    if failed["image"] and "tensor" in compared and not failed["tensor"]:
        yield Finding(
            label,
            "The network agrees, its input does not",
            f"Fed the same tensor it passes; from the picture {_worst_row(failed['image'])}.{_parting(rows)}",
            "Compare decoding, channel order, resizing and normalisation with the contract",
        )
    elif failed["tensor"]:
        yield Finding(
            label,
            "The network itself differs",
            f"Fed the same tensor, {_worst_row(failed['tensor'])}.",
            "Another training run's weights, a conversion fault, or too coarse a quantisation: export again and "
            "look at the cases below",
        )


def _parting(rows: Sequence[Row]) -> str:
    """The first stage at which the run differs from the reference, where both kept their stages."""
    parted = [row for row in rows if row.row.startswith("stage/") and row.value]
    if not parted:
        return ""
    return f" The stages part at {parted[0].row.split('/')[1]!r}: they differ by up to {parted[0].value:.4g}."


def _worst_row(rows: Sequence[Row]) -> str:
    row = next((r for r in rows if r.row.startswith("pooled/")), rows[0])
    bound = row.limit and (row.limit.max if row.limit.max is not None else row.limit.min)
    return f"{row.row} is {row.value:.4g} where {bound:.4g} is allowed"


def _far_flips(label: str, rows: Sequence[Row]) -> Iterator[Finding]:
    figures = {(row.lane, row.row): row.value for row in rows}
    for lane in ("tensor", "image"):
        flipped, margin = figures.get((lane, "pooled/flipped")), figures.get((lane, "pooled/flip_margin"))
        if flipped and margin is not None and margin < _JITTER:
            yield Finding(
                label,
                "Pixels far from the threshold change sides",
                f"In the {lane} lane {flipped:.0f} pixels flipped; only {margin:.0%} of them lie within the accepted "
                "tensor error of the threshold.",
                "This is no threshold jitter: look at the worst cases.",
            )
            return


def _not_finite(label: str, cases: Sequence[CaseResult]) -> Iterator[Finding]:
    bad = [case for case in cases if case.note.startswith("NaN")]
    if bad:
        yield Finding(
            label,
            "The output holds NaN or infinity",
            f"{len(bad)} outputs, first {bad[0].case} in the {bad[0].lane} lane: {bad[0].note}",
            "Look for overflowing activations or damaged weights; a mask cannot be drawn from it",
        )
