# SPDX-License-Identifier: Apache-2.0
"""Camera applications side by side, in words: what page, Markdown and terminal show of them alike.

Knows a comparison of live runs; computes no figure.
"""

from __future__ import annotations

from harness.comparison import Comparison, Live, RunSummary
from harness.report import figures

COLUMNS = (
    "mode", "background", "played at", "captured FPS", "inferred FPS", "presented FPS", "dropped", "hidden", "mask age",
    "older masks", "p50 ms", "p90 ms", "p99 ms",
)  # fmt: skip
TEXT_COLUMNS = COLUMNS[:3]
"""Those that hold words, not figures."""


def cells(run: RunSummary) -> list[str]:
    """One run's figures by :data:`COLUMNS`; ``n/a`` where it has none."""
    shown = run.live
    if shown is None:
        return [figures.NONE] * len(COLUMNS)
    rates = (shown.captured_fps, shown.inferred_fps, shown.presented_fps)
    times = (shown.p50, shown.p90, shown.p99)
    return [
        shown.mode.replace("_", " "),
        shown.background,
        f"{shown.paced_fps:g} FPS" if shown.paced_fps else "its own pace",
        *map(figures.rate, rates),
        figures.count(shown.dropped),
        figures.count(shown.hidden),
        _age(shown),
        figures.share(shown.aged),
        *map(figures.milliseconds, times),
    ]


def headline(comparison: Comparison) -> list[str]:
    """What was found in a few sentences, the gravest first."""
    whole = [run for run in comparison.runs if run.live and run.live.presented]
    broken = [run.label for run in comparison.runs if run not in whole]
    sentences = [f"{_names(broken)} left no figures."] if broken else []
    if whole:
        rates = [f"{run.label} {figures.rate(run.live.presented_fps if run.live else None)}" for run in whole]
        sentences.append(f"Frames per second presented of {comparison.suite.get('id')}: {', '.join(rates)}.")
    if len(whole) > 1:
        sentences.append(
            "They ran on different machines and stand side by side; nothing is gated."
            if len({_machine(run) for run in whole}) > 1
            else "They stand side by side; nothing is gated."
        )
    return sentences


def _age(shown: Live) -> str:
    """Mean and largest mask age in frames, such as ``0.42 (max 2)``."""
    if shown.mask_age_mean is None or shown.mask_age_max is None:
        return figures.NONE
    return f"{shown.mask_age_mean:.2f} (max {shown.mask_age_max})" if shown.mask_age_max else "0"


def _machine(run: RunSummary) -> tuple[object, ...]:
    device = run.facts.get("device") or {}
    return tuple(device.get(part) for part in ("kind", "model", "cpu", "arch", "cores"))


def _names(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
