# SPDX-License-Identifier: Apache-2.0
"""``harness import``"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import ExitCode
from harness.printable import visible

if TYPE_CHECKING:
    from harness.importing import Outcome

OUT = "reports/imported"


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="BUNDLE…", type=click.Path(path_type=Path, resolve_path=True))
@click.option(
    "--out",
    metavar="DIR",
    default=OUT,
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where bundles go, each as <run_id>.run; others may be there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what became of each as JSON.")
def import_(files: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Take in run bundles that were made elsewhere: ….run.zip files as AirDrop leaves them, or ….run folders.

    Each is checked before it gets its name: sizes, names, the facts against the schema, every file against its
    checksum, tensors and samples against the format. Nothing is overwritten. One that was interrupted is not taken in:
    it can go on where it was made. What is wrong with one bundle does not keep the others out.
    """
    raise SystemExit(take_all(files, out, as_json))


def take_all(files: Sequence[Path], out: Path, as_json: bool) -> ExitCode:
    """Bring bundles in, print what became of each; the exit status to end with."""
    from harness import importing
    from harness.cli.progress import progress

    outcomes = []
    with progress() as tell:
        for number, file in enumerate(files):
            tell(file.name, "importing", number, len(files))
            outcomes.append(importing.take(file, out))
    if as_json:
        click.echo(json.dumps([_as_table(outcome) for outcome in outcomes], indent=1))
    else:
        for line, refused in in_words(outcomes):
            click.echo(line, err=refused)
    return ExitCode.worst([outcome.exit_code for outcome in outcomes])


def _as_table(outcome: Outcome) -> dict[str, str | None]:
    facts = outcome.facts or {}
    device = facts.get("device", {})
    return {
        "file": str(outcome.source),
        "verdict": outcome.verdict,
        "bundle": str(outcome.bundle) if outcome.bundle else None,
        "label": facts.get("label"),
        "lane": facts.get("lane"),
        "device": device.get("model") or device.get("cpu"),
        "message": outcome.message,
    }


def in_words(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, bool]]:
    """The line for each bundle, and whether it was refused."""
    rows = [_as_table(outcome) for outcome in outcomes]
    widths = {name: max(len(row[name] or "") for row in rows) for name in ("label", "lane", "device")}
    for row in rows:
        if row["bundle"] is None:
            yield visible(f"{row['verdict']:8}  {_named(row)}"), row["verdict"] == "refused"
        else:
            about = "  ".join(f"{row[name] or '':{width}}" for name, width in widths.items())
            why = f"  ({row['message']})" if row["message"] else ""
            yield visible(f"{row['verdict']:8}  {about}  {row['bundle']}{why}"), False


def _named(row: dict[str, str | None]) -> str:
    message, file = str(row["message"]), str(row["file"])
    return message if file in message else f"{file}: {message}"
