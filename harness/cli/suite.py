# SPDX-License-Identifier: Apache-2.0
"""``harness suite list | show | create | motion | verify | pack``"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from harness.errors import ExitCode
from harness.printable import visible

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


class _Size(click.ParamType):
    """``WIDTHxHEIGHT`` as a pair of integers."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        width, _, height = value.partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            self.fail(f"{value!r} is no size; write it as 640x360", param, ctx)
        return int(width), int(height)


@suite.command()
@_OUT
@click.option(
    "--movement", "movements", metavar="NAME", multiple=True,
    help="still, sway, raise-hand or leave; may be repeated.  [default: all, one after another]",
)  # fmt: skip
@click.option("--frames", default=120, show_default=True, help="Frames of each movement.")
@click.option(
    "--fps", default=30, show_default=True, help="Frames per second: how far things move from one to the next."
)
@click.option("--size", type=_Size(), default="640x360", show_default=True, metavar="WxH", help="Pixels of a frame.")
@click.option("--seed", default=0, show_default=True, help="Chooses person, place, background and noise.")
@_JSON
def motion(
    out: str, movements: tuple[str, ...], frames: int, fps: int, size: tuple[int, int], seed: int, as_json: bool
) -> None:
    """Make a motion suite: a person from the shipped suite moves before a camera with a noisy sensor.

    Every frame has its exact mask. The same options give the same bytes. The live applications play such a suite as
    if it were a camera.
    """
    from harness import suite_motion

    width, height = size
    made = suite_motion.make(
        out, movements or suite_motion.MOVEMENTS, frames=frames, fps=fps, height=height, width=width, seed=seed
    )
    _made(made, as_json)


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
        click.echo(f"harness: {visible(problem)}", err=True)
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
        **({} if found.fps is None else {"fps": found.fps}),
    }


def _headline(found: Suite) -> str:
    count = len(found.cases)
    form = "" if found.fps is None else f" at {found.fps} fps"
    form += ", packed" if found.packed else ""
    return visible(f"{found.id}: {count} case{'s' if count != 1 else ''}{form}, sha256 {found.sha256}")


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
    from rich.text import Text

    console = Console()
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for heading in rows[0] if rows else ():
        table.add_column(heading, no_wrap=heading != "tags")
    for row in rows:
        table.add_row(*(Text(visible(str(value))) for value in row.values()))
    console.print(table)
