# SPDX-License-Identifier: Apache-2.0
"""How fast a run was, from the raw samples of its bundle. Knows no verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness import conditions, stats
from harness.bundle import Bundle
from harness.comparison import Latency, Paced, Start, Sustained

if TYPE_CHECKING:
    import pandas as pd


def summarise(bundle: Bundle | None) -> Latency | None:
    """Figures of every phase from the raw samples of the image lane's bundle; None where there is none."""
    if bundle is None:
        return None
    timing = bundle.facts["timing"]
    samples = bundle.samples()
    steady = samples[samples["phase"] == "steady"]
    total = steady["total_ns"].to_numpy(np.float64)
    stages = {
        stage: float(steady[f"{stage}_ns"].median()) / 1e6
        for stage in ("preprocess", "invoke", "postprocess")
        if steady[f"{stage}_ns"].notna().any()
    }
    p50, p90 = stats.percentile(total, 0.5), stats.percentile(total, 0.9)
    return Latency(
        n=len(steady),
        p50=_ms(p50),
        p90=_ms(p90),
        stages=stages,
        fps=_fps(steady),
        load=_ms(timing.get("load_ns")),
        first=_ms(timing.get("first_inference_ns")),
        note=untrusted(bundle),
        starts=_starts(timing.get("starts") or [], steady),
        paced=_paced(samples[samples["phase"] == "paced"]),
        sustained=_sustained(samples[samples["phase"] == "sustained"]),
    )


def steady(bundle: Bundle) -> dict[str, float | int | None] | None:
    """``timing.steady`` of ``run.json``, which an overview of thousands of runs reads in place of their samples:
    ``frames``, ``p50_ns``, ``p90_ns`` and ``fps``; None where no steady frame was timed."""
    samples = bundle.samples()
    frames = samples[samples["phase"] == "steady"]
    if not len(frames):
        return None
    total = frames["total_ns"].to_numpy(np.float64)
    p50, p90 = stats.percentile(total, 0.5), stats.percentile(total, 0.9)
    return {"frames": len(frames), "p50_ns": p50, "p90_ns": p90, "fps": _fps(frames)}


def _fps(steady: pd.DataFrame) -> float | None:
    """Frames per second of wall time in each uninterrupted stretch: between blocks others were timed."""
    stretches = steady.groupby(["restart", "block"], dropna=False)[["start_ns", "total_ns"]]
    first, last = stretches.nth(0)["start_ns"].sum(), stretches.nth(-1).sum()
    wall = float(last["start_ns"] + last["total_ns"] - first)
    return len(steady) / (wall / 1e9) if wall else None


def untrusted(bundle: Bundle) -> str:
    """Why a bundle's latency is not to be trusted; empty where it is, or where none was asked for."""
    facts, count = bundle.facts, bundle.facts["protocol"]["count"]
    n = int((bundle.samples()["phase"] == "steady").sum())
    if not n and not count:
        return ""
    if reason := conditions.why_untimed(facts):
        return f"latency is INVALID: {reason}"
    return f"INVALID: {n} of {count} frames timed before the time limit" if n < count else ""


def _starts(told: list[dict[str, Any]], steady: pd.DataFrame) -> list[Start]:
    """The timed starts: what the bundle tells of each, and what its steady frames say."""
    facts = {int(start["restart"]): start for start in told if start.get("restart") is not None}
    frames = {int(restart): part for restart, part in steady.fillna({"restart": 0}).groupby("restart")}
    return [_start(number, facts.get(number, {}), frames.get(number)) for number in sorted(facts | frames)]


def _start(number: int, facts: dict[str, Any], frames: pd.DataFrame | None) -> Start:
    total = np.empty(0) if frames is None else frames["total_ns"].dropna().to_numpy(np.float64)
    drift = stats.drift(total)
    return Start(
        restart=number,
        frames=len(total),
        cold_start=_ms(facts.get("cold_start_ns")),
        load=_ms(facts.get("load_ns")),
        first=_ms(facts.get("first_inference_ns")),
        p50=_ms(stats.percentile(total, 0.5)),
        drift=drift.change if drift else None,
        drifted=bool(drift and drift.flagged),
        outliers=stats.outliers(total).count,
    )


def _paced(samples: pd.DataFrame) -> list[Paced]:
    """One for each rate, in the order in which they were held."""
    whole = samples.dropna(subset=["due_ns", "start_ns", "presented_ns"]).fillna(
        {"restart": 0, "block": 0, "dropped": 0}
    )
    return [_at_rate(part.sort_values("due_ns")) for _, part in whole.groupby(["restart", "block"])]


def _at_rate(frames: pd.DataFrame) -> Paced:
    due, dropped = frames["due_ns"].to_numpy(np.float64), frames["dropped"].to_numpy(np.float64)
    periods = len(due) - 1 + dropped[1:].sum()
    late = (frames["start_ns"] - frames["due_ns"]).to_numpy(np.float64)
    shown = (frames["presented_ns"] - frames["due_ns"]).to_numpy(np.float64)
    return Paced(
        fps=float(f"{periods / (due[-1] - due[0]) * 1e9:.4g}") if due[-1] > due[0] else None,
        frames=len(due),
        dropped=int(dropped.sum()),
        late_p50=_ms(stats.percentile(late, 0.5)),
        late_p90=_ms(stats.percentile(late, 0.9)),
        p50=_ms(stats.percentile(shown, 0.5)),
        p90=_ms(stats.percentile(shown, 0.9)),
    )


def _sustained(samples: pd.DataFrame) -> Sustained | None:
    samples = samples.dropna(subset=["start_ns", "total_ns"])
    if not len(samples):
        return None
    start, total = (samples[name].to_numpy(np.float64) for name in ("start_ns", "total_ns"))
    drift, third = stats.drift(total), len(total) // 3
    ends = (float(np.median(total[:third])), float(np.median(total[-third:]))) if drift else (None, None)
    return Sustained(
        seconds=float(start[-1] + total[-1] - start[0]) / 1e9,
        frames=len(total),
        p50=_ms(stats.percentile(total, 0.5)),
        first=_ms(ends[0]),
        last=_ms(ends[1]),
        drifted=bool(drift and drift.flagged),
    )


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6
