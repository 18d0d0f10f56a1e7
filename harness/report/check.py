# SPDX-License-Identifier: Apache-2.0
"""Runs held against a baseline: a table for the terminal, Markdown, JUnit and data, and a whole report of each target.

Computes no verdict; what it says it takes from the check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness import compare, report
from harness.baseline import slug
from harness.baseline_check import MODEL_LANE, Check
from harness.comparison import Comparison, Row, RunSummary
from harness.files import write_file
from harness.printable import visible
from harness.report import console, figures, junit, markdown, overview, speed
from harness.verdict import Verdict, worst

if TYPE_CHECKING:
    from harness.suite import Suite

SCHEMA = "baseline-check/1"
COLUMNS = ("target", "verdict", "masks", "model", "speed", "times as long", "p50 ms", "was", "size MB")
TRUSTED = (
    "Speed was measured at another time than the baseline, so how the machine was then and now is in it. To know, "
    "time both in one session: harness bench."
)


def write(check: Check, folder: Path, suite: Suite | None = None, exports: Mapping[str, str] | None = None) -> Path:
    """Write ``check.json``, ``check.csv``, ``junit.xml``, ``report.md``, and for each target a folder with its report.

    Args:
        exports: also elsewhere: ``markdown``, ``junit`` or ``csv`` -> the file.

    Returns:
        The path of ``report.md``.

    Raises:
        HarnessError: a file cannot be written.
    """
    for target, comparison in check.comparisons.items():
        place = folder / slug(target)
        report.write(compare.relative_bundles(comparison, place), place, suite)
    write_file(folder / "check.json", to_json(check).encode())
    tests = [(run, overview.index(c)) for c in check.comparisons.values() for run in c.runs if not run.reference]
    texts = {
        "csv": ("check.csv", report.csv_lines(row for c in check.comparisons.values() for row in c.rows)),
        "junit": ("junit.xml", junit.document(check.baseline.name, tests)),
        "markdown": ("report.md", _markdown(check)),
    }
    for kind, (name, pieces) in texts.items():
        text = "".join(pieces).encode(errors="replace")
        for path in [folder / name, *([Path(exports[kind])] if exports and kind in exports else [])]:
            write_file(path, text)
    return folder / "report.md"


def to_json(check: Check) -> str:
    """The whole check as data: verdicts, and every row that is gated or did not pass."""
    baseline = check.baseline
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "baseline": {"name": baseline.name, "created_at": baseline.created_at, "suite": baseline.suite},
        "verdict": check.verdict,
        "exit_code": int(check.exit_code),
        "missing": check.missing,
        "targets": [
            {
                "target": target,
                "verdict": comparison.verdict,
                "report": f"{slug(target)}/index.html",
                "speed": check.speed[target] or "gated",
                "rows": [vars(row) for row in comparison.rows if overview.is_gated(row)],
            }
            for target, comparison in check.comparisons.items()
        ],
    }
    return json.dumps(data, indent=1, allow_nan=False, default=vars) + "\n"


def print_table(check: Check, out: Console, page: Path | None = None) -> None:
    """One line for each target, then what did not pass and why.

    Args:
        page: named in the last line.
    """
    table = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in COLUMNS:
        table.add_column(name, no_wrap=name != "target", justify="right" if name in COLUMNS[5:] else "left")
    for target, comparison in check.comparisons.items():
        verdicts = (
            Text(v, style=console.STYLES.get(Verdict(v), "") if v != "-" else "dim") for v in _verdicts(comparison)
        )
        table.add_row(Text(visible(target)), *verdicts, *map(Text, _figures(comparison)))
    out.print(table)
    out.print()
    for line in _lines(check):
        out.print(Text(visible(f"- {line}")), soft_wrap=True)
    if page is not None:
        out.print(Text(f"Report: {page}"), soft_wrap=True)


def _markdown(check: Check) -> Iterator[str]:
    baseline = check.baseline
    yield f"# Baseline {markdown.text(baseline.name)}: {check.verdict}\n\n"
    yield f"Recorded {baseline.created_at}, suite {markdown.text(baseline.suite['id'])}.\n\n"
    rows = ([target, *_verdicts(c), *_figures(c)] for target, c in check.comparisons.items())
    yield from markdown.table(COLUMNS, rows)
    yield from (f"- {markdown.text(line)}\n" for line in _lines(check))


def _verdicts(comparison: Comparison) -> list[str]:
    """Of the whole, the masks, the model file and speed; ``-`` where nothing was judged."""
    rows = [row for row in comparison.rows if overview.is_gated(row)]
    masks = [row.verdict for row in rows if row.lane != MODEL_LANE and not row.of_performance]
    masks += [case.verdict for case in comparison.cases if case.run == _checked(comparison).label]
    parts = [
        masks,
        [row.verdict for row in rows if row.lane == MODEL_LANE],
        [row.verdict for row in rows if row.of_performance],
    ]
    return [str(comparison.verdict), *(str(worst(part)) if part else "-" for part in parts)]


def _figures(comparison: Comparison) -> list[str]:
    now, then = _checked(comparison), comparison.reference
    p50 = [figures.milliseconds(run.latency.p50 if run.latency else None) for run in (now, then)]
    ratio = speed.times(speed.ratio(comparison, now.label))
    return [ratio, *p50, figures.megabytes(overview.model_bytes(now))]


def _lines(check: Check) -> Iterator[str]:
    """What did not pass, what was not looked at, and what is to be known of it."""
    for target, comparison in check.comparisons.items():
        pooled = [row for row in comparison.rows if overview.case_of(row) is None and _notable(row)]
        yield from (f"{target}: {row.row} {row.verdict}: {junit.explain(row)}" for row in pooled)
        single = {case.case for case in comparison.cases if case.verdict in overview.ATTENTION}
        if single:
            yield f"{target}: {len(single)} of {comparison.suite['cases']} cases differ: {slug(target)}/index.html"
        if check.speed[target]:
            yield f"{target}: speed was not gated: {check.speed[target]}"
    if check.missing:
        yield f"not checked: {', '.join(check.missing)}"
    if any(row.of_performance for comparison in check.comparisons.values() for row in comparison.rows):
        yield TRUSTED


def _notable(row: Row) -> bool:
    return row.verdict in overview.ATTENTION or (row.verdict is Verdict.WARN and overview.is_gated(row))


def _checked(comparison: Comparison) -> RunSummary:
    return next(run for run in comparison.runs if not run.reference)
