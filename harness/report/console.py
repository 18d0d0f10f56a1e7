# SPDX-License-Identifier: Apache-2.0
"""The calm table at the end of a comparison on a terminal, in parts where the terminal is narrow.

Knows a comparison; writes no files.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.comparison import Comparison, RunSummary
from harness.printable import visible
from harness.report import devices, figures, live, overview, speed
from harness.verdict import Verdict

STYLES = {
    Verdict.PASS: "green",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.INVALID: "bold magenta",
    Verdict.SKIP: "dim",
}


_NAME = 24
"""Columns of a run's name; a longer one is folded."""
_GAP = 2


def print_table(comparison: Comparison, console: Console, report: Path | None = None) -> None:
    """Print verdicts and figures of each run, then the findings, then where the report is.

    Args:
        console: on something that is no terminal the output is plain aligned text.
        report: the page's path, named in the last line.
    """
    labels = [visible(run.label) for run in comparison.runs]
    for number, columns in enumerate(
        _tables(labels, (_live if comparison.of_live_runs else _figures)(comparison), console.width)
    ):
        table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, padding=(0, _GAP, 0, 0))
        table.add_column("run", overflow="fold", min_width=min(_NAME, max(map(len, labels))))
        for column in columns:
            table.add_column(column.heading, justify="right" if column.right else "left", no_wrap=True)
        for k, label in enumerate(labels):
            table.add_row(Text(label), *(column.cells[k] for column in columns))
        if number:
            console.print()
        console.print(table)
    console.print()
    console.print(Text(visible(" ".join(overview.headline(comparison))), style="bold"))
    explained = {finding.run for finding in comparison.findings}
    for run in comparison.runs:
        if run.error and run.label not in explained:
            _indented(console, f"{run.label}: {run.error}")
    for run in comparison.runs:
        if note := devices.note(run):
            _indented(console, f"{run.label}: {note}")
    for finding in comparison.findings:
        _indented(console, f"{finding.run}: {finding.title}. {finding.evidence}. {finding.remedy}")
    if report is not None:
        console.print(Text(f"Report: {report}"), soft_wrap=True)


@dataclass(frozen=True)
class _Column:
    """A heading, of more than one line where it holds line breaks, and a cell for each run."""

    heading: str
    cells: list[Text]
    right: bool = True

    @property
    def width(self) -> int:
        return max(cell_len(text) for text in (*self.heading.split("\n"), *(cell.plain for cell in self.cells)))


def _tables(labels: list[str], groups: list[list[_Column]], width: int) -> Iterator[list[_Column]]:
    """The columns in their order, in as few tables as they fit into; each table begins with the runs' names. A group
    is parted only where it is too wide for a table of its own."""
    name = min(_NAME, max(map(len, labels)))

    def fits(columns: list[_Column]) -> bool:
        return name + sum(_GAP + column.width for column in columns) <= width

    held: list[_Column] = []
    for group in groups:
        for columns in [group] if fits(group) else [[column] for column in group]:
            if held and not fits(held + columns):
                yield held
                held = []
            held = held + columns
    yield held


def _figures(comparison: Comparison) -> list[list[_Column]]:
    """Verdicts by lane and figures of each run of a suite."""
    found = overview.index(comparison)
    masks, timed = not speed.only_timed(comparison), any(row.of_performance for row in comparison.rows)
    verdicts = [*(overview.lanes(comparison) if masks else ()), *(("timing",) if timed else ())]
    judged = [
        _Column(lane, [_verdict(run, overview.lane_verdict(run, lane, found)) for run in comparison.runs], right=False)
        for lane in verdicts
    ]
    told = [(_masks(run) if masks else _not_invoke(run)) for run in comparison.runs]
    judged += _columns(_MASKS if masks else ("not invoke",), told)
    ratios = [[speed.times(speed.ratio(comparison, run.label))] for run in comparison.runs]
    times = _columns(["times as long"], ratios) if timed else []
    return [judged, times + _columns(_TIMES, [_times(run) for run in comparison.runs])]


def _live(comparison: Comparison) -> list[list[_Column]]:
    """Verdict and figures of each camera application."""
    verdicts = _Column("verdict", [Text(str(run.verdict), style=STYLES[run.verdict]) for run in comparison.runs], False)
    headings = [name.replace(" FPS", "\nFPS").replace(" ", "\n") for name in live.COLUMNS]
    columns = _columns(headings, [live.cells(run) for run in comparison.runs])
    words = [
        replace(column, right=name not in live.TEXT_COLUMNS) for name, column in zip(live.COLUMNS, columns, strict=True)
    ]
    return [[verdicts, *words[1:]]]


def _columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[_Column]:
    return [_Column(heading, [Text(row[k]) for row in rows]) for k, heading in enumerate(headings)]


def _indented(console: Console, text: str) -> None:
    lines = textwrap.wrap(
        visible(text), console.width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
    )
    console.print(Text("\n".join(lines)), soft_wrap=True)


def _verdict(run: RunSummary, verdict: Verdict | None) -> Text:
    if run.reference and not run.error:
        return Text("ref", style="dim")
    return Text(str(verdict or "-"), style=STYLES.get(verdict, "") if verdict else "dim")


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
