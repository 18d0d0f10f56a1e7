# SPDX-License-Identifier: Apache-2.0
"""The report of a comparison: a page for people, the same for pull requests, and data for machines.

Reads comparisons, and the run bundles and the suite they name for samples and pictures. It runs nothing and
computes no verdicts.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.comparison import Comparison, Row
from harness.errors import HarnessError
from harness.report import junit, markdown, overview, page
from harness.report.evidence import Evidence

if TYPE_CHECKING:
    from harness.suite import Suite

CSV_FIELDS = (
    "run",
    "lane",
    "row",
    "value",
    "low",
    "high",
    "min",
    "max",
    "warn",
    "floor_ms",
    "verdict",
    "would_pass",
    "note",
)
"""Columns of the CSV; ``low`` and ``high`` are the value's 95 % interval."""
EXPORTS = ("markdown", "junit", "csv")
"""What :func:`export` writes."""


def write(comparison: Comparison, folder: str | Path, suite: Suite | None = None) -> Path:
    """Write ``comparison.json``, ``comparison.csv``, ``junit.xml``, ``report.md`` and ``index.html``.

    Args:
        folder: made where it does not exist; relative bundle paths of the comparison start here.
        suite: the suite that was run, for pictures and ground truth; without it the page shows masks alone.

    Returns:
        The path of the page.

    Raises:
        HarnessError: a file cannot be written. Each appears under its name only when it is whole.
    """
    folder = Path(folder)
    found = overview.index(comparison)
    # Data first: whatever happens to the page, the figures are there.
    _write(folder / "comparison.json", _json(comparison))
    _write(folder / "comparison.csv", csv_lines(comparison.rows))
    _write(folder / "junit.xml", junit.lines(comparison, found))
    _write(folder / "report.md", markdown.lines(comparison, found))
    _write(folder / "index.html", page.chunks(comparison, found, Evidence(comparison, folder, suite)))
    return folder / "index.html"


def export(comparison: Comparison, files: Mapping[str, str | Path]) -> None:
    """Write single files of the report elsewhere, each whole or not at all.

    Args:
        files: format (one of :data:`EXPORTS`) -> where to.

    Raises:
        HarnessError: a file cannot be written.
    """
    found = overview.index(comparison)
    texts = {
        "markdown": lambda: markdown.lines(comparison, found),
        "junit": lambda: junit.lines(comparison, found),
        "csv": lambda: csv_lines(comparison.rows),
    }
    for name, path in files.items():
        _write(Path(path), texts[name](), f"choose another file with --{name}")


def _json(comparison: Comparison) -> Iterator[str]:
    """``comparison.to_json()`` in pieces, without a second copy of everything in memory."""
    yield from json.JSONEncoder(indent=1, allow_nan=False, default=vars).iterencode(vars(comparison))
    yield "\n"


def csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """The CSV's text, one row at a time; its columns are :data:`CSV_FIELDS`."""
    yield _line(CSV_FIELDS)
    for row in rows:
        limits = [getattr(row.limit, name, None) for name in ("min", "max", "warn", "floor_ms")]
        figures = [row.value, *(row.interval or (None, None)), *limits]
        yield _line([row.run, row.lane, row.row, *figures, row.verdict.value, row.would_pass, row.note])


def _line(values: Iterable[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def _write(path: Path, pieces: Iterable[str], remedy: str = "choose another folder with --out") -> None:
    temporary = path.with_name(f".{path.name}.tmp{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="", errors="replace") as file:
            file.writelines(pieces)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise HarnessError(f"{path}: cannot write: {error.strerror}; {remedy}") from None
        raise
