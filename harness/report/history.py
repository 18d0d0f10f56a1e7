# SPDX-License-Identifier: Apache-2.0
"""The page of many runs over time: one self-contained file, drawn by a script of its own from a compact table.

Ten thousand runs are points on six canvases and lines of data, not elements of the page; without JavaScript the
newest run of each series and every run that is in trouble are still there, as plain tables.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness import history
from harness.files import write_file
from harness.history import Entry
from harness.report import figures
from harness.report.engine import engine

_MOST_LATEST = 300
_MOST_TROUBLED = 500
_POOLED = ("label", "model", "variant", "suite", "machine", "profile", "version", "verdict", "page", "problem")
_NUMBERS = ("p50", "p90", "fps", "memory_bytes", "model_bytes", "iou")


def write(entries: Sequence[Entry], folder: Path, page: Path) -> None:
    """Write the page.

    Args:
        folder: the folder that was indexed; links lead into it from where the page lies.

    Raises:
        InvalidError: it cannot be written; nothing of it is left.
    """
    base = _link(os.path.relpath(folder.resolve(), page.resolve().parent))
    script = resources.files("harness.report").joinpath("templates/history.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode()
    newest = history.latest(list(entries))
    troubled = [entry for entry in reversed(entries) if entry.problem]
    text = (
        engine()
        .get_template("history.html.j2")
        .render(
            title=folder.resolve().name or str(folder),
            made_at=datetime.now(timezone.utc),
            total=len(entries),
            newest=newest[:_MOST_LATEST],
            newest_left=max(0, len(newest) - _MOST_LATEST),
            troubled=troubled[:_MOST_TROUBLED],
            troubled_total=len(troubled),
            figures=figures,
            link=lambda path: f"{base}/{_link(path)}",
            script=script,
            digest=digest,
            data=_in_script({"base": base, **_table(entries)}),
        )
    )
    write_file(page, text.encode(errors="replace"))


def _link(path: str) -> str:
    return quote(Path(path).as_posix())


def _table(entries: Sequence[Entry]) -> dict[str, Any]:
    """The runs column by column; words are listed once and named by number, -1 where there are none."""
    table: dict[str, Any] = {"n": len(entries), "words": {}, "columns": {}}
    for name in _POOLED:
        values = [getattr(entry, name) for entry in entries]
        # What nobody could read a label from, and the page calls by its file, comes after the true labels.
        nameless = {entry.label for entry in entries if not entry.started_at} if name == "label" else set()
        words = sorted(set(values) - {""}, key=lambda word: (word in nameless, word))
        places = {word: number for number, word in enumerate(words)} | {"": -1}
        table["words"][name] = [quote(word) for word in words] if name == "page" else words
        table["columns"][name] = [places[value] for value in values]
    for name in _NUMBERS:
        table["columns"][name] = [_short(getattr(entry, name)) for entry in entries]
    table["columns"]["time"] = [_seconds(entry.started_at) for entry in entries]
    table["columns"]["bundle"] = [_link(entry.bundles[0]) for entry in entries]
    return table


def _short(value: float | None) -> float | int | None:
    """Six significant digits: what a point on a screen, or a cell, can show."""
    if value is None:
        return None
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _seconds(started_at: str) -> int | None:
    return int(datetime.fromisoformat(started_at).timestamp()) if started_at else None


def _in_script(data: dict[str, Any]) -> str:
    """JSON that no text inside can end: it stands in a script element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
