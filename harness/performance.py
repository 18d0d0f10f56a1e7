# SPDX-License-Identifier: Apache-2.0
"""How fast a run is beside the reference, from blocks that took turns in one session. Knows no models and no masks.

Bundles of different sessions are not paired: their latencies are shown side by side and nothing follows from them,
except where one is held against what was recorded of it earlier (:func:`judge_apart`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import conditions, stats
from harness.bundle import Bundle
from harness.comparison import Limit, Row
from harness.gates import Gates, judge_ratio
from harness.latency import untrusted
from harness.verdict import Verdict

LANE = "timing"
"""What the rows of this module have for a lane."""
STAGES = ("total", "preprocess", "invoke", "postprocess")
_Measure = Callable[[Bundle, Bundle], dict[str, tuple[stats.Effect, float]]]
_ALPHA = 0.05
_WEIGHTS = dict.fromkeys(STAGES, 0.1) | {"total": 1.0}
"""What rows weigh when all are considered together (:func:`harness.stats.holm`): a frame's time is what a comparison is
for, so that its stages are looked into as well must hardly make it harder to find slower."""
_BUSY = 0.25
"""Processors kept busy by others from which on a measurement can no longer condemn anything."""


def paired(reference: Bundle | None, bundle: Bundle | None) -> bool:
    """Whether two bundles were timed beside each other."""
    if reference is None or bundle is None:
        return False
    return bool(reference.facts["session"]["id"] == bundle.facts["session"]["id"])


def effects(reference: Bundle, bundle: Bundle) -> dict[str, tuple[stats.Effect, float]]:
    """For each stage that both have: how many times as long it takes, and how many milliseconds that is of the
    reference's median. (The difference of the two medians would have the machine's own changes in it.)"""
    ours, theirs = _steady(bundle), _steady(reference)
    found = {}
    for stage in STAGES:
        column = f"{stage}_ns"
        numbers, pairs = _pairs(theirs[column], ours[column])
        effect = stats.effect(pairs, _later(reference, bundle, numbers))
        if effect is not None:
            median = float(np.median(np.concatenate([part[:, 0] for part in pairs])))
            found[stage] = effect, (effect.estimate - 1) * median / 1e6
    return found


def effects_apart(reference: Bundle, bundle: Bundle) -> dict[str, tuple[stats.Effect, float]]:
    """As :func:`effects`, of bundles that were timed at different times: no block has a partner."""
    sides = [_steady(reference), _steady(bundle)]
    found = {}
    for stage in STAGES:
        columns = [side[f"{stage}_ns"].dropna() for side in sides]
        then, now = ([part.to_numpy() for _, part in column.groupby(level="restart")] for column in columns)
        effect = stats.unpaired(then, now) if all((column > 0).all() for column in columns) else None
        if effect is not None:
            found[stage] = effect, (effect.estimate - 1) * float(columns[0].median()) / 1e6
    return found


@dataclass(frozen=True)
class Timed:
    """A run beside the reference: its label, its variant, and the bundles of their image lanes."""

    label: str
    variant: str
    reference: Bundle
    bundle: Bundle


def judge(timed: Sequence[Timed], gates: Gates) -> list[Row]:
    """One row per run and stage, ``latency/<stage>/ratio``, and one of the reference against itself.

    A slowdown is a FAIL only where the whole interval lies beyond the gate, also when all rows are considered
    together (Holm), and the difference exceeds the gate's floor. Where others used the processors meanwhile it is at
    most a WARN.
    """
    return _judge(timed, gates, effects, "latency") + _noise([run for run in timed if not _untrusted(run)])


def judge_apart(timed: Sequence[Timed], gates: Gates) -> list[Row]:
    """One row per run and stage, ``baseline/latency/<stage>/ratio``: beside a reference that was timed another day.

    What the machine was like then and now is in these ratios, so their gates are wider, and an A B B A run remains the
    way to know.
    """
    return _judge(timed, gates, effects_apart, "baseline/latency")


def _judge(timed: Sequence[Timed], gates: Gates, measure: _Measure, name: str) -> list[Row]:
    rows = [row for run in timed if (row := _untrusted(run))]
    sound = [run for run in timed if not _untrusted(run)]
    measured = [
        (run, stage, *figures) for run in sound for stage, figures in measure(run.reference, run.bundle).items()
    ]
    limits = [gates.limit(run.variant, LANE, f"{name}/{stage}/ratio") for run, stage, *_ in measured]
    together = _together(
        [(stage, effect, limit) for (_, stage, effect, _), limit in zip(measured, limits, strict=True)]
    )
    for (run, stage, effect, difference), limit, (sure, level) in zip(measured, limits, together, strict=True):
        row = judge_ratio(run.label, LANE, f"{name}/{stage}/ratio", effect, difference, limit, sure, level)
        busy = max(_others(run.reference), _others(run.bundle))
        if row.verdict is Verdict.FAIL and busy > _BUSY:
            note = f"others kept {busy:.2g} processors busy meanwhile: measure again on a quiet machine; {row.note}"
            row = replace(row, verdict=Verdict.WARN, note=note)
        rows.append(row)
    return rows


def _together(rows: Sequence[tuple[str, stats.Effect, Limit | None]]) -> list[tuple[bool, float]]:
    """Of each row (stage, effect, limit): whether it lies beyond its limit also when all are considered together, and
    the confidence of an interval that would have to, were it the first to be found beyond."""
    found = [(False, 1 - _ALPHA)] * len(rows)
    gated = [(k, limit.max) for k, (_, _, limit) in enumerate(rows) if limit is not None and limit.max is not None]
    if gated:
        weights = [_WEIGHTS[rows[k][0]] for k, _ in gated]
        p_values = [rows[k][1].p_slower(most - 1) for k, most in gated]
        # Half of 5 %: a one-sided p-value that is to agree with a two-sided interval.
        sure = stats.holm(p_values, weights) <= _ALPHA / 2
        for (k, _), beyond, weight in zip(gated, sure, weights, strict=True):
            found[k] = bool(beyond), 1 - _ALPHA * weight / sum(weights)
    return found


def _untrusted(run: Timed) -> Row | None:
    reference, bundle = run.reference.facts, run.bundle.facts
    note = untrusted(run.reference) or untrusted(run.bundle)
    # Another machine and an emulated processor are known beforehand and nobody's mistake; the rest can be mended.
    skipped = conditions.emulated(reference) or conditions.emulated(bundle)
    if not note and conditions.machine(reference) != conditions.machine(bundle):
        note, skipped = "another machine: times are not compared", True
    if not note:
        return None
    verdict = Verdict.SKIP if skipped else Verdict.INVALID
    return Row(run.label, LANE, "latency/total/ratio", None, None, verdict, None, note)


def _noise(timed: Sequence[Timed]) -> list[Row]:
    """The reference against itself: what the machine alone can look like."""
    if not timed:
        return []
    reference = timed[0].reference
    total = _steady(reference)["total_ns"]
    found = stats.noise(_pairs(total, total)[1])
    if found is None:
        return []
    note = f"{found.low:.3f} … {found.high:.3f}: a difference inside cannot be seen here"
    row = Row(reference.label, LANE, "latency/total/noise", found.estimate, None, Verdict.PASS, None, note)
    return [replace(row, interval=(found.low, found.high))]


def _steady(bundle: Bundle):  # type: ignore[no-untyped-def]  # a pandas table, which is imported where it is needed
    """Median of every block: columns of nanoseconds, indexed by restart and block."""
    samples = bundle.samples()
    steady = samples[samples["phase"] == "steady"]
    steady = steady.fillna({"restart": 0, "block": 0})
    return steady.groupby(["restart", "block"])[[f"{stage}_ns" for stage in STAGES]].median()


def _pairs(reference, ours) -> tuple[list[int], list[np.ndarray]]:  # type: ignore[no-untyped-def]  # pandas columns
    """The numbers of the starts, and for each the pairs of blocks that both have, shape (pairs, 2), in time order."""
    joined = np.stack([reference.align(ours, join="inner")[side].to_numpy(np.float64) for side in (0, 1)], axis=1)
    restarts = reference.align(ours, join="inner")[0].index.get_level_values("restart").to_numpy()
    whole = np.isfinite(joined).all(axis=1) & (joined > 0).all(axis=1)
    numbers = np.unique(restarts)
    return [int(number) for number in numbers], [joined[(restarts == number) & whole] for number in numbers]


def _later(reference: Bundle, bundle: Bundle, numbers: Sequence[int]) -> list[bool] | None:
    """For each of these starts, whether the bundle's process was started after the reference's; None if untold."""
    ours, theirs = (
        {start["restart"]: start.get("turn") for start in run.facts["timing"].get("starts", [])}
        for run in (bundle, reference)
    )
    turns = [(theirs.get(number), ours.get(number)) for number in numbers]
    if any(None in pair for pair in turns):
        return None
    return [their < our for their, our in turns]  # type: ignore[operator]


def _others(bundle: Bundle) -> float:
    """The most that others used of the processors while one start was timed."""
    during = bundle.facts["conditions"].get("during") or []
    shares = [told.get("other_processes") for told in during if isinstance(told, dict)]
    return max((share for share in shares if share is not None), default=0.0)
