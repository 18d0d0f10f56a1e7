# SPDX-License-Identifier: Apache-2.0
"""How a camera application does beside the reference: ratios and differences with intervals, and what the gates say.

Two recordings have no frame in common and were made at two times, so nothing is paired and the gates are wide. Knows
no models and no masks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from harness import conditions, live, stats
from harness.bundle import Bundle
from harness.comparison import Row
from harness.gates import Gates, judge_interval

LANE = "timing"


def judge(label: str, reference: Bundle, bundle: Bundle, gates: Gates) -> list[Row]:
    """``live/<figure>/ratio`` and ``live/<figure>/difference``, for the figures that both recordings have scatter of.

    Gates apply only where both ran on one machine and did the same: elsewhere the rows are reported, with the reason.
    """
    variant = str((bundle.facts["model"] or {}).get("variant", "unknown"))
    apart = _apart(reference, bundle)
    rows = []
    for name, value, low, high in _effects(live.scatter(reference), live.scatter(bundle)):
        row = f"live/{name}"
        limit = None if apart else gates.limit(variant, LANE, row)
        rows.append(judge_interval(label, LANE, row, value, (low, high), limit, apart))
    return rows


def with_intervals(rows: list[Row], intervals: dict[str, tuple[float, float]]) -> list[Row]:
    """Rows ``live/<figure>`` with the intervals that the recording gives them."""
    return [dataclasses.replace(row, interval=intervals.get(row.row.removeprefix("live/"))) for row in rows]


def _effects(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> Iterator[tuple[str, float, float, float]]:
    """Name of the row, value, and the ends of its interval."""
    for name in (name for name in (*live.AS_LOGARITHMS, *live.AS_THEY_ARE) if name in ours and name in theirs):
        found = stats.difference(ours[name], theirs[name])
        if name in live.AS_LOGARITHMS:
            value, low, high = map(math.exp, found)
            yield f"{name}/ratio", value, low, high
        else:
            yield f"{name}/difference", *found


def _apart(reference: Bundle, bundle: Bundle) -> str:
    """Why one recording cannot condemn the other; empty where it can."""
    one, other = reference.facts, bundle.facts
    if reason := conditions.why_untimed(one) or conditions.why_untimed(other):
        return f"not gated: {reason}"
    if conditions.machine(one) != conditions.machine(other):
        return "not gated: another machine"
    for part, words in (("mode", "another mode"), ("paced_fps", "played at another rate")):
        if one["live"][part] != other["live"][part]:
            return f"not gated: {words}"
    return ""
