# SPDX-License-Identifier: Apache-2.0
"""``harness history``"""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="FOLDER", default="reports", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page to write.  [default: FOLDER/history.html]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the index instead of writing the page.")
def history(folder: Path, out: Path | None, as_json: bool) -> None:
    """Make a page of all runs below FOLDER: latency, FPS, memory, size and accuracy over time.  [default: reports]

    FOLDER may hold bundles, reports, baselines, or all of them, at any depth. A bundle that is damaged or unfinished is
    listed as such. Accuracy and verdicts come from the comparisons beside the bundles.
    """
    from harness import history as histories
    from harness.cli.progress import progress

    with progress() as tell:
        entries = histories.index(folder, lambda done, total: tell("history", "reading bundles", done, total))
    if as_json:
        click.echo(json.dumps([vars(entry) for entry in entries], indent=1))
        return
    from harness.errors import HarnessError
    from harness.report import history as report

    if not entries:
        raise HarnessError(f"{folder}: no run bundles below it (….run or ….run.zip)")
    page = out or folder / "history.html"
    report.write(entries, folder, page)
    troubled = sum(bool(entry.problem) for entry in entries)
    also = f", {troubled} of them damaged, unfinished or failed" if troubled else ""
    click.echo(f"{page}: {len(entries):,} runs{also}")
