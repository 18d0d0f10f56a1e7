# SPDX-License-Identifier: Apache-2.0
"""How fast a run was, from the raw samples of its bundle. Knows no verdicts."""

from __future__ import annotations

import numpy as np

from harness import stats
from harness.bundle import Bundle
from harness.comparison import Latency


def summarise(bundle: Bundle | None) -> Latency | None:
    """Figures of the steady phase from the raw samples of the image lane's bundle; None where there is none."""
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
    # Wall time of each uninterrupted stretch: between blocks others were timed.
    wall = sum(
        part["start_ns"].iloc[-1] + part["total_ns"].iloc[-1] - part["start_ns"].iloc[0]
        for _, part in steady.groupby(["restart", "block"], dropna=False)
    )
    p50, p90 = stats.percentile(total, 0.5), stats.percentile(total, 0.9)
    return Latency(
        n=len(steady),
        p50=_ms(p50),
        p90=_ms(p90),
        stages=stages,
        fps=len(steady) / (wall / 1e9) if wall else None,
        load=_ms(timing.get("load_ns")),
        first=_ms(timing.get("first_inference_ns")),
        note=untrusted(bundle),
    )


def untrusted(bundle: Bundle) -> str:
    """Why a bundle's latency is not to be trusted; empty where it is."""
    facts = bundle.facts
    if facts["device"]["emulated"]:
        return "emulated processor: latency is INVALID"
    n = int((bundle.samples()["phase"] == "steady").sum())
    if n < facts["protocol"]["count"]:
        return f"INVALID: {n} of {facts['protocol']['count']} frames timed before the time limit"
    return ""


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6
