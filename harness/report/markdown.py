# SPDX-License-Identifier: Apache-2.0
"""``report.md``: the page's tables as Markdown, for pull requests and the summary of a CI job. No pictures.

The verdict, the runs and what did not pass are seen at once; everything else is folded. It stays below the 65,536
characters that a comment on GitHub may have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.comparison import Comparison, Row, RunSummary
from harness.report import devices, figures, live, overview, speed
from harness.report.devices import Card
from harness.report.overview import Cell, Index
from harness.verdict import Verdict

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#])")
_MOST_ROWS = 100
_MOST_WORST = 10
_NOT_PASSED = (Verdict.INVALID, Verdict.FAIL, Verdict.WARN)
_LIMITS = ("run", "lane", "figure", "verdict", "value", "95 % interval", "limit", "would pass with")


def lines(comparison: Comparison, found: Index) -> Iterator[str]:
    """The file's text, section by section."""
    yield f"# {text(comparison.name)}: {comparison.verdict}\n\n"
    yield f"{text(' '.join(overview.headline(comparison)))}\n\n"
    yield from _runs(comparison, found)
    if errors := [run for run in comparison.runs if run.error]:
        yield from (f"- **{text(run.label)}**: {text(run.error)}\n" for run in errors)
        yield "\n"
    if comparison.findings:
        yield "## Findings\n\n"
        for finding in comparison.findings[:_MOST_ROWS]:
            yield f"- **{text(finding.run)}: {text(finding.title)}** "
            yield f"{text(finding.evidence)} {text(finding.remedy)}\n"
        yield "\n"
    yield from _worst(found)
    if comparison.of_live_runs:
        yield from _folded(
            "Live", table(["run", *live.COLUMNS], ([r.label, *live.cells(r, intervals=True)] for r in comparison.runs))
        )
    else:
        yield from _folded("Agreement", table(["run", "lane", *figures.NAMES.values()], _agreement(comparison)))
        yield from _folded("Speed and size", table(_SPEED, map(_speed, comparison.runs)))
    if cards := devices.cards(comparison, found):
        yield from _folded("Devices", table(_DEVICE, _devices(cards)))
    yield from _folded("Figures held against a limit", _gated(found))
    yield from _folded("How to reproduce", _reproduce(comparison))


def _runs(comparison: Comparison, found: Index) -> Iterator[str]:
    """One line for each run: verdicts, how fast beside the reference, and how accurate."""
    if comparison.of_live_runs:
        columns = overview.matrix_columns(comparison)
        rows = [[r.run.label, str(r.run.verdict), *map(_cell, r.cells)] for r in overview.matrix(comparison, found)]
        yield from table(["run", "verdict", *columns], rows)
        return
    lanes = [lane for lane in (*overview.LANES, "model", "timing") if any(key[1] == lane for key in found.gated)]
    yield from table(
        ["run", "verdict", *lanes, "mask IoU", "IoU, ground truth", "p50 ms", "times as long (95 %)"],
        (
            [run.label, str(run.verdict), *_verdicts(run, lanes, found), *_glance(comparison, run)]
            for run in comparison.runs
        ),
    )


def _verdicts(run: RunSummary, lanes: Sequence[str], found: Index) -> list[str]:
    if run.reference and not run.error:
        return ["reference"] * len(lanes)
    return [str(overview.lane_verdict(run, lane, found) or "-") for lane in lanes]


def _glance(comparison: Comparison, run: RunSummary) -> list[str]:
    return [
        "-" if run.reference else figures.iou(overview.worst_of_lanes(run, "mask_iou", min)),
        figures.iou(overview.truth(run, "gt_iou")),
        figures.milliseconds(run.latency.p50 if run.latency else None),
        speed.times(speed.ratio(comparison, run.label)),
    ]


def _worst(found: Index) -> Iterator[str]:
    """What did not pass, the gravest first, and of those what every case together says before single cases."""
    rows = [row for row in overview.gated_rows(found) if row.verdict in _NOT_PASSED]
    if rows:
        rows.sort(key=lambda row: _NOT_PASSED.index(row.verdict))
        yield "## What did not pass\n\n"
        yield from table(_LIMITS, map(_row, rows[:_MOST_WORST]))
        if len(rows) > _MOST_WORST:
            yield f"and {len(rows) - _MOST_WORST} more.\n\n"


def _folded(title: str, inside: Iterable[str]) -> Iterator[str]:
    """A section that opens when it is asked for."""
    yield f"<details><summary>{title}</summary>\n\n"
    yield from inside
    yield "</details>\n\n"


def _reproduce(comparison: Comparison) -> Iterator[str]:
    yield from _code(comparison.command)
    suite = comparison.suite
    digest = f", sha256 `{suite['sha256']}`" if suite.get("sha256") else ""
    yield f"Suite {text(str(suite.get('id')))}, {suite.get('cases')} cases{digest}.\n"
    for run in comparison.runs:
        model = run.facts.get("model") or {}
        if model.get("sha256"):
            yield f"Model of {text(run.label)}: sha256 `{model['sha256']}`.\n"
    yield "\n"


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
        return [run.label, "0", *[figures.NONE] * 5, memory, size, run.error or devices.note(run)]
    timed = run.latency
    times = [figures.milliseconds(v) for v in (timed.p50, timed.p90)]
    starts = [figures.milliseconds(v) for v in (timed.load, timed.first)]
    return [run.label, str(timed.n), *times, figures.rate(timed.fps), *starts, memory, size, devices.note(run)]


_DEVICE = ["run", "device", "kind", *devices.COLUMNS, "system", "thermal state", "battery", "low power mode", "note"]


def _devices(cards: Sequence[Card]) -> Iterator[list[str]]:
    for card in cards:
        facts = dict(card.facts)
        told = [facts.get(name, "") for name in ("system", "thermal state", "battery", "low power mode")]
        for each in card.runs:
            yield [each.run.label, card.name, card.kind, *each.cells, *told, each.note]


def _gated(found: Index) -> Iterator[str]:
    rows = overview.gated_rows(found)
    yield from table(_LIMITS, map(_row, rows[:_MOST_ROWS]))
    if len(rows) > _MOST_ROWS:
        yield f"{len(rows) - _MOST_ROWS} more are in `comparison.csv`.\n\n"


def _row(row: Row) -> list[str]:
    metric = overview.metric_of(row)
    value = figures.metric(metric, row.value)
    interval = " – ".join(figures.metric(metric, end) for end in row.interval or ())
    return [
        row.run,
        row.lane,
        row.row,
        str(row.verdict),
        value,
        interval,
        overview.limit_text(row),
        overview.would_pass_text(row),
    ]


def _code(command: str) -> Iterator[str]:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
    yield f"{fence}sh\n{command}\n{fence}\n\n"
