# SPDX-License-Identifier: Apache-2.0
"""``report.md``: the page's tables as Markdown, for pull requests and mail. No pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.comparison import Comparison, Row, RunSummary
from harness.report import figures, live, overview
from harness.report.overview import Cell, Index

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#])")
_MOST_ROWS = 200


def lines(comparison: Comparison, found: Index) -> Iterator[str]:
    """The file's text, section by section."""
    yield f"# {text(comparison.name)}: {comparison.verdict}\n\n"
    yield f"{text(' '.join(overview.headline(comparison)))}\n\n"
    columns = overview.matrix_columns(comparison)
    rows = [[run.run.label, str(run.run.verdict), *map(_cell, run.cells)] for run in overview.matrix(comparison, found)]
    yield from table(["run", "verdict", *columns], rows)
    if errors := [run for run in comparison.runs if run.error]:
        yield from (f"- **{text(run.label)}**: {text(run.error)}\n" for run in errors)
        yield "\n"
    if comparison.findings:
        yield "## Findings\n\n"
        for finding in comparison.findings:
            yield f"- **{text(finding.run)}: {text(finding.title)}** "
            yield f"{text(finding.evidence)} {text(finding.remedy)}\n"
        yield "\n"
    if comparison.of_live_runs:
        yield "## Live\n\n"
        yield from table(["run", *live.COLUMNS], ([run.label, *live.cells(run)] for run in comparison.runs))
    else:
        yield "## Agreement\n\n"
        yield from table(["run", "lane", *figures.NAMES.values()], _agreement(comparison))
        yield "## Speed and size\n\n"
        yield from table(_SPEED, map(_speed, comparison.runs))
        yield "## Figures held against a limit\n\n"
        yield from _gated(found)
    yield "## How to reproduce\n\n"
    yield from _code(comparison.command)
    suite = comparison.suite
    digest = f", sha256 `{suite['sha256']}`" if suite.get("sha256") else ""
    yield f"Suite {text(str(suite.get('id')))}, {suite.get('cases')} cases{digest}.\n"
    for run in comparison.runs:
        model = run.facts.get("model") or {}
        if model.get("sha256"):
            yield f"Model of {text(run.label)}: sha256 `{model['sha256']}`.\n"


def text(value: str) -> str:
    """Any text as plain Markdown: nothing in it is markup, HTML or a line break."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(value.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; every field is escaped."""
    yield f"| {' | '.join(map(text, head))} |\n"
    yield f"|{'---|' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(map(text, row))} |\n"
    yield "\n"


def _cell(cell: Cell) -> str:
    return " ".join(filter(None, [str(cell.verdict or ""), cell.text]))


def _agreement(comparison: Comparison) -> Iterator[list[str]]:
    for run in comparison.runs:
        for lane in overview.LANES:
            if pooled := run.pooled.get(lane):
                shown = [figures.metric(name, pooled[name]) if name in pooled else "" for name in figures.NAMES]
                yield [run.label, lane, *shown]


_SPEED = [
    "run", "frames", "p50 ms", "p90 ms", "FPS", "load ms", "first inference ms", "peak memory MB", "model MB", "note",
]  # fmt: skip


def _speed(run: RunSummary) -> list[str]:
    memory, size = figures.megabytes(run.peak_memory_bytes), figures.megabytes(overview.model_bytes(run))
    if run.latency is None:
        return [run.label, "0", *[figures.NONE] * 5, memory, size, run.error]
    timed = run.latency
    times = [figures.milliseconds(v) for v in (timed.p50, timed.p90)]
    starts = [figures.milliseconds(v) for v in (timed.load, timed.first)]
    return [run.label, str(timed.n), *times, figures.rate(timed.fps), *starts, memory, size, timed.note]


def _gated(found: Index) -> Iterator[str]:
    rows = overview.gated_rows(found)
    yield from table(
        ["run", "lane", "figure", "verdict", "value", "limit", "would pass with"], map(_row, rows[:_MOST_ROWS])
    )
    if len(rows) > _MOST_ROWS:
        yield f"{len(rows) - _MOST_ROWS} more rows that did not pass are in `comparison.csv`.\n\n"


def _row(row: Row) -> list[str]:
    value = figures.metric(overview.metric_of(row), row.value)
    return [
        row.run,
        row.lane,
        row.row,
        str(row.verdict),
        value,
        overview.limit_text(row),
        overview.would_pass_text(row),
    ]


def _code(command: str) -> Iterator[str]:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
    yield f"{fence}sh\n{command}\n{fence}\n\n"
