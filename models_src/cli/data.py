# SPDX-License-Identifier: Apache-2.0
"""``segmodel data``: look at pictures with masks in any format, and prepare them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from models_src.cli.console import live_progress

if TYPE_CHECKING:
    from models_src.datasets.manifest import Dataset

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def data() -> None:
    """Look at pictures with masks, in any format, and prepare them.

    \b
    Formats, told by what is there:
      pairs        images/NAME.jpg and masks/NAME.png; mattes alike
      labels       images/ and annotations/ whose pixels are class numbers (image-segmentation-keras)
      supervisely  a Supervisely project
      coco         a COCO file, or the folder that holds one
      cutouts      PNG files whose transparency is the mask
      manifest     a YAML file that mixes several, with weights
    Named only: nobody (pictures without a person).
    """


def _dataset(function: F) -> F:
    """The argument PATH and the options of its format."""
    for decorate in (
        click.option("--people", "people", multiple=True, type=int, metavar="N", help="Class numbers of people. [1]"),
        click.option("--class", "classes", multiple=True, metavar="NAME", help="Classes that are people."),
        click.option("--masks", metavar="NAME", help="Folder of the masks of pairs. [masks]"),
        click.option("--part", metavar="NAME", help="Part of a set of class numbers. [train]"),
        click.option("--match", default="*", metavar="GLOB", help="Only names that match."),
        click.option("--format", "kind", metavar="NAME", help="Format, if it cannot be told by what is there."),
        click.argument("path", metavar="PATH"),
    ):
        function = decorate(function)
    return function


def _options(kind: str | None, **given: Any) -> dict[str, Any]:
    return {name: value for name, value in {**given, "name": kind}.items() if value}


def _load(path: str, match: str, **options: Any) -> Dataset:
    from models_src.datasets import manifest

    return manifest.load(path, match, **_options(**options))


@data.command()
@_dataset
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(path: str, match: str, as_json: bool, **options: Any) -> None:
    """Read everything, and name all that is wrong in one error."""
    found = _load(path, match, **options)
    facts = {"pictures": len(found.samples), "sources": len(found.sources)}
    click.echo(json.dumps(facts) if as_json else f"{path}: {facts['pictures']} pictures, all can be used")


@data.command()
@_dataset
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stats(path: str, match: str, as_json: bool, **options: Any) -> None:
    """How many pictures, of what size, and how much of them is people."""
    from models_src.datasets import statistics

    rows = statistics.of(_load(path, match, **options))
    click.echo(json.dumps(rows, indent=1) if as_json else statistics.table(rows))


@data.command()
@_dataset
@click.option("--out", required=True, metavar="FILE", help="Picture to write, .jpg or .png.")
@click.option("--count", default=24, show_default=True, type=click.IntRange(1, 400), help="Pictures to show.")
@click.option("--seed", default=0, show_default=True, help="Which ones.")
@click.option("--config", "config_file", metavar="FILE", help="Experiment: show them as its training would see them.")
def preview(path: str, match: str, out: str, count: int, seed: int, config_file: str | None, **options: Any) -> None:
    """Show pictures with their masks as a contact sheet."""
    from models_src import preview as previewing

    previewing.write(_load(path, match, **options), Path(out), count, seed, config_file)
    click.echo(out)


@data.command()
@_dataset
@click.option("--out", required=True, metavar="DIR", help="Folder for train.yaml and val.yaml.")
@click.option("--val", "share", default=0.1, show_default=True, type=click.FloatRange(0, 1), help="Share of val.")
@click.option("--group", metavar="REGEX", help="What names of one person have in common, as the expression's group.")
@click.option("--seed", default=0, show_default=True, help="Which ones.")
def split(path: str, match: str, out: str, share: float, group: str | None, seed: int, **options: Any) -> None:
    """Part a set for training and validation, never two pictures of one group: as two manifests."""
    from models_src.datasets import split as splitting

    given = _options(**options)
    counts = splitting.write(Path(path), Path(out), match, share, group, seed, given)
    click.echo("\n".join(f"{Path(out) / name}.yaml: {count} pictures" for name, count in counts.items()))


@data.command()
@click.argument("images", metavar="DIR")
@click.option("--teacher", "teachers", multiple=True, required=True, metavar="MODEL[,CONTRACT]", help="Repeatable.")
@click.option("--out", required=True, metavar="DIR", help="Pair folder to write, with agreement.csv.")
def label(images: str, teachers: tuple[str, ...], out: str) -> None:
    """Make masks for pictures that have none, by networks: their mean, and how far they agree."""
    from models_src import teachers as teaching
    from models_src.datasets import manifest

    pictures = manifest.images(images)
    with live_progress() as report:

        def told(done: int, total: int) -> None:
            if report:
                report("label", "pictures", done, total)

        table = teaching.label(pictures, teachers, Path(out), told)
    least = sorted(table.values())
    click.echo(f"{out}: {len(least)} pictures; the teachers' masks agree at IoU {least[len(least) // 2]:.3f} (median)")
