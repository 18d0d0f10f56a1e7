# SPDX-License-Identifier: Apache-2.0
"""Progress on standard error: a live line on a terminal, one line per activity where it is piped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.printable import visible
from harness.session import Progress


@contextmanager
def progress() -> Iterator[Progress]:
    """A function to report progress to, for the time of the context."""
    if sys.stderr.isatty():
        with _live() as report:
            yield report
    else:
        yield _Lines()


class _Lines:
    """Prints an activity when it begins, and failures."""

    def __init__(self) -> None:
        self._last = ("", "")

    def __call__(self, label: str, activity: str, done: float, total: float) -> None:
        if (label, activity) != self._last:
            self._last = (label, activity)
            print(visible(f"{label}: {activity}"), file=sys.stderr, flush=True)


@contextmanager
def _live() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    columns = (
        TextColumn("{task.fields[label]}", style="bold", markup=False),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", label="", total=1.0)
        last = ("", "")

        def report(label: str, activity: str, done: float, total: float) -> None:
            nonlocal last
            if (label, activity) != last:
                bars.reset(task)
                last = (label, activity)
            if activity.startswith("failed"):
                bars.console.print(Text.assemble((visible(label), "red"), " ", visible(activity)))
            bars.update(task, label=visible(label), description=visible(activity), completed=done, total=total)

        yield report
