# SPDX-License-Identifier: Apache-2.0
"""The leaderboard for people and machines: a page with the Pareto front, CSV, JSON and a plain table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from harness.files import write_file
from harness.printable import visible
from harness.report import figures, plots
from harness.report.engine import engine
from harness.standing import Entry

PAGE = "leaderboard.html"


def write(entries: Sequence[Entry], folder: Path, command: str, facts: dict[str, Any]) -> None:
    """Write ``leaderboard.html``, ``leaderboard.csv`` and ``leaderboard.json``.

    Args:
        command: what to type to make it again.
        facts: ``run.json`` of a run that was timed: the machine, the threads, the protocol.
    """
    heads, rows = headings(entries), [cells(entry, entries) for entry in entries]
    page = (
        engine()
        .get_template("leaderboard.html.j2")
        .render(
            made_at=datetime.now(timezone.utc),
            command=command,
            facts=facts,
            heads=heads,
            rows=rows,
            best=front(entries),
            pareto=pareto(entries),
            first=entries[0].label,
            problems=[entry for entry in entries if entry.problem],
        )
    )
    write_file(folder / PAGE, page.encode())
    write_file(folder / "leaderboard.csv", _csv(entries).encode())
    content = json.dumps([entry.to_json() for entry in entries], indent=1) + "\n"
    write_file(folder / "leaderboard.json", content.encode())


def front(entries: Sequence[Entry]) -> list[int]:
    """Which entries no other beats in both IoU, the mean over the sets, and the network's time; those of less time
    first."""
    both = _both(entries)
    return [both[k] for k in plots.front(*_figures(entries, both))] if both else []


def pareto(entries: Sequence[Entry]) -> plots.Scatter | None:
    """IoU over the network's time; None for fewer than two entries that have both."""
    both = _both(entries)
    if len(both) < 2:
        return None
    costs, gains = _figures(entries, both)
    best = plots.front(costs, gains)
    labels = [
        f"{entries[k].label}: IoU {figures.iou(iou)} in {figures.milliseconds(ms)} ms"
        + (", on the front" if number in best else "")
        for number, (k, ms, iou) in enumerate(zip(both, costs, gains, strict=True))
    ]
    return plots.scatter(costs, gains, best, labels)


def _both(entries: Sequence[Entry]) -> list[int]:
    return [k for k, entry in enumerate(entries) if entry.iou is not None and entry.invoke_ms]


def _figures(entries: Sequence[Entry], chosen: Sequence[int]) -> tuple[list[float], list[float]]:
    return [entries[k].invoke_ms or 0.0 for k in chosen], [entries[k].iou or 0.0 for k in chosen]


def headings(entries: Sequence[Entry]) -> list[str]:
    """Of the columns that :func:`cells` fills."""
    sets = [heading for name in _sets(entries) for heading in (f"{name} IoU", "boundary")]
    return ["model", "input", "parameters", "MACs", "MB", *sets, "ms", "with the frame", f"times {entries[0].label}"]


def cells(entry: Entry, entries: Sequence[Entry]) -> list[str]:
    """A row of the table."""
    accuracy = [entry.accuracy.get(name) for name in _sets(entries)]
    quality = [figures.iou(v) for a in accuracy for v in ((a.iou, a.boundary_iou) if a else (None, None))]
    ratio = figures.NONE
    if entry.ratio:
        ratio = "{} ({} \N{EN DASH} {})".format(*map(figures.ratio, entry.ratio))
    return [
        entry.label,
        f"{entry.size[0]}×{entry.size[1]}",
        figures.count(entry.parameters),
        figures.NONE if entry.macs is None else f"{entry.macs / 1e6:.0f} M",
        figures.megabytes(entry.bytes),
        *quality,
        figures.milliseconds(entry.invoke_ms),
        figures.milliseconds(entry.total_ms),
        ratio,
    ]


def table(entries: Sequence[Entry]) -> str:
    """The table as text; a star is on the Pareto front."""
    best = set(front(entries))
    rows = [headings(entries), *(cells(entry, entries) for entry in entries)]
    marks = ["", *("*" if k in best else "" for k in range(len(entries)))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for mark, row in zip(marks, rows, strict=True):
        first, *others = (
            cell.ljust(w) if n == 0 else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([f"{mark or ' '} {first}", *others]).rstrip())
    lines += [f"{entry.label}: {entry.problem}" for entry in entries if entry.problem]
    return visible("\n".join(lines))


def _sets(entries: Sequence[Entry]) -> list[str]:
    return list(dict.fromkeys(name for entry in entries for name in entry.accuracy))


def _csv(entries: Sequence[Entry]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    sets = _sets(entries)
    quality = [f"{name}:{figure}" for name in sets for figure in ("iou", "boundary_iou")]
    writer.writerow(
        ["label", "model", "variant", "height", "width", "parameters", "macs", "bytes", *quality,
         "invoke_ms", "total_ms", "ratio", "ratio_low", "ratio_high", "problem"]
    )  # fmt: skip
    for entry in entries:
        found = [entry.accuracy.get(name) for name in sets]
        measured = [v for a in found for v in ((a.iou, a.boundary_iou) if a else ("", ""))]
        writer.writerow(
            [entry.label, entry.model, entry.variant, *entry.size, entry.parameters, entry.macs, entry.bytes, *measured,
             entry.invoke_ms, entry.total_ms, *(entry.ratio or ("", "", "")), entry.problem]
        )  # fmt: skip
    return text.getvalue()
