# SPDX-License-Identifier: Apache-2.0
"""``harness leaderboard``"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from harness import measure
from harness.cli import options as shared
from harness.errors import ExitCode, HarnessError


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL[,CONTRACT]…")
@click.option(
    "--data",
    multiple=True,
    required=True,
    metavar="DIR[,GLOB]|SUITE",
    help="Pictures with true masks: images/ and masks/, or a suite. Repeatable; the first is timed.",
)
@click.option("--variants", metavar="NAMES", help="Of model folders, e.g. fp32,int8,keras.  [default: all TFLite]")
@click.option("--profile", default="quick", show_default=True, type=click.Choice(list(measure.PROFILES)))
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--out", metavar="DIR", help="Folder for the page and the runs.  [default: a new one in reports/]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def leaderboard(
    models: tuple[str, ...],
    data: tuple[str, ...],
    variants: str | None,
    profile: str,
    threads: int,
    out: str | None,
    as_json: bool,
) -> None:
    """Rank models: size, operations, IoU and boundary IoU against true masks, and latency in one session.

    The first model is the one whose time the others' is held against. Nothing is judged.
    """
    from harness import leaderboard as board
    from harness.cli.progress import progress
    from harness.report import leaderboard as page

    named, entries = board.find(models, [name for name in (variants or "").split(",") if name])
    folder = shared.output_folder(out, "leaderboard")
    try:
        sets = _suites(data, folder)
        with progress() as report:
            runs = board.run(board.requests(named, sets, profile, threads), folder / "runs", report)
    except HarnessError:
        if not (folder / "runs").exists():  # nothing was run, and the folder can be named again
            shutil.rmtree(folder / "suites", ignore_errors=True)
            with suppress(OSError):
                folder.rmdir()
        raise
    ranked = board.rank(entries, sets, runs)
    command = shlex.join(["harness", *sys.argv[1:]])
    page.write(ranked, folder, command, runs[0][0].facts)
    click.echo(json.dumps([entry.to_json() for entry in ranked], indent=1) if as_json else page.table(ranked))
    if not as_json:
        click.echo(f"\n{folder / page.PAGE}")
    raise SystemExit(ExitCode.INVALID if any(entry.problem for entry in ranked) else ExitCode.PASS)


def _suites(data: Sequence[str], folder: Path) -> list[str]:
    """Suites as they are; folders of pictures with masks as suites made of them.

    Raises:
        HarnessError: a set is named twice, two suites have the same id, or one cannot be found or made.
    """
    from harness import suite

    words = [text.partition(",") for text in data]
    asked = [(Path(name).resolve() if Path(name).is_dir() else Path(name), match) for name, _, match in words]
    if len(set(asked)) < len(asked):
        raise HarnessError("a set is named twice: --data takes different ones")
    sets = [_as_suite(path, match, folder) for path, match in asked]
    ids = [suite.find(name).id for name in sets]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise HarnessError(f"two suites are called {', '.join(sorted(twice))}: make one of them with another --id")
    return sets


def _as_suite(path: Path, match: str, folder: Path) -> str:
    from harness import suite, suite_making

    if not path.is_dir():
        return str(path)
    if (path / suite.INDEX).is_file():
        return str(path)
    words = [*path.parts[-2:], *([match] if match else [])]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(words)).strip("-_.")
    made, number = folder / "suites" / name, 1
    while made.exists():  # another set, whose path ends alike
        number += 1
        made = made.with_name(f"{name}-{number}")
    suite_making.create(path, made, match=match or "*")
    return str(made.resolve())
