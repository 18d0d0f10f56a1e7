# SPDX-License-Identifier: Apache-2.0
"""The one calm table at the end of a comparison on a terminal. Knows a comparison; writes no files."""

from __future__ import annotations

import textwrap
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.comparison import Comparison, RunSummary
from harness.report import figures, live, overview, speed
from harness.verdict import Verdict

_STYLES = {
    Verdict.PASS: "green",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.INVALID: "bold magenta",
    Verdict.SKIP: "dim",
}


def print_table(comparison: Comparison, console: Console, report: Path | None = None) -> None:
    """Print verdicts and figures of each run, then the findings, then where the report is.

    Args:
        console: on something that is no terminal the output is plain aligned text.
        report: the page's path, named in the last line.
    """
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold", min_width=8)
    (_fill_live if comparison.of_live_runs else _fill)(table, comparison)
    console.print(table)
    console.print()
    console.print(Text(" ".join(overview.headline(comparison)), style="bold"))
    explained = {finding.run for finding in comparison.findings}
    for run in comparison.runs:
        if run.error and run.label not in explained:
            _indented(console, f"{run.label}: {run.error}")
    for finding in comparison.findings:
        _indented(console, f"{finding.run}: {finding.title}. {finding.evidence}. {finding.remedy}")
    if report is not None:
        console.print(Text(f"Report: {report}"), soft_wrap=True)


def _fill(table: Table, comparison: Comparison) -> None:
    """Verdicts by lane and figures of each run of a suite."""
    found = overview.index(comparison)
    lanes = overview.lanes(comparison)
    masks, timed = not speed.only_timed(comparison), _are_timed(comparison)
    verdicts = [*(lanes if masks else ()), *(("timing",) if timed else ())]
    for column in verdicts:
        table.add_column(column, no_wrap=True)
    headings = (*(_MASKS if masks else ("not invoke",)), *(("times as long",) if timed else ()), *_TIMES)
    for name in headings:
        table.add_column(name, justify="right", no_wrap=True)
    for run in comparison.runs:
        cells = [_verdict(run, overview.lane_verdict(run, column, found)) for column in verdicts]
        ratio = [speed.times(speed.ratio(comparison, run.label))] if timed else []
        table.add_row(
            Text(run.label), *cells, *map(Text, [*(_masks(run) if masks else _not_invoke(run)), *ratio, *_times(run)])
        )


def _are_timed(comparison: Comparison) -> bool:
    """Whether any run was timed beside the reference."""
    return any(row.of_performance for row in comparison.rows)


def _fill_live(table: Table, comparison: Comparison) -> None:
    """Verdict and figures of each camera application."""
    table.add_column("verdict", no_wrap=True)
    for name in live.COLUMNS[1:]:
        heading = name.replace(" FPS", "\nFPS").replace(" ", "\n")
        table.add_column(heading, justify="left" if name in live.TEXT_COLUMNS else "right", no_wrap=True)
    for run in comparison.runs:
        verdict = Text(str(run.verdict), style=_STYLES[run.verdict])
        table.add_row(Text(run.label), verdict, *map(Text, live.cells(run)[1:]))


def _indented(console: Console, text: str) -> None:
    lines = textwrap.wrap(text, console.width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    console.print(Text("\n".join(lines)), soft_wrap=True)


def _verdict(run: RunSummary, verdict: Verdict | None) -> Text:
    if run.reference and not run.error:
        return Text("ref", style="dim")
    return Text(str(verdict or "-"), style=_STYLES.get(verdict, "") if verdict else "dim")


_MASKS = ("max err", "mask IoU", "GT IoU")
_TIMES = ("p50 ms", "p90 ms", "FPS", "mem MB", "size MB")


def _masks(run: RunSummary) -> list[str]:
    return [
        "-" if run.reference else figures.error(overview.worst_of_lanes(run, "max_abs", max)),
        "-" if run.reference else figures.iou(overview.worst_of_lanes(run, "mask_iou", min)),
        figures.iou(overview.truth(run, "gt_iou")),
    ]


def _not_invoke(run: RunSummary) -> list[str]:
    """How much of a frame is not the network."""
    share = speed.not_invoke(run)
    return ["n/a" if share is None else f"{share:.0%}"]


def _times(run: RunSummary) -> list[str]:
    timed = run.latency
    return [
        figures.milliseconds(timed.p50 if timed else None),
        figures.milliseconds(timed.p90 if timed else None),
        figures.rate(timed.fps if timed else None),
        figures.megabytes(run.peak_memory_bytes),
        figures.megabytes(overview.model_bytes(run)),
    ]
