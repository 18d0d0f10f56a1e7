# SPDX-License-Identifier: Apache-2.0
"""What a camera application did, from the counters and samples of its ``live`` bundle. Knows no verdicts, no models.

Frames per second are counts over the time from the first frame captured to the last one shown: of the whole path,
never one over a mean duration. How sure a figure is follows from five stretches of the recording: what it becomes
without each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness import conditions, jackknife, stats
from harness.bundle import Bundle, BundleError
from harness.comparison import Live

if TYPE_CHECKING:
    import pandas as pd

STRETCHES = 5
SHORTEST = 15.0
"""Seconds of a recording from which on it is split into :data:`STRETCHES`. Few and long ones are more honest where an
application wanders for seconds: simulated with frames alike over 0.3 s, 95 % intervals of a rate hold it in 94 % of
recordings of 15 s and more; alike over 1.7 s, in 88 % of 15 s and 94 % of 60 s (ten stretches: 77 and 91 %)."""
AS_LOGARITHMS = ("captured_fps", "inferred_fps", "presented_fps", "p50", "p90", "p99")
"""Figures of which a ratio makes sense; of the others a difference does."""
AS_THEY_ARE = ("dropped_share", "mask_age_mean")
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
        note=f"times are INVALID: {reason}" if (reason := conditions.why_untimed(bundle.facts)) else "",
        intervals={name: _interval(name, values) for name, values in scatter(bundle).items()},
    )


def scatter(bundle: Bundle) -> dict[str, np.ndarray]:
    """By figure, values whose mean is the figure and whose scatter is its own (:mod:`harness.jackknife`).

    Of the figures in :data:`AS_LOGARITHMS` they are logarithms.

    Returns:
        Shape (:data:`STRETCHES`,) each; nothing of a recording shorter than :data:`SHORTEST`, and not the figures that
        have no value without one of its stretches.
    """
    counts, samples = bundle.facts["live"], bundle.samples()
    seconds = counts["wall_ns"] / 1e9
    if seconds < SHORTEST or not len(samples):
        return {}
    since = samples["presented_ns"].to_numpy(np.float64) - samples["start_ns"].min()
    stretch = np.clip((since / counts["wall_ns"] * STRETCHES).astype(int), 0, STRETCHES - 1)
    rows = samples.assign(inferred=_new_masks(samples))
    whole = _of_rows(rows, seconds)
    # The counters know of frames that no row tells of: dropped after the last picture, inferred and never shown.
    whole |= {f"{name}_fps": counts[name] / seconds for name in ("captured", "inferred", "presented")}
    whole["dropped_share"] = counts["dropped"] / counts["captured"]
    parts = [_of_rows(rows[stretch != k], seconds * (1 - 1 / STRETCHES)) for k in range(STRETCHES)]
    found = {}
    for name in (*AS_LOGARITHMS, *AS_THEY_ARE):
        values = [whole[name], *(part[name] for part in parts)]
        logarithms = name in AS_LOGARITHMS
        if any(value is None or (logarithms and value <= 0) for value in values):
            continue
        known = np.array(values, np.float64)
        known = np.log(known) if logarithms else known
        found[name] = jackknife.pseudo_values(float(known[0]), known[1:])
    return found


def _interval(name: str, values: np.ndarray) -> tuple[float, float]:
    low, high = jackknife.mean_interval(values)
    if name in AS_LOGARITHMS:
        return float(np.exp(low)), float(np.exp(high))
    return max(0.0, low), min(1.0, high) if name == "dropped_share" else high


def _of_rows(rows: pd.DataFrame, seconds: float) -> dict[str, float | None]:
    """The figures of some of a recording's rows, which took so many seconds."""
    ages, total = rows["mask_age"].dropna(), rows["total_ns"].to_numpy(np.float64)
    captured = len(rows) + float(rows["dropped"].sum())
    percentiles = {f"p{round(100 * p)}": _ms(stats.percentile(total, p)) for p in (0.5, 0.9, 0.99)}
    return {
        "captured_fps": captured / seconds,
        "inferred_fps": float(rows["inferred"].sum()) / seconds,
        "presented_fps": len(rows) / seconds,
        "dropped_share": float(rows["dropped"].sum()) / captured if captured else None,
        "mask_age_mean": float(ages.mean()) if len(ages) else None,
        **percentiles,
    }


def _new_masks(samples: pd.DataFrame) -> np.ndarray:
    """For each picture whether its mask was shown on none before: shape (n,), boolean."""
    frame = (1 + samples["dropped"]).cumsum().to_numpy(np.float64)
    masked = frame - samples["mask_age"].to_numpy(np.float64)
    newest = np.fmax.accumulate(np.concatenate([[-np.inf], masked]))[:-1]
    return np.asarray(masked > newest)


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
