# SPDX-License-Identifier: Apache-2.0
"""Camera applications side by side, in words: what page, Markdown and terminal show of them alike.

Knows a comparison of live runs; computes no figure.
"""

from __future__ import annotations

from collections.abc import Callable

from harness import conditions
from harness.comparison import Comparison, Live, Row, RunSummary
from harness.report import figures
from harness.verdict import Verdict

COLUMNS = (
    "mode", "background", "played at", "captured FPS", "inferred FPS", "presented FPS", "dropped", "hidden", "mask age",
    "older masks", "p50 ms", "p90 ms", "p99 ms",
)  # fmt: skip
_NAMES = {
    "captured_fps": "captured FPS",
    "inferred_fps": "inferred FPS",
    "presented_fps": "presented FPS",
    "p50": "capture to screen p50",
    "p90": "capture to screen p90",
    "p99": "capture to screen p99",
    "dropped_share": "share of frames dropped",
    "mask_age_mean": "mask age in frames",
}
_KINDS = {"ratio": "times the reference's", "difference": "less the reference's"}
TEXT_COLUMNS = COLUMNS[:3]
"""Those that hold words, not figures."""


def cells(run: RunSummary, intervals: bool = False) -> list[str]:
    """One run's figures by :data:`COLUMNS`; ``n/a`` where it has none.

    Args:
        intervals: whether the figures' 95 % intervals follow them, as far as there are any.
    """
    shown = run.live
    if shown is None:
        return [figures.NONE] * len(COLUMNS)

    def known(name: str, write: Callable[[float | None], str]) -> str:
        text, ends = write(getattr(shown, name)), shown.intervals.get(name)
        return f"{text} ({write(ends[0])} – {write(ends[1])})" if ends and intervals else text

    rates = [known(name, figures.rate) for name in ("captured_fps", "inferred_fps", "presented_fps")]
    times = [known(name, figures.milliseconds) for name in ("p50", "p90", "p99")]
    return [
        shown.mode.replace("_", " "),
        shown.background,
        f"{shown.paced_fps:g} FPS" if shown.paced_fps else "its own pace",
        *rates,
        figures.count(shown.dropped),
        figures.count(shown.hidden),
        _age(shown),
        figures.share(shown.aged),
        *times,
    ]


def name(row: Row) -> str:
    """What tables call a row of a camera application; empty where it is none."""
    if not row.row.startswith("live/"):
        return ""
    _, figure, *kind = row.row.split("/")
    text = _NAMES.get(figure, figure.replace("_", " "))
    return f"{text}, {_KINDS[kind[0]]}" if kind else text


def beside(comparison: Comparison, kind: str) -> dict[str, list[Row]]:
    """Rows of one kind, ``ratio`` or ``difference``, by figure."""
    groups: dict[str, list[Row]] = {}
    for row in comparison.rows:
        if row.row.startswith("live/") and row.row.endswith(f"/{kind}"):
            groups.setdefault(_NAMES[row.row.split("/")[1]], []).append(row)
    return groups


def headline(comparison: Comparison) -> list[str]:
    """What was found in a few sentences, the gravest first."""
    whole = [run for run in comparison.runs if run.live and run.live.presented]
    broken = [run.label for run in comparison.runs if run not in whole]
    sentences = [f"{_names(broken)} left no figures."] if broken else []
    if whole:
        rates = [f"{run.label} {figures.rate(run.live.presented_fps if run.live else None)}" for run in whole]
        sentences.append(f"Frames per second presented of {comparison.suite.get('id')}: {', '.join(rates)}.")
    gated = [row for row in comparison.rows if row.of_performance and row.limit]
    for verdict, said in ((Verdict.FAIL, "falls behind"), (Verdict.WARN, "may fall behind")):
        for run in whole:
            rows = [row for row in gated if row.run == run.label and row.verdict is verdict]
            if rows:
                sentences.append(f"{run.label} {said} {comparison.reference.label}: {', '.join(map(_words, rows))}.")
    if gated and all(row.verdict is Verdict.PASS for row in gated):
        sentences.append(f"None falls behind {comparison.reference.label}.")
    if len(whole) > 1 and not gated:
        sentences.append(
            "They ran on different machines and stand side by side; nothing is gated."
            if len({conditions.machine(run.facts) for run in whole}) > 1
            else "They stand side by side; nothing is gated."
        )
    return sentences


def _words(row: Row) -> str:
    figure, kind = row.row.split("/")[1:]
    low, high = row.interval or (row.value, row.value)
    if kind == "ratio":
        return f"{_NAMES[figure]} {row.value:.2f} times ({low:.2f} to {high:.2f})"
    return f"{_NAMES[figure]} {row.value:+.2f} ({low:+.2f} to {high:+.2f})"


def _age(shown: Live) -> str:
    """Mean and largest mask age in frames, such as ``0.42 (max 2)``."""
    if shown.mask_age_mean is None or shown.mask_age_max is None:
        return figures.NONE
    return f"{shown.mask_age_mean:.2f} (max {shown.mask_age_max})" if shown.mask_age_max else "0"


def _names(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
