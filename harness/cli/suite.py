# SPDX-License-Identifier: Apache-2.0
"""``harness suite list | show | create | verify | pack``"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.suite import Suite

_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
_OUT = click.option("--out", required=True, metavar="DIR", type=click.Path(file_okay=False), help="Folder to make.")
_SUITE = click.argument("name", metavar="[SUITE]", default="portraits")


@click.group()
def suite() -> None:
    """List, make, check and pack suites: hash-locked pictures with ground-truth masks.

    SUITE is the name of a shipped suite or a suite's folder.
    """


@suite.command("list")
@_JSON
def list_suites(as_json: bool) -> None:
    """List the suites that come with the harness."""
    from harness import suite as suites

    found = [suites.find(name) for name in suites.shipped()]
    if as_json:
        _print_json([_summary(each) for each in found])
    else:
        _print_table([{"suite": each.id, "cases": len(each.cases), "sha256": each.sha256[:12]} for each in found])


@suite.command()
@_SUITE
@_JSON
def show(name: str, as_json: bool) -> None:
    """Show the cases of a suite."""
    from harness import suite as suites

    found = suites.find(name)
    cases: list[dict[str, Any]] = [
        {
            "id": case.id,
            "width": case.width,
            "height": case.height,
            "mask": case.mask is not None,
            "tags": list(case.tags),
            "provenance": case.provenance,
        }
        for case in found.cases
    ]
    if as_json:
        _print_json({**_summary(found), "cases": cases})
        return
    click.echo(_headline(found))
    _print_table(
        [
            {
                "case": case["id"],
                "pixels": f"{case['width']}x{case['height']}",
                "mask": "yes" if case["mask"] else "no",
                "tags": " ".join(case["tags"]),
            }
            for case in cases
        ]
    )


@suite.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@_OUT
@click.option("--id", "suite_id", metavar="NAME", help="Id of the suite.  [default: the name of the folder]")
@click.option("--tag", "tags", metavar="WORD", multiple=True, help="Tag of every case; may be repeated.")
@click.option("--provenance", metavar="TEXT", default="", help="Source and licence of the pictures.")
@_JSON
def create(folder: str, out: str, suite_id: str | None, tags: tuple[str, ...], provenance: str, as_json: bool) -> None:
    """Make a suite from the pictures in DIR (or DIR/images) and, if there are any, the masks in DIR/masks.

    A mask belongs to the picture of the same name. EXIF orientation is applied, colour profiles and alpha are
    dropped, and everything is stored as PNG.
    """
    from harness import suite_making

    _made(suite_making.create(folder, out, suite_id=suite_id, tags=tags, provenance=provenance), as_json)


@suite.command()
@_SUITE
@_JSON
def verify(name: str, as_json: bool) -> None:
    """Check every file of a suite against its hash; exit status 2 where anything is wrong."""
    from harness import suite as suites

    found = suites.find(name)
    problems = suites.verify(found)
    if as_json:
        _print_json({**_summary(found), "problems": problems})
    elif not problems:
        click.echo(f"{_headline(found)}: every file is as it was made")
    for problem in [] if as_json else problems:
        click.echo(f"harness: {problem}", err=True)
    if problems:
        click.echo(
            f"harness: {found.root} is not the suite that was made ({len(problems)} found); bring the files back, "
            "or make a new suite with: harness suite create",
            err=True,
        )
        raise click.exceptions.Exit(ExitCode.USAGE)


@suite.command()
@click.argument("name", metavar="SUITE")
@_OUT
@_JSON
def pack(name: str, out: str, as_json: bool) -> None:
    """Write a suite as NPY arrays, for readers without an image decoder (C++, Swift).

    The packed suite keeps the sha256 of the original: results of both can be compared.
    """
    from harness import suite as suites
    from harness import suite_making

    _made(suite_making.pack(suites.find(name), out), as_json)


def _summary(found: Suite) -> dict[str, Any]:
    return {
        "id": found.id,
        "path": str(found.root),
        "sha256": found.sha256,
        "packed": found.packed,
        "cases": len(found.cases),
    }


def _headline(found: Suite) -> str:
    count = len(found.cases)
    form = ", packed" if found.packed else ""
    return f"{found.id}: {count} case{'s' if count != 1 else ''}{form}, sha256 {found.sha256}"


def _made(found: Suite, as_json: bool) -> None:
    if as_json:
        _print_json(_summary(found))
    else:
        click.echo(f"{found.root}: {_headline(found)}")


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1))


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for heading in rows[0] if rows else ():
        table.add_column(heading, no_wrap=heading != "tags")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
