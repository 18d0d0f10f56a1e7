# SPDX-License-Identifier: Apache-2.0
"""What a camera application did, from the counters and samples of its ``live`` bundle. Knows no verdicts, no models.

Frames per second are counts over the time from the first frame captured to the last one shown: of the whole path,
never one over a mean duration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness import stats
from harness.bundle import Bundle, BundleError
from harness.comparison import Live

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("preprocess", "invoke", "postprocess", "refine", "composite")


def summarise(bundle: Bundle) -> Live:
    """Figures of a complete ``live`` bundle.

    Raises:
        BundleError: its samples are damaged, or contradict its counters.
    """
    counts, samples = bundle.facts["live"], bundle.samples()
    if problems := _contradictions(counts, samples):
        raise BundleError(f"{bundle.path}: the counters and samples contradict each other: {'; '.join(problems)}")
    seconds = counts["wall_ns"] / 1e9
    captured_fps, inferred_fps, presented_fps = (
        counts[name] / seconds if seconds else None for name in ("captured", "inferred", "presented")
    )
    ages = samples["mask_age"].dropna().to_numpy(np.float64)
    total = samples["total_ns"].to_numpy(np.float64)
    p50, p90, p99 = (stats.percentile(total, p) for p in (0.5, 0.9, 0.99))
    return Live(
        mode=counts["mode"],
        background=counts["background"],
        source=counts["source"],
        paced_fps=counts["paced_fps"],
        captured=counts["captured"],
        inferred=counts["inferred"],
        presented=counts["presented"],
        dropped=counts["dropped"],
        hidden=counts["hidden"],
        seconds=seconds,
        captured_fps=captured_fps,
        inferred_fps=inferred_fps,
        presented_fps=presented_fps,
        mask_age_mean=float(ages.mean()) if len(ages) else None,
        mask_age_max=int(ages.max()) if len(ages) else None,
        aged=float((ages > 0).mean()) if len(ages) else None,
        p50=_ms(p50),
        p90=_ms(p90),
        p99=_ms(p99),
        stages={
            stage: float(samples[f"{stage}_ns"].median()) / 1e6
            for stage in STAGES
            if samples[f"{stage}_ns"].notna().any()
        },
        note="emulated processor: times are INVALID" if bundle.facts["device"]["emulated"] else "",
    )


def _contradictions(counts: dict, samples: pd.DataFrame) -> list[str]:
    """Where counters and rows do not tell of the same run, in words."""
    problems = []
    if samples[["start_ns", "total_ns", "presented_ns", "dropped"]].isna().any(axis=None):
        return ["a row has no start_ns, total_ns, presented_ns or dropped"]
    if len(samples) != counts["presented"]:
        problems.append(f"{counts['presented']} pictures presented, {len(samples)} rows")
    if counts["presented"] + counts["dropped"] != counts["captured"]:
        problems.append(
            f"{counts['presented']} presented and {counts['dropped']} dropped are not {counts['captured']} captured"
        )
    if samples["dropped"].sum() > counts["dropped"]:  # what was dropped after the last picture is in no row
        problems.append(f"{counts['dropped']} frames dropped, {samples['dropped'].sum()} in the rows")
    if samples["mask_age"].isna().sum() != counts["hidden"]:
        problems.append(f"{counts['hidden']} pictures hidden, {samples['mask_age'].isna().sum()} rows without a mask")
    if counts["inferred"] > counts["captured"]:
        problems.append(f"{counts['inferred']} frames inferred, {counts['captured']} captured")
    span = samples["presented_ns"].max() - samples["start_ns"].min() if len(samples) else 0
    if counts["wall_ns"] < span:
        problems.append(f"{counts['wall_ns']} ns in all, {span} ns from the first row to the last")
    return problems


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6
